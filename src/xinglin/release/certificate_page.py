"""The certificate of an annotation error rate as one self-contained page, Chinese and English.

Pure: a signed certificate in, markup out. No script, no link to elsewhere, every string escaped. The page shows; what
proves is the JSON beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xinglin.explain.phrases import plain, shown, typeset
from xinglin.explain.sheet import NAME, document
from xinglin.labels.evidence import plan_from_json
from xinglin.measure.markup import Child, Markup, tag, verbatim

OWN_STYLE = Path(__file__).with_name("certificate.css")
Pair = tuple[str, str]
_LANG: Any = "both"


def certificate_html(certificate: Mapping[str, Any]) -> str:
    """Return the certificate as one HTML document; it needs no other file and no network.

    Args:
        certificate: from :func:`~xinglin.labels.certificate.sign_certificate`, or verified.
    """
    said = certificate["statement"]["predicate"]
    title = plain(("标注错误率证书", "Certificate of annotation error"), _LANG)
    content = [
        _top(said),
        _statement(said),
        _numbers(said),
        _bounds(said),
        tag("div", _means(said), _means_not(), cls="ce-pair"),
        _evidence(certificate),
    ]
    name = f"{said['plan']['dataset']} · {title}"
    return document(name, content, _LANG, style=OWN_STYLE.read_text(encoding="utf-8"))


def _say(zh: str, en: str) -> Markup:
    return shown(typeset((zh, en)), _LANG)


def _card(title: Pair, *content: Child, cls: str = "") -> Markup:
    return tag("section", tag("h2", _say(*title)), content, cls=f"xw-card {cls}".strip())


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _top(said: Mapping[str, Any]) -> Markup:
    brand = tag(
        "p",
        shown(NAME, _LANG),
        " · ",
        _say("标注错误率证书", "Certificate of annotation error"),
        cls="xw-brand",
    )
    issued = tag(
        "p", tag("small", _say("签发", "issued")), " ", verbatim(str(said["issued"])), cls="xw-facts"
    )
    return tag("header", brand, issued, cls="xw-top")


def _statement(said: Mapping[str, Any]) -> Markup:
    plan = said["plan"]
    claim = _percent(float(plan["claim"]))
    heading = tag("h1", _say(f"错误标注低于 {claim}", f"Less than {claim} of the labels are wrong"))
    zh, en = said["statement"]["zh"], said["statement"]["en"]
    return tag("section", heading, tag("p", _say(zh, en)), cls="xw-card ce-head")


def _numbers(said: Mapping[str, Any]) -> Markup:
    plan, tally = said["plan"], said["tally"]
    facts: list[tuple[int, Pair]] = [
        (plan["population"], ("条标注", "labels in the data set")),
        (tally["read"], ("条随机抽出、双人盲审", "drawn at random, read blind by two")),
        (tally["wrong"], ("条与仲裁后的参考不同", "differ from the adjudicated reference")),
        (tally["disagreements"], ("条两名审核者不一致", "on which the two auditors disagreed")),
    ]
    if plan["gold"] is not None:
        facts.append(
            (
                plan["gold_items"],
                (
                    "条金标准,其中审错 " + str(tally["gold_wrong"]),
                    f"gold items, {tally['gold_wrong']} read wrongly",
                ),
            )
        )
    items = [tag("li", tag("b", f"{count:,}"), _say(*words)) for count, words in facts]
    return tag("section", tag("ul", items, cls="ce-numbers"), cls="xw-card")


def _bounds(said: Mapping[str, Any]) -> Markup:
    plan, found = plan_from_json(said["plan"]), said["bounds"]
    claim, n = float(plan.claim), plan.population
    alpha, reserve = plan.alpha
    rows: list[tuple[Pair, float, str, float]] = [
        (
            ("与仲裁参考不同的标注", "Labels that differ from the adjudicated reference"),
            found["reference"] / n, f"≤ {found['reference']:,}", 1 - alpha,
        ),
        (
            ("错误标注,含审核者自身误差", "Wrong labels, the auditors' own error included"),
            found["total"] / n, f"≤ {found['total']:,}", float(plan.confidence),
        ),
        (
            ("参考自身有误的条目", "Items whose reference is itself wrong"),
            found["auditors"], f"≤ {found['auditors'] * n:,.0f}", 1 - reserve,
        ),
    ]  # fmt: skip
    widest = 1.12 * max(claim, *(share for _, share, _, _ in rows))
    line = tag("u", style=f"left:{100 * claim / widest:.2f}%")
    items = [
        tag(
            "li",
            tag("span", _say(*name), " ", tag("small", verbatim(f"({100 * level:.4g} %)"), cls="xw-muted")),
            tag("div", tag("i", style=f"width:{100 * share / widest:.2f}%"), line, cls="ce-bar"),
            tag("b", verbatim(_percent(share)), tag("small", verbatim(count))),
        )
        for name, share, count, level in rows
    ]
    key = _say(
        f"红线为声明 {_percent(claim)};括号内为置信度。",
        f"The red line is the claim, {_percent(claim)}; in brackets the confidence.",
    )
    return _card(("上界", "Upper bounds"), tag("ul", items, cls="ce-bounds"), tag("p", key, cls="xw-muted"))


def _means(said: Mapping[str, Any]) -> Markup:
    plan = said["plan"]
    miss = f"{100 * (1 - float(plan['confidence'])):.4g} %"
    lines: list[Pair] = [
        (
            f"前提成立时,若错误标注达到或超过声明,这样的审核签出证书的机会至多 {miss}。",
            f"Had the claim been false, an audit like this would have certified it with a chance of at most {miss}, "
            "where the assumption holds.",
        ),
        (
            "审核者未见发布的标注、模型和彼此的结论;不一致由第三人仲裁。",
            "Auditors saw neither the released label, nor the model, nor each other; a third person settled disagreements.",
        ),
        (
            "上界对审核的每一时刻同时成立,所以何时停止都不影响它。",
            "The bound holds at every moment of the audit at once, so that the moment of stopping does not matter.",
        ),
    ]
    return _card(
        ("它说明什么", "What it states"),
        tag("ul", [tag("li", _say(*line)) for line in lines], cls="ce-plain"),
    )


def _means_not() -> Markup:
    lines: list[Pair] = [
        (
            "不说明任何单独一条标注、单个类别或亚组的错误率。",
            "Nothing about a single label, class or subgroup.",
        ),
        (
            "不说明所有人都会犯的共同错误:前提不成立时,证书不成立。",
            "Nothing about mistakes that everyone makes alike: where the assumption fails, so does the certificate.",
        ),
        (
            "只对下列摘要的数据与标注有效;改动一条即失效。",
            "Only for the data and labels of the digests below; one change voids it.",
        ),
        ("不说明用这些数据训练的模型有多好。", "Nothing about how good a model trained on these data is."),
    ]
    return _card(
        ("它不说明什么", "What it does not state"),
        tag("ul", [tag("li", _say(*line)) for line in lines], cls="ce-plain"),
    )


def _evidence(certificate: Mapping[str, Any]) -> Markup:
    said = certificate["statement"]["predicate"]
    plan, signature = said["plan"], certificate["signature"]
    rows: list[tuple[Pair, str]] = [
        (("数据清单", "manifest"), plan["manifest"]),
        (("条目与标注", "items and labels"), plan["labels"]),
        (("审核计划", "audit plan"), said["plan_digest"]),
        (("审核读片", "readings"), said["tally"]["readings"]),
        (("随机种子", "seed"), plan["seed"]),
        (("审核者", "auditors"), ", ".join(plan["auditors"])),
        (("仲裁者", "adjudicators"), ", ".join(plan["adjudicators"])),
        (("软件", "software"), said["software"]),
        (("签发者公钥", "issuer's public key"), f"{signature['algorithm']} {signature['public_key']}"),
    ]
    if plan["gold"] is not None:
        rows.insert(4, (("金标准", "gold items"), plan["gold"]))
    body = [
        tag("tr", tag("th", _say(*name), scope="row"), tag("td", tag("code", verbatim(value))))
        for name, value in rows
    ]
    how = _say(
        "本页只供阅读;可核对的是同名 JSON 文件:",
        "This page is for reading; what can be checked is the JSON file:",
    )
    command = tag(
        "code",
        verbatim(
            "xinglin labels verify-certificate CERTIFICATE.json --key PUBLIC_KEY --manifest MANIFEST.json"
        ),
    )
    return _card(
        ("凭据", "Evidence"),
        tag("table", tag("tbody", body), cls="xw-table ce-digests"),
        tag("p", how, " ", command, cls="xw-muted"),
    )
