"""A request's JSON must be JSON: FastAPI's own decoder lets NaN, lone surrogates and NUL through."""

from __future__ import annotations

import re

from fastapi import Request

from xinglin.records import decode_json

_SUSPECT = re.compile(rb"NaN|Infinity|[0-9][eE]\+?[0-9]{3}|[0-9]{300}|\\u(?:[dD][89a-fA-F]|0000)")


async def strict_json(request: Request) -> None:
    """Refuse a body that :func:`decode_json` refuses; a body without anything suspect is not read twice.

    Raises:
        InvalidInputError: not strict JSON.
    """
    body = await request.body()
    if _SUSPECT.search(body):
        decode_json(body, "body")
