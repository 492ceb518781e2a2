"""DICOMweb answers of every bad kind, from a real HTTP server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from xinglin.apps.imaging.node.web import Web, WebError
from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError, MissingDataError

MULTIPART = 'multipart/related; type="application/dicom"; boundary=b'
GOOD = b"--b\r\nContent-Type: application/dicom\r\n\r\nONE\r\n--b\r\n\r\nTWO\r\n--b--\r\n"


@contextmanager
def answering(status: int, headers: dict[str, str], body: bytes) -> Iterator[tuple[str, list[str | None]]]:
    seen: list[str | None] = []

    class Answer(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


def test_parts_become_files(tmp_path: Path) -> None:
    with answering(200, {"Content-Type": MULTIPART}, GOOD) as (url, seen):
        assert Web(url, "Bearer x").fetch("1.2", "1.3", tmp_path) == 2
    assert [path.read_bytes() for path in sorted(tmp_path.glob("*.dcm"))] == [b"ONE", b"TWO"]
    assert seen == ["Bearer x"]


@pytest.mark.parametrize(
    ("status", "kind", "body", "error", "more"),
    [
        (200, MULTIPART, GOOD[:-20], InvalidInputError, {}),
        (200, MULTIPART, GOOD.replace(b"--b--", b""), InvalidInputError, {}),
        (200, "text/html", GOOD, InvalidInputError, {}),
        (200, "multipart/related", GOOD, InvalidInputError, {}),
        (200, MULTIPART, b"", MissingDataError, {}),
        (200, MULTIPART, GOOD, InputTooLargeError, {"max_bytes": 20}),
        (200, MULTIPART, GOOD, InputTooLargeError, {"max_images": 1}),
        (404, "text/plain", b"", WebError, {}),
        (500, "text/plain", b"Zhang San", WebError, {}),
    ],
)
def test_bad_answers(
    status: int, kind: str, body: bytes, error: type[Exception], more: dict[str, int], tmp_path: Path
) -> None:
    with answering(status, {"Content-Type": kind}, body) as (url, _), pytest.raises(error) as raised:
        Web(url, **more).fetch("1.2", "1.3", tmp_path)  # type: ignore[arg-type]
    assert "Zhang" not in str(raised.value)


def test_the_authorisation_goes_to_no_other_place(tmp_path: Path) -> None:
    with answering(200, {"Content-Type": MULTIPART}, GOOD) as (other, stolen):  # noqa: SIM117
        with answering(302, {"Location": other}, b"") as (url, _), pytest.raises(WebError, match="302"):
            Web(url, "Bearer x").fetch("1.2", "1.3", tmp_path)
    assert stolen == []


@pytest.mark.parametrize("body", [b"{", b"[1]", b'[{"0020000E": {"Value": ["../x"]}}]', b"[" * 100_000])
def test_bad_searches(body: bytes) -> None:
    with (
        answering(200, {"Content-Type": "application/dicom+json"}, body) as (url, _),
        pytest.raises(InvalidInputError),
    ):
        Web(url).series("1.2")


def test_a_store_that_failed_in_part_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"x")
    body = b'{"00081198": {"vr": "SQ", "Value": [{}]}}'
    with (
        answering(202, {"Content-Type": "application/dicom+json"}, body) as (url, _),
        pytest.raises(WebError, match="1 of 1"),
    ):
        Web(url).store([tmp_path / "a.dcm"])


def refused(make: Callable[[], object]) -> None:
    with pytest.raises((ConfigurationError, InvalidInputError)):
        make()


def test_addresses_and_uids_that_are_none() -> None:
    for url in ("ftp://x/", "file:" + "///etc/passwd", "//x", "http://", "https://user:secret@x/"):
        refused(lambda url=url: Web(url))
    for uid in ("", "1.2/../3", "x", "1" * 65):
        refused(lambda uid=uid: Web("http://127.0.0.1:1").series(uid))
