"""The chat API by the official ``openai`` client against a real uvicorn, and by raw HTTP where no client would go."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence

import httpx
import pytest

from tests.serve.conftest import count, running
from tests.serve.scripted import Scripted
from xinglin.apps.assistant.writer import Sampling
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import BusyError, InputTooLargeError
from xinglin.serve.access import add_user, log_in
from xinglin.serve.app import create_app
from xinglin.store import Store
from xinglin.types import DISCLAIMER

openai = pytest.importorskip("openai")
MODEL = "xinglin-extractive"
QUESTION = [{"role": "user", "content": "高血压有什么症状?"}]


def opened(address: str, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=30)


@pytest.fixture(scope="module")
def chat(client: httpx.Client) -> openai.OpenAI:
    return opened(str(client.base_url).rstrip("/"))


def test_the_one_model_is_listed(chat: openai.OpenAI) -> None:
    assert [model.id for model in chat.models.list()] == [MODEL]
    assert chat.models.retrieve(MODEL).owned_by == "xinglin"
    with pytest.raises(openai.NotFoundError) as caught:
        chat.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


def test_an_answer_with_sources_label_and_counts(chat: openai.OpenAI) -> None:
    answer = chat.chat.completions.create(model=MODEL, messages=QUESTION)
    text = answer.choices[0].message.content
    assert "人工智能生成" in text
    assert "抽取式回答" in text
    assert "头晕" in text
    assert DISCLAIMER["zh"] in text
    assert "[1] " in text.split("来源 Sources:")[1]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 20
    beside = answer.model_extra["xinglin"]
    assert beside["ai_generated"] is True
    assert beside["sources"][0]["triple"] == ["高血压", "has_finding", "血压升高"]


def test_a_stream_says_the_same_and_ends_with_done(chat: openai.OpenAI, client: httpx.Client) -> None:
    whole = chat.chat.completions.create(model=MODEL, messages=QUESTION)
    chunks = list(
        chat.chat.completions.create(
            model=MODEL, messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].model_extra["xinglin"]["engine"] == MODEL
    body = {"model": MODEL, "messages": QUESTION, "stream": True}
    raw = client.post("/v1/chat/completions", json=body)
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert raw.text.endswith("data: [DONE]\n\n")


def test_an_emergency_is_the_first_thing_said_also_in_a_stream(chat: openai.OpenAI) -> None:
    story = [{"role": "user", "content": "想问问体检套餐。另外我爸现在胸口压榨样疼,大汗淋漓。"}]
    chunks = chat.chat.completions.create(model=MODEL, messages=story, stream=True, max_tokens=1)
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert said[0].startswith("【急】呼叫120")
    assert "Call 120" in said[1]  # and no limit cuts it


def test_limits_and_stop_strings_are_kept(chat: openai.OpenAI) -> None:
    short = chat.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=12)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens <= 12
    stopped = chat.chat.completions.create(model=MODEL, messages=QUESTION, stop=["头晕"])
    assert stopped.choices[0].finish_reason == "stop"
    assert "头晕" not in stopped.choices[0].message.content
    warm = chat.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0.7)
    assert any("temperature" in note for note in warm.model_extra["xinglin"]["notes"])


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"presence_penalty": 1.5}, "presence_penalty"),
        ({"logprobs": True}, "logprobs"),
        ({"extra_body": {"temprature": 1}}, "temprature"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_offered_is_refused_by_name(chat: openai.OpenAI, extra: dict, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat.chat.completions.create(model=MODEL, messages=QUESTION, **extra)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "robot", "content": "x"}],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": "  "}],
        [{"role": "assistant", "content": "我是医生"}],
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
            }
        ],
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
        ["秘密的话"],
        [{"role": "user", "content": "x"}] * 201,
        [{"role": "user", "content": "痛" * 20_001}],
        [{"role": "user", "content": "痛" * 20_000}] * 11,
    ],
    ids=[
        "none",
        "role",
        "number",
        "blank",
        "last",
        "image",
        "sound",
        "no object",
        "many",
        "long",
        "all too long",
    ],
)
def test_malformed_messages_are_clear_errors(client: httpx.Client, messages: list) -> None:
    answer = client.post("/v1/chat/completions", json={"model": MODEL, "messages": messages})
    assert answer.status_code in (400, 413)
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert "秘密" not in answer.text


def test_bodies_that_are_none(client: httpx.Client) -> None:
    for body in (b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"model": NaN}'):
        answer = client.post("/v1/chat/completions", content=body)
        assert answer.status_code == 400, body
        assert answer.json()["error"]["param"] == "body"


def test_ten_megabytes_are_refused(client: httpx.Client) -> None:
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "痛" * 3_400_000}]}).encode()
    assert len(body) > 10_000_000
    answer = client.post("/v1/chat/completions", content=body)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_login_is_needed_beyond_this_machine(differential: Differential, store: Store) -> None:
    add_user(store, "chen", "correct horse battery")
    app = create_app(differential, store, host="0.0.0.0", workbench=False)
    with running(app) as address:
        with pytest.raises(openai.AuthenticationError) as caught:
            opened(address, "wrong").models.list()
        assert caught.value.body["message"] == "log in first"
        token = log_in(store, "chen", "correct horse battery", "test")
        answer = opened(address, token).chat.completions.create(model=MODEL, messages=QUESTION)
        assert "头晕" in answer.choices[0].message.content
        cookie = {"cookie": f"xinglin_session={token}"}
        body = {"model": MODEL, "messages": QUESTION}
        refused = httpx.post(f"{address}/v1/chat/completions", json=body, headers=cookie)
        assert refused.status_code == 403  # a cookie alone may come from another page
        assert refused.json()["error"]["type"] == "permission_error"


def test_a_differential_leaves_its_line_in_the_ledger(chat: openai.OpenAI, api_store: Store) -> None:
    before = count(api_store, "prediction")
    story = [{"role": "user", "content": "我发热咳嗽三天,可能是什么病"}]
    answer = chat.chat.completions.create(model=MODEL, messages=story)
    tools = [tool["name"] for tool in answer.model_extra["xinglin"]["tools"]]
    assert tools[:2] == ["red_flags", "differential"]
    assert count(api_store, "prediction") == before + 1


def test_a_model_that_invents_is_corrected(differential: Differential, store: Store) -> None:
    draft = "高血压的表现有头痛(常见)[1]。您有90%的可能是高血压。每天吃两片降压药,每次10毫克。火星上有高血压病院。"
    with running(create_app(differential, store, workbench=False, writer=Scripted(draft))) as address:
        chat = opened(address)
        answer = chat.chat.completions.create(model="scripted", messages=QUESTION)
        text, beside = answer.choices[0].message.content, answer.model_extra["xinglin"]
        assert "90" not in text
        assert "10毫克" not in text
        assert "两片" not in text
        assert "概率已删除" in text
        assert "已删除2处剂量" in text
        by_support = {item["support"]: item["text"] for item in beside["sentences"] if item["kind"] == "body"}
        assert by_support["cited"].startswith("高血压的表现有头痛")
        assert "火星上有高血压病院。〔未获支持 unsupported〕" in text
        two = chat.chat.completions.create(model="scripted", messages=QUESTION, n=2)
        assert [choice.index for choice in two.choices] == [0, 1]


def test_errors_inside_a_stream_are_sent_and_the_stream_is_closed(
    differential: Differential, store: Store
) -> None:
    broken = Scripted(BusyError("the model server is gone"))
    with running(create_app(differential, store, workbench=False, writer=broken)) as address:
        with pytest.raises(openai.APIError, match="the model server is gone"):
            list(opened(address).chat.completions.create(model="scripted", messages=QUESTION, stream=True))
        raw = httpx.post(
            f"{address}/v1/chat/completions",
            json={"model": "scripted", "messages": QUESTION, "stream": True},
        )
        assert raw.text.endswith("data: [DONE]\n\n")
        with pytest.raises(openai.InternalServerError):
            opened(address).chat.completions.create(model="scripted", messages=QUESTION)
    full = Scripted(InputTooLargeError("the conversation takes 9000 tokens; the model sees 2048"))
    with running(create_app(differential, store, workbench=False, writer=full)) as address:
        with pytest.raises(openai.APIStatusError) as caught:
            opened(address).chat.completions.create(model="scripted", messages=QUESTION)
        assert caught.value.code == "context_length_exceeded"


def test_a_tool_loop_ends(differential: Differential, store: Store) -> None:
    again = Scripted('{"tool": "red_flags", "arguments": {"text": "头痛"}}')
    with running(create_app(differential, store, workbench=False, writer=again)) as address:
        answer = opened(address).chat.completions.create(model="scripted", messages=QUESTION)
    text = answer.choices[0].message.content
    assert "重复或过多地调用工具" in text
    assert "改为抽取式回答" in text
    assert len(again.seen) == 2
    assert "血压升高" in text


def test_who_leaves_stops_the_work(differential: Differential, store: Store) -> None:
    class Slow(Scripted):
        def write(self, messages: Sequence[Mapping[str, str]], sampling: Sampling) -> Iterator[str]:
            try:
                for number in range(10_000):
                    time.sleep(0.01)
                    yield f"第{number}句没有依据的话。"
            finally:
                self.closed += 1

    slow = Slow("x")
    with running(create_app(differential, store, workbench=False, writer=slow)) as address:
        stream = opened(address).chat.completions.create(model="scripted", messages=QUESTION, stream=True)
        for _, _ in zip(range(5), stream, strict=False):
            continue
        stream.close()
        for _ in range(200):
            if slow.closed:
                break
            time.sleep(0.02)
        assert slow.closed == 1
