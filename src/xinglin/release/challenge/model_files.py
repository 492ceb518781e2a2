"""A model that is entered: a folder or a zip of a few known files, looked through before anything is loaded.

Taken are a text classifier as plain ``transformers`` writes it (``model.safetensors``) or ONNX (``model.onnx``), each
with ``config.json`` (``id2label`` names the challenge's labels) and ``tokenizer.json``. Never code, never a pickle.
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.decode import decode_json
from xinglin.release.challenge.onnx_check import check_onnx
from xinglin.store.keys import canonical_json, digest

NEEDED = ("config.json", "tokenizer.json")
WEIGHTS = ("model.onnx", "model.safetensors")
IGNORED = (
    *("tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt"),
    *("manifest.json", "calibration.json", "README.md", "curves.png", "LICENSE", "added_tokens.json"),
)
"""Files that may lie beside and are not read."""
ARCHITECTURES = frozenset(
    f"{name}ForSequenceClassification"
    for name in (
        *("Albert", "Bert", "BigBird", "Camembert", "DebertaV2", "DistilBert", "Electra", "Ernie", "Funnel"),
        *("MPNet", "MobileBert", "ModernBert", "RoFormer", "Roberta", "SqueezeBert", "XLMRoberta"),
    )
)
"""Text encoders of ``transformers`` that may be loaded."""
MAX_SMALL = 64 << 20
MAX_RATIO = 200
"""A file that unpacks to more than so many times its packed size is a bomb, not weights."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that may be evaluated."""

    folder: Path
    kind: Literal["onnx", "safetensors"]
    labels: tuple[str, ...]
    """Label of each output."""
    digest: str
    """SHA-256 over names and SHA-256 of the files that are read."""


def unpack(archive: Path, folder: Path, model_mib: int) -> None:
    """Unpack a zip of model files, and nothing else, into an empty folder.

    Raises:
        InvalidInputError: not a zip, a file that is not taken, a path, a link, a name twice, a file that lies about its
            size.
        InputTooLargeError: more than ``model_mib``, or packed beyond belief.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            _check_names([entry.filename for entry in entries])
            if any(stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1 for entry in entries):
                raise InvalidInputError("zip: links and encrypted files are not taken")
            if sum(entry.file_size for entry in entries) > model_mib * MIB:
                raise InputTooLargeError(f"zip: at most {model_mib} MiB unpacked")
            if any(entry.file_size > MAX_RATIO * max(entry.compress_size, 1) + MIB for entry in entries):
                raise InputTooLargeError("zip: a file unpacks to far more than it is packed")
            for entry in entries:
                with packed.open(entry) as source, (folder / entry.filename).open("xb") as target:
                    left = entry.file_size
                    while chunk := source.read(MIB):
                        left -= len(chunk)
                        if left < 0:
                            raise InvalidInputError("zip: a file is larger than it says")
                        target.write(chunk)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise InvalidInputError(f"zip: it cannot be read: {error}") from None


def check_model(folder: Path, challenge_labels: tuple[str, ...], model_mib: int) -> ModelFiles:
    """Look a folder through.

    Args:
        folder: of the model.
        challenge_labels: that the outputs may name.
        model_mib: MiB that all files may have together.

    Raises:
        InvalidInputError: a file that is not taken or lacks, an architecture that is none of the standard ones, labels
            that are not the challenge's.
        InputTooLargeError: too large.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    _check_names([path.name for path in paths])
    if any(path.is_symlink() or not path.is_file() for path in paths):
        raise InvalidInputError("model: expected plain files; links and folders are not taken")
    sizes = {path.name: path.stat().st_size for path in paths}
    if sum(sizes.values()) > model_mib * MIB:
        raise InputTooLargeError(f"model: at most {model_mib} MiB")
    weights = [name for name in WEIGHTS if name in sizes]
    missing = [name for name in NEEDED if name not in sizes]
    if len(weights) != 1 or missing:
        raise InvalidInputError(
            f"model: expected {', '.join(NEEDED)} and one of {', '.join(WEIGHTS)}; got {', '.join(sizes) or 'nothing'}"
        )
    for name in NEEDED:
        if sizes[name] > MAX_SMALL:
            raise InputTooLargeError(f"{name}: at most {MAX_SMALL} bytes")
    config = decode_json((folder / "config.json").read_bytes(), "config.json")
    labels = _labels(config, challenge_labels)
    if weights[0] == "model.onnx":
        check_onnx((folder / "model.onnx").read_bytes())
    else:
        _check_standard(config)
    told = [[name, _sha256(folder / name)] for name in sorted((*NEEDED, *weights))]
    kind: Literal["onnx", "safetensors"] = "onnx" if weights[0] == "model.onnx" else "safetensors"
    return ModelFiles(folder, kind, labels, digest(canonical_json(told)))


def _check_names(names: list[str]) -> None:
    known = (*NEEDED, *WEIGHTS, *IGNORED)
    for name in names:
        if name not in known:
            shown = name[:60].encode("ascii", "replace").decode()
            raise InvalidInputError(
                f"model: {shown!r} is not taken: expected {', '.join((*NEEDED, *WEIGHTS))} without folders; "
                "code, pickles and paths are never read"
            )
    if len(set(names)) < len(names):
        raise InvalidInputError("model: a file comes twice")


def _check_standard(config: dict[str, Any]) -> None:
    """Refuse what is no standard architecture: it would need code of its own."""
    architectures = config.get("architectures")
    known = isinstance(architectures, list) and len(architectures) == 1 and architectures[0] in ARCHITECTURES
    if not known or any(key in config for key in ("auto_map", "custom_pipelines", "quantization_config")):
        raise InvalidInputError(
            "config.json: expected one standard architecture of transformers, e.g. BertForSequenceClassification, "
            "without code, maps or quantisation of its own"
        )


def _labels(config: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    told = config.get("id2label") if isinstance(config, dict) else None
    if not isinstance(told, dict) or not told or len(told) > len(known):
        raise InvalidInputError("config.json: expected id2label with the challenge's labels")
    labels = [told.get(str(number)) for number in range(len(told))]
    if any(label not in known for label in labels) or len(set(labels)) < len(labels):
        raise InvalidInputError(
            "config.json: id2label: expected labels of the challenge, numbered from 0, each once"
        )
    return tuple(str(label) for label in labels)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
