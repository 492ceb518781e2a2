"""Likelihoods and answers by URL: the same as at hand, and every way in which a server can fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.apps.assistant.exams.server import echoing, said, serving
from tests.model.decoder.small import small_decoder
from xinglin.apps.assistant.exams.generation import written
from xinglin.apps.assistant.exams.likelihood import LocalLikelihood, Request
from xinglin.apps.assistant.exams.remote import RemoteLikelihood, patiently
from xinglin.apps.assistant.remote_writer import RemoteWriter
from xinglin.apps.assistant.writer import Sampling
from xinglin.errors import BusyError, ConfigurationError, InvalidInputError
from xinglin.model.decoder import open_decoder

REQUESTS = [
    Request("头痛:", ("A", "B")),
    Request("咳嗽发热:", ("感冒", "感冒发热")),
    Request("晕:", ("A", "B", "C")),
]
ASKED = [(str(n), [{"role": "user", "content": f"第{n}题"}]) for n in range(5)]
FAST = (0.0, 0.0)


def test_by_url_as_at_hand(tmp_path: Path) -> None:
    decoder = open_decoder(small_decoder(tmp_path / "q"))
    here = LocalLikelihood(decoder).score(REQUESTS)
    with serving(echoing(decoder)) as url:
        there = RemoteLikelihood(RemoteWriter(url)).score(REQUESTS)
    assert len(there) == 3
    for one, other in zip(here, there, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one, other, atol=2e-4)


ONE = {"text": "头痛:x", "index": 0, "logprobs": {"tokens": ["x"], "token_logprobs": [-1.0]}}


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [ONE] * 3, "usage": {"completion_tokens": 3, "total_tokens": 9}},  # generated tokens only
        {"choices": [ONE | {"text": "x"}] * 3, "usage": {"completion_tokens": 3, "total_tokens": 3}},
        {"choices": [ONE | {"logprobs": None}] * 3, "usage": {"completion_tokens": 3, "total_tokens": 9}},
        {"choices": [], "usage": {"completion_tokens": 0, "total_tokens": 0}},
    ],
)
def test_a_server_without_echo_is_refused_by_name(answer: dict[str, Any]) -> None:
    with serving(lambda *_: (200, answer)) as url, pytest.raises(ConfigurationError, match="--by generation"):
        RemoteLikelihood(RemoteWriter(url), waits=FAST).score(REQUESTS[:1])


@pytest.mark.parametrize(
    ("status", "answer"),
    [(0, b""), (200, b"not JSON"), (200, b'{"choices": 3}'), (429, b"slow down"), (503, b""), (200, b"[]")],
)
def test_a_broken_server_is_tried_again_then_named(status: int, answer: bytes) -> None:
    asked = []

    def reply(*_: Any) -> tuple[int, bytes]:
        asked.append(1)
        return status, answer

    with serving(reply) as url, pytest.raises(BusyError, match="server"):
        RemoteLikelihood(RemoteWriter(url), waits=FAST).score(REQUESTS[:1])
    assert len(asked) == 3


def test_waits_grow_and_a_refusal_is_not_repeated() -> None:
    waited: list[float] = []
    calls = iter([BusyError("a"), BusyError("b"), None])

    def call() -> str:
        if (error := next(calls)) is not None:
            raise error
        return "done"

    assert patiently(call, (1.0, 2.0, 4.0), waited.append) == "done"
    assert waited == [1.0, 2.0]
    asked = []

    def refuse(*_: Any) -> tuple[int, bytes]:
        asked.append(1)
        return 401, b""

    with serving(refuse) as url, pytest.raises(InvalidInputError, match="401"):
        written(RemoteWriter(url), ASKED[:1], Sampling(), waits=FAST)
    assert len(asked) == 1


def test_a_prompt_too_long_for_the_server_is_no_answer() -> None:
    def reply(_: str, body: dict[str, Any]) -> tuple[int, Any]:
        if "第3题" in json.dumps(body, ensure_ascii=False):
            return 400, {"error": "maximum context length is 128"}
        return 200, said("答案:A")

    with serving(reply) as url:
        found = written(RemoteWriter(url), ASKED, Sampling(), waits=FAST)
    assert found == ["答案:A"] * 3 + [None, "答案:A"]
    with serving(lambda *_: (400, b"maximum context length")) as url:
        assert RemoteLikelihood(RemoteWriter(url)).score(REQUESTS[:1]) == [None]


def test_a_broken_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    kept, asked, broken = tmp_path / "kept.jsonl", [], True

    def reply(_: str, body: dict[str, Any]) -> tuple[int, Any]:
        text = body["messages"][-1]["content"]
        asked.append(text)
        return (503, b"") if broken and text in ("第3题", "第4题") else (200, said("答:" + text))

    with serving(reply) as url:
        writer = RemoteWriter(url)
        with pytest.raises(BusyError):
            written(writer, ASKED, Sampling(), kept=kept, run="r", waits=())
        with kept.open("a") as out:
            out.write('{"id": "3", "sai')  # the power went out
        asked.clear()
        broken = False
        found = written(writer, ASKED, Sampling(), kept=kept, run="r", waits=())
        assert sorted(asked) == ["第3题", "第4题"]
        assert found == [f"答:第{n}题" for n in range(5)]
        with pytest.raises(InvalidInputError, match="another run"):
            written(writer, ASKED, Sampling(), kept=kept, run="other")
        (tmp_path / "x").write_text("hello\nworld\n")
        with pytest.raises(InvalidInputError, match="kept answers"):
            written(writer, ASKED, Sampling(), kept=tmp_path / "x", run="r")
