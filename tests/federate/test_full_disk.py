"""A disk that fills, at a hospital or at the coordinator: named, nothing half-written, the job stops or goes on."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.federate.hospitals import a_job, allow, newest, run_direct, write_tables
from tests.small_disk import small_disk
from xinglin.errors import CheckpointError, TrainingError
from xinglin.federate.keep import load_state, save_state
from xinglin.federate.wire import digest, layout
from xinglin.store import Store

pytest.importorskip("flwr.app")
STATE = {"w": np.ones((400, 400), np.float32)}


def _fill(path: Path) -> None:
    """Write into a file until there is no space left."""
    with suppress(OSError), path.open("wb", buffering=0) as stream:
        while stream.write(b"\0" * 512):
            pass


def test_a_state_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        save_state(STATE, disk / "a")
        before = (disk / "a").read_bytes()
        (disk / "filler").write_bytes(b"\0" * 300_000)
        with pytest.raises(TrainingError, match="No space left"):
            save_state({"w": STATE["w"] * 2}, disk / "a")
        assert (disk / "a").read_bytes() == before
        assert sorted(path.name for path in disk.iterdir()) == ["a", "filler"]
        assert np.array_equal(load_state(disk / "a", layout(STATE))["w"], STATE["w"])


def test_a_damaged_or_foreign_state_is_refused(tmp_path: Path) -> None:
    save_state(STATE, tmp_path / "a")
    with pytest.raises(CheckpointError, match="another model"):
        load_state(tmp_path / "a", {"w": ("float32", (2,))})
    for content in (b"", (tmp_path / "a").read_bytes()[:-5], b"\xff" * 40):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged"):
            load_state(tmp_path / "a", layout(STATE))


def test_a_full_disk_at_a_hospital_is_named_and_the_job_goes_on(store: Store, tmp_path: Path) -> None:
    tables = write_tables(tmp_path / "data", {"site-1": 30, "site-2": 40, "site-3": 50})
    (tmp_path / "sites").mkdir()
    with small_disk(tmp_path / "sites" / "site-3", 2) as disk:
        allow(disk, a_job())
        _fill(disk / "filler")
        run_direct(a_job(), tables, tmp_path, store)
        found = {site.site: (site.state, site.reason) for site in newest(store).rounds[0].sites}
        state, reason = found["site-3"]
        assert state == "refused"
        assert "full" in (reason or "").lower() or "space" in (reason or "").lower()
        assert not list(disk.rglob("*.new"))
    assert newest(store).state == "done"


def test_a_full_disk_at_the_coordinator_stops_the_job_with_the_last_whole_model(
    store: Store, tmp_path: Path
) -> None:
    tables = write_tables(tmp_path / "data", {"site-1": 30, "site-2": 40})
    with small_disk(tmp_path / "jobs", 1) as disk:
        (disk / "filler").write_bytes(b"\0" * (1024 * 1024 - 4096))
        with pytest.raises(TrainingError, match=r"cannot write model\.safetensors .*No space"):
            run_direct(a_job(), tables, tmp_path, store)
        (kept,) = disk.rglob("*.safetensors")
        first = newest(store).rounds[1]
        assert digest(dict(load_file(kept))) == first.model
        assert sorted(path.name for path in disk.rglob("*") if path.is_file()) == ["filler", kept.name]
    stopped = newest(store)
    assert stopped.state == "stopped"
    assert "No space" in (stopped.reason or "")
