"""What a sealed folder is, and that nothing else passes for one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.text_models import word_checkpoint
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.checkpoint import (
    MANIFEST,
    amending,
    reseal_checkpoint,
    seal_checkpoint,
    verify_checkpoint,
)
from xinglin.model.parts import check_parts
from xinglin.model.tokenizer import save_tokenizer, train_tokenizer
from xinglin.model.weights import MAX_HEADER

LABELS = ("感冒", "肺炎", "偏头痛")
DATA = [{"name": "open set", "sha256": "0" * 64, "records": 7, "licence": "MIT", "weak": True}]
SEAL = {"name": "words", "kind": "classifier", "data": DATA, "settings": {}, "seeds": [0], "metrics": {}}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return word_checkpoint(tmp_path_factory.mktemp("checkpoints") / "words", LABELS)


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A checkpoint to damage."""
    copy = tmp_path / "words"
    shutil.copytree(original, copy)
    return copy


def manifest(folder: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    return body


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    body = json.loads(path.read_text("utf-8"))
    change(body)
    path.write_text(json.dumps(body, ensure_ascii=False), "utf-8")


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_sealed_folder_verifies_and_its_id_follows_from_its_parts(folder: Path) -> None:
    sealed = seal_checkpoint(folder, **SEAL, parents=["a"], limits="none known")
    assert verify_checkpoint(folder) == sealed
    body = manifest(folder)
    assert body["files"] == {
        path.name: sha(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST
    }
    core = {
        "weights": sha(folder / "model.safetensors"),
        "config": sha(folder / "config.json"),
        "tokenizer": sha(folder / "tokenizer.json"),
        "data": DATA,
    }
    text = json.dumps(core, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert body["id"] == sealed.id == hashlib.sha256(text.encode()).hexdigest()
    assert body["parents"] == ["a"]
    assert body["code"]["version"]
    assert sealed.path == str(folder)


def test_derived_files_change_the_manifest_and_not_the_id(folder: Path) -> None:
    before = verify_checkpoint(folder)
    with amending(folder) as new:
        (new / "calibration.json").write_text("{}")
    after = verify_checkpoint(folder)
    assert after.id == before.id
    assert set(after.manifest["files"]) - set(before.manifest["files"]) == {"calibration.json"}
    with pytest.raises(ZeroDivisionError), amending(folder) as new:
        (new / "calibration.json").write_text(str(1 // 0))
    assert (folder / "calibration.json").read_text() == "{}"


def test_another_model_cannot_be_sealed_as_the_same(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="seal it as a new checkpoint"):
        reseal_checkpoint(folder)
    old = manifest(folder)["id"]
    assert seal_checkpoint(folder, **SEAL).id != old
    verify_checkpoint(folder)


def header(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the header of the weights and nothing else."""
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    body = json.loads(raw[8 : 8 + length])
    change(body)
    text = json.dumps(body).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def cut(folder: Path, name: str, count: int) -> None:
    raw = (folder / name).read_bytes()
    (folder / name).write_bytes(raw[:count])


def announce(folder: Path, length: int, size: int) -> None:
    """A sparse file whose header is announced to be of that length."""
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", length))
        file.truncate(size)


def other_tokenizer(folder: Path, size: int) -> None:
    save_tokenizer(train_tokenizer(["腹痛腹泻三天 rash and fever 皮疹发热两周"] * 50, 300), folder)
    body = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    vocab = body["model"]["vocab"]
    vocab |= {f"unused{i}": i for i in range(len(vocab), size)}
    (folder / "tokenizer.json").write_text(json.dumps(body, ensure_ascii=False), "utf-8")


def size_of_vocabulary(folder: Path) -> int:
    size: int = json.loads((folder / "config.json").read_text("utf-8"))["vocab_size"]
    return size


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


HEAD, WORDS = "classifier.weight", "model.embeddings.tok_embeddings.weight"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights changed": (lambda f: flip(f / "model.safetensors"), "model.safetensors is not the file that was sealed"),
    "onnx changed": (lambda f: flip(f / "model.onnx"), "model.onnx is not the file that was sealed"),
    "weights truncated": (lambda f: cut(f, "model.safetensors", -9), "model.safetensors: truncated"),
    "weights cut in the header": (lambda f: cut(f, "model.safetensors", 60), "truncated: 60 bytes"),
    "weights of 3 bytes": (lambda f: cut(f, "model.safetensors", 3), "truncated: 3 bytes"),
    "weights empty": (lambda f: cut(f, "model.safetensors", 0), "truncated: 0 bytes"),
    "header of absurd length": (lambda f: announce(f, 2**63, 4096), "truncated"),
    "header too long": (lambda f: announce(f, MAX_HEADER + 1, MAX_HEADER + 4096), "header of at most"),
    "header no JSON": (lambda f: announce(f, 64, 4096), "header is no JSON"),
    "offsets lie": (
        lambda f: header(f, lambda h: h[HEAD].update(data_offsets=[0, 2**40])),
        "classifier.weight.*the header lies",
    ),
    "offsets overlap": (
        lambda f: header(f, lambda h: h[WORDS].update(data_offsets=[i - 4 for i in h[WORDS]["data_offsets"]])),
        "the header lies about offsets",
    ),
    "offsets negative": (lambda f: header(f, lambda h: h[HEAD].update(data_offsets=[-4, 380])), "expected two offsets"),
    "shape lies": (lambda f: header(f, lambda h: h[HEAD].update(shape=[3, 2**40])), "the header lies"),
    "shape no list": (lambda f: header(f, lambda h: h[HEAD].update(shape="3x32")), "expected a shape"),
    "type unknown": (lambda f: header(f, lambda h: h[HEAD].update(dtype="PICKLE")), "expected a type"),
    "a tensor not named": (lambda f: header(f, lambda h: h.pop(HEAD)), "the header"),
    "config missing": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "tokenizer missing": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "listed file missing": (lambda f: (f / "model.onnx").unlink(), "model.onnx is missing"),
    "config broken": (lambda f: (f / "config.json").write_text('{"vocab_size": '), "config.json: expected JSON"),
    "config of bytes": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe{}"), "config.json: expected JSON in UTF-8"),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), "config.json: expected a JSON object"),
    "config endless": (lambda f: (f / "config.json").write_text("[" * 200_000), "nested too deep"),
    "config with NaN": (lambda f: (f / "config.json").write_text('{"a": NaN}'), "NaN is no number"),
    "config too large": (lambda f: os.truncate(f / "config.json", 2**24), "config.json: expected at most"),
    "config asks for code": (
        lambda f: rewrite(f / "config.json", lambda c: c.update(auto_map={"AutoModel": "evil.py"})),
        "carries no code",
    ),
    "vocabulary absurd": (
        lambda f: rewrite(f / "config.json", lambda c: c.update(vocab_size=10**12)),
        "vocab_size: expected 1 to",
    ),
    "labels of another head": (
        lambda f: rewrite(f / "config.json", lambda c: c["id2label"].pop("2")),
        "id2label names 2 classes, the head in model.safetensors has 3",
    ),
    "tokenizer of another size": (lambda f: other_tokenizer(f, 0), "tokenizer of another model"),
    "tokenizer of the same size": (
        lambda f: other_tokenizer(f, size_of_vocabulary(f)),
        "tokenizer.json is not the file that was sealed.*comes from another model",
    ),
    "tokenizer without vocabulary": (
        lambda f: (f / "tokenizer.json").write_text('{"model": {}}'),
        "tokenizer.json: expected model.vocab",
    ),
    "manifest missing": (lambda f: (f / MANIFEST).unlink(), "manifest.json is missing"),
    "manifest broken": (lambda f: cut(f, MANIFEST, 100), "manifest.json: expected JSON"),
    "manifest too large": (lambda f: os.truncate(f / MANIFEST, 2**24), "manifest.json: expected at most"),
    "manifest of tomorrow": (lambda f: rewrite(f / MANIFEST, lambda m: m.update(format=2)), "use a newer xinglin"),
    "manifest without data": (lambda f: rewrite(f / MANIFEST, lambda m: m.pop("data")), "expected 'data'"),
    "manifest reaches out": (
        lambda f: rewrite(f / MANIFEST, lambda m: m["files"].update({"../words/config.json": "0" * 64})),
        "no file name for a checkpoint",
    ),
    "manifest with a root path": (
        lambda f: rewrite(f / MANIFEST, lambda m: m["files"].update({"/etc/passwd": "0" * 64})),
        "no file name for a checkpoint",
    ),
    "manifest with a backslash": (
        lambda f: rewrite(f / MANIFEST, lambda m: m["files"].update({"..\\x.json": "0" * 64})),
        "no file name for a checkpoint",
    ),
    "digest no digest": (
        lambda f: rewrite(f / MANIFEST, lambda m: m["files"].update({"config.json": "yes"})),
        "expected a SHA-256",
    ),
    "id edited": (lambda f: rewrite(f / MANIFEST, lambda m: m.update(id="0" * 64)), "id does not follow"),
    "data edited": (
        lambda f: rewrite(f / MANIFEST, lambda m: m["data"].append({"name": "more"})),
        "id does not follow",
    ),
    "weights not listed": (
        lambda f: rewrite(f / MANIFEST, lambda m: m["files"].pop("model.safetensors")),
        "missing model.safetensors",
    ),
    "a file that nobody lists": (lambda f: (f / "model.int8.onnx").write_bytes(b"x"), "nobody vouches for it"),
    "a pickle": (lambda f: (f / "pytorch_model.bin").write_bytes(b"x"), "no code and no pickles"),
    "code": (lambda f: (f / "modeling.py").write_text("print('run')"), "no code and no pickles"),
    "a folder in it": (lambda f: (f / "more").mkdir(), "a checkpoint is flat"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(folder: Path, damage: str) -> None:
    act, expected = DAMAGE[damage]
    act(folder)
    with pytest.raises(CheckpointError, match=expected):
        verify_checkpoint(folder)


def test_links_and_pipes_are_no_files(folder: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.json"
    (folder / "config.json").rename(real)
    (folder / "config.json").symlink_to(real)
    with pytest.raises(CheckpointError, match=r"config\.json must be a plain file"):
        verify_checkpoint(folder)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")  # opening it would wait for ever
    with pytest.raises(CheckpointError, match=r"config\.json must be a plain file"):
        verify_checkpoint(folder)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is none"):
        verify_checkpoint(tmp_path / "absent")


@pytest.mark.parametrize(
    ("key", "token"), [("pad_token_id", "[PAD]"), ("cls_token_id", "[CLS]"), ("sep_token_id", "[SEP]")]
)
def test_special_tokens_agree_without_any_manifest(folder: Path, key: str, token: str) -> None:
    (folder / MANIFEST).unlink()
    check_parts(folder)
    rewrite(folder / "config.json", lambda config: config.update({key: 7}))
    with pytest.raises(CheckpointError, match=rf"\{token[:-1]}\] has the id .* another model"):
        check_parts(folder)
    with pytest.raises(CheckpointError, match="another model"):
        verify_checkpoint(folder)


def test_a_vocabulary_may_be_rounded_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    rounded = -(-len(weights[WORDS]) // 64) * 64
    weights[WORDS] = np.resize(weights[WORDS], (rounded, weights[WORDS].shape[1]))
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="weights and configuration are of different models"):
        check_parts(folder)
    rewrite(folder / "config.json", lambda config: config.update(vocab_size=rounded))
    check_parts(folder)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"metrics": {"loss": float("nan")}}, "without NaN"),
        ({"settings": {"path": Path("x")}}, "values of JSON"),
        ({"kind": "oracle"}, "kind: expected one of encoder, classifier"),
    ],
)
def test_what_cannot_be_sealed(folder: Path, change: dict[str, Any], expected: str) -> None:
    before = (folder / MANIFEST).read_bytes()
    with pytest.raises(InvalidInputError, match=expected):
        seal_checkpoint(folder, **SEAL | change)
    assert (folder / MANIFEST).read_bytes() == before


def test_an_encoder_is_no_classifier(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights[HEAD]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"a classifier needs classifier\.weight"):
        seal_checkpoint(folder, **SEAL)
    seal_checkpoint(folder, **SEAL | {"kind": "encoder"})
    assert verify_checkpoint(folder).manifest["kind"] == "encoder"


def test_a_replacement_that_was_cut_off_is_healed_when_opened(folder: Path) -> None:
    folder.rename(folder.with_name(".words.previous"))
    assert verify_checkpoint(folder).manifest["name"] == "words"
    assert folder.is_dir()


def test_verifying_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from xinglin.model.checkpoint import verify_checkpoint\n"
        "verify_checkpoint(Path(sys.argv[1]))\n"
        "print([m for m in ('torch', 'transformers', 'onnxruntime', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
