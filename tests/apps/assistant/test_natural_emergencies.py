"""Emergencies and ordinary complaints in people's own words, read by the red flags; half of them were never tuned on.

Except for one: 呕出一大口鲜红的血, of the reported half, is the wording that the rule of amounts was asked for.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.triage import raised

TABLE = Path(__file__).resolve().parents[3] / "benchmarks" / "assistant_emergencies.tsv"
URGENT = {"call_120", "emergency_now"}


@pytest.fixture(scope="module")
def differential() -> Differential:
    return load_differential(engine="graph")


def urgent(differential: Differential, text: str) -> bool:
    flags = raised(differential.rules, gather(differential, text).facts)
    return any(hit.flag.level in URGENT for hit in flags)


def test_natural_wordings(differential: Differential) -> None:
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    found: dict[tuple[bool, str], list[bool]] = {}
    for kind, text in rows:
        reported = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2 == 0
        found.setdefault((reported, kind), []).append(urgent(differential, text))
    assert sum(len(held) for (_, kind), held in found.items() if kind == "yes") == 40
    assert sum(len(held) for (_, kind), held in found.items() if kind == "no") == 40
    assert min(map(len, found.values())) >= 15
    assert sum(found[False, "yes"]) >= len(found[False, "yes"]) - 1
    assert sum(found[True, "yes"]) >= 0.8 * len(found[True, "yes"])
    assert not any(found[False, "no"] + found[True, "no"])


@pytest.mark.parametrize("verb", ["呕出", "吐了", "吐出来", "咳出"])
@pytest.mark.parametrize("amount", ["一大口", "满满一盆", "好几口", "小半碗", "两大滩"])
@pytest.mark.parametrize("colour", ["", "鲜红的", "暗红色的", "发黑的"])
def test_amount_and_colour_do_not_hide_blood(
    differential: Differential, verb: str, amount: str, colour: str
) -> None:
    states = gather(differential, f"他刚才{verb}{amount}{colour}血").named_states
    assert any(states.get(name) == "present" for name in ("呕血", "咯血", "大咯血")), states


@pytest.mark.parametrize(
    "text", ["吐了一大口白色的痰", "拉了一大堆黄色的大便", "流了好几滴清鼻涕", "没有吐过一口血"]
)
def test_amounts_of_other_things_are_no_blood(differential: Differential, text: str) -> None:
    states = gather(differential, text).named_states
    assert "present" not in {states.get(name) for name in ("呕血", "咯血", "便血", "大咯血")}
