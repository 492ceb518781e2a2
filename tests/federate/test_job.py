from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.federate.job import STRATEGIES, job_from, read_job

SMALL: dict[str, Any] = {
    "job": {"name": "heart", "task": "tabular", "rounds": 2},
    "data": {"dataset": "heart"},
}
WHOLE = """
[job]
name = "heart"
task = "tabular"
purpose = "research"
rounds = 3
seed = 7
fraction = 0.5
min_sites = 3
[data]
dataset = "fed-heart"
certificate_bound = 0.05
needs = ["consent"]
[train]
epochs = 1
learning_rate = 0.1
[strategy]
name = "fedprox"
proximal_mu = 1
local_keys = ["norm."]
[privacy]
unit = "example"
epsilon = 1.0
delta = 1e-4
"""


def test_a_job_reads_and_survives_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "JOB.toml"
    path.write_text("\ufeff" + WHOLE, encoding="utf-8")
    job = read_job(path)
    assert (job.seed, job.fraction, job.data.needs) == (7, 0.5, ("consent",))
    assert job.strategy.numbers() == {"proximal_mu": 1.0}
    assert job.privacy is not None
    assert job.privacy.noise_multiplier is None
    assert job_from(json.loads(json.dumps(job.as_json()))) == job


def test_the_digest_changes_with_every_value() -> None:
    small = job_from(SMALL)
    other = job_from({**SMALL, "train": {"epochs": 2}})
    assert small.digest() == job_from(SMALL).digest() != other.digest()


@pytest.mark.parametrize(
    ("section", "given", "says"),
    [
        ("job", {"rond": 1}, "did you mean rounds"),
        ("strategy", {"name": "fedavgg"}, "did you mean fedavg"),
        ("strategy", {"name": "fedavg", "eta": 0.1}, "fedavg takes no numbers, not eta"),
        ("strategy", {"name": "fedadam", "eta": float("nan")}, "finite"),
        ("strategy", {"name": "fedtrimmed", "beta": 0.5}, "less than 0.5"),
        ("job", {"rounds": True}, "integer"),
        ("job", {"rounds": 0}, "greater than or equal to 1"),
        ("job", {"name": "../x"}, "pattern"),
        ("job", {"fraction": 1.5}, "less than or equal to 1"),
        ("data", [], "expected a section"),
        ("privacy", {"unit": "example", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0}, "clip belongs"),
        ("privacy", {"unit": "hospital", "epsilon": 1.0, "delta": 1e-5}, "clip belongs"),
        ("privacy", {"unit": "row", "epsilon": 1.0, "delta": 1e-5}, "patient"),
    ],
)
def test_a_bad_value_is_named(section: str, given: Any, says: str) -> None:
    merged = {**SMALL.get(section, {}), **given} if isinstance(given, dict) else given
    with pytest.raises(InvalidInputError, match=says):
        job_from({**SMALL, section: merged})


@pytest.mark.parametrize(
    ("strategy", "privacy"),
    [
        ({"name": "krum"}, None),
        ({"name": "fedmedian"}, None),
        ({"name": "fedtrimmed"}, None),
        ({"name": "fedadam"}, None),
        ({"name": "fedavg", "max_norm": 1.0}, None),
        ({"name": "fedavg"}, {"unit": "hospital", "epsilon": 1.0, "delta": 0.1, "clip": 1.0}),
    ],
)
def test_secure_aggregation_and_looking_at_updates_exclude_each_other(
    strategy: dict[str, Any], privacy: dict[str, Any] | None
) -> None:
    asked = {**SMALL, "strategy": strategy, "privacy": privacy, "secure": {"secagg": True}}
    with pytest.raises(InvalidInputError, match="choose one of the two"):
        job_from(asked)
    job_from({**asked, "secure": {"secagg": False}})


def test_files_that_are_no_job(tmp_path: Path) -> None:
    path = tmp_path / "JOB.toml"
    with pytest.raises(MissingDataError):
        read_job(path)
    for content, says in ((b"\xff\xfe", "UTF-8"), (b"a = [", "TOML"), (b"strategi = 1", "strategy")):
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=says):
            read_job(path)
    path.write_bytes(b"#" * 1_048_577)
    with pytest.raises(InputTooLargeError):
        read_job(path)


def test_every_strategy_is_accepted_without_numbers() -> None:
    assert len(STRATEGIES) == 8
    for name in STRATEGIES:
        assert job_from({**SMALL, "strategy": {"name": name}}).strategy.numbers() == {}
