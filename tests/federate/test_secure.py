"""SecAgg+ through the real ClientApp: the sum is that of a plain round, and no single update is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.federate.hospitals import a_job, newest, run_direct, write_tables
from xinglin.errors import TrainingError
from xinglin.store import Store

pytest.importorskip("flwr.app")
SITES = {"site-1": 60, "site-2": 90, "site-3": 40, "site-4": 120}
STEP = 2 * 8.0 / 4_194_304
"""One step of the default quantisation."""


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    return write_tables(tmp_path / "data", SITES)


def test_the_masked_sum_is_the_plain_average(store: Store, tables: dict[str, Path], tmp_path: Path) -> None:
    plain = run_direct(a_job(), tables, tmp_path / "a", store, number="plain")
    masked = run_direct(a_job(secure={"secagg": True}), tables, tmp_path / "b", store, number="masked")
    assert newest(store).state == "done"
    # Each site is off by less than a step, divided by its share of max_weight; two rounds.
    most = 2 * STEP * len(SITES) * max(SITES.values()) / sum(SITES.values())
    assert list(plain) == list(masked)
    assert all(np.abs(plain[name] - masked[name]).max() < most for name in plain)
    assert all(site.state == "ok" and site.train for site in newest(store).rounds[1].sites)


def test_no_update_is_to_be_seen_on_the_wire(store: Store, tables: dict[str, Path], tmp_path: Path) -> None:
    """What a hospital sends looks uniform over 2**32, and does not correlate with its update."""
    seen: list[np.ndarray[Any, Any]] = []
    arrays = 0

    def watch(asked: Any, answer: Any) -> Any:
        nonlocal arrays
        from flwr.common import bytes_to_ndarray
        from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key

        if asked.metadata.message_type == "train":
            told = answer.content.config_records[RECORD_KEY_CONFIGS]
            arrays += sum(len(record) for record in answer.content.array_records.values())
            for data in told.get(Key.MASKED_PARAMETERS, []):
                seen.append(bytes_to_ndarray(data).ravel())
        return answer

    job = a_job(job={"rounds": 4}, secure={"secagg": True})
    run_direct(job, tables, tmp_path, store, dict.fromkeys(tables, watch))
    numbers = np.concatenate(seen).astype(np.float64) / 2**32
    assert len(numbers) == 4 * 4 * (1 + 1 + 3)  # rounds, sites, weight factor + bias + weights
    assert arrays == 0
    assert 0.0 <= numbers.min() < 0.15
    assert 0.85 < numbers.max() < 1.0
    assert abs(numbers.mean() - 0.5) < 0.2


def test_a_change_beyond_the_range_is_said_and_not_cut(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    job = a_job(secure={"secagg": True, "clipping_range": 0.001})
    with pytest.raises(TrainingError, match=r"clipping_range is 0\.001: raise it"):
        run_direct(job, tables, tmp_path, store)
    assert newest(store).state == "stopped"


def test_a_site_that_is_lost_after_it_masked_leaves_the_sum_of_the_others(
    store: Store, tables: dict[str, Path], tmp_path: Path
) -> None:
    """Three of four shares restore what the lost site's masks left behind."""

    def lost(asked: Any, answer: Any) -> Any:
        from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key, Stage

        told = asked.content.config_records.get(RECORD_KEY_CONFIGS, {})
        gone = told.get(Key.STAGE) == Stage.COLLECT_MASKED_VECTORS
        return None if gone else answer

    job = a_job(job={"rounds": 1, "timeout": 1.0}, secure={"secagg": True})
    rest = {site: folder for site, folder in tables.items() if site != "site-4"}
    plain = run_direct(a_job(job={"rounds": 1}), rest, tmp_path / "a", store, number="plain")
    masked = run_direct(job, tables, tmp_path / "b", store, {"site-4": lost}, number="masked")
    assert {site.site: site.state for site in newest(store).rounds[1].sites}["site-4"] == "silent"
    assert all(np.abs(plain[name] - masked[name]).max() < 1e-4 for name in plain)
