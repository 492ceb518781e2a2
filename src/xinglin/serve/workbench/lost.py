"""What a visitor sees at an address that does not exist: a plain sentence, no stack trace."""

from __future__ import annotations

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse
from fastapi.responses import Response as FastResponse
from nicegui import app as pages
from starlette.exceptions import HTTPException

from xinglin.measure.markup import tag
from xinglin.serve.workbench.phrases import PHRASES

STYLE = (
    "body{font-family:system-ui,'Noto Sans CJK SC',sans-serif;background:#f7f5f2;color:#22201d;display:grid;"
    "place-items:center;min-height:100vh;margin:0;text-align:center}a{color:#9c4521}"
)


def register() -> None:
    """Replace NiceGUI's own page for addresses that do not exist."""

    async def missing(request: Request, error: Exception) -> FastResponse:
        if isinstance(error, HTTPException) and "text/html" not in request.headers.get("accept", ""):
            return await http_exception_handler(request, error)
        zh, en = PHRASES["not_found"]
        body = tag("div", tag("h1", zh), tag("p", en), tag("p", tag("a", "杏林 Xinglin", href="/")))
        document = (
            f"<!doctype html><html lang=zh-CN><meta charset=utf-8><title>404</title><style>{STYLE}</style>"
        )
        return HTMLResponse(document + body, 404)

    pages.add_exception_handler(404, missing)
