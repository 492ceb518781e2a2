"""A hospital's table as numbers: what is missing is counted, what is wrong is named by place and never quoted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.records.test_archive import put
from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError, NotPermittedError
from xinglin.federate.tasks.options import read_options
from xinglin.federate.tasks.protocol import Archived, Files
from xinglin.federate.tasks.table import Examples, Schema, read_examples
from xinglin.federate.tasks.tabular import TabularOptions
from xinglin.ledger import give_consent, grant
from xinglin.records import create_dataset
from xinglin.store import Store
from xinglin.types import Code, Event, Patient, Record

SCHEMA: dict[str, Any] = {
    "target": "sick",
    "positive": ("1", "2"),
    "negative": ("0",),
    "numeric": ("age", "rate"),
    "categorical": ("pain=1|2|3",),
}
HEADER = "age,rate,pain,sick\n"


def read(folder: Path, body: str, **more: Any) -> Examples:
    (folder / "train.csv").write_text(HEADER + body, encoding="utf-8")
    return read_examples(Files(folder), Schema(**{**SCHEMA, **more}))


def test_rows_become_numbers_whatever_their_spelling(tmp_path: Path) -> None:
    found = read(tmp_path, "63,150,1,0\n63.0,150.0,2.0,2\n 40 ,90,03,1.0\n")
    assert found.features.tolist() == [[63, 150, 0, 0], [63, 150, 1, 0], [40, 90, 0, 1]]
    assert found.targets.tolist() == [0, 1, 1]
    assert (found.dropped, found.outside, found.patients) == (0, 0, None)
    assert found.centre == pytest.approx(found.features.mean(0), rel=1e-6)
    assert found.spread == pytest.approx(found.features.std(0, ddof=1), rel=1e-6)


def test_missing_values_drop_their_row_or_are_indicated(tmp_path: Path) -> None:
    body = "63,?,1,0\n50,,2,1\n40,90,NA,1\n30,80,3,?\n20,70,2,0\n"
    dropped = read(tmp_path, body)
    assert (len(dropped), dropped.dropped) == (1, 4)
    kept = read(tmp_path, body, gaps="indicate")
    assert (len(kept), kept.dropped) == (4, 1)
    assert np.isnan(kept.features[:, 1]).tolist() == [True, True, False, False]
    assert kept.features[:, -3:].tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert kept.centre[1] == 80


def test_bounds_scale_before_anything_is_read_and_what_lies_beyond_is_cut_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, "0,50,1,0\n100,250,1,1\n50,150,1,1\n", lower=(0.0, 50.0), upper=(100.0, 150.0))
    assert found.features[:, :2].tolist() == [[-1, -1], [1, 1], [0, 1]]
    assert found.outside == 1


def test_the_test_part_is_standardised_by_the_training_part(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(HEADER + "99,200,3,1\n", encoding="utf-8")
    train = read(tmp_path, "10,100,1,0\n20,110,2,1\n")
    test = read_examples(Files(tmp_path, "test"), Schema(**SCHEMA))
    assert test.centre.tolist() == train.centre.tolist()
    assert test.spread.tolist() == train.spread.tolist()
    assert train.spread[3] == 1  # a level that nobody has: nothing to scale


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "at least one row"),
        ("?,?,?,?\n", "1 were left out"),
        ("63,high,1,0\n", "line 2: column 'rate': expected a finite number"),
        ("63,inf,1,0\n", "line 2: column 'rate': expected a finite number"),
        ("63,150,7,0\n", "line 2: column 'pain': a level that the job does not name"),
        ("63,150,1,9\n", "line 2: column 'sick': neither among positive nor negative"),
        ("63,150,1\n", "line 2: expected 4 cells, got 3"),
    ],
)
def test_bad_rows_are_named_by_place_and_column(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, body)
    assert said in str(caught.value)
    assert "high" not in str(caught.value)


def test_a_missing_column_names_the_nearest_and_a_missing_file_what_it_should_be(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("age,rates,pain,sick\n1,2,3,0\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"'rate'.*nearest: 'rates'"):
        read_examples(Files(tmp_path), Schema(**SCHEMA))
    with pytest.raises(MissingDataError, match=r"exactly one of test\.csv"):
        read_examples(Files(tmp_path, "test"), Schema(**SCHEMA))


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    columns = {"age": [63, 40], "rate": [150.5, None], "pain": ["1", "2"], "sick": [0, 2]}
    pq.write_table(pa.table(columns), tmp_path / "train.parquet")
    found = read_examples(Files(tmp_path), Schema(**SCHEMA, gaps="indicate"))
    text = read(tmp_path / "..", "63,150.5,1,0\n40,,2,2\n", gaps="indicate")
    assert np.array_equal(found.features, text.features, equal_nan=True)
    assert found.targets.tolist() == text.targets.tolist()


def test_the_archive_gives_the_same_rows_under_grant_and_consent(store: Store, tmp_path: Path) -> None:
    def record(number: int, age: float, rate: float | None, pain: str, sick: str) -> Record:
        values = {"rate": rate, "pain": pain, "sick": sick}
        events = [Event(Code("local", key), value=value, time="2024-02-01") for key, value in values.items()]
        events.append(Event(Code("local", "rate"), value=1.0, time="2020-01-01"))  # an older one
        return Record(f"r{number}", f"s{number % 2}", patient=Patient(age=age), events=tuple(events))

    with store.write() as connection:
        create_dataset(connection, "heart", by="steward")
    put(
        store, "heart", record(0, 63, 150, "1", "0"), record(1, 40, 90, "2", "1"), record(2, 50, 80, "3", "1")
    )
    node = Archived(store, "heart", actor="federation")
    with pytest.raises(NotPermittedError):
        read_examples(node, Schema(**SCHEMA))
    with store.write() as connection:
        grant(connection, "heart", grantee="federation", purpose="training", by="steward")
        give_consent(connection, "heart", subject=None, purpose="training", basis="waiver", by="board")
    found = read_examples(node, Schema(**SCHEMA, patient="subject"))
    assert found.features.tolist() == read(tmp_path, "63,150,1,0\n40,90,2,1\n50,80,3,1\n").features.tolist()
    assert found.patients == ("s0", "s1", "s0")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"numerics": ["age"]}, "did you mean numeric"),
        ({"positive": ["1"], "negative": ["1"]}, "none on both"),
        ({"lower": [1.0]}, "one number for each of 2"),
        ({"lower": [1.0, 2.0], "upper": [1.0, 3.0]}, "each lower bound below"),
        ({"categorical": ["pain"]}, "name=level"),
        ({"numeric": ["age", "age"]}, "named twice"),
        ({"scaling": "sight"}, "one of bounds|site|federated"),
        ({"ridge": "much"}, "expected float, got str"),
        ({"batch": True}, "expected int, got bool"),
        ({"learning_rate": math.inf}, "more than 0"),
        ({"steps": 0}, "1 or more"),
    ],
)
def test_a_job_that_says_nonsense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_options({**SCHEMA, **wrong}, TabularOptions)[0].levels()
    assert said in str(caught.value)


def test_a_setting_without_default_must_be_there() -> None:
    with pytest.raises(ConfigurationError, match="target: this task needs it"):
        read_options({"positive": ["1"], "negative": ["0"]}, TabularOptions)
