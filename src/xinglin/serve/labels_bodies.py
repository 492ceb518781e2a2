"""What requests to ``/api/labels`` hold; an unknown field is refused."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from xinglin.labels.campaign import LEASE, Role, Stage
from xinglin.labels.decide import MAX_REASON, MAX_SPANS, SkipReason
from xinglin.labels.second_looks import BUDGET

Name = Annotated[str, Field(min_length=1, max_length=200)]
MAX_RECORDS = 20_000
"""Record ids that one request may list; a larger campaign is opened with ``limit`` or on the command line."""


class Body(BaseModel):
    """A body of which every field is known."""

    model_config = ConfigDict(extra="forbid")


class CampaignBody(Body):
    """Open a campaign; who asks is its lead."""

    name: Name
    dataset: Name
    scheme: dict[str, Any] = Field(description="a scheme as GET .../scheme returns it")
    records: list[Name] | None = Field(
        None, min_length=1, max_length=MAX_RECORDS, description="ids, the first ones first; null: in order"
    )
    limit: int | None = Field(None, ge=1, le=1_000_000, description="how many, without records")
    lease: float = Field(LEASE, ge=1.0, le=7 * 86_400.0)
    assisted: bool = False


class RoleBody(Body):
    """Give a person a role."""

    user: Name
    role: Role


class StageBody(Body):
    """What is to be done."""

    stage: Stage = "annotation"


class AnswerBody(Body):
    """Codes, or names, of the scheme; under a multi-label scheme any number, none saying that none applies."""

    codes: list[Name] = Field(max_length=1000)
    spans: list[tuple[int, int]] = Field(default_factory=list, max_length=MAX_SPANS)


class LabelBody(AnswerBody):
    """A label."""

    confidence: float | None = Field(None, ge=0.0, le=1.0)


class SkipBody(Body):
    """Pass a case on."""

    reason: SkipReason
    note: str = Field("", max_length=MAX_REASON)


class LooksBody(Body):
    """Have experts look at the most doubtful labels."""

    most: int = Field(ge=1, le=1_000_000)
    budget: float = Field(BUDGET, ge=0.0, le=3.0)


class DrawBody(Body):
    """Draw records for the audit."""

    size: int = Field(ge=1, le=1_000_000)
    seed: str = Field(max_length=100)


class ImportBody(Body):
    """Tasks as Label Studio exports them (JSON), within the bound of a request's body."""

    tasks: list[dict[str, Any]] = Field(min_length=1)
    people: dict[str, Name] = Field(default_factory=dict, description="their e-mail or number -> our user")
