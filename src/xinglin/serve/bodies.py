"""What a request that is about one case holds, whatever is asked of the case."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from xinglin.records.intake import PatientJson


class CaseBody(BaseModel):
    """One patient's case and what is to answer it; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", max_length=20_000, description="the patient's words and results")
    record: dict[str, Any] | None = Field(None, description="FHIR R4 Bundle or our JSON record")
    patient: PatientJson | None = None
    answers: dict[str, Literal["present", "absent", "unknown"]] = Field(default_factory=dict, max_length=200)
    engine: Literal["graph", "model", "both"] | None = Field(
        None, description="what answers; null: what the service was started with"
    )
