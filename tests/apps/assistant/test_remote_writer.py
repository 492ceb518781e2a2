"""A model by URL: our own second server, and servers that misbehave, all real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from tests.apps.assistant.conftest import Ask
from tests.serve.conftest import running
from xinglin.apps.assistant.remote_writer import RemoteWriter, is_local
from xinglin.apps.assistant.writer import Sampling
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import BusyError, ConfigurationError, InputTooLargeError, InvalidInputError
from xinglin.serve.app import create_app
from xinglin.store import Store

ASK = [{"role": "user", "content": "高血压有什么症状?"}]


def answering(respond: Callable[[], Response]) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def completions(request: Request) -> Response:
        await request.body()
        return respond()

    return app


def test_our_own_second_server(ask: Ask, differential: Differential, store: Store) -> None:
    with running(create_app(differential, store, workbench=False)) as address:
        writer = RemoteWriter(address)
        assert writer.name == "xinglin-extractive"
        text = "".join(writer.write(ASK, Sampling(max_tokens=200)))
        assert "头晕" in text
        turn = ask("高血压有什么症状?", writer=writer)
        assert turn.engine == "xinglin-extractive"
        assert any(sentence.support == "cited" for sentence in turn.said)
        with pytest.raises(InvalidInputError, match="status 404"):
            list(RemoteWriter(address, "gpt-9").write(ASK, Sampling()))
        writer.close()


def test_text_leaves_this_machine_only_if_it_is_meant() -> None:
    for url in ("http://127.0.0.1:8000", "http://localhost:8000/v1", "http://[::1]:1"):
        assert is_local(url)
    for url in (
        "http://192.168.1.5:8000",
        "https://api.example.com",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
    ):
        assert not is_local(url)
        with pytest.raises(ConfigurationError, match="--allow-remote"):
            RemoteWriter(url)
        RemoteWriter(url, "m", allow_remote=True).close()
    for url in (
        "ftp://x",
        "file:" + "///etc/passwd",
        "http://",
        "http://user:secret@localhost",
        "http://localhost/?key=1",
    ):
        with pytest.raises(ConfigurationError) as caught:
            RemoteWriter(url, allow_remote=True)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("data: {\n\n", "no chat completion chunk"),
        ("data: []\n\n", "no chat completion chunk"),
        ('data: {"choices": [{"delta": 5}]}\n\n', "no chat completion chunk"),
        ('data: {"error": {"message": "秘密"}}\n\n', "reports an error"),
        ('data: {"choices": [{"delta": {"content": "' + "x" * 200_001 + '"}}]}\n\n', "more than 200000"),
    ],
    ids=["cut", "list", "delta", "error", "endless"],
)
def test_streams_that_are_none(body: str, match: str) -> None:
    with running(answering(lambda: PlainTextResponse(body, media_type="text/event-stream"))) as address:
        with pytest.raises(BusyError, match=match) as caught:
            list(RemoteWriter(address, "m").write(ASK, Sampling()))
        assert "秘密" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "This model's maximum context length is 512 tokens", InputTooLargeError),
        (400, "bad", InvalidInputError),
        (401, "no", InvalidInputError),
        (429, "slow down", BusyError),
        (503, "down", BusyError),
        (302, "elsewhere", InvalidInputError),
    ],
)
def test_refusals(status: int, message: str, kind: type[Exception]) -> None:
    headers = {"location": "http://example.com"} if status == 302 else None
    app = answering(lambda: JSONResponse({"error": {"message": message}}, status, headers))
    with running(app) as address, pytest.raises(kind):
        list(RemoteWriter(address, "m").write(ASK, Sampling()))


def test_a_server_that_is_not_there_and_one_that_lists_two() -> None:
    gone = RemoteWriter("http://127.0.0.1:9", "m")
    with pytest.raises(BusyError, match="cannot be reached"):
        list(gone.write(ASK, Sampling()))
    with pytest.raises(BusyError, match="does not answer"):
        _ = RemoteWriter("http://127.0.0.1:9").model
    app = FastAPI()

    @app.get("/v1/models")
    async def models() -> dict[str, object]:
        await asyncio.sleep(0)
        return {"data": [{"id": "a"}, {"id": "b"}]}

    with running(app) as address, pytest.raises(ConfigurationError, match="2 models"):
        _ = RemoteWriter(address).name
