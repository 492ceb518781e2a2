"""From kept cases to a model of the site: the export of the workbench is what ``xinglin calibrate`` reads.

The cases are synthetic and say so: texts are made of findings of the graph, and each label is drawn from the
graph's own posterior, so that a well calibrated site exists by construction. They say nothing of real care.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.serve.conftest import count, running
from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.answer import answer, ranking
from xinglin.apps.diagnosis.calibrate import MIN_CASES, calibrate_site, resolve
from xinglin.apps.diagnosis.differential import PACK_FILE, Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.pack import write_pack
from xinglin.apps.diagnosis.render import as_json
from xinglin.cli import main
from xinglin.errors import InvalidInputError
from xinglin.measure.conformal import aps_set
from xinglin.serve.app import create_app
from xinglin.store import Store

N = 240
SEEN = ("急性阑尾炎", "肺炎", "急性胃肠炎", "偏头痛", "带状疱疹", "急性心肌梗死", "急性肾盂肾炎", "支气管哮喘",
        "荨麻疹", "痛风性关节炎", "良性阵发性位置性眩晕", "胆囊结石")  # fmt: skip


def synthetic(differential: Differential, n: int, seed: int = 0) -> list[dict[str, Any]]:
    """``n`` synthetic confirmed cases, in the form of ``GET /api/cases/confirmed``."""
    random = np.random.default_rng(seed)
    knowledge = differential.knowledge
    seen = [name for name in SEEN if name in knowledge.diseases]
    assert len(seen) >= 8
    rows = []
    for number in range(n):
        told = [
            row.target
            for row in knowledge.by_disease[str(random.choice(seen))]
            if row.relation == "has_finding" and row.qualifier in ("obligate", "very_frequent", "frequent")
        ]
        words = random.permutation(told)[: random.integers(2, 5)]
        text = "合成病例:" + ",".join(words)
        ranked = ranking(differential, gather(differential, text))
        names, weights = [name for name, _ in ranked], np.array([weight for _, weight in ranked])
        name = str(random.choice(names, p=weights / weights.sum()))
        disease = knowledge.diseases[name]
        rows.append(
            {
                "id": f"synthetic-{number}",
                "text": text,
                "patient": {},
                "answers": {},
                "disease": {"system": "icd10-who", "value": disease.icd10, "display": name},
            }
        )
    return rows


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def rows(differential: Differential) -> list[dict[str, Any]]:
    return synthetic(differential, N)


def test_a_site_with_enough_cases_gets_percentages(
    differential: Differential,
    rows: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = written(tmp_path / "synthetic-site.jsonl", rows)
    out = tmp_path / "model"
    monkeypatch.setattr(
        "sys.argv", ["xinglin", "calibrate", "--site", str(site), "--out", str(out), "--json"]
    )
    with pytest.raises(SystemExit) as left:
        main.run()
    assert not left.value.code
    summary = json.loads(capsys.readouterr().out)
    assert summary["n"] == N
    assert summary["unmatched"] == 0
    assert 0.8 <= summary["metrics"]["slope"] <= 1.25
    assert summary["percentages"] is True
    kept = json.loads((out / "calibration.json").read_text(encoding="utf-8"))
    assert kept == summary

    site_model = load_differential(out)
    assert site_model.pack.name == "starter@synthetic-site"
    assert site_model.pack.quantile is not None
    assert 0 < site_model.pack.quantile <= 1
    answered = 0
    for row in rows[:40]:
        rendered = as_json(site_model, answer(site_model, gather(site_model, row["text"])))
        if rendered["abstained"]:
            continue
        answered += 1
        assert rendered["calibrated_on"] == f"synthetic-site (n={N})"
        shares = [item["probability"] for item in rendered["candidates"]]
        assert all(item["calibrated"] for item in rendered["candidates"])
        assert all(share is not None and 0 <= share <= 1 for share in shares)
        assert shares == sorted(shares, reverse=True)
        assert 1 <= len(rendered["prediction_set"]) <= 12
        assert rendered["prediction_set"][0]["id"] == rendered["candidates"][0]["code"]["id"]
    assert answered >= 10
    plain = as_json(differential, answer(differential, gather(differential, rows[0]["text"])))
    assert plain["calibrated_on"] is None
    assert all(item["probability"] is None for item in plain["candidates"])


def test_the_set_covers_what_the_quantile_promises(
    differential: Differential, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    result = calibrate_site(differential, written(tmp_path / "s.jsonl", rows))
    write_pack(result.pack, tmp_path / PACK_FILE)
    site_model = load_differential(tmp_path)
    # The set before it is cut for display.
    fresh = synthetic(differential, 150, seed=1)
    covered = 0
    for row in fresh:
        whole = answer(site_model, gather(site_model, row["text"]), 50)
        members = aps_set(whole.posterior, site_model.pack.quantile or 1.0)
        covered += resolve(site_model.pack, row["disease"]) in [int(item) for item in members]
    # 90 % promised; three standard errors of 150 cases below it.
    assert covered / len(fresh) >= 0.9 - 3 * (0.9 * 0.1 / len(fresh)) ** 0.5


def test_too_few_cases_keep_percentages_off(
    differential: Differential, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    result = calibrate_site(differential, written(tmp_path / "few.jsonl", rows[: MIN_CASES - 1]))
    assert result.enough is False
    assert result.pack.calibrated_on is None
    assert result.pack.quantile is None


def test_what_the_server_exports_is_what_calibrate_reads(
    differential: Differential, store: Store, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    finding = differential.knowledge.finding_codes["大汗"].value
    with running(create_app(differential, store, workbench=False)) as address:
        client = httpx.Client(base_url=address, timeout=30)
        bodies: list[dict[str, Any]] = [{"text": row["text"]} for row in rows[:5]]
        bodies.append({"answers": {finding: "present"}})
        bodies.append({"record": {"findings": [{"name": "胸痛"}], "patient": {"age": 60}}})
        for body, row in zip(bodies, rows, strict=False):
            case = client.post("/api/cases", json=body).json()["id"]
            label = row["disease"]
            assert client.put(f"/api/cases/{case}/confirmed", json=label).status_code == 204
        client.post("/api/cases", json={"text": "胸痛"})
        exported = client.get("/api/cases/confirmed").content
    path = tmp_path / "exported.jsonl"
    path.write_bytes(exported)
    assert exported.count(b"\n") == 7
    result = calibrate_site(differential, path)
    assert (result.n, result.unmatched) == (7, 0)
    assert count(store, "case.confirm") == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": 5}, ":2: text"),
        ({"text": ""}, ":2: expected the patient's words"),
        ({"text": "痛" * 20_001}, ":2: "),
        ({"patient": {"age": 200}}, ":2: patient.age"),
        ({"patient": "x"}, ":2: patient"),
        ({"answers": ["x"]}, ":2: answers"),
        ({"answers": {"x": "maybe"}}, ":2: answers"),
        ({"answers": {"x": "present"}}, ":2: answers: unknown finding"),
    ],
)
def test_a_wrong_line_is_named(
    differential: Differential,
    rows: list[dict[str, Any]],
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
) -> None:
    path = written(tmp_path / "s.jsonl", [rows[0], {**rows[1], **change}])
    with pytest.raises(InvalidInputError, match=message) as caught:
        calibrate_site(differential, path)
    assert "\n" not in str(caught.value)


def test_a_diagnosis_outside_the_label_space_is_counted(
    differential: Differential, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    outside: list[Any] = ["没有这个病", {"value": "Z99.9"}, None, 5, {"value": 7, "display": ["x"]}]
    path = written(tmp_path / "s.jsonl", [rows[0], *({**rows[0], "disease": item} for item in outside)])
    result = calibrate_site(differential, path)
    assert (result.n, result.unmatched) == (1, 5)
