"""Errors of the chat API as OpenAI's error objects, beside the problem document that the rest of the API answers with."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.serve.problem import openai_error, problem


class ParameterError(InvalidInputError):
    """A field of a chat request is wrong, or asks for what is not offered."""

    status = 400

    def __init__(self, message: str, param: str, code: str | None = None) -> None:
        super().__init__(message)
        self.param, self.code = param, code


class UnknownModelError(ParameterError):
    """A model that is not served."""

    status = 404


def error_body(error: XinglinError) -> dict[str, Any]:
    """Return an error as OpenAI's object."""
    code = getattr(error, "code", None)
    if code is None and isinstance(error, InputTooLargeError):
        code = "context_length_exceeded"
    return openai_error(status_of(error), str(error), param=getattr(error, "param", None), code=code)


def status_of(error: XinglinError) -> int:
    """Return the HTTP status: what a client can mend is 400 here, as OpenAI's servers answer."""
    return 400 if error.status == 422 else error.status


def refusal(error: XinglinError) -> JSONResponse:
    """Return an error as a response."""
    return problem(status_of(error), error.title, str(error), error=error_body(error))
