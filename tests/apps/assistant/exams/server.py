"""A real HTTP server with an OpenAI-compatible face: a tiny decoder behind it, or an answer of the test's choice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[str, dict[str, Any]], tuple[int, Any]]
"""(path, body) -> (status, object, or raw bytes)."""


@contextmanager
def serving(reply: Reply) -> Iterator[str]:
    """Yield the URL of a server that answers by ``reply``; status 0 closes the connection without a word."""

    class Face(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._send(200, {"data": [{"id": "tiny"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, found = reply(self.path, body)
            if status == 0:
                self.connection.close()
                return
            self._send(status, found)

        def _send(self, status: int, found: Any) -> None:
            raw = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Face)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def said(text: str) -> bytes:
    """A streamed chat completion that says a text."""
    chunk = {"choices": [{"delta": {"content": text}}]}
    return f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()


def echoing(decoder: Any) -> Reply:
    """As vLLM answers ``echo`` with ``logprobs``: every prompt token, then one made token."""
    import torch

    def reply(_: str, body: dict[str, Any]) -> tuple[int, Any]:
        choices, total = [], 0
        for index, prompt in enumerate(body["prompt"]):
            ids = decoder.tokenizer(prompt)["input_ids"]
            with torch.inference_mode():
                likely = torch.log_softmax(decoder.model(input_ids=torch.tensor([ids])).logits[0].float(), -1)
            made = int(likely[-1].argmax())
            values = [None, *(float(likely[at, token]) for at, token in enumerate([*ids[1:], made]))]
            tokens = decoder.tokenizer.convert_ids_to_tokens([*ids, made])
            total += len(tokens)
            choices.append(
                {"index": index, "text": prompt + tokens[-1],
                 "logprobs": {"tokens": tokens, "token_logprobs": values}}
            )  # fmt: skip
        made_all = len(body["prompt"])
        return 200, {"choices": choices, "usage": {"completion_tokens": made_all, "total_tokens": total}}

    return reply
