"""OpenAI-compatible chat: ``POST /v1/chat/completions`` and ``GET /v1/models``.

What is beyond OpenAI's schema stands in the member ``xinglin`` of a completion and of the last chunk of a stream: engine,
sources, sentences with what they stand on, tools called, refusals, emergency. A stream's pieces are whole sentences,
since a sentence is checked before it is sent; it ends with ``[DONE]``, after an error too. Nothing of a conversation is
kept or logged.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Any

import anyio
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import StreamingResponse

from xinglin.apps.assistant.assistant import Assistant, Turn
from xinglin.errors import BusyError, XinglinError
from xinglin.serve.chat_bodies import ChatRequest, body_schema, read_request
from xinglin.serve.chat_errors import ParameterError, UnknownModelError, error_body, refusal
from xinglin.serve.chat_text import Cutter, bibliography, tokens

AT_ONCE = 16
"""Answers made at the same time."""
PATIENCE = 30.0
"""Seconds for which one waits for its turn before it is refused."""
log = logging.getLogger("xinglin.serve")


def router(assistant: Assistant) -> APIRouter:
    """Return the routes over one assistant."""
    routes, places, started = APIRouter(prefix="/v1"), BoundedSemaphore(AT_ONCE), int(time.time())

    def model() -> dict[str, Any]:
        return {"id": assistant.name, "object": "model", "created": started, "owned_by": "xinglin"}

    @routes.get("/models")
    def models() -> dict[str, Any]:
        """List the one model that is served."""
        return {"object": "list", "data": [model()]}

    @routes.get("/models/{name:path}")
    def one(name: str) -> Response:
        """Return the served model by name."""
        if name != assistant.name:
            return refusal(
                UnknownModelError(
                    f"the model is not served; served is {assistant.name!r}", "model", "model_not_found"
                )
            )
        return JSONResponse(model())

    @routes.post("/chat/completions", openapi_extra={"requestBody": body_schema(assistant.name)})
    async def completions(request: Request) -> Response:
        """Answer a conversation, whole or as a stream of server-sent events."""
        try:
            asked = read_request(_parsed(await request.body()), assistant.name, assistant.writer is not None)
            if asked.stream:
                return StreamingResponse(
                    _events(assistant, asked, places),
                    media_type="text/event-stream",
                    headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
                )
            return JSONResponse(await run_in_threadpool(_whole, assistant, asked, places))
        except XinglinError as error:
            return refusal(error)

    return routes


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ParameterError("the body is no JSON", "body", "invalid_json") from None


def _whole(assistant: Assistant, asked: ChatRequest, places: BoundedSemaphore) -> dict[str, Any]:
    choices, turns, spent = [], [], 0
    for number in range(asked.n):
        turn = assistant.turn(asked.conversation)
        cutter = Cutter(asked.sampling)
        text = "".join(_pieces(assistant, asked, turn, cutter, places, number))
        spent += tokens(text)
        turns.append(turn)
        choices.append(
            {
                "index": number,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "finish_reason": "length" if cutter.length else "stop",
                "logprobs": None,
            }
        )
    return _envelope(assistant, "chat.completion") | {
        "choices": choices,
        "usage": _usage(asked, spent),
        "xinglin": _beside(turns[0], asked),
    }


def _pieces(
    assistant: Assistant,
    asked: ChatRequest,
    turn: Turn,
    cutter: Cutter,
    places: BoundedSemaphore,
    number: int = 0,
) -> Iterator[str]:
    """Yield the text of one answer with its sources; a place is held as long as it is made."""
    if not places.acquire(timeout=PATIENCE):
        raise BusyError(f"{AT_ONCE} answers are being made: ask again in a moment")
    try:
        sampling = replace(asked.sampling, seed=asked.sampling.seed + number)
        sentences = assistant.stream(asked.conversation, turn, sampling)
        first = True
        for sentence in sentences:
            piece = cutter.piece(sentence, first)
            if piece:
                yield piece
                first = False
            if cutter.ended:
                sentences.close()  # type: ignore[attr-defined]
                break
        for line in bibliography(turn):
            piece = cutter.cut(f"\n{line}")
            if piece:
                yield piece
    finally:
        places.release()


async def _events(assistant: Assistant, asked: ChatRequest, places: BoundedSemaphore) -> AsyncIterator[bytes]:
    """Yield server-sent events; the answer is given up as soon as nobody listens."""
    iterator = _chunks(assistant, asked, places)
    try:
        async for chunk in iterate_in_threadpool(iterator):
            yield chunk
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(iterator.close)  # type: ignore[attr-defined]


def _chunks(assistant: Assistant, asked: ChatRequest, places: BoundedSemaphore) -> Iterator[bytes]:
    turn, cutter, spent = assistant.turn(asked.conversation), Cutter(asked.sampling), 0
    head = _envelope(assistant, "chat.completion.chunk")

    def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event(head | {"choices": [choice]} | more)

    try:
        yield event({"role": "assistant", "content": ""})
        for piece in _pieces(assistant, asked, turn, cutter, places):
            spent += tokens(piece)
            yield event({"content": piece})
        yield event({}, "length" if cutter.length else "stop", xinglin=_beside(turn, asked))
        if asked.usage:
            yield _event(head | {"choices": [], "usage": _usage(asked, spent)})
    except XinglinError as error:
        yield _event({"error": error_body(error)})
    except Exception as error:
        # The message may hold what a patient said: only its kind is logged and sent.
        log.error("unexpected %s in a chat stream", type(error).__name__)
        unexpected = XinglinError(f"{type(error).__name__}: the answer was not completed")
        unexpected.status = 500
        yield _event({"error": error_body(unexpected)})
    yield b"data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def _envelope(assistant: Assistant, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": assistant.name,
    }


def _usage(asked: ChatRequest, spent: int) -> dict[str, int]:
    """Tokens by the shipped tokenizer: of the messages, and of what was sent."""
    given = sum(tokens(message.text) for message in asked.conversation.messages)
    return {"prompt_tokens": given, "completion_tokens": spent, "total_tokens": given + spent}


def _beside(turn: Turn, asked: ChatRequest) -> dict[str, Any]:
    found = turn.as_json()
    return found | {"notes": [*found["notes"], *asked.notes]}
