"""An imported graph merged with the starter graph, and the echo of a text."""

from __future__ import annotations

import numpy as np

from xinglin.apps.diagnosis.answer import ranking
from xinglin.apps.diagnosis.differential import Differential, with_echo
from xinglin.apps.diagnosis.echo import NAME, Echo, pairs
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.imported import RARE, imported_differential
from xinglin.types import Code, Triple


def triple(head: str, relation: str, tail: str) -> Triple:
    return Triple(Code("t", head, head), relation, Code("t", tail, tail), "test:1")


TRIPLES = [
    triple("心肌梗塞甲病", "has_finding", "耳后金鸣"),
    triple("心肌梗塞甲病", "alias", "金鸣症"),
    triple("金鸣症", "has_finding", "胸痛"),
    triple("急性心肌梗死", "has_finding", "耳后金鸣"),
    triple("小儿金石病", "has_finding", "发热"),
    triple("小儿金石病", "department", "儿科"),
    triple("小儿金石病", "exam", "金石镜"),
]


def test_merges_by_name_and_alias(differential: Differential) -> None:
    merged = imported_differential("t", TRIPLES, differential)
    names = [disease.name for disease in merged.pack.diseases]
    assert names[: len(differential.pack.diseases)] == [
        disease.name for disease in differential.pack.diseases
    ]
    assert names[len(differential.pack.diseases) :] == ["心肌梗塞甲病", "小儿金石病"]
    assert names.count("急性心肌梗死") == 1
    child = merged.pack.diseases[-1]
    assert (child.prior, child.age_max, child.department) == (RARE, 17.0, "儿科")


def test_an_imported_finding_counts(differential: Differential) -> None:
    merged = imported_differential("t", TRIPLES, differential)
    ranked = [name for name, _ in ranking(merged, gather(merged, "我耳后金鸣三天,胸痛"))]
    assert ranked.index("心肌梗塞甲病") < 20
    assert ranked.index("急性心肌梗死") < 20


def test_the_starter_knowledge_stays(differential: Differential) -> None:
    merged = imported_differential("t", TRIPLES, differential)
    text = "患者男性,58岁,胸痛3天,心电图显示ST段压低"
    before = [name for name, _ in ranking(differential, gather(differential, text))[:3]]
    after = [name for name, _ in ranking(merged, gather(merged, text))[:3]]
    assert before == after


def test_pairs_never_cross_punctuation() -> None:
    assert list(pairs("胸痛,发热2天了")) == ["胸痛", "发热", "天了"]


def test_echo_against_a_slow_oracle() -> None:
    says = [("甲", "胳膊抬不起", 1.0), ("乙", "胳膊", 2.0), ("乙", "眼前发黑", 1.0)]
    echo = Echo.build(["甲", "乙", "丙"], says)
    counts = [
        {"胳膊": 1.0, "膊抬": 1.0, "抬不": 1.0, "不起": 1.0},
        {"胳膊": 2.0, "眼前": 1, "前发": 1, "发黑": 1},
        {},
    ]
    usual = (4 + 5 + 0) / 3
    wanted = []
    for count in counts:
        room = 1.2 * (0.5 + 0.5 * sum(count.values()) / usual)
        total = 0.0
        for pair in ("胳膊", "膊抬", "抬高"):
            if pair in count:
                rarity = np.log(1 + 3 / (sum(pair in other for other in counts) + 0.5))
                total += count[pair] * 2.2 / (count[pair] + room) * rarity
        wanted.append(0.4 * total)
    assert np.allclose(echo.shift("胳膊抬高"), wanted)
    assert np.allclose(echo.shift("胳膊抬高", [(0, 4)]), 0)


def test_what_was_read_has_no_echo(differential: Differential) -> None:
    hearing = with_echo(differential)
    case = gather(hearing, "胸痛")
    assert dict(ranking(hearing, case)) == dict(ranking(differential, case))
    assert NAME > 1
