"""Errors as ``application/problem+json`` (RFC 9457); never a traceback, never the input echoed back."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xinglin.errors import XinglinError

LONG_TEXT = 20_000
"""Bound from which a string that is too long is a body that is too large (413), not a wrong field (422)."""
log = logging.getLogger("xinglin.serve")


CHAT = "/v1/"
"""Paths below which a problem also carries OpenAI's ``error`` object."""


def openai_error(
    status: int, message: str, *, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """Return an error as OpenAI's clients read it."""
    kinds = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
    }
    kind = "server_error" if status >= 500 else kinds.get(status, "invalid_request_error")
    return {"message": message, "type": kind, "param": param, "code": code}


def problem_at(path: str, status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Return the problem document of a path: below :data:`CHAT` with OpenAI's object in it."""
    if path.startswith(CHAT):
        more.setdefault("error", openai_error(status, detail))
    return problem(status, title, detail, **more)


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Return one problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of an app a problem document."""

    @app.exception_handler(XinglinError)
    async def ours(request: Request, error: XinglinError) -> JSONResponse:
        return problem_at(request.url.path, error.status, error.title, str(error))

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        places = [
            {"place": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
            for item in error.errors()[:20]
        ]
        if any(
            item["type"] == "string_too_long" and item["ctx"]["max_length"] >= LONG_TEXT
            for item in error.errors()
        ):
            return problem(413, "input too large", f"{places[0]['place']}: {places[0]['message']}")
        first = f"{places[0]['place']}: {places[0]['message']}" if places else "malformed request"
        return problem(422, "request does not fit the schema", first, errors=places)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem_at(request.url.path, error.status_code, "request refused", str(error.detail))
        answer.headers.update(error.headers or {})
        return answer


class Unexpected:
    """ASGI middleware: what nobody expected is a problem document too, and leaves no traceback.

    A handler for ``Exception`` would answer and raise again, and the server would log the message, which
    may hold patient data: here only the kind and the place are logged.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on and answer for what it raises."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            kind = type(error).__name__
            log.error("unexpected %s in %s %s", kind, scope["method"], scope["path"])
            if not started:
                detail = f"{kind}: the request was not completed"
                answer = problem_at(scope["path"], 500, "unexpected error", detail)
                await answer(scope, receive, send)
