"""The run: what is broken is told with its place, the rest goes on; killed at any moment, it loses and doubles nothing."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.stores import both, name
from xinglin.errors import BusyError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.ledger import entries, give_consent, grant, verify
from xinglin.ledger.subjects import find_dataset
from xinglin.records import read, run
from xinglin.records.readers.jsonl import JsonLines
from xinglin.records.readers.notes import Notes
from xinglin.records.run import Run, intake, list_quarantine, list_runs
from xinglin.store import Store, open_store
from xinglin.store.tables import records
from xinglin.types import Record

__all__ = ["both", "name"]


def lines(*objects: object) -> bytes:
    return b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in objects)


def take(store: Store, path: Path, name: str, **more: object) -> Run:
    return intake(store, JsonLines(path), dataset=name, form="jsonl", actor="test", **more)  # type: ignore[arg-type]


def stored(store: Store, name: str) -> list[Record]:
    with store.write() as connection:
        grant(connection, name, grantee="test", purpose="quality", by="test")
        give_consent(connection, name, subject=None, purpose="quality", basis="test", by="test")
    return list(read(store, name, purpose="quality", actor="test"))


def test_one_broken_file_among_many_is_told_and_the_rest_go_on(
    both: Store, name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:04}.txt").write_text(f"病人第{number}次就诊", encoding="utf-8")
    (folder / "0100.txt").write_bytes("患者".encode("utf-16"))
    (folder / "0200.txt").write_bytes("患者发热".encode("gb18030"))
    (folder / "0201.txt").write_bytes(b"\xff\xfe\xff\xff\x80")
    (folder / "0250.txt").write_bytes(b"")
    (folder / "readme.md").write_text("passed over")
    done = intake(both, Notes(folder), dataset=name, form="notes", actor="test")
    assert (done.stored, done.quarantined) == (297, 3)
    assert done.encodings == {"utf-8": 296, "gb18030": 1}
    found = list_quarantine(both, name)
    assert [row["unit"] for row in found] == ["0100.txt", "0201.txt", "0250.txt"]
    assert "UTF-16" in found[0]["reason"]
    assert "empty" in found[2]["reason"]
    assert {record.id: record.text for record in stored(both, name)}["0200"] == "患者发热"


def test_broken_lines_are_told_by_number(both: Store, name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    good = [{"id": f"r{i}", "text": f"文{i}"} for i in range(6)]
    path.write_bytes(
        b"\n".join(
            [
                lines(good[0]).strip(),
                b"{",
                lines(good[1]).strip() + b"\r",
                b"",
                b"[1]",
                "{'id': \"姓名\"}".encode(),
                lines(good[2]).strip(),
                b'{"id": "x", "text": "\xff"}',
                b'{"id": "x", "txt": 1}',
                b'{"id": "x", "text": "\\ud800"}',
                lines(good[3]).strip(),
                b'{"id": "x", "labs": [{"name": "a", "value": 1e999}]}',
                b'{"text": "no id"}',
                b"[" * 100_000,
                lines(good[4]).strip(),
            ]
        )
    )
    done = take(both, path, name)
    assert (done.stored, done.quarantined) == (6, 8)
    found = list_quarantine(both, name)
    assert [row["place"] for row in found] == [f"line {n}" for n in (2, 5, 6, 8, 9, 10, 12, 14)]
    assert all(row["unit"] == "x.jsonl" for row in found)
    assert "姓名" not in str(found)
    assert [record.id for record in stored(both, name)] == ["r0", "r1", "r2", "r3", "x.jsonl#13", "r4"]


def test_a_second_intake_finds_all_known_and_a_changed_line_a_version(
    both: Store, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines(*({"id": f"r{i}", "text": "a"} for i in range(20))))
    assert take(both, path, name).stored == 20
    assert (again := take(both, path, name)).known == 20
    assert not again.resumed
    path.write_bytes(lines(*({"id": f"r{i}", "text": "a" if i != 7 else "b"} for i in range(21))))
    third = take(both, path, name)
    assert (third.stored, third.changed, third.known) == (1, 1, 19)
    assert [row["state"] for row in list_runs(both, name)] == ["finished"] * 3


class StopError(Exception):
    pass


def test_a_stopped_run_goes_on_behind_its_last_batch(
    both: Store, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(3):
        objects = [{"id": f"{part}-{i}", "text": "x"} for i in range(25)]
        (folder / f"{part}.jsonl").write_bytes(lines(*objects[:12]) + b"broken\n" + lines(*objects[12:]))
    calls: list[Run] = []

    def progress(state: Run) -> None:
        calls.append(state)
        if len(calls) == 4:
            raise StopError

    with pytest.raises(StopError):
        take(both, folder, name, progress=progress)
    (row,) = list_runs(both, name)
    assert (row["state"], row["unit"], row["taken"]) == ("open", "1.jsonl", 14)
    assert row["stored"] + row["quarantined"] == 40
    seen: list[int] = []
    done = take(both, folder, name, progress=lambda state: seen.append(state.items))
    assert done.resumed
    assert done.id == row["id"]
    assert seen[0] == 50
    assert (done.stored, done.known, done.changed, done.quarantined) == (75, 0, 0, 3)
    assert [(row["unit"], row["place"]) for row in list_quarantine(both, name)] == [
        (f"{part}.jsonl", "line 13") for part in range(3)
    ]
    assert len(stored(both, name)) == 75


def test_a_stopped_run_of_another_source_or_mapping_starts_anew(
    store: Store, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines(*({"id": f"r{i}"} for i in range(30))))

    def stop(_: Run) -> None:
        raise StopError

    with pytest.raises(StopError):
        take(store, path, name, progress=stop)
    path.write_bytes(path.read_bytes() + lines({"id": "more"}))
    done = take(store, path, name)
    assert (done.resumed, done.stored, done.known) == (False, 21, 10)
    assert [row["state"] for row in list_runs(store, name)] == ["finished", "replaced"]


def test_two_processes_do_not_work_on_one_run(
    store: Store, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines(*({"id": f"r{i}"} for i in range(30))))
    inner: list[Run] = []

    def other(_: Run) -> None:
        if not inner:
            inner.append(take(store, path, name))

    with pytest.raises(BusyError, match="another process"):
        take(store, path, name, progress=other)
    assert inner[0].stored == 30
    assert len(stored(store, name)) == 30


def test_a_transformation_comes_before_anything_is_stored(
    store: Store, home: Path, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        lines(*({"id": f"r{i}", "text": "姓名王小明"} for i in range(3)), {"id": "bad", "text": "王小明"})
    )

    def hide(record: Record) -> Record:
        if record.id == "bad":
            raise InvalidInputError("cannot be de-identified")
        return replace(record, text=record.text.replace("王小明", "某人"))

    done = take(store, path, name, transform=hide, transformation="names hidden 1")
    assert (done.stored, done.quarantined) == (3, 1)
    assert {record.text for record in stored(store, name)} == {"姓名某人"}
    store.close()
    kept = b"".join(file.read_bytes() for file in home.iterdir() if file.is_file())
    assert "王小明".encode() not in kept
    with open_store().read() as connection:
        start = next(entry for entry in entries(connection) if entry.action == "intake.start")
    assert start.detail["transformation"] == "names hidden 1"

    def broken(_: Record) -> Record:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take(open_store(), path, name, transform=broken, transformation="broken")


def test_the_ledger_tells_each_batch_and_names_nobody(
    both: Store, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 4)
    path = tmp_path / "王小明.jsonl"
    path.write_bytes(lines(*({"id": f"王小明{i}", "text": "x"} for i in range(10))) + b"broken\n")
    done = take(both, path, name)
    with both.read() as connection:
        verify(connection)
        mine = [entry for entry in entries(connection) if entry.detail.get("dataset") == name]
    assert [entry.action for entry in mine] == [
        *("dataset.create", "intake.start", "intake.batch", "intake.batch", "intake.batch", "intake.finish")
    ]
    assert [entry.detail["items"] for entry in mine[2:5]] == [4, 4, 3]
    assert mine[-1].detail["stored"] == done.stored == 10
    assert len({entry.subjects for entry in mine[2:5]}) == 3
    assert "王小明" not in json.dumps([[entry.subjects, entry.detail] for entry in mine], ensure_ascii=False)


def test_a_damaged_gzip_keeps_what_came_before(store: Store, name: str, tmp_path: Path) -> None:
    whole = gzip.compress(
        lines(*({"id": f"r{i}", "text": os.urandom(30).hex()} for i in range(2000))), mtime=0
    )
    (tmp_path / "x.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    done = take(store, tmp_path / "x.jsonl.gz", name)
    assert 500 < done.stored < 1500
    (row,) = list_quarantine(store, name)
    assert "gzip stream is damaged" in row["reason"]
    assert row["place"] == f"after item {done.stored}"


def test_a_file_that_vanishes_or_may_not_be_read_is_told(store: Store, name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        take(store, tmp_path / "absent.jsonl", name)
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(3):
        (folder / f"{part}.jsonl").write_bytes(lines({"id": f"r{part}"}))

    class Vanishing(JsonLines):
        def items(self, unit, start):  # type: ignore[no-untyped-def]
            if unit.name == "1.jsonl":
                unit.path.unlink()
            return JsonLines.items(self, unit, start)

    done = intake(store, Vanishing(folder), dataset=name, form="jsonl", actor="test")
    assert (done.stored, done.quarantined) == (2, 1)
    (row,) = list_quarantine(store, name)
    assert (row["unit"], row["place"]) == ("1.jsonl", "")
    with pytest.raises(UnknownNameError, match="has no run 99"):
        list_quarantine(store, name, run=99)


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8), st.booleans())
@settings(
    max_examples=25, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_any_bytes_are_a_record_or_a_place(
    store: Store, tmp_path: Path, damage: list[tuple[int, int]], chinese: bool
) -> None:
    text = "患者头痛三天" if chinese else "headache for three days"
    data = bytearray(lines(*({"id": f"r{i}", "text": text, "patient": {"age": i}} for i in range(40))))
    for at, byte in damage:
        data[at % len(data)] = byte
    path = tmp_path / "x.jsonl"
    path.write_bytes(data)
    name = f"d{time.monotonic_ns()}"
    done = take(store, path, name)
    # A newline more or less makes one line more or less; nothing is dropped in silence.
    expected = sum(1 for line in bytes(data).split(b"\n") if line.strip())
    assert done.items == expected
    assert done.quarantined == len(list_quarantine(store, name))


PROGRAM = """
import sys, time
from pathlib import Path
from xinglin.records import run
from xinglin.records.readers.jsonl import JsonLines
from xinglin.store import open_store
run.BATCH = 50
def told(state):
    print(state.items, flush=True)
    time.sleep(0.005)
done = run.intake(open_store(sys.argv[1]), JsonLines(Path(sys.argv[2])), dataset=sys.argv[3], form="jsonl",
                  actor="test", progress=told)
print("done", done.items, flush=True)
"""


MOMENTS = (1, 9, 4)
"""Batches to wait for before the kill."""


@pytest.mark.parametrize(
    ("kind", "moments"),
    [
        ("sqlite", MOMENTS),
        pytest.param("sqlite", (2, 15, 3, 7, 1, 5, 11, 2), marks=pytest.mark.slow),
        pytest.param("postgres", MOMENTS, marks=[pytest.mark.slow, pytest.mark.postgres]),
    ],
)
def test_kill_loses_no_acknowledged_batch_and_doubles_none(
    kind: str, moments: tuple[int, ...], name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """SIGKILL at several moments, some of them between batches and some within a transaction."""
    sqlite = f"sqlite:///{tmp_path / 'killed.db'}"
    url = sqlite if kind == "sqlite" else request.getfixturevalue("postgres_url")
    opened = open_store(url)
    total = 3000
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(3):
        objects = ({"id": f"{part}-{i}", "text": f"记录 {i} " * 20} for i in range(total // 3))
        (folder / f"{part}.jsonl").write_bytes(lines(*objects))
    kills, acknowledged = 0, 0
    for patience in (*moments, total):
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url, str(folder), name], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for count, line in enumerate(child.stdout, start=1):
            if line.startswith("done"):
                break
            assert int(line) > acknowledged
            acknowledged = int(line)
            if count == patience:
                time.sleep(0.003 * (patience % 5))
                os.kill(child.pid, signal.SIGKILL)
                kills += 1
                rest = child.stdout.read().splitlines()
                acknowledged = max([acknowledged, *(int(more) for more in rest if more.isdigit())])
                break
        child.wait()
        with opened.read() as connection:
            dataset = find_dataset(connection, name)
            kept = connection.execute(
                select(func.count(), func.count(func.distinct(records.c.key))).where(
                    records.c.dataset == dataset.id
                )
            ).one()
        assert kept[0] == kept[1] >= acknowledged
    assert kills == len(moments)
    (row,) = list_runs(opened, name)
    assert (row["state"], row["stored"], row["known"], row["changed"]) == ("finished", total, 0, 0)
    assert len({record.id for record in stored(opened, name)}) == total
    with opened.read() as connection:
        verify(connection)
        batches = [
            e for e in entries(connection) if e.action == "intake.batch" and e.detail["dataset"] == name
        ]
    assert sum(entry.detail["stored"] for entry in batches) == total
