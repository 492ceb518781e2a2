"""``/api/explain``: why an answer reads as it does, as JSON or as the report."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field

from xinglin.apps.diagnosis import remember
from xinglin.apps.diagnosis.explain_words import EXACT, METHODS, Method
from xinglin.explain.basis import as_json
from xinglin.explain.exact import MAX_EXACT
from xinglin.explain.report import page
from xinglin.serve.bodies import CaseBody
from xinglin.serve.explaining import Explaining, Question
from xinglin.serve.strict import strict_json
from xinglin.store import Store
from xinglin.types import DISCLAIMER

NEEDS = {
    "exact": ("jieba",),
    "permutation": ("jieba",),
    "shap": ("jieba",),
    "lime": ("jieba", "lime"),
    "gradients": ("torch", "captum"),
}
"""Packages that a method needs beside the core."""


class ExplainBody(CaseBody):
    """Request of ``POST /api/explain``."""

    method: Method = "auto"
    target: str | None = Field(
        None, min_length=1, max_length=200, description="disease to explain; null: the first candidate"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1)
    format: Literal["json", "html"] = "json"
    lang: Literal["zh", "en", "both"] = Field("both", description="language of the HTML report")


def router(explaining: Explaining, store: Store) -> APIRouter:
    """Return the routes over a loaded model and a store."""
    api = APIRouter(prefix="/api", dependencies=[Depends(strict_json)])

    @api.get("/explain")
    def offered() -> dict[str, Any]:
        """Which methods there are, and which of them this installation can run."""
        able = {name: all(find_spec(part) for part in parts) for name, parts in NEEDS.items()}
        return {
            "methods": list(METHODS),
            "installed": able,
            "exact_up_to": {"auto": EXACT, "exact": MAX_EXACT},
            "disclaimer": [DISCLAIMER["zh"], DISCLAIMER["en"]],
        }

    @api.post("/explain")
    def explain(body: ExplainBody, request: Request) -> Response:
        """Explain the answer to one case; the act is appended to the ledger, the text is not kept in the store."""
        question = Question(
            body.text,
            body.noun(explaining.differential),
            body.patient.noun() if body.patient else None,
            body.answers,
            body.engine,
            body.method,
            body.target,
            body.seed,
        )
        found = explaining.explain(question)
        remember.remember_explanation(store, found, actor=request.state.user)
        if body.format == "html":
            return HTMLResponse(page(found, body.lang))
        return Response(orjson.dumps(as_json(found)), media_type="application/json")

    return api
