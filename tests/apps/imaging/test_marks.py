from __future__ import annotations

import pytest

from xinglin.apps.imaging.marks import Mark, as_labels, decide, decisions, erase_decisions, is_same
from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.ledger import entries, verify
from xinglin.store import Store
from xinglin.types import Point

HERE = Mark(Point(1.0, 2.0, 3.0, "1.2"), score=2.5, diameter=6.0)


def test_the_last_word_of_each_reader_on_each_place_counts(store: Store) -> None:
    there = Mark(Point(1.0, 2.0, 9.0, "1.2"))
    decide(store, "1.9", HERE, "present", actor="li")
    decide(store, "1.9", HERE, "absent", actor="wang")
    decide(store, "1.9", there, "present", actor="li")
    decide(store, "1.9", Mark(Point(1.2, 2.0, 3.0, "1.2"), 2.5, 6.0), "absent", actor="li")
    decide(store, "1.8", HERE, "present", actor="li")
    found = decisions(store, "1.9")
    assert [(one.actor, one.state, one.mark.point.z) for one in found] == [
        ("li", "absent", 3.0), ("wang", "absent", 3.0), ("li", "present", 9.0),
    ]  # fmt: skip
    labels = as_labels(found, "1.9")
    assert [(label.annotator, label.state) for label in labels] == [
        ("li", "absent"), ("wang", "absent"), ("li", "present"),
    ]  # fmt: skip
    decide(store, "1.9", there, "unknown", actor="li")
    assert len(decisions(store, "1.9")) == 2


def test_the_ledger_holds_a_digest_that_can_be_erased(store: Store) -> None:
    decide(store, "1.2.3.SECRET", HERE, "present", actor="li")
    decide(store, "1.2.3.SECRET", HERE, "absent", actor="li")
    with store.read() as connection:
        made = [entry for entry in entries(connection) if entry.action == "imaging.decide"]
        assert verify(connection) >= 2
    assert len(made) == 2
    assert made[0].subjects == made[1].subjects
    assert "SECRET" not in str(made)
    assert erase_decisions(store, "1.2.3.SECRET", actor="li") == 2
    assert decisions(store, "1.2.3.SECRET") == []
    with pytest.raises(UnknownNameError):
        erase_decisions(store, "1.2.3.SECRET", actor="li")
    with pytest.raises(InvalidInputError):
        decide(store, "", HERE, "present", actor="li")


def test_places_of_another_frame_are_other_places() -> None:
    assert is_same(HERE, Mark(Point(1.0, 2.3, 3.0, "1.2")))
    assert not is_same(HERE, Mark(Point(1.0, 2.0, 3.0, "1.3")))
    assert not is_same(HERE, Mark(Point(1.0, 2.0, 4.0, "1.2")))
