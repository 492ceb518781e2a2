"""Votes in files: every layout gives the same votes; broken files are refused with their place."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.labels.test_truth import crowd
from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.labels import crowd_files, rows
from xinglin.labels.crowd_files import Crowd, read_votes
from xinglin.labels.truth import majority

ROWS = [("q1", "张", "肺炎"), ("q1", "b", "流感"), ("q2", "张", ""), ("q3", "b", '"流感')]


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    if ".jsonl" in path.name:
        lines = [json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) for row in rows]
    elif ".csv" in path.name:
        lines = [
            ",".join('"' + c.replace('"', '""') + '"' if '"' in c else c for c in r) for r in [header, *rows]
        ]
    else:
        lines = ["\t".join(row) for row in [header, *rows]]
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def named(found: Crowd) -> set[tuple[str, str, str]]:
    votes = found.votes
    return {
        (found.items[i], found.annotators[j], found.classes[k])
        for i, j, k in zip(votes.items, votes.annotators, votes.labels, strict=True)
    }


@pytest.mark.parametrize("name", ["v.tsv", "v.csv", "v.jsonl", "v.tsv.gz", "v.csv.gz", "v.jsonl.gz"])
@pytest.mark.parametrize(
    "header", [("task", "worker", "label"), ("question", "worker", "answer"), ("item", "annotator", "label")]
)
def test_every_layout_says_the_same(tmp_path: Path, name: str, header: tuple[str, ...]) -> None:
    found = read_votes(write(tmp_path / name, header, ROWS))
    assert named(found) == {row for row in ROWS if row[2]}
    assert found.missing == 1
    assert found.items == ("q1", "q2", "q3")
    assert found.gold.tolist() == [-1, -1, -1]
    assert majority(found.votes).unvoted.tolist() == [False, True, False]


def test_gold_brings_items_and_classes_of_its_own(tmp_path: Path) -> None:
    votes = write(tmp_path / "v.csv", ("task", "worker", "label"), [("a", "w", "2"), ("b", "w", "10")])
    gold = write(tmp_path / "gold.tsv", ("task", "truth"), [("b", "9"), ("c", "2"), ("a", "")])
    found = read_votes(votes, gold)
    assert found.classes == ("2", "9", "10")  # numbers in the order of numbers
    assert found.items == ("a", "b", "c")
    assert found.gold.tolist() == [-1, 1, 0]
    assert found.votes.labels.tolist() == [0, 2]


def test_a_generated_crowd_comes_back(tmp_path: Path) -> None:
    votes, true = crowd(0, 400, 20, 5, 4)
    lines = [
        (f"i{i}", f"w{j}", str(k))
        for i, j, k in zip(votes.items, votes.annotators, votes.labels, strict=True)
    ]
    gold = write(
        tmp_path / "truth.csv", ("question", "truth"), [(f"i{i}", str(k)) for i, k in enumerate(true)]
    )
    found = read_votes(write(tmp_path / "answer.csv", ("question", "worker", "answer"), lines), gold)
    np.testing.assert_array_equal(found.votes.items, votes.items)
    np.testing.assert_array_equal(found.votes.labels, votes.labels)
    np.testing.assert_array_equal(found.gold, true)
    names = np.array([int(name[1:]) for name in found.annotators])
    np.testing.assert_array_equal(names[found.votes.annotators], votes.annotators)


def test_other_column_names(tmp_path: Path) -> None:
    path = write(tmp_path / "v.tsv", ("片", "医生", "判读"), [("a", "w", "x")])
    with pytest.raises(InvalidInputError, match="name yours by an option"):
        read_votes(path)
    assert named(read_votes(path, item="片", annotator="医生", label="判读")) == {("a", "w", "x")}


BROKEN = {
    "short.tsv": (b"task\tworker\tlabel\na\tw\n", r"short\.tsv:2: expected 3 cells, got 2"),
    "empty.csv": (b"", "expected a column named item"),
    "blank.csv": (b"task,worker,label\n,w,1\n", r"blank\.csv:2: the item or the annotator is empty"),
    "quote.csv": (b'task,worker,label\na,w,"x" y\n', r"quote\.csv:2"),
    "bytes.tsv": (b"task\tworker\tlabel\na\tw\t\xff\n", "expected UTF-8"),
    "none.tsv": (b"task\tworker\tlabel\na\tw\t\n", "at least one vote"),
    "list.jsonl": (b"[1]\n", "expected a JSON object"),
    "deep.jsonl": (b"[" * 100_000 + b"\n", "nested too deeply"),
    "half.jsonl": (b'{"task": "a", "worker": "w", "label": {"x": 1}}\n', "expected text or a number"),
    "nan.jsonl": (b'{"task": "a", "worker": "w", "label": NaN}\n', "not a JSON number"),
    "lack.jsonl": (b'{"task": "a", "label": 1}\n', "expected a column named annotator"),
    "cut.tsv.gz": (gzip.compress(b"task\tworker\tlabel\n" * 1000)[:40], "damaged"),
    "plain.tsv.gz": (b"task\tworker\tlabel\na\tw\tx\n", "damaged"),
    "votes.xlsx": (b"PK", "expected a .tsv, .csv or .jsonl"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_with_their_place(tmp_path: Path, name: str) -> None:
    content, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read_votes(path)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingDataError):
        read_votes(tmp_path / "absent.tsv")
    path = write(tmp_path / "v.tsv", ("task", "worker", "label"), [("a", "w", "x"), ("b", "w", "x")])
    monkeypatch.setattr(crowd_files, "MAX_VOTES", 1)
    with pytest.raises(InputTooLargeError, match="more than 1 votes"):
        read_votes(path)
    monkeypatch.setattr(rows, "MAX_LINE", 5)
    with pytest.raises(InputTooLargeError, match="at most 5 characters"):
        read_votes(path)


def test_two_true_classes_are_a_contradiction(tmp_path: Path) -> None:
    votes = write(tmp_path / "v.tsv", ("task", "worker", "label"), [("a", "w", "x")])
    gold = write(tmp_path / "g.tsv", ("task", "gold"), [("a", "x"), ("a", "x"), ("a", "y")])
    with pytest.raises(InvalidInputError, match=r"g\.tsv:4: this item already has another"):
        read_votes(votes, gold)
