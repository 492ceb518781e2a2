"""Examples of departments for an auxiliary head: real questions with the set's own category, and narratives.

Categories of the sets are written as the graph's departments; those without an equal there are dropped with a count.
A set's category is a stated label; a narrative's, the department of its disease in the graph, is weak and templated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import MissingDataError
from xinglin.train.corpus import reported
from xinglin.train.mining import LONGEST, Mining, Tally
from xinglin.train.names import starter_names

TOYHOM = {
    "肝病科": "肝病科",
    "消化科": "消化内科",
    "神经科": "神经内科",
    "心血管科": "心血管内科",
    "内分泌科": "内分泌科",
    "呼吸科": "呼吸与危重症医学科",
    "肾内科": "肾内科",
    "感染科": "感染科",
    "血液科": "血液内科",
    "普通内科": "全科医学科",
    "风湿免疫科": "风湿免疫科",
}
"""Departments of toyhom in the graph's words; 肝病科 has no equal there and stays."""
CMTMEDQA = {
    "骨科": "骨科",
    "皮肤科": "皮肤科",
    "过敏": "变态反应科",
    "皮肤过敏": "变态反应科",
    "皮肤综合": "皮肤科",
    "耳鼻喉科": "耳鼻咽喉科",
    "眼科": "眼科",
    "近视": "眼科",
    "口腔科": "口腔科",
    "口腔科其它": "口腔科",
    "小儿内科": "儿科",
    "小儿综合": "儿科",
    "儿科": "儿科",
    "儿童哮喘": "儿科",
    "小儿外科": "小儿外科",
    "新生儿": "新生儿科",
    "心理科": "精神心理科",
    "妇科综合": "妇科",
    "妇科": "妇科",
    "妇科其它": "妇科",
    "月经不调": "妇科",
    "产科综合": "产科",
    "产科": "产科",
    "产科其它": "产科",
    "男科": "男科",
    "男性科": "男科",
    "性功能障碍": "男科",
    "呼吸内科": "呼吸与危重症医学科",
    "消化内科": "消化内科",
    "心血管内科": "心血管内科",
    "神经内科": "神经内科",
    "内分泌科": "内分泌科",
    "肾内科": "肾内科",
    "风湿免疫": "风湿免疫科",
    "普外科": "普外科",
    "泌尿外科": "泌尿外科",
    "前列腺": "泌尿外科",
    "肝胆外科": "肝胆外科",
    "肛肠外科": "肛肠科",
    "肝病科": "肝病科",
    "乙肝": "肝病科",
    "传染科": "感染科",
    "传染病科": "感染科",
    "狂犬病": "感染科",
    "肿瘤科": "肿瘤科",
    "综合治疗": "肿瘤科",
    "肿瘤科其它": "肿瘤科",
}
"""Second categories of cmtmedqa in the graph's words."""


@dataclass(frozen=True, slots=True)
class DepartmentExample:
    """A text with the department it belongs to."""

    text: str
    department: str
    origin: str
    weak: bool
    """Whether the label comes from the graph rather than from the set."""
    licence: str
    lang: str
    row: str
    templated: bool


def departments(
    folder: Path,
    *,
    exclude: Callable[[str], bool] = reported,
    rendered: int = 4000,
    seed: int = 0,
    most: int = 400,
    tally: Tally | None = None,
) -> Iterator[DepartmentExample]:
    """Yield examples of departments, always the same for the same files and seed.

    Args:
        folder: the data folder's ``text``.
        exclude: whether a key (question, id) is kept for reporting.
        rendered: narratives to add.
        seed: of the narratives.
        most: examples of one department from one origin.
        tally: takes the counts; ``diseases`` holds departments here.

    Raises:
        MissingDataError: there is no such folder.
    """
    from xinglin.graph.load import starter
    from xinglin.train.narratives import SOURCE, narratives

    if not folder.is_dir():
        raise MissingDataError(
            f"expected the data folder's text at {folder}; there is none: set XINGLIN_DATA"
        )
    tally = Tally() if tally is None else tally
    knowledge = starter()
    given: Counter[tuple[str, str]] = Counter()

    def bounded(example: DepartmentExample) -> Iterator[DepartmentExample]:
        key = (example.origin, example.department)
        if given[key] >= most:
            tally.dropped[example.origin, f"over {most} of its department"] += 1
            return
        given[key] += 1
        tally.kept[example.origin] += 1
        tally.diseases.setdefault(example.origin, set()).add(example.department)
        yield example

    mining = Mining(knowledge, starter_names(), exclude, tally)
    base = folder / "toyhom_internal_medicine_dialogue"
    plain = Mining(knowledge, starter_names(), lambda _: False, Tally())
    mining.refuse(
        str(row["ask"])
        for _, row in plain.rows(base / "dev.jsonl.gz", "toyhom", ("ask",))
        if exclude(str(row["ask"]))
    )
    for at, row in mining.rows(base / "dev.jsonl.gz", "toyhom", ("ask",)):
        named = TOYHOM.get(str(row.get("department", "")))
        if named is None:
            tally.dropped["toyhom", "unknown department"] += 1
            continue
        text = str(row["ask"])[:LONGEST]
        yield from bounded(
            DepartmentExample(text, named, "toyhom", False, "MIT", "zh", f"toyhom/{at}", False)
        )
    path = folder / "zhongjing_dialogue" / "cmtmedqa_dev.jsonl.gz"
    for at, row in mining.rows(path, "cmtmedqa", ("id",)):
        named = CMTMEDQA.get(str(row.get("cate2", "")))
        turns = row.get("history")
        if named is None or not isinstance(turns, list) or not turns or not isinstance(turns[0], list):
            reason = "category has no equal in the graph" if named is None else "row lacks history"
            tally.dropped["cmtmedqa", reason] += 1
            continue
        text = str(turns[0][0])[:LONGEST]
        if mining.refused(text):
            tally.dropped["cmtmedqa", "kept for reporting"] += 1
            continue
        yield from bounded(
            DepartmentExample(text, named, "cmtmedqa", False, "Apache-2.0", "zh", f"cmtmedqa/{at}", False)
        )
    for number, told in enumerate(narratives(rendered, seed)):
        named = knowledge.diseases[told.disease].department
        yield from bounded(
            DepartmentExample(
                told.text, named, SOURCE, True, "Apache-2.0", told.lang, f"narrative/{seed}/{number}", True
            )
        )
