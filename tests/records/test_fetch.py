"""The catalogue, and a set brought from a folder and from a real HTTP server that misbehaves in every way."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from xinglin.errors import (
    InvalidInputError,
    MissingDataError,
    NotPermittedError,
    StoreError,
    UnknownNameError,
)
from xinglin.records.catalogue import DataSet, catalogue, data_set, for_training, read_catalogue
from xinglin.records.fetch import get_data_set
from xinglin.records.manifest import ManifestFile

BODY = bytes(range(256)) * 4000
SMALL = "病历".encode()


def file(path: str, body: bytes) -> ManifestFile:
    return ManifestFile(path=path, bytes=len(body), sha256=hashlib.sha256(body).hexdigest())


WANTED = DataSet(
    "set",
    "text/set",
    "MIT",
    (),
    ("用", "use"),
    None,
    None,
    (file("deep/名 a.bin", BODY), file("small.txt", SMALL)),
)
BIG = "/text/set/deep/名 a.bin"


class Mirror(ThreadingHTTPServer):
    """Serves the set; ``mood`` says how it misbehaves on the big file."""

    daemon_threads = True
    mood = ""
    ranges: list[str | None]


class Answer(BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, *arguments: object) -> None: ...

    def do_GET(self) -> None:
        path, mood = unquote(self.path), self.server.mood
        bodies = {BIG: BODY, "/text/set/small.txt": SMALL, "/moved/a.bin": BODY}
        if path == BIG:
            self.server.ranges.append(self.headers.get("Range"))
            if mood.startswith("http"):
                self.send_response(302)
                self.send_header("Location", mood)
                self.end_headers()
                return
            if mood == "error":
                self.send_error(503)
                return
            if mood == "wrong":
                bodies[BIG] = BODY[:-1] + b"!"
            if mood == "longer":
                bodies[BIG] = BODY + b"!" * 1_000_000
        body = bodies.get(path)
        if body is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and mood != "no ranges" else 0
        if mood == "other range":
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 7-{len(body) - 1}/{len(body)}")
        elif start:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if mood != "no length":
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        cut = path == BIG and mood in ("cut", "no length")
        self.wfile.write(body[start : 300_000 if cut else None])


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror(("127.0.0.1", 0), Answer)
    server.ranges = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def address(server: Mirror) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def whole(into: Path) -> bool:
    folder = into / "text" / "set"
    return (
        sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        == ["deep/名 a.bin", "small.txt"]
        and (folder / "deep" / "名 a.bin").read_bytes() == BODY
        and (folder / "small.txt").read_bytes() == SMALL
    )


def test_from_a_server_and_then_nothing_to_do(mirror: Mirror, tmp_path: Path) -> None:
    told: list[int] = []
    folder, brought = get_data_set(WANTED, address(mirror), tmp_path, progress=told.append)
    assert (folder, brought) == (tmp_path / "text" / "set", 2)
    assert whole(tmp_path)
    assert sum(told) == WANTED.bytes
    assert get_data_set(WANTED, address(mirror), tmp_path)[1] == 0
    assert len(mirror.ranges) == 1
    (folder / "small.txt").write_bytes(b"xxxxxx")
    assert get_data_set(WANTED, address(mirror) + "/", tmp_path)[1] == 1
    assert whole(tmp_path)


@pytest.mark.parametrize("mood", ["cut", "no length"])
def test_a_broken_download_goes_on_where_it_broke(mirror: Mirror, tmp_path: Path, mood: str) -> None:
    mirror.mood = mood
    with pytest.raises(StoreError, match="try again"):
        get_data_set(WANTED, address(mirror), tmp_path)
    deep = tmp_path / "text" / "set" / "deep"
    assert [path.name for path in deep.iterdir()] == [".名 a.bin.part"]
    mirror.mood = ""
    get_data_set(WANTED, address(mirror), tmp_path)
    assert whole(tmp_path)
    assert mirror.ranges == [None, "bytes=300000-"]


def test_a_server_without_ranges_begins_anew(mirror: Mirror, tmp_path: Path) -> None:
    mirror.mood = "cut"
    with pytest.raises(StoreError):
        get_data_set(WANTED, address(mirror), tmp_path)
    mirror.mood = "no ranges"
    get_data_set(WANTED, address(mirror), tmp_path)
    assert whole(tmp_path)


def test_a_part_that_was_tampered_with_is_thrown_away(mirror: Mirror, tmp_path: Path) -> None:
    part = tmp_path / "text" / "set" / "deep" / ".名 a.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"evil" * 100)
    with pytest.raises(InvalidInputError, match="SHA-256"):
        get_data_set(WANTED, address(mirror), tmp_path)
    assert list(part.parent.iterdir()) == []
    part.write_bytes(BODY + b"x")
    get_data_set(WANTED, address(mirror), tmp_path)
    assert whole(tmp_path)


@pytest.mark.parametrize(
    ("mood", "error", "words"),
    [
        ("wrong", InvalidInputError, "SHA-256"),
        ("longer", InvalidInputError, "sends more"),
        ("error", StoreError, "503"),
        ("http://localhost:1/elsewhere", InvalidInputError, "another host"),
        ("https://127.0.0.1:1/elsewhere", InvalidInputError, "another host"),
    ],
)
def test_what_is_not_the_file_never_gets_its_name(
    mirror: Mirror, tmp_path: Path, mood: str, error: type[Exception], words: str
) -> None:
    mirror.mood = mood
    with pytest.raises(error, match=words):
        get_data_set(WANTED, address(mirror), tmp_path)
    assert not (tmp_path / "text" / "set" / "deep" / "名 a.bin").exists()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) == 0


def test_a_range_that_was_not_asked_for_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    mirror.mood = "other range"
    with pytest.raises(StoreError, match="another range"):
        get_data_set(WANTED, address(mirror), tmp_path)


def test_a_redirect_within_the_host_is_followed(mirror: Mirror, tmp_path: Path) -> None:
    mirror.mood = f"{address(mirror)}/moved/a.bin"
    get_data_set(WANTED, address(mirror), tmp_path)
    assert whole(tmp_path)


def test_from_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "mirror" / "text" / "set"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "名 a.bin").write_bytes(BODY)
    with pytest.raises(MissingDataError, match=r"text/set/small.txt"):
        get_data_set(WANTED, str(tmp_path / "mirror"), tmp_path / "into")
    (source / "small.txt").write_bytes(SMALL)
    assert get_data_set(WANTED, str(tmp_path / "mirror"), tmp_path / "into")[1] == 1
    assert whole(tmp_path / "into")


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    source, target = (tmp_path / name / "text" / "set" for name in ("mirror", "into"))
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "名 a.bin").write_bytes(BODY)
    (source / "small.txt").write_bytes(SMALL)
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    target.mkdir(parents=True)
    (target / "small.txt").symlink_to(victim)
    (target / ".small.txt.part").symlink_to(victim)
    get_data_set(WANTED, str(tmp_path / "mirror"), tmp_path / "into")
    assert victim.read_bytes() == b"mine"
    assert not (target / "small.txt").is_symlink()
    assert whole(tmp_path / "into")


@pytest.mark.parametrize("mirror", ["file:" + "///etc", "ftp://127.0.0.1", "http://", "data://x"])
def test_other_schemes_are_refused(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="http"):
        get_data_set(WANTED, mirror, tmp_path)


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        get_data_set(WANTED, "http://127.0.0.1:1", tmp_path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a file where a folder is needed")
    with pytest.raises(StoreError):
        get_data_set(WANTED, str(tmp_path), tmp_path)


def test_the_catalogue_is_what_lies_in_the_shared_folder(data: Path) -> None:
    listed = json.loads((data / "MANIFEST.json").read_text(encoding="utf-8"))
    ours = {
        (f"data/{item.folder}/{file.path}", file.bytes, file.sha256)
        for item in catalogue().values()
        for file in item.files
    }
    assert ours == {(row["path"], row["bytes"], row["sha256"]) for row in listed}
    for item in catalogue().values():
        provenance = (data / item.folder / "PROVENANCE.md").read_text(encoding="utf-8")
        for source in item.upstream:
            repository, _, commit = source.removeprefix("github.com/").partition("@")
            assert repository.split("/")[1] in provenance, f"{item.name}: {repository}"
            assert commit in provenance, f"{item.name}: {commit}"


def test_the_catalogue_says_what_a_user_must_know() -> None:
    sets = catalogue()
    assert len(sets) == 51
    for item in sets.values():
        assert all(item.use)
        assert item.upstream
        assert item.restricted == item.folder.startswith("restricted/")
        assert item.licence or item.problem
        assert any(file.path == "PROVENANCE.md" for file in item.files)
        assert item.bytes > 0


def test_a_restricted_set_is_not_trained_on_unless_asked() -> None:
    assert for_training("medquad").licence == "CC-BY-4.0"
    restricted = [name for name, item in catalogue().items() if item.restricted]
    assert len(restricted) == 9
    for name in restricted:
        with pytest.raises(NotPermittedError, match="not for training"):
            for_training(name)
        assert for_training(name, restricted=True).name == name


def test_an_unknown_set_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean medquad"):
        data_set("medqad")


GOOD: dict[str, Any] = {
    "name": "a", "folder": "text/a", "licence": "MIT", "upstream": [], "use": ["用", "use"], "caution": None,
    "problem": None, "files": [["x", 1, "0" * 64]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"files": [["../../x", 1, "0" * 64]]}, "path"),
        ({"files": [["/x", 1, "0" * 64]]}, "path"),
        ({"files": [["x", -1, "0" * 64]]}, "bytes"),
        ({"files": [["x", 1, "0"]]}, "sha256"),
        ({"folder": "../text/a"}, "folder"),
        ({"folder": "text/../a"}, "folder"),
        ({"name": "../a"}, "name"),
        ({"more": 1}, "more"),
    ],
)
def test_a_catalogue_that_breaks_its_schema_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"format": "xinglin-catalogue/1", "sets": [GOOD | change]}))
    with pytest.raises(InvalidInputError, match=words):
        read_catalogue(path)


def test_a_catalogue_of_another_format_or_with_a_name_twice(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    for decoded in ([], {"format": "x"}, {"format": "xinglin-catalogue/1", "sets": [GOOD, GOOD]}):
        path.write_text(json.dumps(decoded))
        with pytest.raises(InvalidInputError):
            read_catalogue(path)
