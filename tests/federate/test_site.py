"""A hospital whose data lie in its archive: what it measures on, and what its figures are called."""

from __future__ import annotations

from pathlib import Path

from tests.federate.hospitals import a_job
from tests.records.test_archive import put
from xinglin.federate.permit import permit
from xinglin.federate.site import Hospital, evaluate
from xinglin.federate.tasks.registry import task
from xinglin.records import create_dataset
from xinglin.store import Store, open_store
from xinglin.types import Code, Event, Patient, Record


def _record(number: int, sick: str) -> Record:
    columns = {"pressure": 120.0 - number, "sugar": 5.0 + number % 3, "sick": sick}
    events = tuple(Event(Code("local", name), value=value) for name, value in columns.items())
    return Record(f"r{number}", f"s{number}", patient=Patient(age=40.0 + number % 50), events=events)


def _fill(store: Store, name: str, first: int, many: int) -> None:
    with store.write() as connection:
        create_dataset(connection, name, by="steward")
    put(store, name, *(_record(first + i, str(i % 2)) for i in range(many)))
    permit(store, name, purpose="training", basis="board 7", by="steward", epsilon=None, delta=1e-3)


def test_an_archive_measures_on_its_test_data_set_and_says_so_when_it_has_none(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    store = open_store(f"sqlite:///{home / 'xinglin.db'}")
    _fill(store, "tiny", 0, 12)
    _fill(store, "tiny-test", 100, 5)
    store.close()
    hospital = Hospital("site-1", home, None)
    without, with_test = a_job(), a_job(data={"test_dataset": "tiny-test"})
    state = task("tabular", without.train).initial(0)
    own = evaluate(hospital, without, 1, state, last=False)
    assert own["train_n"] == 12
    assert all(name.startswith("train_") for name in own)
    assert evaluate(hospital, with_test, 1, state, last=False)["n"] == 5
