"""The HTTP API: diagnosis, notes, cases. Blocking work runs in FastAPI's thread pool."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from xinglin import __version__
from xinglin.apps.diagnosis import remember
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.decision import account, for_clinician
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case, gather, words_of
from xinglin.apps.diagnosis.note import outpatient_note, referral_letter
from xinglin.apps.diagnosis.render import as_json, model_json, question
from xinglin.errors import InvalidInputError, XinglinError
from xinglin.ledger.automated import refuses_automated
from xinglin.serve.batching import Batcher
from xinglin.serve.bodies import CaseBody
from xinglin.serve.explaining import Explaining
from xinglin.serve.strict import strict_json
from xinglin.store import Store
from xinglin.terms.reading import MAX_CHARACTERS
from xinglin.types import Code, Record

MAX_BODY = 4 * 1024 * 1024
CaseId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class DiagnoseBody(CaseBody):
    """Request of ``POST /api/diagnose``."""

    top: int = Field(5, ge=1, le=50)
    lang: Literal["zh", "en"] = "zh"


class SubjectBody(BaseModel):
    """Whose case it is, as the store knows them."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(min_length=1, max_length=100)
    subject: str = Field(min_length=1, max_length=200)


class AnswerBody(DiagnoseBody):
    """A request whose answer may be a decision about a person whom the store knows."""

    of: SubjectBody | None = Field(
        None, description="a standing refusal of automated decisions is honoured: the level is a clinician's"
    )


class NoteBody(DiagnoseBody):
    """Request of ``POST /api/note``."""

    kind: Literal["note", "referral"] = "note"


class SaveBody(AnswerBody):
    """Request of ``POST /api/cases``."""

    note: str = Field("", max_length=50_000)


class ConfirmBody(BaseModel):
    """A confirmed diagnosis."""

    model_config = ConfigDict(extra="forbid")

    system: str = Field("icd10-who", max_length=40)
    value: str = Field(max_length=40, min_length=1)
    display: str = Field("", max_length=200)


def _respond(differential: Differential, body: DiagnoseBody) -> tuple[str, dict[str, Any]]:
    """Answer a request in this thread; ``differential`` is the one that its engine names."""
    case = _case(differential, body, body.noun(differential))
    return case.text, _rendered(differential, body, case, None)


async def _respond_batched(differential: Differential, body: DiagnoseBody) -> tuple[str, dict[str, Any]]:
    """Answer a request whose text goes through the text model with those of others, while it is read here."""
    record = body.noun(differential)
    waiting = _asked(differential, words_of(body.text, record))
    if waiting is None:
        case = _case(differential, body, record)
        return case.text, _rendered(differential, body, case, None)
    await asyncio.sleep(0)  # gives the worker the moment that it needs to start
    try:
        case = _case(differential, body, record)
    except XinglinError:
        waiting.cancel()
        raise
    try:
        logits = await asyncio.wrap_future(waiting)
    except (
        InvalidInputError
    ):  # signs that are no words for it: asked again, it has no say, and the answer says so
        logits = None
    return case.text, _rendered(differential, body, case, logits)


def _asked(differential: Differential, words: str) -> Future[Any] | None:
    """Ask the text model behind the queue; ``None`` where it has no say."""
    if differential.engine_name == "graph" or not isinstance(differential.encoder, Batcher):
        return None
    if not words.strip() or len(words) > MAX_CHARACTERS:  # too long: the reader refuses it by name
        return None
    return differential.encoder.submit(words)


def _case(differential: Differential, body: DiagnoseBody, record: Record | None) -> Case:
    patient = body.patient.noun() if body.patient else None
    return gather(differential, body.text, record, patient, body.answers)


def _rendered(differential: Differential, body: DiagnoseBody, case: Case, logits: Any) -> dict[str, Any]:
    result = answer(differential, case, body.top, logits)
    rendered = as_json(differential, result, body.lang)
    unknown = frozenset(key for key, state in body.answers.items() if state == "unknown")
    if unknown:
        rendered["question"] = question(differential, result, body.lang, unknown)
    return rendered


def _handed(store: Store, body: AnswerBody, rendered: dict[str, Any]) -> dict[str, Any]:
    """Hand the answer to a clinician where the subject refuses decisions made by automation alone."""
    if body.of is None:
        return rendered
    with store.read() as connection:
        refused = refuses_automated(connection, body.of.dataset, body.of.subject)
    return for_clinician(rendered, body.lang) if refused else rendered


def router(differential: Differential, store: Store, explaining: Explaining) -> APIRouter:
    """Return the routes of the diagnosis API over a loaded model and a store."""
    api = APIRouter(prefix="/api", dependencies=[Depends(strict_json)])

    @api.get("/health")
    def health() -> dict[str, Any]:
        """Whether the service answers, and with which model."""
        return {"status": "ok", "xinglin": __version__, "model": model_json(differential)}

    @api.get("/session")
    def session(request: Request) -> dict[str, str | None]:
        """Who is asking, and the token that a changing request carries in ``X-CSRF-Token``."""
        return {"user": request.state.user, "csrf": getattr(request.state, "csrf", None)}

    @api.post("/diagnose")
    async def diagnose(body: AnswerBody, request: Request) -> Response:
        """Answer one case; the prediction is appended to the ledger, the text is not kept."""
        text, rendered = await _respond_batched(differential.using(body.engine), body)
        rendered = _handed(store, body, rendered)
        encoded = remember.encode_answer(rendered)
        remember.remember_prediction(store, text, rendered, actor=request.state.user, encoded=encoded)
        return Response(encoded, media_type="application/json")

    @api.post("/note", response_class=PlainTextResponse)
    def note(body: NoteBody) -> str:
        """Draft an outpatient note or a referral letter."""
        text, rendered = _respond(differential.using(body.engine), body)
        write = referral_letter if body.kind == "referral" else outpatient_note
        return write(text, rendered, body.lang, clinic=differential.profile.name)

    @api.get("/cases")
    def cases(request: Request) -> list[dict[str, Any]]:
        """List the user's own cases."""
        return remember.list_cases(store, request.state.user)

    @api.post("/cases", status_code=201)
    def save(body: SaveBody, request: Request) -> JSONResponse:
        """Answer a case and keep it."""
        text, rendered = _respond(differential.using(body.engine), body)
        rendered = _handed(store, body, rendered)
        case = remember.save_case(
            store, text=text, answer=rendered, note=body.note, lang=body.lang, actor=request.state.user
        )
        return JSONResponse({"id": case}, 201)

    @api.get("/cases/confirmed", response_class=PlainTextResponse)
    def confirmed(request: Request) -> Response:
        """Return the user's own confirmed cases as JSON lines: what ``xinglin calibrate --site`` reads."""
        rows = remember.confirmed_cases(store, request.state.user)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return Response(lines, media_type="application/x-ndjson")

    @api.get("/cases/{case}")
    def case(case: CaseId, request: Request) -> dict[str, Any]:
        """Return one kept case."""
        return remember.read_case(store, case, request.state.user)

    @api.get("/cases/{case}/account")
    def accounted(case: CaseId, request: Request) -> dict[str, Any]:
        """Account for a kept answer: what was read, which model, how it weighed, who decided."""
        return account(store, case, actor=request.state.user)

    @api.put("/cases/{case}/confirmed", status_code=204, response_class=Response)
    def confirm(case: CaseId, body: ConfirmBody, request: Request) -> None:
        """Return the confirmed diagnosis as a label."""
        code = Code(body.system, body.value, body.display)
        remember.confirm_case(store, case, code, actor=request.state.user)

    @api.delete("/cases/{case}", status_code=204, response_class=Response)
    def erase(case: CaseId, request: Request) -> None:
        """Delete a case and the salt that links the ledger to it."""
        remember.erase_case(store, case, actor=request.state.user)
        explaining.forget()

    return api
