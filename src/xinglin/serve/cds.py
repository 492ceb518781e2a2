"""CDS Hooks 2.0 (https://cds-hooks.hl7.org/2.0/): ``patient-view``, ``order-select``, feedback.

The EHR sends what we need as prefetch; we never call back to its FHIR server. Prefetch resources are read
through the same bundle reader as every other FHIR input. Cards are ``critical`` for a red flag that needs
an ambulance or an emergency department, ``warning`` for what must not wait or must not be given, ``info``
for the rest.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from xinglin.apps.diagnosis import remember
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.medicines import MedicineCheck, check_medicine
from xinglin.apps.diagnosis.render import as_json
from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.records.fhir import record_from_bundle
from xinglin.serve.strict import strict_json
from xinglin.store import Store
from xinglin.types import DISCLAIMER, Record

PREFETCH = {
    "patient": "Patient/{{context.patientId}}",
    "conditions": "Condition?patient={{context.patientId}}&clinical-status=active",
    "observations": "Observation?patient={{context.patientId}}&_sort=-date&_count=100",
    "allergies": "AllergyIntolerance?patient={{context.patientId}}",
    "medications": "MedicationRequest?patient={{context.patientId}}&status=active",
}
SERVICES: list[dict[str, Any]] = [
    {
        "hook": "patient-view",
        "id": "xinglin-patient-view",
        "title": "杏林:危险信号与鉴别诊断",
        "description": "Red flags, differential and examinations for the open patient. " + DISCLAIMER["en"],
        "prefetch": PREFETCH,
    },
    {
        "hook": "order-select",
        "id": "xinglin-order-select",
        "title": "杏林:医嘱核查",
        "description": "Checks selected medicines against age, pregnancy, allergy and renal function. "
        + DISCLAIMER["en"],
        "prefetch": PREFETCH,
    },
]
SOURCE = {"label": "Xinglin 杏林"}


class HookBody(BaseModel):
    """A CDS Hooks request; unknown fields are allowed by the standard."""

    model_config = ConfigDict(extra="allow")

    hook: str = Field(max_length=100)
    hookInstance: str = Field(max_length=200)  # noqa: N815 - the standard's name
    context: dict[str, Any]
    prefetch: dict[str, Any] = Field(default_factory=dict)


class FeedbackItem(BaseModel):
    """Feedback on one card."""

    model_config = ConfigDict(extra="allow")

    card: str = Field(max_length=64)
    outcome: Literal["accepted", "overridden"]


class FeedbackBody(BaseModel):
    """A feedback request."""

    feedback: list[FeedbackItem] = Field(min_length=1, max_length=100)


def _expect(body: HookBody, hook: str) -> None:
    """Refuse a request of another hook."""
    if body.hook != hook:
        raise InvalidInputError(f"hook: this service answers {hook} only")


def _record(prefetch: dict[str, Any]) -> Record:
    """Put the prefetched resources into one bundle and read it."""
    resources: list[Any] = []
    for key, value in prefetch.items():
        if value is None:
            continue
        if not isinstance(value, dict):
            raise InvalidInputError(f"prefetch.{key}: expected a FHIR resource")
        if value.get("resourceType") == "Bundle":
            entries = value.get("entry", [])
            if not isinstance(entries, list):
                raise InvalidInputError(f"prefetch.{key}.entry: expected a list")
            resources += [
                entry.get("resource", {}) if isinstance(entry, dict) else entry for entry in entries
            ]
        else:
            resources.append(value)
    return record_from_bundle({"resourceType": "Bundle", "entry": [{"resource": item} for item in resources]})


def _card(summary: str, indicator: str, detail: str, **more: Any) -> dict[str, Any]:
    short = summary if len(summary) <= 140 else summary[:139] + "…"
    identity = hashlib.sha256(f"{summary}\n{detail}".encode()).hexdigest()[:32]
    card: dict[str, Any] = {
        "uuid": identity,
        "summary": short,
        "indicator": indicator,
        "detail": detail,
        "source": SOURCE,
    }
    card["overrideReasons"] = [
        {"code": "not-applicable", "display": "不适用于该患者 Not applicable to this patient"},
        {"code": "already-done", "display": "已处理 Already done"},
        {"code": "disagree", "display": "不同意 Disagree"},
    ]
    return card | more


def _patient_view(rendered: dict[str, Any]) -> list[dict[str, Any]]:
    cards = [
        _card(
            f"{flag['level_display']}: {flag['display']}",
            "critical" if flag["level"] in ("call_120", "emergency_now") else "warning",
            f"{flag['action']}\n\n{rendered['disclaimer']}",
        )
        for flag in rendered["red_flags"][:3]
    ]
    if rendered["candidates"] and not rendered["abstained"]:
        rows = "\n".join(
            f"{rank}. {item['code']['display']} [{item['code']['value']}] {item['level_display']}"
            for rank, item in enumerate(rendered["candidates"], 1)
        )
        exams = "\n".join(f"- {item['display']}: {item['reason']}" for item in rendered["exams"][:5])
        detail = f"{rows}\n\n{exams}\n\n{rendered['disclaimer']}"
        cards.append(_card(f"鉴别诊断:{rendered['candidates'][0]['code']['display']} 等", "info", detail))
    return cards


def _medicine_card(check: MedicineCheck) -> dict[str, Any]:
    if check.warnings:
        return _card(f"{check.name}: {'; '.join(check.warnings)}", "warning", DISCLAIMER["zh"])
    listed = "、".join(check.not_checked)
    return _card(f"{check.name}: 未核查 {listed}", "info", DISCLAIMER["zh"])


def _medicine_names(context: dict[str, Any]) -> list[str]:
    """Names of the selected draft medication orders."""
    selected = context.get("selections")
    bundle = context.get("draftOrders")
    if not isinstance(selected, list) or not isinstance(bundle, dict):
        raise InvalidInputError("context: expected selections and draftOrders (CDS Hooks order-select)")
    names = []
    for entry in bundle.get("entry", []) if isinstance(bundle.get("entry", []), list) else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or resource.get("resourceType") != "MedicationRequest":
            continue
        if f"MedicationRequest/{resource.get('id')}" not in selected:
            continue
        concept = resource.get("medicationCodeableConcept")
        if isinstance(concept, dict):
            codings = concept.get("coding")
            first = (
                codings[0] if isinstance(codings, list) and codings and isinstance(codings[0], dict) else {}
            )
            name = concept.get("text") or first.get("display")
            if isinstance(name, str) and name.strip():
                names.append(name.strip()[:200])
    return names


def router(differential: Differential, store: Store) -> APIRouter:
    """Return the CDS Hooks routes."""
    hooks = APIRouter(dependencies=[Depends(strict_json)])

    @hooks.get("/cds-services")
    def discovery() -> dict[str, Any]:
        """List the services."""
        return {"services": SERVICES}

    @hooks.post("/cds-services/xinglin-patient-view")
    def patient_view(body: HookBody, request: Request) -> dict[str, Any]:
        """Cards when a patient's chart is opened."""
        _expect(body, "patient-view")
        record = _record(body.prefetch)
        if not record.events and not record.text:
            return {"cards": []}
        case = gather(differential, "", record)
        rendered = as_json(differential, answer(differential, case))
        remember.remember_prediction(store, case.text, rendered, actor=request.state.user)
        return {"cards": _patient_view(rendered)}

    @hooks.post("/cds-services/xinglin-order-select")
    def order_select(body: HookBody) -> dict[str, Any]:
        """Cards when medicines are selected."""
        _expect(body, "order-select")
        names = _medicine_names(body.context)
        patient = _record(body.prefetch).patient
        return {"cards": [_medicine_card(check_medicine(differential, name, patient)) for name in names]}

    @hooks.post("/cds-services/{service}/feedback", status_code=200)
    def feedback(service: str, body: FeedbackBody, request: Request) -> dict[str, Any]:
        """Keep what the clinician did with a card."""
        if service not in {item["id"] for item in SERVICES}:
            raise UnknownNameError(f"there is no CDS service {service!r}")
        for item in body.feedback:
            remember.remember_feedback(
                store,
                service=service,
                card=item.card,
                outcome=item.outcome,
                content=item.model_dump(mode="json"),
                actor=request.state.user,
            )
        return {}

    return hooks
