"""Tools are handed in from above: the assistant knows their names, their schemas and nothing of how they work."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xinglin.errors import InvalidInputError, UnknownNameError, XinglinError

RED_FLAGS, DIFFERENTIAL, EXAMS, PLAN, MEDICINE, EXPLAIN = (
    "red_flags",
    "differential",
    "exam_advice",
    "treatment_plan",
    "check_medicine",
    "explain",
)
"""Names by which the extractive answers ask; a tool that is not handed in is not asked, and that is said."""
MAX_ARGUMENTS = 40_000
"""Characters of one call's arguments."""
MAX_CALLS = 6
"""Calls of one answer; a language model that wants more is in a loop."""
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


@dataclass(frozen=True)
class Tool:
    """A function with a name, what it is for, and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema: an object of strings, numbers, booleans; ``required`` and ``enum`` are checked."""
    function: Callable[..., dict[str, Any]]

    def schema(self) -> dict[str, Any]:
        """Return the tool as OpenAI's ``tools`` entry."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": dict(self.parameters),
            },
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made, with what came of it."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None = None

    @property
    def key(self) -> str:
        """The same for the same call."""
        return json.dumps([self.name, self.arguments], ensure_ascii=False, sort_keys=True)


def call(tools: Mapping[str, Tool], name: str, arguments: Any) -> Call:
    """Call a tool by name with arguments from outside.

    An error of the tool is part of the call, so that a conversation goes on; an unknown tool or arguments that do not
    fit the schema are errors here.

    Raises:
        UnknownNameError: no such tool.
        InvalidInputError: the arguments do not fit its schema.
    """
    tool = tools.get(name)
    if tool is None:
        raise UnknownNameError(f"no tool {str(name)[:60]!r}; known: {', '.join(sorted(tools)) or 'none'}")
    checked = check_arguments(tool, arguments)
    try:
        return Call(name, checked, tool.function(**checked))
    except XinglinError as error:
        return Call(name, checked, None, str(error))


def check_arguments(tool: Tool, arguments: Any) -> dict[str, Any]:
    """Return arguments that fit the tool's schema; JSON text is parsed.

    Raises:
        InvalidInputError: they do not; names the argument, never its value.
    """
    if isinstance(arguments, str):
        if len(arguments) > MAX_ARGUMENTS:
            raise InvalidInputError(f"{tool.name}: arguments of at most {MAX_ARGUMENTS} characters")
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            raise InvalidInputError(f"{tool.name}: the arguments are no JSON") from None
    if not isinstance(arguments, Mapping):
        raise InvalidInputError(f"{tool.name}: expected an object of arguments")
    known = tool.parameters.get("properties", {})
    for name in tool.parameters.get("required", ()):
        if name not in arguments:
            raise InvalidInputError(f"{tool.name}: the argument {name} is missing")
    for name, value in arguments.items():
        if name not in known:
            raise InvalidInputError(
                f"{tool.name}: no argument {str(name)[:40]!r}; known: {', '.join(known) or 'none'}"
            )
        wanted = known[name].get("type", "string")
        fits = isinstance(value, _TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
        if not fits or value not in known[name].get("enum", (value,)):
            raise InvalidInputError(f"{tool.name}: {name}: expected {known[name].get('enum', wanted)}")
    return dict(arguments)
