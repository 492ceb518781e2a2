"""Whose data it is pays, whatever the files: the cells against a list kept for each patient by brute force."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from xinglin.federate.privacy.accountant import Step, merged
from xinglin.federate.privacy.budget import for_patient, histories, reserve
from xinglin.federate.privacy.lineage import Patients, enrol, find_cohort, link
from xinglin.store import Store, open_store
from xinglin.store.tables_privacy import privacy_cells, privacy_patients

INFINITE = float("inf")
STEPS = [Step(0.1, 2.0, 3), Step(1.0, 4.0, 1), Step(0.02, 1.0, 40)]
PEOPLE = [f"P{n}" for n in range(7)]


@dataclass
class Brute:
    """Every patient's steps, one by one."""

    person: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[dict[str, int], int, Step, str]] = field(default_factory=list)

    def who(self, identifier: str) -> str:
        while identifier in self.person:
            identifier = self.person[identifier]
        return identifier

    def link(self, one: str, other: str) -> bool:
        one, other = self.who(one), self.who(other)
        if one == other:
            return False
        self.person[other] = one
        return True

    def sizes(self, examples: dict[str, int], loose: int, each: int = 1) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for identifier, count in examples.items():
            before = found.get(self.who(identifier), (0, 0))
            found[self.who(identifier)] = (before[0] + count, before[1] + 1)
        if loose:
            found["?"] = (each, each)
        return found

    def histories(
        self, examples: dict[str, int], loose: int
    ) -> set[tuple[tuple[Step, ...], tuple[int, int]]]:
        own = self.sizes(examples, loose)
        steps: dict[str, list[Step]] = defaultdict(list)
        for used, unknown, step, unit in self.taken:
            for person, (count, identities) in self.sizes(used, unknown).items():
                steps[person].append(for_patient(step, unit, count, identities))  # type: ignore[arg-type]
        return {(merged(steps[person]), size) for person, size in own.items()}


DATASETS = st.tuples(
    st.dictionaries(st.sampled_from(PEOPLE), st.integers(1, 3), max_size=6), st.integers(0, 2)
).filter(lambda made: bool(made[0]) or made[1] > 0)
ACTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("spend"),
            DATASETS,
            st.sampled_from(STEPS),
            st.sampled_from(["example", "patient", "hospital"]),
        ),
        st.tuples(st.just("link"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)),
        st.tuples(st.just("enrol"), DATASETS),
    ),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def empty() -> Iterator[Store]:
    """A database in memory that each example leaves as it was."""
    store = open_store("sqlite://")
    yield store
    store.close()


@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_cells_equal_a_list_kept_for_each_patient(empty: Store, acts: list[tuple[Any, ...]]) -> None:
    brute, seen = Brute(), []
    with empty.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        for act in acts:
            if act[0] == "link":
                assert link(connection, [act[1:]], by="steward") == brute.link(*act[1:])
                continue
            examples, loose = act[1]
            cohort = enrol(connection, Patients(examples, loose))
            seen.append((act[1], cohort.id))
            if act[0] == "spend":
                _, _, step, unit = act
                reserve(
                    connection, cohort, job="j", round=0, unit=unit, step=step, delta=1e-6, limit=INFINITE
                )
                brute.taken.append((examples, loose, step, unit))
        for (examples, loose), number in seen:
            cohort = find_cohort(connection, number)
            assert set(histories(connection, cohort)) == brute.histories(examples, loose)
            assert cohort.patients == len(brute.sizes(examples, 0)) + loose
        # the books balance: no empty cell, each patient in one, as many as the cells say
        counted = Counter(connection.execute(select(privacy_patients.c.cell)).scalars())
        del counted[None]
        sizes = dict(connection.execute(select(privacy_cells.c.id, privacy_cells.c.patients)).all())
        assert sizes == counted
        connection.exec_driver_sql("ROLLBACK")


@pytest.mark.slow
def test_a_million_patients(tmp_path: Path) -> None:
    """A registry, then a study that cuts through it: enrolled once, spent on in one row."""
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")
    with store.write() as connection:
        registry = enrol(connection, Patients({f"P{n}": 1 + n % 3 for n in range(1_000_000)}))
        study = enrol(connection, Patients({f"P{n}": 1 for n in range(0, 1_000_000, 7)}))
        assert (registry.patients, study.patients) == (1_000_000, 142_858)
        start = time.perf_counter()
        for round_, cohort in enumerate((registry, study, registry)):
            reserve(
                connection,
                cohort,
                job="j",
                round=round_,
                unit="example",
                step=STEPS[0],
                delta=1e-7,
                limit=INFINITE,
            )
        assert time.perf_counter() - start < 2
        assert len(histories(connection, registry)) == 6
    store.close()
