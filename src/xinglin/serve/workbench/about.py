"""Which model, how much of it is reviewed, what it is not."""

from __future__ import annotations

from collections import Counter

from fastapi import Request
from nicegui import ui

from xinglin import __version__
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.render import model_json
from xinglin.apps.diagnosis.wording import Lang
from xinglin.graph.knowledge import Provenance
from xinglin.measure.markup import Markup, tag
from xinglin.serve.workbench.desk import visit
from xinglin.serve.workbench.icons import blossom, icon
from xinglin.serve.workbench.shell import fragment, frame
from xinglin.types import DISCLAIMER

WORDS = {
    "head": ("关于杏林", "About Xinglin"),
    "story": (
        "董奉治病不取钱,只请病愈者种杏树;杏林成荫,再养后来的病人。杏林是一个开放的医学模型公地。",
        "Dong Feng healed people and asked each to plant apricot trees; the grove fed the next patients. "
        "Xinglin is an open medical model commons.",
    ),
    "model": ("模型", "Model"),
    "id": ("模型与版本", "Model and version"),
    "encoder": ("文本模型", "Text model"),
    "none": ("未使用", "not used"),
    "software": ("软件版本", "Software"),
    "calibration": ("概率校准", "Calibration"),
    "not_calibrated": (
        "未用确诊病例校准,因此不显示百分比",
        "not calibrated on confirmed cases, hence no percentages",
    ),
    "clinic": ("本院条件", "Clinic profile"),
    "graph": ("知识图谱", "Knowledge graph"),
    "diseases": ("疾病", "diseases"),
    "findings": ("症状、体征、检验与危险因素", "findings and risk factors"),
    "exams": ("检查", "examinations"),
    "relations": ("关系", "relations"),
    "options": ("处理方向", "management options"),
    "contraindications": ("禁忌与慎用条件", "contraindications"),
    "red_flags": ("危险信号规则", "red flag rules"),
    "danger_signs": ("须排除的危险表现", "danger signs to ask for"),
    "review": ("审阅情况", "Review"),
    "rows": ("条目", "rows"),
    "verified": ("来源已核对", "source verified"),
    "reviewed": ("经临床医师审阅", "reviewed by a clinician"),
    "review_note": (
        "未审阅的条目由模型辅助编写,可能有错。每条结果旁标有来源;发现错误请在知识图谱页报告。",
        "Unreviewed rows were written with the help of a model and may be wrong. Each result shows its "
        "source; please report errors on the graph page.",
    ),
    "limits": ("声明", "Disclaimer"),
    "limit_list": (
        (
            "不作诊断,不开处方,不含剂量;结果须由执业医师判断。",
            "未列出的疾病不等于已排除;未提到的事实按未知处理。",
            "预测只在账本中留下带盐的摘要,不留原文;保存病例才会保存文字。",
            "页面不访问外部网络,全部资源随软件提供。",
        ),
        (
            "It makes no diagnosis and no prescription and holds no doses; a licensed clinician decides.",
            "A disease that is not listed is not excluded; a fact that is not mentioned is unknown.",
            "A prediction leaves a salted digest in the ledger; only saving a case keeps its text.",
            "The page makes no request to the internet: all assets come with the package.",
        ),
    ),
    "licence": ("许可", "Licence"),
    "licence_body": (
        "软件与入门图谱以 Apache-2.0 许可发布。ICD-10 © 世界卫生组织。",
        "Software and starter graph are under Apache-2.0. ICD-10 © World Health Organization.",
    ),
}


def _word(key: str, lang: Lang) -> str:
    pair = WORDS[key]
    return str(pair[0] if lang == "zh" else pair[1])


def about(differential: Differential, lang: Lang) -> list[Markup]:
    """Return the sections of the page."""
    knowledge, pack = differential.knowledge, differential.pack
    parts = {
        "diseases": [item.provenance for item in knowledge.diseases.values()],
        "exams": [item.provenance for item in knowledge.exams.values()],
        "relations": [item.provenance for item in knowledge.relations],
        "options": [item.provenance for item in knowledge.options],
        "contraindications": [item.provenance for item in knowledge.contraindications],
        "red_flags": [item.provenance for item in knowledge.red_flags],
        "danger_signs": [item.provenance for item in knowledge.danger_signs],
    }
    counts = Counter({name: len(rows) for name, rows in parts.items()})
    counts["findings"] = len(pack.findings)
    shown = ("diseases", "findings", "exams", "relations", "options", "red_flags")
    numbers = [tag("div", tag("b", f"{counts[name]:,}"), tag("span", _word(name, lang))) for name in shown]
    model = model_json(differential)
    encoder = model["encoder"]
    calibrated = differential.join.calibrated_on if encoder and differential.join else pack.calibrated_on
    facts = (
        ("id", f"{pack.name} · {pack.version}"),
        (
            "encoder",
            f"{encoder['name']} · {encoder['id'][:16]} · {model['join']}" if encoder else _word("none", lang),
        ),
        ("software", __version__),
        ("calibration", calibrated or _word("not_calibrated", lang)),
        ("clinic", f"{differential.profile.name} · {differential.profile.level}"),
    )
    table = tag(
        "table",
        [tag("tr", tag("th", _word(key, lang), scope="row"), tag("td", value)) for key, value in facts],
    )
    strong = tag("p", DISCLAIMER[lang], cls="xl-strong")
    limits = WORDS["limit_list"][0 if lang == "zh" else 1]
    return [
        tag(
            "div", blossom(44), tag("h1", _word("head", lang)), tag("p", _word("story", lang)), cls="xl-story"
        ),
        _card("limits", "shield", strong, tag("ul", [tag("li", row) for row in limits]), lang=lang),
        _card("graph", "branch", tag("div", numbers, cls="xl-numbers"), lang=lang),
        _card("review", "book", _review(parts, lang), tag("p", _word("review_note", lang)), lang=lang),
        _card("model", "page", table, lang=lang),
        _card("licence", "page", tag("p", _word("licence_body", lang)), lang=lang),
    ]


def _card(title: str, symbol: str, *content: Markup, lang: Lang) -> Markup:
    return tag("section", tag("h2", icon(symbol), _word(title, lang)), content, cls="xl-card")


def _review(parts: dict[str, list[Provenance]], lang: Lang) -> Markup:
    rows = []
    for name, items in parts.items():
        verified = sum(item.verified for item in items)
        reviewed = sum(item.reviewed_by is not None for item in items)
        cells = [tag("td", f"{number:,}", cls="xl-number") for number in (len(items), verified, reviewed)]
        rows.append(tag("tr", tag("th", _word(name, lang), scope="row"), cells))
    heads = [
        tag("th", _word(name, lang), scope="col", cls="xl-number")
        for name in ("rows", "verified", "reviewed")
    ]
    head = tag("thead", tag("tr", tag("th", ""), heads))
    return tag("table", head, tag("tbody", rows), cls="xl-table")


def register() -> None:
    """Register the page."""

    @ui.page("/about")
    def about_page(request: Request) -> None:
        visitor = visit(request)
        with frame(visitor, "about"):
            for section in about(visitor.desk.differential, visitor.lang):
                fragment(section)
