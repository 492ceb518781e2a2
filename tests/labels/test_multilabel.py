"""A round in which a record may bear several codes, or none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.labels.rounds import (
    CODES,
    COLD,
    DATASET,
    FLU,
    PEOPLE,
    PNEUMONIA,
    SCHEME,
    TEXTS,
    fill,
    finals,
    states,
    take,
)
from xinglin.cli.main import app
from xinglin.errors import InvalidInputError
from xinglin.labels.agreement import krippendorff_alpha
from xinglin.labels.answer import Answer, answer_of, columns_of, written
from xinglin.labels.audit import draw_audit, evidence
from xinglin.labels.bring_in import bring_in
from xinglin.labels.campaign import Campaign, assign, open_campaign
from xinglin.labels.crowd_files import read_votes
from xinglin.labels.decide import answer_vote, decide, skip
from xinglin.labels.evidence import AuditPlan, labels_digest, tally
from xinglin.labels.export import label_studio_file, labels_file
from xinglin.labels.label_studio import labelling_config, read_tasks
from xinglin.labels.multilabel import by_code, infer_sets, sets_of
from xinglin.labels.overview import overview
from xinglin.labels.results import blind_votes, labels_of, results
from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.labels.truth import infer_truth
from xinglin.labels.verify import ModelVote, keep_vote, see_vote
from xinglin.store import Store
from xinglin.types import Code

MULTI = replace(SCHEME, name="several", multi=True)
BOTH: Answer = (FLU, PNEUMONIA)


def several(store: Store, *, assisted: bool = False, name: str = "several") -> Campaign:
    ids = fill(store, TEXTS, ["lead", *PEOPLE]) if name == "several" else [f"r{n}" for n in range(len(TEXTS))]
    made = open_campaign(
        store, name, dataset=DATASET, scheme=MULTI, records=ids, lead="lead", assisted=assisted
    )
    for person, role in PEOPLE.items():
        assign(store, made, person, role, by="lead")
    return made


def say(store: Store, made: Campaign, user: str, *answers: Answer, stage: str = "annotation") -> None:
    for answer in answers:
        task = take(store, made, user, stage)  # type: ignore[arg-type]
        decide(store, made, task.slot, user, answer)


def test_an_answer_is_one_whatever_the_order_and_survives_its_row() -> None:
    assert MULTI.answer([PNEUMONIA, "J11", "肺炎"]) == BOTH
    assert MULTI.answer([]) == ()
    for answer in (BOTH, (COLD,), ()):
        assert answer_of(**columns_of(answer)) == answer
        assert [code.display for code in answer_of(**columns_of(answer)) or ()] == [c.display for c in answer]
    assert answer_of(**columns_of(None)) is None
    assert written(reversed(BOTH)) == "icd10-who:J11 icd10-who:J18"
    assert written(()) == "none"
    with pytest.raises(InvalidInputError, match="expected one code"):
        SCHEME.answer(BOTH)
    with pytest.raises(InvalidInputError, match="expected one code"):
        SCHEME.answer([])
    with pytest.raises(InvalidInputError, match="without spaces"):
        Scheme("s", (SchemeClass(Code("xinglin", "a b"), zh="x"), SchemeClass(Code("xinglin", "c"), zh="y")))


def test_equal_sets_settle_and_any_difference_goes_to_the_arbiter(store: Store) -> None:
    made = several(store)
    say(store, made, "an", BOTH, (COLD,), (), (FLU,))
    say(store, made, "bo", tuple(reversed(BOTH)), BOTH, (), (FLU, COLD))
    assert states(store) == ["settled", "arbitration", "settled", "arbitration"]
    task = take(store, made, "chen", "arbitration")
    assert {opinion.codes for opinion in task.opinions} == {(COLD,), BOTH}
    decide(store, made, task.slot, "chen", (COLD, FLU))
    say(store, made, "chen", (), stage="arbitration")
    assert finals(store) == ["J11 J18", "J00 J11", "", ""]
    found = results(store, made, by="lead")
    assert [result.final for result in found] == [BOTH, (COLD, FLU), (), ()]
    nouns = labels_of(found)
    assert len(nouns) == 2 + 1 + 0 + 1 + 2 + 2 + 0 + 2 + 2 + 0
    MULTI.check(nouns)


def test_the_models_class_agrees_when_it_is_among_the_codes(store: Store) -> None:
    made = several(store, assisted=True)
    for user in ("an", "bo"):
        for vote in (FLU, COLD):
            task = take(store, made, user)
            keep_vote(store, made, task, ModelVote("m", vote))
            decide(store, made, task.slot, user, BOTH)
            see_vote(store, made, task.slot, user)
            assert answer_vote(store, made, task.slot, user, BOTH).kind == "confirm"
    assert states(store)[:2] == ["settled", "arbitration"]
    state = overview(store, made, by="lead")
    assert state.model_agreement is not None
    assert (state.model_agreement.value, state.model_agreement.n) == (0.5, 4)


def test_agreement_is_told_for_each_code(store: Store) -> None:
    made = several(store)
    say(store, made, "an", BOTH, (COLD,), (FLU,), ())
    say(store, made, "bo", (PNEUMONIA,), (COLD,), (FLU,), (COLD,))
    state = overview(store, made, by="lead")
    assert [code for code, _ in state.by_code] == list(CODES)
    found = results(store, made, by="lead")
    for code, alpha in state.by_code:
        votes, people = blind_votes(found, code)
        assert people == ("an", "bo")
        assert votes is not None
        assert sorted(votes.labels) == sorted(
            int(code in (one.blind or ())) for result in found for one in result.given
        )
        assert alpha.value == pytest.approx(krippendorff_alpha(votes, resamples=0).value)
    by_code = {code: alpha.value for code, alpha in state.by_code}
    assert by_code[PNEUMONIA] == 1.0
    assert by_code[COLD] is not None
    assert by_code[COLD] < 1.0
    assert state.agreement is not None
    assert state.agreement.value == 0.5


def test_one_wrong_code_is_a_wrong_item(store: Store) -> None:
    """The certificate counts items: an item is wrong if any of its codes is missing or too many."""
    made = several(store)
    for user in ("an", "bo"):
        say(store, made, user, BOTH, (COLD,), (), (FLU,))
    draw_audit(store, made, 4, seed="dice", by="lead")
    truth = {"r0": BOTH, "r1": (COLD, FLU), "r2": (), "r3": ()}
    for user in ("deng", "fu"):
        for _ in truth:
            task = take(store, made, user, "audit")
            decide(store, made, task.slot, user, truth[task.record.id])
    found = evidence(store, made, by="lead")
    assert found.labels == {
        "r0": "icd10-who:J11 icd10-who:J18", "r1": "icd10-who:J00", "r2": "none", "r3": "icd10-who:J11",
    }  # fmt: skip
    plan = AuditPlan(
        dataset="d", manifest="0" * 64, labels=labels_digest(found.labels), population=4, claim="0.9",
        seed=found.seed or "", auditors=("deng", "fu"), adjudicators=("chen",), hardest="0.1",
    )  # fmt: skip
    counted = tally(plan, found.labels, found.readings, annotators=found.annotators)
    assert (counted.read, counted.wrong, counted.disagreements) == (4, 2, 0)


def test_label_studio_both_ways(store: Store) -> None:
    made = several(store)
    say(store, made, "an", BOTH, (), (COLD,))
    task = take(store, made, "an")
    skip(store, made, task.slot, "an", "unreadable")
    content = label_studio_file(store, made, by="lead")
    config = labelling_config(MULTI)
    assert 'choice="multiple" required="false"' in config
    assert 'choice="single" required="true"' in labelling_config(SCHEME)
    tasks = read_tasks(content, MULTI)
    assert [one.codes for task in tasks for one in task.given] == [BOTH, (), (COLD,), None]
    with pytest.raises(InvalidInputError, match="expected 1"):
        read_tasks(content, SCHEME)
    again = several(store, name="again")
    assert bring_in(store, again, tasks, by="lead", source=content)["taken"] == 4
    first, second = (
        [[one.codes for one in result.given] for result in results(store, campaign, by="lead")]
        for campaign in (made, again)
    )
    assert first == second
    lines = [json.loads(line) for line in labels_file(store, made, by="lead").splitlines()]
    assert lines[1]["labels"][0]["codes"] == []
    assert [code["code"] for code in lines[0]["labels"][0]["codes"]] == ["J11", "J18"]
    assert lines[3]["labels"][0]["codes"] is None


def crowd_of(sets: dict[tuple[str, str], set[str]], tmp_path: Path) -> Path:
    path = tmp_path / "votes.tsv"
    rows = (f"{item}\t{who}\t{' '.join(sorted(codes)) or 'none'}\n" for (item, who), codes in sets.items())
    path.write_text("item\tannotator\tlabel\n" + "".join(rows), encoding="utf-8")
    return path


def simulated(seed: int) -> tuple[dict[tuple[str, str], set[str]], dict[str, set[str]]]:
    """Five people of very different care on 120 items; each code is forgotten or invented on its own."""
    draw = np.random.default_rng(seed)
    true = {f"i{n}": {code for code in "ABC" if draw.random() < 0.4} for n in range(120)}
    slips = {"p0": 0.02, "p1": 0.05, "p2": 0.3, "p3": 0.35, "p4": 0.4}
    votes = {
        (item, who): {code for code in "ABC" if (code in codes) ^ (draw.random() < slip)}
        for item, codes in true.items()
        for who, slip in slips.items()
    }
    return votes, true


def test_sets_are_inferred_code_by_code_and_beat_the_majority(tmp_path: Path) -> None:
    votes, true = simulated(3)
    crowd = read_votes(crowd_of(votes, tmp_path))
    hits = {}
    for method in ("majority", "dawid-skene"):
        codes, probabilities = infer_sets(crowd, method)
        assert codes == ("A", "B", "C")
        found = dict(zip(crowd.items, sets_of(codes, probabilities), strict=True))
        hits[method] = sum(found[item] == true[item] for item in true)
    assert hits["dawid-skene"] > hits["majority"] + 5
    for column, (code, split) in enumerate(by_code(crowd).items()):
        expected = infer_truth(split).posterior[:, 1]
        assert probabilities[:, column] == pytest.approx(expected)
        who = [crowd.annotators[one] for one in split.annotators]
        item = [crowd.items[one] for one in split.items]
        assert split.labels.tolist() == [int(code in votes[pair]) for pair in zip(item, who, strict=True)]


def test_the_commands_for_several_codes(tmp_path: Path) -> None:
    votes, true = simulated(3)
    path, gold, out = crowd_of(votes, tmp_path), tmp_path / "gold.tsv", tmp_path / "out.jsonl"
    rows = (f"{item}\t{' '.join(codes) or 'none'}\n" for item, codes in true.items())
    gold.write_text("item\tlabel\n" + "".join(rows), encoding="utf-8")
    runner = CliRunner()
    done = runner.invoke(
        app, ["labels", "truth", str(path), "--multi", "--gold", str(gold), "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    right = sum(set(line["label"].split()) - {"none"} == true[line["item"]] for line in lines)
    assert told["exact_sets"][0] == pytest.approx(right / len(true))
    assert told["exact_sets"][3] == len(lines) == len(true)
    done = runner.invoke(app, ["labels", "agreement", str(path), "--multi", "--resamples", "0", "--json"])
    assert done.exit_code == 0, done.output
    alphas = {row["code"]: row["value"] for row in json.loads(done.output)["by_code"]}
    for code, split in by_code(read_votes(path)).items():
        assert alphas[code] == pytest.approx(krippendorff_alpha(split, resamples=0).value, abs=1e-6)
    shown = runner.invoke(app, ["labels", "truth", str(path), "--multi"])
    assert "未经注册" in shown.output


def test_a_round_of_several_codes_on_the_command_line(tmp_path: Path, store: Store) -> None:
    fill(store, TEXTS, ["lead", *PEOPLE])
    scheme = tmp_path / "scheme.tsv"
    scheme.write_text(
        "code\tzh\ten\tdefinition_zh\tdefinition_en\tinclude\texclude\texamples\n"
        "J00\t急性鼻咽炎\tcommon cold\t\t\t\t\t\nJ11\t流行性感冒\tinfluenza\t\t\t\t\t\n",
        encoding="utf-8",
    )
    runner = CliRunner()

    def run(*arguments: str) -> str:
        done = runner.invoke(app, ["labels", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    run(
        "new",
        "several",
        "--dataset",
        DATASET,
        "--scheme",
        str(scheme),
        "--multi",
        "--as",
        "lead",
        "--limit",
        "2",
    )
    for person, role in PEOPLE.items():
        run("assign", "several", person, role, "--as", "lead")
    for user in ("an", "bo"):
        slot = run("next", "several", "--as", user).split()[0].lstrip("#")
        assert "J00 急性鼻咽炎, J11" in run("decide", "several", slot, "J11", "common cold", "--as", user)
        slot = run("next", "several", "--as", user).split()[0].lstrip("#")
        assert "none applies" in run("decide", "several", slot, "none", "--as", user)
    assert finals(store) == ["J00 J11", ""]
    told = json.loads(run("review", "several", "--as", "lead", "--open", "1", "--budget", "1", "--json"))
    assert (len(told["opened"]), told["records"], told["reviews"]) == (1, 2, 1)
    assert "不是证书" in run("review", "several", "--as", "lead")
    assert "Krippendorff α J00" in run("status", "several", "--as", "lead")
