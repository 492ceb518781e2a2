from __future__ import annotations

import pytest

from xinglin.apps.assistant.tools import Tool, call, check_arguments
from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "lang": {"type": "string", "enum": ["zh", "en"]},
        "top": {"type": "integer"},
    },
    "required": ["text"],
}


def echo(**arguments: object) -> dict[str, object]:
    if arguments["text"] == "gone":
        raise MissingDataError("no such thing")
    return arguments


TOOL = Tool("echo", "says it again", SCHEMA, echo)


def test_a_call_and_its_failures() -> None:
    tools = {"echo": TOOL}
    assert call(tools, "echo", '{"text": "a", "lang": "zh"}').result == {"text": "a", "lang": "zh"}
    failed = call(tools, "echo", {"text": "gone"})
    assert (failed.result, failed.error) == (None, "no such thing")
    with pytest.raises(UnknownNameError, match="known: echo"):
        call(tools, "rm -rf", {})
    assert TOOL.schema()["function"]["name"] == "echo"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "text is missing"),
        ("{", "no JSON"),
        ("[" * 5_000, "no JSON"),
        ([], "an object"),
        ({"text": 1}, "text: expected string"),
        ({"text": "a", "lang": "fr"}, "lang: expected"),
        ({"text": "a", "top": True}, "top: expected integer"),
        ({"text": "a", "other": "b"}, "no argument 'other'"),
        ("x" * 50_000, "at most"),
    ],
)
def test_arguments_that_do_not_fit(arguments: object, match: str) -> None:
    with pytest.raises(InvalidInputError, match=match):
        check_arguments(TOOL, arguments)
