"""Errors as ``application/problem+json`` (RFC 9457); never a traceback, never the input echoed back."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from xinglin.errors import XinglinError

log = logging.getLogger("xinglin.serve")


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Return one problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of an app a problem document."""

    @app.exception_handler(XinglinError)
    async def ours(_request: Request, error: XinglinError) -> JSONResponse:
        return problem(error.status, error.title, str(error))

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        places = [
            {"place": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
            for item in error.errors()[:20]
        ]
        first = f"{places[0]['place']}: {places[0]['message']}" if places else "malformed request"
        return problem(422, "request does not fit the schema", first, errors=places)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, "request refused", str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        # The message may hold patient data: log the kind and the place only.
        log.error("unexpected %s in %s %s", type(error).__name__, request.method, request.url.path)
        return problem(500, "unexpected error", f"{type(error).__name__}: the request was not completed")
