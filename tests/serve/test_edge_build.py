"""The folder: whole, deterministic, without an address of elsewhere, served with a strict policy."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.pack import write_pack
from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError
from xinglin.ledger import entries
from xinglin.serve.app import create_app
from xinglin.serve.edge import build, export_web, mount_edge, write_edge
from xinglin.serve.edge.fetch import COMMAND
from xinglin.store import Store
from xinglin.types import DISCLAIMER

ADDRESS = re.compile(r"https?://(?!www\.w3\.org/|127\.0\.0\.1)[\w.]+")


def test_every_file_is_listed_with_its_digest(edge_folder: Path) -> None:
    manifest = json.loads((edge_folder / build.MANIFEST).read_text(encoding="utf-8"))
    lying = {path.relative_to(edge_folder).as_posix() for path in edge_folder.rglob("*") if path.is_file()}
    assert lying == {*manifest["files"], build.MANIFEST, *build.VERSIONED}
    assert len(lying) > 20
    for name, stated in manifest["files"].items():
        assert sha256((edge_folder / name).read_bytes()).hexdigest() == stated["sha256"], name
    version = sha256((edge_folder / build.MANIFEST).read_bytes()).hexdigest()
    for name in build.VERSIONED:
        text = (edge_folder / name).read_text(encoding="utf-8")
        assert version in text
        assert "@" not in re.sub(r"@media|@supports", "", text)
    assert sum(path.stat().st_size for path in edge_folder.rglob("*") if path.is_file()) <= build.LARGEST


def test_nothing_of_the_page_points_elsewhere(edge_folder: Path) -> None:
    own = [
        path
        for path in edge_folder.iterdir()
        if path.suffix in (".html", ".js", ".css", ".svg", ".webmanifest")
    ]
    assert len(own) >= 8
    for path in own:
        assert not ADDRESS.search(path.read_text(encoding="utf-8")), path.name
    page = (edge_folder / "index.html").read_text(encoding="utf-8")
    assert DISCLAIMER["zh"] in page
    assert DISCLAIMER["en"] in page
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", page)
    scripts = "".join(path.read_text(encoding="utf-8") for path in own if path.suffix == ".js")
    assert not re.search(
        r"localStorage|sessionStorage|indexedDB|innerHTML|document\.cookie|sendBeacon", scripts
    )


def test_the_same_package_gives_the_same_folder(edge_folder: Path, tmp_path: Path) -> None:
    again = write_edge(tmp_path / "again")
    assert again.version in (edge_folder / "index.html").read_text(encoding="utf-8")


def test_a_pack_of_ones_own_and_a_profile_go_in(edge_folder: Path, tmp_path: Path) -> None:
    import zipfile

    own = tmp_path / "own"
    own.mkdir()
    write_pack(load_differential(engine="graph").pack, own / "pack.json")
    profile = tmp_path / "clinic.toml"
    profile.write_text('name = "杏林村卫生室"\n', encoding="utf-8")
    written = write_edge(tmp_path / "site", model=own, profile=profile)
    names = zipfile.ZipFile(written.path / build.PACKAGE).namelist()
    assert {"edge/pack.json", "edge/profile.toml", "edge/settings.json"} <= set(names)
    assert not (written.path / "model").exists()
    assert not list((written.path / "runtime").glob("ort*"))
    assert written.size < 25 * 2**20
    assert json.loads((written.path / build.MANIFEST).read_text(encoding="utf-8"))["encoder"] is None


def test_a_folder_of_somebodys_own_is_left_alone(edge_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="no edge folder"):
        write_edge(tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_without_a_runtime_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=re.escape(COMMAND)):
        write_edge(tmp_path / "site", runtime=tmp_path / "nothing")
    assert not (tmp_path / "site").exists()


def test_an_export_is_remembered(
    edge_folder: Path, tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    written = export_web("medical-open-model", tmp_path / "site", as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown["version"] == written.version
    with store.read() as connection:
        last = list(entries(connection))[-1]
    assert last.action == "model.export"
    assert last.detail["digest"] == written.version
    with pytest.raises(UnknownNameError):
        export_web("no-such-model", tmp_path / "other")


def test_what_it_is_served_with(edge_folder: Path) -> None:
    app = FastAPI()
    mount_edge(app, edge_folder)
    with TestClient(app) as client:
        assert client.get("/edge", follow_redirects=False).headers["location"] == "/edge/"
        page = client.get("/edge/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "'wasm-unsafe-eval'" in policy
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        kinds = {
            "runtime/pyodide.asm.wasm": "application/wasm",
            "runtime/pyodide.mjs": "text/javascript",
            "sw.js": "text/javascript",
            "app.webmanifest": "application/manifest+json",
            "xinglin.zip": "application/octet-stream",
        }
        for name, kind in kinds.items():
            got = client.get(f"/edge/{name}")
            assert got.headers["content-type"].startswith(kind), name
            assert got.headers["cache-control"] == "no-cache"
            assert got.headers["content-security-policy"] == policy
        assert client.get("/edge/../secrets.txt").status_code == 404
        assert client.get("/edge/none.wasm").status_code == 404


def test_the_service_has_it_beside_its_api(edge_folder: Path, store: Store) -> None:
    app = create_app(load_differential(engine="graph"), store, workbench=False, edge=edge_folder)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/edge/edge.json").json()["files"]
        assert client.get("/api/health").json()["status"] == "ok"
        assert not [
            path for path in client.get("/api/openapi.json").json()["paths"] if path.startswith("/edge")
        ]


def test_a_folder_that_was_never_written_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=build.MANIFEST):
        mount_edge(FastAPI(), tmp_path)
