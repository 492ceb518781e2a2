"""A manifest finds every change, and says where."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records import manifest as room
from xinglin.records.manifest import (
    Consent,
    Counts,
    Manifest,
    Part,
    Splits,
    Transformation,
    build_manifest,
    canonical,
    is_inside,
    manifest_digest,
    read_manifest,
    verify_manifest,
    write_manifest,
)

SYNTHETIC = Consent(basis="synthetic")


def made(folder: Path, **more: object) -> Manifest:
    return build_manifest(folder, name="set", licence="CC0-1.0", consent=SYNTHETIC, **more)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "a.jsonl").write_bytes(b'{"text":"x"}\n')
    (root / "deep" / "b.bin").write_bytes(bytes(range(256)) * 8)
    (root / "deep" / "er" / "空.txt").write_bytes(b"")
    return root


def test_what_is_there_is_listed_and_verifies(folder: Path) -> None:
    manifest = made(folder)
    assert [file.path for file in manifest.files] == ["a.jsonl", "deep/b.bin", "deep/er/空.txt"]
    assert [file.bytes for file in manifest.files] == [13, 2048, 0]
    assert manifest.files[2].sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert verify_manifest(manifest, folder) == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4), st.data())
def test_any_single_changed_byte_is_found(contents: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for number, content in enumerate(contents):
            (root / f"{number}.bin").write_bytes(content)
        manifest = made(root)
        which = data.draw(st.integers(0, len(contents) - 1))
        at = data.draw(st.integers(0, len(contents[which]) - 1))
        changed = bytearray(contents[which])
        changed[at] ^= data.draw(st.integers(1, 255))
        (root / f"{which}.bin").write_bytes(changed)
        (difference,) = verify_manifest(manifest, root)
        assert (difference.path, difference.kind) == (f"{which}.bin", "changed")
        assert difference.said != difference.found
        assert manifest_digest(made(root)) != manifest_digest(manifest)


def test_missing_added_cut_and_linked_files_are_named(folder: Path) -> None:
    manifest = made(folder)
    (folder / "a.jsonl").unlink()
    (folder / "deep" / "b.bin").write_bytes(b"")
    (folder / "deep" / "er" / "空.txt").unlink()
    (folder / "deep" / "er" / "空.txt").symlink_to(folder / "deep" / "b.bin")
    (folder / "new").mkdir()
    (folder / "new" / ".hidden").write_bytes(b"x")
    found = verify_manifest(manifest, folder)
    assert [(item.path, item.kind) for item in found] == [
        ("a.jsonl", "missing"),
        ("deep/b.bin", "changed"),
        ("deep/er/空.txt", "irregular"),
        ("new/.hidden", "added"),
    ]


def test_a_link_is_never_vouched_for_nor_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (folder / "link").symlink_to(outside)
    with pytest.raises(InvalidInputError, match="link"):
        made(folder)


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are POSIX")
def test_a_name_that_is_no_text_is_refused(folder: Path) -> None:
    with open(os.path.join(os.fsencode(folder), b"bad\xff"), "wb"):
        pass
    with pytest.raises(InvalidInputError, match="no regular file"):
        made(folder)


def test_the_manifest_may_lie_in_its_own_folder(folder: Path) -> None:
    own = ("manifest.json", "manifest.json.sig")
    manifest = made(folder, leave_out=own)
    write_manifest(manifest, folder / own[0])
    assert verify_manifest(read_manifest(folder / own[0]), folder, own) == ()
    (kept,) = verify_manifest(manifest, folder)
    assert (kept.path, kept.kind) == ("manifest.json", "added")
    # Leaving out what the manifest vouches for would hide a change.
    (folder / "a.jsonl").write_bytes(b"other")
    assert [item.path for item in verify_manifest(manifest, folder, (*own, "a.jsonl"))] == ["a.jsonl"]


def test_writing_and_reading_keeps_everything(folder: Path, tmp_path: Path) -> None:
    manifest = made(
        folder,
        counts=Counts(records=5, subjects=3, sites=2),
        transformations=(
            Transformation(step="deidentify", parameters={"shift": True, "lists": [1, 2.5]}, code="xinglin 0.1.0"),
            Transformation(step="split", parameters={"seed": 0}, code="xinglin 0.1.0"),
        ),
        splits=Splits(by="subject", seed=0, table="deep/b.bin", parts={"train": Part(records=4, sites={"甲": 4})}),
    )
    path = tmp_path / "m.json"
    write_manifest(manifest, path)
    again = read_manifest(path)
    assert again == manifest
    assert manifest_digest(again) == manifest_digest(manifest)
    assert manifest_digest(json.loads(path.read_text(encoding="utf-8"))) == manifest_digest(manifest)
    assert [step.step for step in again.transformations] == ["deidentify", "split"]


def test_the_digest_is_of_the_content_and_not_of_the_layout(folder: Path) -> None:
    manifest = made(folder)
    decoded = manifest.model_dump()
    shuffled = dict(reversed(decoded.items()))
    assert manifest_digest(shuffled) == manifest_digest(manifest)
    assert canonical({"b": 1, "a": [True, None, "字"]}) == '{"a":[true,null,"字"],"b":1}'.encode()
    others = [
        {**decoded, "licence": "MIT"},
        {**decoded, "name": "other"},
        {**decoded, "consent": {"basis": "informed consent", "reference": None}},
        {**decoded, "counts": {"records": 1, "subjects": None, "sites": None}},
        {**decoded, "files": decoded["files"][:2]},
        {**decoded, "transformations": [{"step": "x", "parameters": {}, "code": "y"}]},
        {**decoded, "splits": {"by": "site", "seed": None, "table": None, "parts": {}}},
    ]
    digests = {manifest_digest(other) for other in others} | {manifest_digest(manifest)}
    assert len(digests) == len(others) + 1


def test_the_certificate_names_the_digest_and_does_not_change_it(folder: Path) -> None:
    manifest = made(folder)
    digest = manifest_digest(manifest)
    certified = manifest.model_copy(update={"certificate": {"manifest": digest, "bound": 0.005}})
    assert manifest_digest(certified) == digest


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": "xinglin-manifest/2"}, "format"),
        ({"extra": 1}, "extra"),
        ({"licence": ""}, "licence"),
        ({"consent": {}}, "consent.basis"),
        ({"files": [{"path": "../x", "bytes": 1, "sha256": "0" * 64}]}, "files.0.path"),
        ({"files": [{"path": "/etc/x", "bytes": 1, "sha256": "0" * 64}]}, "files.0.path"),
        ({"files": [{"path": "C:x", "bytes": 1, "sha256": "0" * 64}]}, "files.0.path"),
        ({"files": [{"path": "a\\b", "bytes": 1, "sha256": "0" * 64}]}, "files.0.path"),
        ({"files": [{"path": "x", "bytes": -1, "sha256": "0" * 64}]}, "files.0.bytes"),
        ({"files": [{"path": "x", "bytes": 1, "sha256": "0" * 63}]}, "files.0.sha256"),
        ({"files": [{"path": "x", "bytes": 1, "sha256": "0" * 64}] * 2}, "files"),
        ({"counts": {"records": -1}}, "counts.records"),
    ],
)
def test_a_wrong_element_is_named(folder: Path, change: dict[str, object], place: str) -> None:
    with pytest.raises(InvalidInputError, match=f"manifest: {place}"):
        manifest_digest({**made(folder).model_dump(), **change})


def test_bad_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.json"
    with pytest.raises(MissingDataError):
        read_manifest(path)
    for content in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(InvalidInputError):
            read_manifest(path)
    monkeypatch.setattr(room, "MAX_BYTES", 3)
    with pytest.raises(InputTooLargeError):
        read_manifest(path)
    with pytest.raises(MissingDataError):
        made(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingDataError, match="no file"):
        made(tmp_path / "empty")


@pytest.mark.parametrize(
    ("path", "inside"),
    [("a", True), ("a/b.c", True), ("..a/b", True), ("字/b", True), ("", False), ("/a", False), ("a//b", False),
     ("a/", False), (".", False), ("a/../b", False), ("a\0", False)],
)  # fmt: skip
def test_paths_stay_inside(path: str, inside: bool) -> None:
    assert is_inside(path) == inside
