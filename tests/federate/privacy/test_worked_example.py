"""The figures of the page on the budget are what the code says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xinglin.errors import BudgetExceededError
from xinglin.federate.privacy.accountant import Step, epsilon
from xinglin.federate.privacy.budget import reserve, spent, state_limit
from xinglin.federate.privacy.hospital import guarantee
from xinglin.federate.privacy.lineage import Cohort, Patients, enrol
from xinglin.store import Store

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "privacy-budget.md").read_text(encoding="utf-8")
DELTA = 1e-5


def row(start: str) -> list[str]:
    """Cells of the page's table row that begins so."""
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_the_worked_example(store: Store) -> None:
    with store.write() as connection:
        state_limit(connection, 1.7, DELTA, by="steward")

        def people(*ranges: range, more: int = 0) -> Cohort:
            names = [f"P{n}" for chosen in ranges for n in chosen] + [f"N{n}" for n in range(more)]
            return enrol(connection, Patients.of(names))

        def train(cohort: Cohort, job: str, step: Step) -> float:
            asked: dict[str, Any] = {"job": job, "round": 1, "unit": "patient", "step": step, "delta": DELTA}
            return reserve(connection, cohort, **asked).total

        def worst(cohort: Cohort) -> str:
            return f"{spent(connection, cohort, DELTA).epsilon:.3f}"

        registry = people(range(4000))
        assert row("A trains")[-1] == f"{train(registry, 'A', Step(0.01, 1.0, 300)):.3f}"
        stroke = people(range(3000, 4000))
        assert row("the stroke unit")[-1] == worst(stroke)
        c = Step(0.02, 1.5, 100)
        assert row("B trains")[-1] == f"{train(stroke, 'B', Step(0.02, 1.5, 200)):.3f}"
        study = people(range(3500, 4000), more=1500)
        assert row("a study joins")[-1] == worst(study)
        with pytest.raises(BudgetExceededError) as caught:
            train(study, "C", c)
        error = caught.value
        for value in (
            f"{error.spent:.3f} spent",
            f"{error.asked:.3f} asked".lstrip("0"),
            f"{error.total:.3f} together",
        ):
            assert value in row("C wants")[-1]
        assert row("C trains")[-1] == f"{train(people(more=1500), 'C', c):.3f}".lstrip("0")
        assert row("the registry as a whole")[-1] == worst(registry)
        assert row("those of the registry")[-1] == worst(people(range(3000)))


def test_the_other_figures() -> None:
    sizes, values = row("examples of the patient"), row("epsilon | 0")
    for size, value in zip(sizes[1:], values[1:], strict=True):
        assert value == f"{epsilon([Step(0.01, 4.0, 500).of_group(int(size))], DELTA):.2f}"
    told = [
        f"{guarantee(n, rate, 1.0, 50, 1e-4).epsilon:.1f}" for n, rate in ((4, 1.0), (100, 0.1), (1000, 0.05))
    ]
    words = " ".join(PAGE.split())
    assert f"epsilon is {told[0]}, which" in words
    assert f"a tenth is drawn {told[1]};" in words
    assert f"a twentieth is drawn {told[2]}." in words
    one, all_ = (epsilon([Step(32 / 4000, 1.0, 125 * n)], DELTA) for n in (1, 200))
    assert f"epsilon is {one:.2f} after one round and {all_:.2f} after 200" in words
