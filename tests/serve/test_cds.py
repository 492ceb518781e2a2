"""CDS Hooks 2.0: discovery, both hooks with prefetch, feedback, malformed requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.serve.conftest import count, ledger_of
from xinglin.store import Store
from xinglin.store.tables import feedback

Refused = Callable[[httpx.Response], None]
VIEW, SELECT = "/cds-services/xinglin-patient-view", "/cds-services/xinglin-order-select"
PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1950-03-01"}


def request(hook: str, prefetch: dict[str, Any] | None = None, **context: Any) -> dict[str, Any]:
    return {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": "http://ehr.example/fhir",
        "context": {"userId": "Practitioner/1", "patientId": "p1", **context},
        "prefetch": prefetch or {},
    }


def searched(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": item} for item in resources],
    }


def observation(loinc: str, name: str, value: float, unit: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc, "display": name}]},
        "valueQuantity": {"value": value, "unit": unit},
        "effectiveDateTime": "2026-05-31T08:00:00Z",
    }


def condition(name: str, status: str = "active") -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"code": status}]},
        "code": {"text": name},
        "recordedDate": "2026-05-31",
    }


def cards(client: httpx.Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["cards"]
    for card in found:
        assert 0 < len(card["summary"]) <= 140
        assert card["indicator"] in ("info", "warning", "critical")
        assert card["source"]["label"]
        assert card["uuid"]
    return found


def test_discovery(client: httpx.Client) -> None:
    services = client.get("/cds-services").json()["services"]
    assert [item["hook"] for item in services] == ["patient-view", "order-select"]
    for item in services:
        assert {"hook", "id", "title", "description", "prefetch"} <= item.keys()
        assert all("{{context.patientId}}" in query for query in item["prefetch"].values())
        assert "Not registered" in item["description"]


def test_a_low_pressure_is_critical(client: httpx.Client, api_store: Store) -> None:
    before = count(api_store, "prediction")
    prefetch = {
        "patient": PATIENT,
        "conditions": searched(condition("胸痛"), condition("大汗")),
        "observations": searched(
            observation("8480-6", "Systolic blood pressure", 75, "mm[Hg]"),
            observation("8867-4", "Heart rate", 128, "/min"),
        ),
        "allergies": None,
    }
    found = cards(client, VIEW, request("patient-view", prefetch))
    assert found[0]["indicator"] == "critical"
    assert "未经注册" in found[0]["detail"]
    assert any(card["indicator"] == "info" and "鉴别诊断" in card["summary"] for card in found)
    assert count(api_store, "prediction") == before + 1


def test_a_cold_is_not_critical(client: httpx.Client) -> None:
    prefetch = {"patient": PATIENT, "conditions": searched(condition("流涕"), condition("鼻塞"))}
    found = cards(client, VIEW, request("patient-view", prefetch))
    assert found
    assert all(card["indicator"] != "critical" for card in found)


def test_nothing_to_go_by_gives_no_card(client: httpx.Client, api_store: Store) -> None:
    before = len(ledger_of(api_store))
    assert cards(client, VIEW, request("patient-view", {"patient": PATIENT})) == []
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    assert cards(client, VIEW, request("patient-view", {"observations": failed})) == []
    assert len(ledger_of(api_store)) == before


def order(name: str, key: str = "m1") -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": key,
        "status": "draft",
        "medicationCodeableConcept": {"text": name},
    }


def ordered(*names: str, **prefetch: Any) -> dict[str, Any]:
    orders = [order(name, f"m{place}") for place, name in enumerate(names)]
    selections = [f"MedicationRequest/m{place}" for place in range(len(names))]
    return request("order-select", prefetch, selections=selections, draftOrders=searched(*orders))


def allergy(name: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "AllergyIntolerance", "code": {"text": name}, **more}


@pytest.mark.parametrize(
    "medicine", ["阿莫西林", "Amoxicillin 250 MG Oral Capsule", "青霉素V钾片", "penicillin"]
)
@pytest.mark.parametrize("allergen", ["青霉素", "Penicillin", "Allergy to penicillin", "青霉素过敏"])
def test_penicillin_with_an_allergy_to_it_warns(client: httpx.Client, medicine: str, allergen: str) -> None:
    (card,) = cards(client, SELECT, ordered(medicine, patient=PATIENT, allergies=searched(allergy(allergen))))
    assert card["indicator"] == "warning"
    assert "过敏" in card["summary"]
    assert medicine in card["summary"]


def test_an_allergy_that_is_over_does_not_warn(client: httpx.Client) -> None:
    over = allergy("Penicillin", clinicalStatus={"coding": [{"code": "resolved"}]})
    (card,) = cards(client, SELECT, ordered("阿莫西林", allergies=searched(over)))
    assert card["indicator"] == "info"


def test_no_known_allergy_is_a_stated_none(client: httpx.Client) -> None:
    snomed = "http://snomed.info/sct"
    none = allergy(
        "", code={"coding": [{"system": snomed, "code": "716186003", "display": "No known allergy"}]}
    )
    (stated,) = cards(client, SELECT, ordered("阿莫西林", allergies=searched(none)))
    (silent,) = cards(client, SELECT, ordered("阿莫西林"))
    assert "过敏" not in stated["summary"]
    assert "过敏" in silent["summary"]


def test_a_medicine_without_rows_is_not_checked(client: httpx.Client) -> None:
    (card,) = cards(client, SELECT, ordered("某某新药XYZ", patient=PATIENT))
    assert card["indicator"] == "info"
    assert "未核查" in card["summary"]
    for check in ("年龄", "妊娠", "过敏", "肾功能", "合并用药"):
        assert check in card["summary"]


def test_only_what_is_selected_is_checked(client: httpx.Client) -> None:
    body = ordered("阿莫西林", "布洛芬")
    body["context"]["selections"] = ["MedicationRequest/m1"]
    (card,) = cards(client, SELECT, body)
    assert card["summary"].startswith("布洛芬")
    body["context"]["selections"] = []
    assert cards(client, SELECT, body) == []


def test_feedback_is_kept_and_entered(client: httpx.Client, api_store: Store) -> None:
    before = count(api_store, "cds.feedback")
    items = [
        {"card": "c1", "outcome": "accepted", "acceptedSuggestions": [{"id": "s"}]},
        {"card": "c2", "outcome": "overridden", "overrideReason": {"userComment": "不适用"}},
    ]
    answer = client.post("/cds-services/xinglin-patient-view/feedback", json={"feedback": items})
    assert answer.status_code == 200
    with api_store.read() as connection:
        rows = connection.execute(select(feedback).order_by(feedback.c.id)).all()
    assert [(row.card, row.outcome) for row in rows[-2:]] == [("c1", "accepted"), ("c2", "overridden")]
    assert rows[-1].content["overrideReason"]["userComment"] == "不适用"
    assert count(api_store, "cds.feedback") == before + 2
    assert ledger_of(api_store)[-1].detail["card"] == "c2"


def test_feedback_is_all_or_nothing(client: httpx.Client, api_store: Store, refused: Refused) -> None:
    before = count(api_store, "cds.feedback")
    path = "/cds-services/xinglin-patient-view/feedback"
    good = {"card": "c1", "outcome": "accepted"}
    for items in ([], [good, {"card": "c2"}], [good, {"card": "c", "outcome": "liked"}], "x", [5], None):
        refused(client.post(path, json={"feedback": items}))
    refused(client.post(path, json={"feedback": [good] * 101}))
    refused(client.post(path, content=b'{"feedback": [{"card": "c", "outcome": "accepted", "x": NaN}]}'))
    unknown = client.post("/cds-services/nobody/feedback", json={"feedback": [good]})
    refused(unknown)
    assert unknown.status_code == 404
    assert count(api_store, "cds.feedback") == before


MALFORMED: list[dict[str, Any]] = [
    {"hook": "order-sign"},
    {"hook": 5},
    {"hook": "x" * 101},
    {"hookInstance": None},
    {"context": []},
    {"context": None},
    {"prefetch": []},
    {"prefetch": {"patient": "Patient/1"}},
    {"prefetch": {"patient": [PATIENT]}},
    {"prefetch": {"conditions": {"resourceType": "Bundle", "entry": {}}}},
    {"prefetch": {"conditions": {"resourceType": "Bundle", "entry": [5]}}},
    {"prefetch": {"conditions": {"resourceType": "Bundle", "entry": [{"resource": 5}]}}},
    {"prefetch": {"patient": {**PATIENT, "birthDate": "soon"}, "conditions": condition("胸痛")}},
    {"prefetch": {"conditions": condition("胸痛") | {"code": []}}},
]


@pytest.mark.parametrize("path", [VIEW, SELECT])
@pytest.mark.parametrize("wrong", MALFORMED, ids=lambda item: str(item)[:60])
def test_a_malformed_hook_is_refused(
    client: httpx.Client, api_store: Store, refused: Refused, path: str, wrong: dict[str, Any]
) -> None:
    before = len(ledger_of(api_store))
    body = request("patient-view") if path == VIEW else ordered("阿莫西林")
    refused(client.post(path, json=body | wrong))
    assert len(ledger_of(api_store)) == before


@pytest.mark.parametrize("missing", ["hook", "hookInstance", "context"])
def test_a_required_field_is_required(client: httpx.Client, refused: Refused, missing: str) -> None:
    body = request("patient-view")
    del body[missing]
    refused(client.post(VIEW, json=body))


def test_an_order_without_its_context_is_refused(client: httpx.Client, refused: Refused) -> None:
    refused(client.post(SELECT, json=request("order-select")))
    body = ordered("阿莫西林")
    body["context"]["draftOrders"] = []
    refused(client.post(SELECT, json=body))
