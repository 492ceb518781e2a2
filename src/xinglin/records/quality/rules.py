"""Every rule of the report with its place in the harmonised framework of data quality.

Framework: Kahn MG, Callahan TJ, Barnard J, et al. *A Harmonized Data Quality Assessment Terminology and Framework for
the Secondary Use of Electronic Health Record Data*, eGEMs 2016;4(1):1244. Three categories (conformance,
completeness, plausibility) with their subcategories, each in two contexts: *verification* by what the data set itself
and local knowledge lead one to expect, *validation* by something outside of it; here, the other sites.

Where we differ: the framework has no place for the balance of subgroups and for leakage between the parts of a
split, which matter for learning and not for care. Balance stands under atemporal plausibility, as a distribution; a
subject in two parts under relational conformance, as a broken constraint; a copied text in two parts under
uniqueness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Category = Literal["conformance", "completeness", "plausibility"]
Subcategory = Literal["value", "relational", "computational", "uniqueness", "atemporal", "temporal"]
Context = Literal["verification", "validation"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold; what is counted is where it does not."""

    id: str
    category: Category
    subcategory: Subcategory | None
    context: Context
    name: tuple[str, str]
    """Chinese, English."""
    unit: tuple[str, str]
    """What is counted: records, events, subjects."""
    tolerance: float | None = 0.0
    """Share from which the rule has failed; ``None``: told, and for the reader to judge."""


RECORDS = ("条记录", "records")
EVENTS = ("个事件", "events")
VALUES = ("个数值", "values")
SUBJECTS = ("个患者", "subjects")
GROUPS = ("个分组", "groups")
TESTS = ("项检验", "tests")


def _rule(
    id: str, subcategory: Subcategory | None, zh: str, en: str, unit: tuple[str, str], tolerance: float | None = 0.0,
    context: Context = "verification",
) -> Rule:  # fmt: skip
    category: Category
    if subcategory is None:
        category = "completeness"
    elif subcategory in ("value", "relational", "computational"):
        category = "conformance"
    else:
        category = "plausibility"
    return Rule(id, category, subcategory, context, (zh, en), unit, tolerance)


RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        _rule("empty-record", None, "记录不为空", "Record holds something", RECORDS),
        _rule("missing-field", None, "字段已填", "Field is filled", RECORDS, None),
        _rule("missing-unit", None, "数值有单位", "Number has a unit", VALUES, None),
        _rule("missing-time", None, "事件有时间", "Event has a time", EVENTS, None),
        _rule("uncoded", None, "事件已编码", "Event is coded", EVENTS, None),
        _rule("unread-text", None, "文本中可读出发现(抽样)", "A finding is read in the text (sample)", RECORDS, None),
        _rule("unreadable", "value", "条目可读", "Item can be read", RECORDS),
        _rule("code-system", "value", "编码系统已知", "Coding system is known", EVENTS),
        _rule("code-shape", "value", "编码格式和校验位正确", "Code has its format and check digit", EVENTS),
        _rule("unit-of-analyte", "value", "单位属于该检验项目", "Unit is one of the analyte's", VALUES),
        _rule("unit-unknown", "value", "单位见于 UCUM 或词表", "Unit is in UCUM or the vocabulary", VALUES),
        _rule("date-format", "value", "时间合 ISO 8601", "Time is ISO 8601", EVENTS),
        _rule("record-id", "relational", "记录编号唯一", "Record id is unique", RECORDS),
        _rule("subject-crosses", "relational", "患者只在一个划分中", "Subject is in one part only", SUBJECTS),
        _rule("part-missing", "relational", "记录都在划分中", "Record is in a part", RECORDS),
        _rule("computed", "computational", "计算值与其来源相符", "Computed value agrees with its inputs", VALUES),
        _rule("copied-record", "uniqueness", "记录不是另一条的复制", "Record is no copy of another", RECORDS),
        _rule("near-duplicate", "uniqueness", "文本不与另一条近似重复", "Text is no near-duplicate", RECORDS),
        _rule("repeated-event", "uniqueness", "事件在记录内不重复", "Event is there once in its record", EVENTS, None),
        _rule("text-crosses", "uniqueness", "近似重复不跨划分", "No near-duplicate in another part", RECORDS),
        _rule("value-range", "atemporal", "数值可能", "Value is possible", VALUES),
        _rule("reference-range", "atemporal", "参考范围下限不高于上限", "Reference range is not reversed", VALUES),
        _rule("age-range", "atemporal", "年龄可能", "Age is possible", RECORDS),
        _rule("sex-conflict", "atemporal", "不与性别矛盾", "Nothing contradicts the sex", RECORDS),
        _rule("sex-changes", "atemporal", "同一患者性别一致", "Sex is the same in all records of a subject", SUBJECTS),
        _rule("value-order", "atemporal", "部分不大于整体", "No part exceeds its whole", VALUES),
        _rule("drift", "atemporal", "各中心分布相近", "Sites are alike", TESTS, None, "validation"),
        _rule("text-drift", "atemporal", "各中心文本相近", "Texts of the sites are alike", TESTS, None, "validation"),
        _rule("small-group", "atemporal", "分组足够大", "Group is large enough", GROUPS, None),
        _rule("shortcut", "atemporal", "标签不取决于中心、性别、年龄", "Label hangs on no site, sex or age", TESTS, None),
        _rule("future", "temporal", "日期不在未来", "Date is not in the future", EVENTS),
        _rule("before-birth", "temporal", "不早于出生或 1900 年", "Not before birth or 1900", EVENTS),
        _rule("after-death", "temporal", "不晚于死亡", "Not after death", EVENTS),
        _rule("age-and-dates", "temporal", "同一患者的年龄与日期相符", "Ages of a subject agree with the dates", SUBJECTS),
        _rule("duration", "temporal", "持续时间不长于年龄", "Lasts no longer than the age", RECORDS),
    )
}  # fmt: skip
