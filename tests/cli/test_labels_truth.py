"""``labels truth | agreement | noise | select`` on files, as a person and as a program call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.labels.test_truth import crowd
from xinglin.cli import labels_truth
from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.labels.truth import dawid_skene

NAMES = ["肺炎", "流感", "感冒", "哮喘"]
app = typer.Typer()
for verb in (labels_truth.truth, labels_truth.agreement, labels_truth.noise, labels_truth.select):
    app.command()(verb)


def call(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def called(*arguments: object) -> dict[str, Any]:
    return json.loads(call(*arguments, "--json"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """200 questions: votes of six doctors (each at most once an item), truth, probabilities, labels, features."""
    _, true = crowd(0, 200, 6, 4, 1)
    generator = np.random.default_rng(0)
    rows = ["task\tworker\tlabel"]
    for i in range(200):
        for j in generator.permutation(6)[:3]:
            label = true[i] if generator.random() < 0.8 else generator.integers(0, 4)
            rows.append(f"q{i}\t医生{j}\t{NAMES[label]}")
    rows.append("q200\t医生0\t")
    (tmp_path / "votes.tsv").write_text("\n".join(rows), encoding="utf-8")
    truth = ["task,truth", *(f"q{i},{NAMES[k]}" for i, k in enumerate(true[:50]))]
    (tmp_path / "truth.csv").write_text("\n".join(truth), encoding="utf-8")
    shares = np.full((200, 4), 0.04)
    shares[np.arange(200), true] = 0.88
    shares[:10] = 0.25
    lines = [
        json.dumps({"item": f"q{i}", "probabilities": dict(zip(NAMES, row.tolist(), strict=True))})
        for i, row in enumerate(shares)
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(lines), encoding="utf-8")
    given = true.copy()
    given[50:60] = (true[50:60] + 1) % 4
    labels = ["item\tlabel", *(f"q{i}\t{NAMES[k]}" for i, k in enumerate(given))]
    (tmp_path / "labels.tsv").write_text("\n".join(labels), encoding="utf-8")
    np.save(tmp_path / "features.npy", generator.normal(size=(200, 5)))
    return tmp_path


def test_truth(files: Path) -> None:
    found = called("truth", files / "votes.tsv", "--gold", files / "truth.csv", "--out", files / "out.jsonl")
    assert (found["items"], found["votes"], found["missing"], found["unvoted"]) == (201, 600, 1, 1)
    assert found["accuracy"]["n"] == 50
    assert found["accuracy"]["value"] > 0.85
    assert [row["votes"] for row in found["annotators"]] == sorted(
        (row["votes"] for row in found["annotators"]), reverse=True
    )
    assert sum(row["items"] for row in found["classes"]) == 200
    rows = [json.loads(line) for line in (files / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 201
    assert rows[-1] == {"item": "q200", "label": None, "confidence": None, "tied": False}
    assert all(row["label"] in NAMES for row in rows[:-1])


def test_truth_is_the_library_s(files: Path) -> None:
    from xinglin.labels.crowd_files import read_votes

    data = read_votes(files / "votes.tsv")
    found, theirs = called("truth", files / "votes.tsv"), dawid_skene(data.votes)
    assert found["log_likelihood"] == pytest.approx(theirs.log_likelihood[-1])
    skill = {row["annotator"]: row["skill"] for row in found["annotators"]}
    for name, value in zip(data.annotators, theirs.skill, strict=True):
        assert skill[name] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("method", ["majority", "glad", "mace"])
def test_truth_by_every_method(files: Path, method: str) -> None:
    shown = call("truth", files / "votes.tsv", "--method", method, "--top", 2)
    assert shown.startswith(f"{method}: 600 票 votes")
    assert "1 条没有投票" in shown
    assert "另有 4 名标注者" in shown
    assert "不是医疗器械" in shown
    assert ("条票数相持" in shown) == (method == "majority")


def test_agreement(files: Path) -> None:
    found = called("agreement", files / "votes.tsv", "--top", 4, "--resamples", 100)
    names = [row["name"] for row in found["agreement"]]
    assert names[:2] == ["Krippendorff α, nominal", "Fleiss κ"]
    assert len(names) == 6
    for row in found["agreement"]:
        assert row["low"] < row["value"] < row["high"]
        assert 0.3 < row["value"] < 0.9
    items = [row["items"] for row in found["agreement"][2:]]
    assert items == sorted(items, reverse=True)
    shown = call(
        "agreement", files / "votes.tsv", "--level", "ordinal", "--weights", "linear", "--resamples", 20
    )
    assert "Cohen κ, linear" in shown
    assert "类别顺序" in shown


def test_agreement_says_why_a_coefficient_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "v.tsv"
    path.write_text("task\tworker\tlabel\na\tx\t1\na\ty\t1\na\tx\t1\nb\tx\t1\nb\ty\t1\n", encoding="utf-8")
    alpha, fleiss, cohen = called("agreement", path)["agreement"]
    assert (alpha["value"], fleiss["value"], cohen["value"]) == (None, None, None)
    assert "undefined" in alpha["note"]
    assert "differ in votes" in fleiss["note"]
    assert "voted twice" in cohen["note"]


def test_noise(files: Path) -> None:
    found = called("noise", files / "labels.tsv", files / "p.jsonl")
    planted = {f"q{i}" for i in range(50, 60)}
    assert planted <= {row["item"] for row in found["suspects"][:12]}
    assert sum(row["suspects"] for row in found["by_class"]) == len(found["suspects"])
    assert sum(sum(row) for row in found["confident_joint"]) == 200
    shown = call("noise", files / "labels.tsv", files / "p.jsonl", "--top", 3)
    assert "勿自动改写" in shown


def test_select(files: Path) -> None:
    (files / "known.txt").write_text("q0\nq1\n", encoding="utf-8")
    arguments = ("select", files / "p.jsonl", "--labelled", files / "known.txt", "--count", 5)
    found = called(*arguments, "--features", files / "features.npy")
    assert len(set(found["chosen"])) == 5
    assert found["labelled"] == 2
    assert set(found["chosen"]) <= {f"q{i}" for i in range(2, 200)}
    assert {f"q{i}" for i in range(2, 10)} >= set(called(*arguments, "--diversity", 0)["chosen"])
    by_chance = [called(*arguments, "--random", "--seed", seed)["chosen"] for seed in (1, 1, 2)]
    assert by_chance[0] == by_chance[1] != by_chance[2]
    assert call(*arguments, "--random", "--seed", 1).split() == by_chance[0]


def test_select_covers_the_graph(files: Path) -> None:
    hops = np.full((200, 3), np.inf)
    hops[[150, 160, 170], [0, 1, 2]] = 0
    np.save(files / "hops.npy", hops)
    (files / "flat.jsonl").write_text(
        "\n".join(json.dumps({"item": f"q{i}", "probabilities": {"a": 0.5, "b": 0.5}}) for i in range(200)),
        encoding="utf-8",
    )
    # No shortlist can favour an item where all are equally doubtful, so the doubt is left out.
    found = called(
        *("select", files / "flat.jsonl", "--count", 3, "--uncertainty", 0),
        *("--diversity", 0, "--coverage", 1, "--distances", files / "hops.npy"),
    )
    assert sorted(found["chosen"]) == ["q150", "q160", "q170"]


def test_wrong_files_are_refused(files: Path) -> None:
    with pytest.raises(UnknownNameError, match="dawid-skene"):
        call("truth", files / "votes.tsv", "--method", "dawid")
    with pytest.raises(InvalidInputError, match="weights"):
        call("agreement", files / "votes.tsv", "--weights", "cubic")
    (files / "few.tsv").write_text("item\tlabel\nq0\t流感\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="199 items of the probabilities have no label"):
        call("noise", files / "few.tsv", files / "p.jsonl")
    (files / "strange.tsv").write_text("item\tlabel\nq0\t肾炎\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"strange\.tsv:2: the probabilities do not know this label"):
        call("noise", files / "strange.tsv", files / "p.jsonl")
    for name, lines, message in (
        ("a.jsonl", '{"item": "a"}', "expected"),
        ("b.jsonl", '{"item": "a", "probabilities": {"x": "1"}}', "a number for each class"),
        ("c.jsonl", '{"item": "a", "probabilities": {"x": 1}}\n' * 2, "stands in the file already"),
        ("d.jsonl", "", "got none"),
    ):
        (files / name).write_text(lines, encoding="utf-8")
        with pytest.raises(InvalidInputError, match=message):
            call("select", files / name)
    np.save(files / "objects.npy", np.array([[{}]], object))
    np.save(files / "short.npy", np.zeros((3, 2)))
    (files / "text.npy").write_text("not numpy", encoding="utf-8")
    for name in ("objects.npy", "short.npy", "text.npy"):
        with pytest.raises(InvalidInputError, match=name):
            call("select", files / "p.jsonl", "--features", files / name)
    (files / "other.txt").write_text("q0\nzzz\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"other\.txt:2"):
        call("select", files / "p.jsonl", "--labelled", files / "other.txt")
