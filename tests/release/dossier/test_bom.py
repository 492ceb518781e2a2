"""The bill of materials: valid after the official schema, complete, and silent where the evidence is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.release.dossier.made import NODULES, TEXT, everything, manifest, recorded, version
from xinglin.errors import ChainBrokenError
from xinglin.release.dossier import as_bom
from xinglin.release.registry.version import Version


def checked(made: Version) -> dict[str, Any]:
    """Return a BOM that passed CycloneDX's own strict validator."""
    validation = pytest.importorskip(
        "cyclonedx.validation.json", reason="cyclonedx-python-lib is absent: the schema is not checked"
    )
    schema = pytest.importorskip("cyclonedx.schema")
    bom = as_bom(made)
    found = validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(json.dumps(bom))
    assert found is None, found
    return bom


@pytest.mark.parametrize("model", [NODULES, TEXT])
@pytest.mark.parametrize("evidence", [(), everything()], ids=["bare", "full"])
def test_it_is_valid(model: str, evidence: Any) -> None:
    bom = checked(version(model, evidence))
    body = manifest(model)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for item in bom["components"]:
        by_type.setdefault(item["type"], []).append(item)
    assert [item["name"] for item in by_type["data"]] == [item["name"] for item in body["data"]]
    assert {item["name"]: item["hashes"][0]["content"] for item in by_type["file"]} == body["files"]
    assert ("library" in by_type) == bool(evidence)
    ancestors = bom["metadata"]["component"]["pedigree"]["ancestors"]
    assert [item["name"] for item in ancestors] == body["parents"]


def test_the_validator_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.release.dossier.bom._TASKS", {"detector": 7})
    with pytest.raises(AssertionError, match="not of type 'string'"):
        checked(version(NODULES))


def test_figures_keep_their_interval_n_and_warning() -> None:
    card = as_bom(version())["metadata"]["component"]["modelCard"]
    overall, site, *_ = card["quantitativeAnalysis"]["performanceMetrics"]
    assert overall["confidenceInterval"] == {"lowerBound": "0.9782", "upperBound": "0.9986"}
    assert "n=231" in overall["slice"]
    assert "confidenceInterval" not in site
    assert "n=" not in site["slice"].replace("no n", "")
    assert "site=甲院" in site["slice"]
    assert "weak or synthetic" in site["slice"]
    properties = {(item["name"], item["value"]) for item in card["properties"]}
    assert any(name == "xinglin:privacy" and '"epsilon":3.0' in value for name, value in properties)
    assert all(
        ("xinglin:" + e.kind, f"ledger #{e.seq} sha256 {e.digest}") in properties for e in everything()
    )


def test_what_is_not_known_is_left_out() -> None:
    bare = as_bom(version(evidence=()))["metadata"]["component"]["modelCard"]
    assert bare["quantitativeAnalysis"]["performanceMetrics"] == []
    assert set(bare["considerations"]) == {"technicalLimitations"}
    assert "缺失" not in json.dumps(as_bom(version(TEXT)), ensure_ascii=False)


def test_the_serial_number_follows_the_evidence() -> None:
    one, same, other = (as_bom(version(evidence=chosen)) for chosen in (everything(), everything(), ()))
    assert one == same
    assert one["serialNumber"] != other["serialNumber"]


def test_touched_evidence_is_refused() -> None:
    touched = recorded("use", {"users": ["a"]}, 11)
    touched.content["users"].append("b")
    with pytest.raises(ChainBrokenError):
        as_bom(version(evidence=[touched]))
