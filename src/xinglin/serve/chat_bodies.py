"""A chat request, field by field: each is honoured or refused by name; none is silently dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xinglin.apps.assistant.conversation import (
    MAX_MESSAGE,
    MAX_MESSAGES,
    ROLES,
    Conversation,
    read_messages,
)
from xinglin.apps.assistant.writer import Sampling
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.serve.chat_errors import ParameterError, UnknownModelError

MAX_ANSWERS = 4
"""Most ``n``."""
MAX_STOPS, MAX_STOP = 4, 100
MAX_WANTED = 8_192
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0, 0.0),
    "frequency_penalty": (0, 0.0),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "store": (False,),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
    "functions": ([],),
    "function_call": ("none",),
}
"""Fields that are not offered: only these values (or null) pass."""
IGNORED = frozenset(
    {"user", "metadata", "parallel_tool_calls", "service_tier", "safety_identifier", "prompt_cache_key"}
)
"""Fields about the caller or the bill that change no answer."""
KNOWN = frozenset(
    {"model", "messages", "stream", "stream_options", "n", "stop", "max_tokens", "max_completion_tokens", "temperature",
     "top_p", "seed", "response_format", "tools", "tool_choice"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request, checked."""

    conversation: Conversation
    sampling: Sampling
    n: int
    stream: bool
    usage: bool
    """Whether a stream ends with a chunk of counts."""
    notes: tuple[str, ...] = ()


def body_schema(served: str) -> dict[str, Any]:
    """Return the request body for the OpenAPI document; what is checked is :func:`read_request`."""
    message = {
        "type": "object",
        "properties": {
            "role": {"enum": list(ROLES)},
            "content": {"type": "string", "maxLength": MAX_MESSAGE},
        },
        "required": ["role", "content"],
    }
    fields: dict[str, Any] = {
        "model": {"enum": [served]},
        "messages": {"type": "array", "items": message, "minItems": 1, "maxItems": MAX_MESSAGES},
        "stream": {"type": "boolean"},
        "max_tokens": {"type": "integer", "minimum": 1, "maximum": MAX_WANTED},
        "stop": {"type": "array", "items": {"type": "string"}, "maxItems": MAX_STOPS},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
    }
    schema = {"type": "object", "properties": fields, "required": ["model", "messages"]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def read_request(body: Any, served: str, generative: bool) -> ChatRequest:
    """Read the body of ``POST /v1/chat/completions``.

    Args:
        body: parsed JSON.
        served: name of the model that is served.
        generative: whether a language model answers.

    Raises:
        ParameterError: a field is wrong or not offered; names it.
        UnknownModelError: another model is asked for.
        InputTooLargeError: too many or too long messages.
    """
    if not isinstance(body, Mapping):
        raise ParameterError("the body: expected a JSON object", "body")
    for name, value in body.items():
        if name in NEUTRAL:
            if value is not None and not any(
                value == item and type(value) is type(item) for item in NEUTRAL[name]
            ):
                raise ParameterError(f"{name}: not offered here; leave it out", name, "unsupported_parameter")
        elif name not in KNOWN and name not in IGNORED:
            raise ParameterError(f"unknown field {str(name)[:60]!r}", str(name)[:60], "unknown_parameter")
    if body.get("model") != served:
        raise UnknownModelError(
            f"the model {str(body.get('model'))[:80]!r} is not served; served is {served!r}",
            "model",
            "model_not_found",
        )
    _formats(body)
    try:
        conversation = read_messages(body.get("messages"))
    except InputTooLargeError:
        raise
    except InvalidInputError as error:
        raise ParameterError(str(error), "messages", "invalid_value") from None
    n = _integer(body, "n", 1, MAX_ANSWERS) or 1
    if n > 1 and not generative:
        raise ParameterError(
            "n: an extractive answer is always the same; ask for 1", "n", "unsupported_value"
        )
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        raise ParameterError("stream: expected true or false", "stream", "invalid_type")
    if stream and n > 1:
        raise ParameterError("n: a stream carries one answer; ask for 1", "n", "unsupported_value")
    options = body.get("stream_options") or {}
    if not isinstance(options, Mapping) or set(options) - {"include_usage", "include_obfuscation"}:
        raise ParameterError("stream_options: expected an object with include_usage", "stream_options")
    notes: tuple[str, ...] = ()
    if not generative and body.get("temperature") not in (None, 0, 0.0, 1, 1.0):
        notes = ("temperature: 抽取式回答没有随机性 an extractive answer draws nothing at random.",)
    return ChatRequest(conversation, _sampling(body), n, stream, bool(options.get("include_usage")), notes)


def _formats(body: Mapping[str, Any]) -> None:
    wanted = body.get("response_format")
    if wanted is not None and (not isinstance(wanted, Mapping) or wanted.get("type") != "text"):
        raise ParameterError(
            "response_format: only text is offered: an answer carries its citations, warnings and label in the text; "
            "its structure stands in the member xinglin of every response",
            "response_format",
            "unsupported_value",
        )
    if body.get("tools") and body.get("tool_choice") != "none":
        raise ParameterError(
            "tools: the assistant calls its own tools and none of the caller's; leave the field out or set tool_choice "
            "to none; which were called stands in the member xinglin of every response",
            "tools",
            "unsupported_parameter",
        )
    if body.get("tool_choice") not in (None, "none", "auto"):
        raise ParameterError("tool_choice: expected none or auto", "tool_choice", "unsupported_value")


def _sampling(body: Mapping[str, Any]) -> Sampling:
    stop = body.get("stop")
    stops = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise ParameterError(f"stop: expected a text or at most {MAX_STOPS} of them", "stop", "invalid_type")
    for item in stops:
        if not isinstance(item, str) or not 0 < len(item) <= MAX_STOP:
            raise ParameterError(
                f"stop: expected texts of 1 to {MAX_STOP} characters", "stop", "invalid_type"
            )
    newer = _integer(body, "max_completion_tokens", 1, MAX_WANTED)
    older = _integer(body, "max_tokens", 1, MAX_WANTED)
    seed = _integer(body, "seed", -(1 << 63), (1 << 63) - 1)
    return Sampling(
        temperature=_number(body, "temperature", 0.0, 2.0, 0.0),
        top_p=_number(body, "top_p", 1e-6, 1.0, 1.0),
        max_tokens=newer or older,
        stop=tuple(stops),
        seed=0 if seed is None else seed & ((1 << 63) - 1),
    )


def _integer(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise ParameterError(f"{name}: expected a whole number from {low} to {high}", name, "invalid_value")
    return value


def _number(body: Mapping[str, Any], name: str, low: float, high: float, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ParameterError(f"{name}: expected a number from {low:g} to {high:g}", name, "invalid_value")
    return float(value)
