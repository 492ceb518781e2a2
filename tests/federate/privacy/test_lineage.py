"""Whoever's data it is pays, whatever the files: the cells against a list kept for each patient by brute force."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.stores import both, name
from xinglin.federate.privacy.accountant import Step, merged
from xinglin.federate.privacy.budget import for_patient, histories, reserve
from xinglin.federate.privacy.lineage import Patients, enrol, find_cohort, link
from xinglin.ledger import verify
from xinglin.store import open_store
from xinglin.store.tables_privacy import privacy_cells, privacy_patients

__all__ = ["both", "name"]
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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_cells_equal_a_list_kept_for_each_patient(acts: list[tuple]) -> None:
    store, brute = open_store("sqlite://"), Brute()
    seen = []
    with store.engine.connect() as connection:
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
        sizes = dict(connection.execute(select(privacy_cells.c.id, privacy_cells.c.patients)).tuples().all())
        assert sizes == counted
        assert verify(connection) >= 0
    store.close()
