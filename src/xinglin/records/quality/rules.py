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
    """One thing that is counted."""

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
        _rule("empty-record", None, "空记录", "Empty record", RECORDS),
        _rule("missing-field", None, "字段缺失", "Field missing", RECORDS, None),
        _rule("missing-unit", None, "有数值无单位", "Number without a unit", VALUES, None),
        _rule("missing-time", None, "事件无时间", "Event without a time", EVENTS, None),
        _rule("uncoded", None, "未编码", "Not coded", EVENTS, None),
        _rule("unread-text", None, "文本中未读出发现(抽样)", "Text without any finding read (sample)", RECORDS, None),
        _rule("code-system", "value", "未知的编码系统", "Unknown coding system", EVENTS),
        _rule("code-shape", "value", "编码格式或校验位有误", "Code of a wrong format or check digit", EVENTS),
        _rule("unit-of-analyte", "value", "单位不属于该检验项目", "Unit is none of the analyte's", VALUES),
        _rule("unit-unknown", "value", "单位既非 UCUM 也非词表所有", "Unit neither of UCUM nor of the vocabulary", VALUES),
        _rule("date-format", "value", "时间不合 ISO 8601", "Time is not ISO 8601", EVENTS),
        _rule("record-id", "relational", "记录编号重复", "Record id is not unique", RECORDS),
        _rule("subject-crosses", "relational", "同一患者在多个划分中", "Subject in several parts", SUBJECTS),
        _rule("part-missing", "relational", "记录不在任何划分中", "Record in no part of the split", RECORDS),
        _rule("computed", "computational", "计算值与其来源不符", "Computed value disagrees with its inputs", VALUES),
        _rule("copied-record", "uniqueness", "内容完全相同的记录", "Record with the content of another", RECORDS),
        _rule("near-duplicate", "uniqueness", "近似重复的文本", "Near-duplicate text", RECORDS),
        _rule("repeated-event", "uniqueness", "记录内重复的事件", "Event repeated within its record", EVENTS, None),
        _rule("text-crosses", "uniqueness", "近似重复的文本跨越划分", "Near-duplicate text in several parts", RECORDS),
        _rule("value-range", "atemporal", "数值超出可能范围", "Value outside the possible range", VALUES),
        _rule("reference-range", "atemporal", "参考范围上下限颠倒", "Limits of the reference range reversed", VALUES),
        _rule("age-range", "atemporal", "年龄不可能", "Impossible age", RECORDS),
        _rule("sex-conflict", "atemporal", "与性别矛盾", "Contradicts the sex", RECORDS),
        _rule("sex-changes", "atemporal", "同一患者性别不一", "Sex differs between records of a subject", SUBJECTS),
        _rule("value-order", "atemporal", "数值之间大小矛盾", "Values contradict each other", VALUES),
        _rule("drift", "atemporal", "中心之间的差异", "Drift between sites", TESTS, None, "validation"),
        _rule("text-drift", "atemporal", "中心之间的文本差异", "Drift of the text between sites", TESTS, None, "validation"),
        _rule("small-group", "atemporal", "过小的分组", "Group too small to be measured", GROUPS, None),
        _rule("shortcut", "atemporal", "标签与中心、性别或年龄相关", "Label depends on site, sex or age", TESTS, None),
        _rule("future", "temporal", "未来的日期", "Date in the future", EVENTS),
        _rule("before-birth", "temporal", "早于出生或 1900 年", "Before birth, or before 1900", EVENTS),
        _rule("after-death", "temporal", "死亡之后的事件", "Event after death", EVENTS),
        _rule("age-and-dates", "temporal", "同一患者的年龄与日期不符", "Age and dates of a subject disagree", SUBJECTS),
        _rule("duration", "temporal", "持续时间长于年龄", "Lasts longer than the age", RECORDS),
    )
}  # fmt: skip
