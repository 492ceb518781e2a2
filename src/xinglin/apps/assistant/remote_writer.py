"""A language model behind any OpenAI-compatible server (vLLM, llama.cpp, Ollama): text is sent to it, so it must be meant.

An address of this machine is free; any other needs ``allow_remote``, since the patient's words leave the machine. Nothing
that is sent or received is logged; redirects are not followed.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from xinglin.apps.assistant.writer import Sampling
from xinglin.errors import BusyError, ConfigurationError, InputTooLargeError, InvalidInputError

CONNECT, READ = 10.0, 120.0
"""Seconds to connect, and between two pieces."""
MAX_LINE = 1_000_000
"""Characters of one event of the stream."""
MAX_REPLY = 200_000
"""Characters of one reply; beyond it the server is taken to be broken."""
MAX_ANSWER = 64 << 20
"""Bytes of an answer that comes as a whole."""


def is_local(url: str) -> bool:
    """Whether a URL is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class RemoteWriter:
    """A chat model by URL; safe to share between threads."""

    def __init__(
        self, url: str, model: str | None = None, *, allow_remote: bool = False, key: str = ""
    ) -> None:
        """Check the address; nothing is sent yet.

        Args:
            url: base URL, with or without ``/v1``.
            model: its name there; ``None`` asks the server and takes the only one.
            allow_remote: whether an address beyond this machine is meant.
            key: API key, if the server wants one.

        Raises:
            ConfigurationError: no http(s) URL, or an address beyond this machine without ``allow_remote``.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError("model URL: expected http(s)://HOST[:PORT][/v1] without user or query")
        if not is_local(url) and not allow_remote:
            raise ConfigurationError(
                f"the model at {parts.hostname} is beyond this machine: patients' words would leave it. "
                "If that is meant and allowed, add --allow-remote 文字将离开本机,确需如此请加 --allow-remote"
            )
        base = url.rstrip("/")
        self.base = base if base.endswith("/v1") else base + "/v1"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(READ, connect=CONNECT)
        # trust_env=False: a proxy of the environment would be one more reader.
        self._client = httpx.Client(headers=headers, timeout=timeout, trust_env=False)
        self._model = model

    @property
    def name(self) -> str:
        """What answers are labelled with."""
        return self.model

    @property
    def model(self) -> str:
        """The model's name at the server.

        Raises:
            BusyError: the server cannot be reached.
            ConfigurationError: it serves none or several, and none was named.
        """
        if self._model is None:
            try:
                listed = self._client.get(f"{self.base}/models").raise_for_status().json()["data"]
                names = [str(item["id"]) for item in listed]
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise BusyError(f"the model server does not answer ({type(error).__name__})") from error
            if len(names) != 1:
                raise ConfigurationError(
                    f"the server lists {len(names)} models ({', '.join(names[:5])}): name one"
                )
            self._model = names[0]
        return self._model

    def write(self, messages: Sequence[Mapping[str, str]], sampling: Sampling) -> Iterator[str]:
        """Yield the reply in pieces; closing the iterator closes the connection.

        Raises:
            InputTooLargeError: the server says that the context is too long.
            InvalidInputError: it refuses the request.
            BusyError: it cannot be reached, stops answering, or sends what is no stream of chunks.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        try:
            with self._client.stream("POST", f"{self.base}/chat/completions", json=body) as response:
                if response.status_code != 200:
                    _refused(response)
                total = 0
                for line in response.iter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = line[5:].strip()
                    if data == "[DONE]":
                        return
                    piece = _piece(data)
                    total += len(piece)
                    if total > MAX_REPLY:
                        raise BusyError(f"the model server sent more than {MAX_REPLY} characters")
                    if piece:
                        yield piece
        except httpx.HTTPError as error:
            raise BusyError(f"the model server cannot be reached ({type(error).__name__})") from error

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return a whole JSON answer of the server, e.g. of ``/completions``.

        Raises:
            InputTooLargeError, InvalidInputError, BusyError: as :meth:`write`; or the answer is beyond its bound or no JSON.
        """
        found = bytearray()
        try:
            with self._client.stream("POST", f"{self.base}{path}", json=dict(body)) as response:
                if response.status_code != 200:
                    _refused(response)
                for piece in response.iter_bytes():
                    found += piece
                    if len(found) > MAX_ANSWER:
                        raise BusyError(f"the model server sent more than {MAX_ANSWER} bytes")
        except httpx.HTTPError as error:
            raise BusyError(f"the model server cannot be reached ({type(error).__name__})") from error
        try:
            return json.loads(found)
        except (ValueError, RecursionError) as error:
            raise BusyError("the model server sent what is no JSON") from error

    def notes(self) -> tuple[str, ...]:
        """Nothing: the server keeps its own counsel."""
        return ()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _piece(data: str) -> str:
    if len(data) > MAX_LINE:
        raise BusyError(f"the model server sent an event of more than {MAX_LINE} characters")
    try:
        chunk = json.loads(data)
        if "error" in chunk:
            raise BusyError("the model server reports an error in its stream")
        choices = chunk["choices"]
        return str(choices[0]["delta"].get("content") or "") if choices else ""
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise BusyError("the model server sent what is no chat completion chunk") from error


def _refused(response: httpx.Response) -> None:
    """Turn a refusal into our error; its words are read for the kind only, since they may repeat the prompt."""
    response.read()
    words = response.text[:2_000].lower()
    if response.status_code in (400, 413, 422) and (
        "context" in words or "too long" in words or "maximum" in words
    ):
        raise InputTooLargeError("the model server says that the conversation is too long for its context")
    if response.status_code < 500 and response.status_code not in (408, 429):
        raise InvalidInputError(f"the model server refuses the request (status {response.status_code})")
    raise BusyError(f"the model server is unavailable (status {response.status_code})")
