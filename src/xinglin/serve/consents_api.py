"""``/api/consents``: my consents over HTTP, by the same functions as the page.

The identifier of a subject travels in the body, never in the address: addresses stand in logs.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from xinglin.serve import consents
from xinglin.serve.strict import strict_json
from xinglin.store import Store

Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class LookBody(_Body):
    """Which data set, and as whom."""

    dataset: Text
    subject: Text | None = None
    """The subject's own identifier; without it one looks as steward."""


class EntryBody(LookBody):
    """Which entry."""

    seq: int = Field(ge=1, le=2**31 - 1)


class WithdrawBody(LookBody):
    """For which purpose."""

    purpose: Text


class RevokeBody(_Body):
    """Whose grant."""

    dataset: Text
    grantee: Text
    purpose: Text


def router(store: Store) -> APIRouter:
    """Return the routes."""
    api = APIRouter(prefix="/api/consents", dependencies=[Depends(strict_json)], tags=["consents"])

    def me(request: Request) -> str:
        return str(request.state.user)

    @api.get("")
    def listing(request: Request) -> dict[str, list[str]]:
        """Return the data sets that one is steward of, and those in which one is a subject."""
        steward, subject = consents.mine(store, me(request))
        return {"steward": steward, "subject": subject}

    @api.post("/look")
    def look(body: LookBody, request: Request) -> dict[str, Any]:
        """Return consents, grants and uses of a data set, as one may see them."""
        return asdict(consents.look(store, me(request), body.dataset, body.subject))

    @api.post("/verify")
    def verify(body: EntryBody, request: Request) -> dict[str, Any]:
        """Check that an entry stands in a signed head of the audit chain."""
        return asdict(consents.verify(store, me(request), body.dataset, body.seq, body.subject))

    @api.post("/proof")
    def proof(body: EntryBody, request: Request) -> dict[str, Any]:
        """Return the proof of an entry, to be taken home."""
        return consents.proof_of(store, me(request), body.dataset, body.seq, body.subject)

    @api.post("/reach")
    def reach(body: LookBody, request: Request) -> dict[str, Any]:
        """Return what was made of the data: models, jobs, labels; a withdrawal does not undo these."""
        consents.look(store, me(request), body.dataset, body.subject)
        return asdict(consents.reach(store, body.dataset))

    @api.post("/withdraw", status_code=204)
    def withdraw(body: WithdrawBody, request: Request) -> None:
        """Withdraw consent for a purpose: from the next read on the data are left out."""
        consents.withdraw(store, me(request), body.dataset, body.purpose, body.subject)

    @api.post("/revoke", status_code=204)
    def revoke(body: RevokeBody, request: Request) -> None:
        """As steward, take a grant back."""
        consents.take_back(store, me(request), body.dataset, body.grantee, body.purpose)

    return api
