"""What a request that is about one case holds, whatever is asked of the case."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from xinglin.apps.diagnosis.differential import Differential
from xinglin.records.intake import PatientJson, record_from_json
from xinglin.serve.fusing import Seen, with_image
from xinglin.types import Record


class NoduleBody(BaseModel):
    """One nodule of a chest CT, as ``xinglin imaging find --json`` numbers it."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1, le=1000)
    diameter_mm: float | None = Field(None, gt=0, le=300, allow_inf_nan=False)
    confirmed: bool = Field(False, description="whether a reader has looked and agrees")


class ImageBody(BaseModel):
    """What a chest CT of the same patient showed; no nodules is no evidence of absence."""

    model_config = ConfigDict(extra="forbid")

    nodules: list[NoduleBody] = Field(default_factory=list, max_length=200)
    date: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$")


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
    image: ImageBody | None = Field(None, description="a chest CT of the same patient")

    def noun(self, differential: Differential) -> Record | None:
        """Return the record with what its CT showed, ``None`` if neither is given.

        Raises:
            InvalidInputError: the record cannot be read.
        """
        record = record_from_json(self.record) if self.record is not None else None
        if self.image is None:
            return record
        seen = [Seen(one.number, one.diameter_mm, one.confirmed) for one in self.image.nodules]
        return with_image(differential, record, seen, day=self.image.date)
