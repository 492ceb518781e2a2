"""A model behind an OpenAI-compatible server, examined: likelihoods of a prompt's tokens, and patience with a busy server.

Likelihoods need ``echo`` with ``logprobs`` on ``/v1/completions`` (vLLM has it; llama.cpp's server returns those of
generated tokens only, github.com/ggml-org/llama.cpp/issues/27174, and chat endpoints have none). A server that leaves them
out would score every option alike, so that it is refused by name instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from xinglin.apps.assistant.exams.likelihood import Array, Request, common
from xinglin.apps.assistant.remote_writer import RemoteWriter
from xinglin.errors import BusyError, ConfigurationError, InputTooLargeError

Result = TypeVar("Result")
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each further try of what a busy server did not answer; then the error is handed on."""
AT_ONCE = 4
"""Requests that are under way together."""
NO_ECHO = (
    "the server returns no log-likelihoods of the prompt (echo with logprobs on /v1/completions): "
    "examine it with --by generation 服务不返回提示词的对数似然,请用 --by generation"
)


def patiently(
    call: Callable[[], Result], waits: Sequence[float] = WAITS, sleep: Callable[[float], None] = time.sleep
) -> Result:
    """Return what a call returns, trying again while the server is busy, out of reach or answers with nonsense.

    Raises:
        BusyError: it still is after the last wait.
    """
    for wait in waits:
        try:
            return call()
        except BusyError:
            sleep(wait)
    return call()


class RemoteLikelihood:
    """Scores continuations by URL; the tokenizer stays with the server."""

    def __init__(
        self, writer: RemoteWriter, *, waits: Sequence[float] = WAITS, at_once: int = AT_ONCE
    ) -> None:
        self.writer, self.waits, self.at_once = writer, waits, at_once

    def score(
        self, requests: Sequence[Request], report: Callable[[int, int], None] | None = None
    ) -> list[Array | None]:
        """As :meth:`LocalLikelihood.score`.

        Raises:
            ConfigurationError: the server does not return log-likelihoods of the prompt.
            BusyError: it cannot be reached or sends what is no completion, again and again.
        """
        if not requests:
            return []
        found = [
            patiently(lambda: self._item(requests[0]), self.waits)
        ]  # an unfit server is told by one item
        with ThreadPoolExecutor(self.at_once) as pool:
            rows = [
                pool.submit(patiently, lambda one=one: self._item(one), self.waits) for one in requests[1:]
            ]
            try:
                for row in rows:
                    found.append(row.result())
                    if report is not None:
                        report(len(found), len(requests))
            finally:
                for row in rows:
                    row.cancel()
        return found

    def _item(self, request: Request) -> Array | None:
        prompts = [request.prompt, *(request.prompt + more for more in request.continuations)]
        body = {
            "model": self.writer.model, "prompt": prompts, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0,
        }  # fmt: skip
        try:
            answer = self.writer.post("/completions", body)
        except InputTooLargeError:
            return None
        return _row(answer, prompts)


def _row(answer: Any, prompts: Sequence[str]) -> Array:
    """Log-likelihoods of what follows the tokens that all prompts begin with."""
    try:
        choices = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
        made = int(answer["usage"]["completion_tokens"])
        total = int(answer["usage"]["total_tokens"])
        said = [(choice.get("logprobs") or {}) for choice in choices]
        tokens = [list(one.get("tokens") or ()) for one in said]
        likely = [list(one.get("token_logprobs") or ()) for one in said]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BusyError("the model server sent what is no completion") from error
    if len(choices) != len(prompts) or any(
        not str(choice.get("text", "")).startswith(prompt)
        for choice, prompt in zip(choices, prompts, strict=True)
    ):
        raise ConfigurationError(NO_ECHO)
    if sum(map(len, likely)) != total or made > len(prompts) or any(len(one) < 2 for one in likely):
        raise ConfigurationError(NO_ECHO)
    # One token was made behind each prompt, unless the server counts none for an end that came at once.
    cut = 1 if made == len(prompts) else 0
    if made not in (0, len(prompts)):
        raise ConfigurationError(NO_ECHO)
    tokens = [one[: len(one) - cut] for one in tokens]
    likely = [one[: len(one) - cut] for one in likely]
    start = min(common(tokens), min(map(len, tokens[1:])) - 1)
    try:
        return np.array([float(sum(one[start:])) for one in likely[1:]])
    except TypeError:
        raise ConfigurationError(NO_ECHO) from None
