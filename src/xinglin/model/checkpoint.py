"""A checkpoint: a folder that plain ``transformers`` loads, sealed by a manifest beside the weights.

Or, of kind ``detector``, a network of images that :mod:`xinglin.model.vision` loads: no tokenizer, same seal.
Or, of kind ``aligned``, the two towers of :mod:`xinglin.model.align`: images and words, with a tokenizer.

``manifest.json`` lists the SHA-256 of every other file, the data with their licences, settings, seeds, code and
metrics. ``id`` is the SHA-256 over canonical JSON of the digests of weights, configuration and tokenizer and of
the data list: what the model *is*. Derived files (ONNX, calibration, the card) have their digests in the manifest
but no part in the id, so an export does not make it another model.

No torch here, no pickle, no code: only JSON and safetensors are trusted to be read at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from xinglin import __version__
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.parts import (
    CONFIG,
    REQUIRED,
    TOKENIZER,
    WEIGHTS,
    Parts,
    check_image_parts,
    check_parts,
    read_json,
    size_of,
)
from xinglin.model.saving import heal, saving
from xinglin.types import Checkpoint

__all__ = [
    "MANIFEST",
    "amending",
    "checkpoint_id",
    "heal",
    "reseal_checkpoint",
    "saving",
    "seal_checkpoint",
    "verify_checkpoint",
]

Kind = Literal["encoder", "classifier", "decoder", "detector", "aligned"]
MANIFEST = "manifest.json"
FORMAT = 1
MAX_FILES = 256
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CODE = (".py", ".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".so", ".dll")
"""Files that a library might run or unpickle; none belongs into a checkpoint."""
_KEYS: dict[str, type | tuple[type, ...]] = {
    **{"name": str, "kind": str, "id": str, "limits": str},
    **{"files": dict, "settings": dict, "metrics": dict, "code": dict},
    **{"data": list, "seeds": list, "parents": list},
}


def seal_checkpoint(
    folder: Path,
    *,
    name: str,
    kind: Kind,
    data: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    seeds: Sequence[int],
    metrics: Mapping[str, Any],
    parents: Sequence[str] = (),
    limits: str = "",
) -> Checkpoint:
    """Check a folder's parts and write its manifest, last and atomically.

    Args:
        folder: holds config.json, model.safetensors, tokenizer.json, tokenizer_config.json and what else belongs
            to the model; every file but hidden ones goes into the manifest.
        name: the model's name.
        kind: ``encoder`` or ``classifier`` of text, ``decoder`` of text or molecules; ``detector``: a network of images,
            which has no tokenizer; ``aligned``: images and words.
        data: one object a data set: name, sha256, records, licence, weak (bool).
        settings: every setting that the run had.
        seeds: every seed it drew from.
        metrics: figures, each with what it was measured on.
        parents: ids of the checkpoints it was made from.
        limits: what it must not be used for, and what is unknown about it.

    Raises:
        CheckpointError: a part is missing, broken or another model's, or the folder holds code or pickles.
        InvalidInputError: a value that is no JSON, or an unknown kind.
    """
    if kind not in get_args(Kind):
        raise InvalidInputError(f"kind: expected one of {', '.join(get_args(Kind))}, got {kind!r}")
    body = {
        "format": FORMAT,
        "name": name,
        "kind": kind,
        "id": "",
        "files": {},
        "data": [dict(item) for item in data],
        "settings": dict(settings),
        "seeds": list(seeds),
        "code": _code(),
        "metrics": dict(metrics),
        "parents": list(parents),
        "limits": limits,
    }
    return _sealed(folder, body)


def reseal_checkpoint(folder: Path) -> Checkpoint:
    """Write the manifest anew after derived files (ONNX, calibration, card, curves) were added or changed.

    Raises:
        CheckpointError: the weights, the configuration or the tokenizer are not those of the manifest any more:
            that is another model, to be sealed as such.
    """
    body = _manifest(folder)
    sealed = str(body["id"])
    files = _digests(folder, body["kind"])
    if checkpoint_id(files, body["data"]) != sealed:
        raise CheckpointError(
            f"{folder}: weights, configuration or tokenizer changed since it was sealed: seal it as a new checkpoint"
        )
    return _sealed(folder, body, files)


@contextmanager
def amending(folder: Path) -> Iterator[Path]:
    """Add or change derived files of a checkpoint: yields a copy, which is sealed and swapped in at the end.

    Raises:
        CheckpointError: the checkpoint does not verify, or what it is was changed in the block.
        TrainingError: the disk is full; the checkpoint is as before.
    """
    before = verify_checkpoint(folder)
    with saving(folder) as new:
        for name in (*before.manifest["files"], MANIFEST):
            shutil.copyfile(folder / name, new / name)
        yield new
        reseal_checkpoint(new)


def verify_checkpoint(folder: Path) -> Checkpoint:
    """Check that a folder is whole and is the checkpoint that its manifest names.

    Puts back a folder whose replacement was cut off (:func:`heal`). Reads every byte once, so that about half a
    gigabyte a second is checked; needs no torch and loads no weights.

    Raises:
        CheckpointError: missing or truncated files, a digest that differs, a tokenizer or configuration of another
            model, a file that the manifest does not list, or a manifest that is broken or reaches out of the folder.
    """
    heal(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: expected the folder of a checkpoint; there is none: check the path")
    if not (folder / MANIFEST).exists():
        if (folder / TOKENIZER).exists():
            check_parts(folder)  # what else is wrong is worth more than the missing seal
        raise CheckpointError(
            f"{folder}: {MANIFEST} is missing: the folder was never sealed; train or get it with xinglin"
        )
    body = _manifest(folder)
    listed: dict[str, str] = body["files"]
    stray = sorted(set(_names(folder)) - set(listed))
    if stray:
        raise CheckpointError(
            f"{folder}: {', '.join(stray[:5])} is not in {MANIFEST}: remove it, nobody vouches for it"
        )
    for name in listed:
        size_of(folder / name)
    parts = _parts(folder, body["kind"])
    for name, expected in listed.items():
        found = _digest(folder / name)
        if found != expected:
            raise CheckpointError(
                f"{folder}: {name} is not the file that was sealed (SHA-256 {found[:12]}..., {MANIFEST} says "
                f"{expected[:12]}...): it was changed, damaged or comes from another model; copy the folder again"
            )
    if checkpoint_id(listed, body["data"]) != body["id"]:
        raise CheckpointError(
            f"{folder}: {MANIFEST}: id does not follow from the files and data: it was edited"
        )
    if body["kind"] == "classifier" and not parts.labels:
        raise CheckpointError(f"{folder}: a classifier without a head in {WEIGHTS}: it is an encoder")
    return Checkpoint(body["id"], str(folder), body)


def checkpoint_id(files: Mapping[str, str], data: Iterable[Mapping[str, Any]]) -> str:
    """Return the id that follows from the digests of the files and from the data list."""
    core = {
        "weights": files[WEIGHTS],
        "config": files[CONFIG],
        "data": list(data),
    }
    if TOKENIZER in files:
        core["tokenizer"] = files[TOKENIZER]
    text = json.dumps(core, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _sealed(folder: Path, body: dict[str, Any], files: dict[str, str] | None = None) -> Checkpoint:
    parts = _parts(folder, body["kind"])
    if body["kind"] == "classifier" and not parts.labels:
        raise CheckpointError(f"{folder}: a classifier needs classifier.weight in {WEIGHTS}; it has none")
    body = body | {"files": files or _digests(folder, body["kind"])}
    try:
        body["id"] = checkpoint_id(body["files"], body["data"])
        text = json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{MANIFEST}: expected values of JSON without NaN; {error}") from None
    _write(folder / MANIFEST, text)
    return Checkpoint(body["id"], str(folder), _manifest(folder))


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    """Names of the folder's files but hidden ones and the manifest; folders and odd names are refused."""
    names = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == MANIFEST:
            continue
        if path.is_dir():
            raise CheckpointError(f"{folder}: {path.name} is a folder; a checkpoint is flat: move it away")
        _plain(folder, path.name)
        names.append(path.name)
    if len(names) > MAX_FILES:
        raise CheckpointError(f"{folder}: expected at most {MAX_FILES} files, got {len(names)}")
    return names


def _plain(folder: Path, name: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == MANIFEST:
        raise CheckpointError(
            f"{folder}: {str(name)[:80]!r} is no file name for a checkpoint: letters, digits, . _ - and no path"
        )
    if name.lower().endswith(_CODE):
        raise CheckpointError(f"{folder}: {name}: a checkpoint holds no code and no pickles: remove it")


def _required(kind: Kind) -> tuple[str, ...]:
    return (CONFIG, WEIGHTS) if kind == "detector" else REQUIRED


def _parts(folder: Path, kind: Kind) -> Parts:
    return check_image_parts(folder) if kind == "detector" else check_parts(folder, padded=kind == "decoder")


def _digests(folder: Path, kind: Kind) -> dict[str, str]:
    names = _names(folder)
    for name in names:
        size_of(folder / name)
    required = _required(kind)
    missing = [name for name in required if name not in names]
    if missing:
        raise CheckpointError(f"{folder}: expected {', '.join(required)}; missing {', '.join(missing)}")
    return {name: _digest(folder / name) for name in names}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(folder: Path) -> dict[str, Any]:
    """Read a manifest and check its shape."""
    body = read_json(folder / MANIFEST)
    if body.get("format") != FORMAT:
        raise CheckpointError(
            f"{MANIFEST}: expected format {FORMAT}, got {str(body.get('format'))[:40]!r}: use a newer xinglin"
        )
    for key, kind in _KEYS.items():
        if not isinstance(body.get(key), kind):
            raise CheckpointError(
                f"{MANIFEST}: expected {key!r} as in docs/checkpoint.md; got {body.get(key)!r:.60}"
            )
    if body["kind"] not in get_args(Kind):
        raise CheckpointError(
            f"{MANIFEST}: kind: expected one of {', '.join(get_args(Kind))}, got {body['kind']!r:.60}"
        )
    if not all(isinstance(item, dict) for item in body["data"]):
        raise CheckpointError(f"{MANIFEST}: data: expected objects")
    if len(body["files"]) > MAX_FILES:
        raise CheckpointError(f"{MANIFEST}: expected at most {MAX_FILES} files, got {len(body['files'])}")
    for name, value in body["files"].items():
        _plain(folder, name)
        if not isinstance(value, str) or not _DIGEST.fullmatch(value):
            raise CheckpointError(f"{MANIFEST}: {name}: expected a SHA-256 of 64 hexadecimal digits")
    required = _required(body["kind"])
    missing = [name for name in required if name not in body["files"]]
    if missing:
        raise CheckpointError(
            f"{MANIFEST}: files: expected {', '.join(required)}; missing {', '.join(missing)}"
        )
    return body


@cache
def _code() -> dict[str, str | None]:
    """Version of the package, and the commit when it runs from a checkout of its own repository."""
    root = Path(__file__).resolve().parents[3]
    commit = None
    if (root / ".git").exists() and (root / "src" / "xinglin").is_dir():
        commit = _git(root, "rev-parse", "HEAD")
        if commit and _git(root, "status", "--porcelain", "--", "src"):
            commit += "+"  # the code that ran is not the code of that commit
    return {"version": __version__, "commit": commit}


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
