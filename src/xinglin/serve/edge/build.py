"""Write the folder that diagnoses in a browser: page, runtime, package, text model, and a list of digests.

``edge.json`` names every file with its SHA-256; its own SHA-256 is the version, and stands in the two files that
are not in the list (``index.html`` and ``sw.js``). The page's worker checks every file before it runs anything, the
service worker before it keeps anything, so a file that was cut short or altered is named and never run.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xinglin
from xinglin.apps.diagnosis.differential import PACK_FILE, Differential, EngineName, load_differential
from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.ledger import append
from xinglin.model.runtime import FILES, TextClassifier
from xinglin.model.shipped import shipped_folder
from xinglin.model.tokenizer import CONFIG as TOKENIZER_CONFIG
from xinglin.model.tokenizer import FILE as TOKENIZER
from xinglin.serve.edge.fetch import RUNTIME, RuntimeFile, check_runtime
from xinglin.serve.edge.tab import PROFILE, SETTINGS
from xinglin.store import open_store
from xinglin.types import DISCLAIMER

FORMAT = 1
MANIFEST = "edge.json"
PAGE = Path(__file__).parent / "page"
VERSIONED = ("index.html", "sw.js")
"""Files that carry the version, and so cannot be in the list that it is the digest of."""
PACKAGE = "xinglin.zip"
CARRIED = (
    "__init__.py",
    "errors.py",
    "types.py",
    "apps/__init__.py",
    "apps/diagnosis/*.py",
    "apps/diagnosis/conformance/*",
    "explain/*.py",
    "graph/*.py",
    "graph/starter/*",
    "measure/*.py",
    "model/*.py",
    "records/__init__.py",
    "records/decode.py",
    "serve/__init__.py",
    "serve/edge/__init__.py",
    "serve/edge/tab.py",
    "terms/*.py",
    "terms/vocabulary/*",
)
"""What of the package runs in the tab; a module that needs more than NumPy is carried and never imported there."""
OF_TEXT_MODEL = ("onnxruntime-web ", "@huggingface/tokenizers ")
"""Packages of the runtime that a folder without a text model leaves out."""
LARGEST = 60 * 2**20
"""Bytes that a package for one clinic may have."""


@dataclass(frozen=True, slots=True)
class EdgeFolder:
    """A folder that was written."""

    path: Path
    version: str
    """SHA-256 of ``edge.json``, 64 hex digits."""
    size: int
    """Bytes of all files."""
    files: int


def write_edge(
    out: Path,
    *,
    model: Path | None = None,
    profile: Path | None = None,
    engine: EngineName | None = None,
    runtime: Path = RUNTIME,
) -> EdgeFolder:
    """Write the folder; needs no network.

    Args:
        out: a new or empty folder, or one that an earlier call wrote, which is replaced.
        model: a model folder, as for ``xinglin diagnose --model``; ``None`` is the starter graph with the shipped
            text model.
        profile: TOML of the clinic's profile.
        engine: what answers; ``None`` as for ``xinglin diagnose``.
        runtime: where the WebAssembly runtime lies.

    Raises:
        MissingDataError: the runtime is not part of this installation (names the command), or there is no such model.
        CheckpointError: a runtime file or the text model is damaged.
        ConfigurationError: the folder would be larger than 60 MB.
        InvalidInputError: ``out`` holds something else.
    """
    kept = check_runtime(runtime)
    differential = load_differential(model, profile, engine)
    _may_replace(out)
    new = out.with_name(f".{out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    (new / "runtime").mkdir(parents=True)
    try:
        encoder = _write_encoder(differential, new)
        if encoder is None:
            kept = tuple(item for item in kept if not item.package.startswith(OF_TEXT_MODEL))
        for item in kept:
            shutil.copyfile(runtime / item.name, new / "runtime" / item.name)
        _write_package(new / PACKAGE, settings_of(differential, encoder), model, profile)
        (new / "NOTICE.md").write_text(_notice(kept), encoding="utf-8")
        for page in sorted(PAGE.iterdir()):
            if page.name not in VERSIONED:
                shutil.copyfile(page, new / page.name)
        version = _write_manifest(new, differential, encoder, kept)
        filled = {
            "@EDGE_VERSION@": version,
            "@DISCLAIMER_ZH@": DISCLAIMER["zh"],
            "@DISCLAIMER_EN@": DISCLAIMER["en"],
        }
        for name in VERSIONED:
            text = (PAGE / name).read_text(encoding="utf-8")
            for placeholder, value in filled.items():
                text = text.replace(placeholder, value)
            (new / name).write_text(text, encoding="utf-8")
        sizes = [path.stat().st_size for path in new.rglob("*") if path.is_file()]
        if sum(sizes) > LARGEST:
            raise ConfigurationError(
                f"the folder would have {sum(sizes) / 2**20:.1f} MB, more than {LARGEST / 2**20:.0f}: give a smaller "
                "text model, or --engine graph"
            )
        shutil.rmtree(out, ignore_errors=True)
        new.rename(out)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return EdgeFolder(out, version, sum(sizes), len(sizes))


def export_web(model: str, out: Path, *, as_json: bool = False) -> EdgeFolder:
    """``xinglin model export MODEL --to web --out DIR``: write the folder, remember it, and say what it is.

    Args:
        model: a model folder, or the name of a model that comes with the package.
        out: as for :func:`write_edge`.
        as_json: print what was written as JSON.

    Raises:
        XinglinError: as :func:`write_edge`; ``UnknownNameError`` for a name that is neither.
    """
    folder = Path(model) if Path(model).is_dir() else shipped_folder(model)
    written = write_edge(out, model=folder)
    store = open_store()
    with store.write() as connection:
        append(
            connection,
            "model.export",
            actor="cli",
            detail={"to": "web", "digest": written.version, "bytes": written.size, "files": written.files},
        )
    store.close()
    if as_json:
        shown = {
            "folder": str(out),
            "version": written.version,
            "bytes": written.size,
            "files": written.files,
        }
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        print(
            f"已写入 written {out}  {written.files} files, {written.size / 1e6:.1f} MB, {written.version[:12]}"
        )
        print(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
    return written


def _may_replace(out: Path) -> None:
    """Only an earlier export is replaced, never a folder of somebody's own."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        out.parent.mkdir(parents=True, exist_ok=True)
        return
    if not out.is_dir() or not (out / MANIFEST).is_file() or not (out / "sw.js").is_file():
        raise InvalidInputError(
            f"{out} is there already and is no edge folder: move it away, or choose another (--out)"
        )


def _write_encoder(differential: Differential, new: Path) -> TextClassifier | None:
    """Copy the text model's INT8 file (else the fp32 one) and its tokenizer; ``None`` where the graph answers alone."""
    encoder = differential.encoder
    if differential.engine_name == "graph" or not isinstance(encoder, TextClassifier):
        return None
    folder = new / "model"
    folder.mkdir()
    shutil.copyfile(encoder.folder / FILES[encoder.precision], folder / "model.onnx")
    for name in (TOKENIZER, TOKENIZER_CONFIG):
        shutil.copyfile(encoder.folder / name, folder / name)
    return encoder


def settings_of(differential: Differential, encoder: TextClassifier | None) -> dict[str, Any]:
    """Return what a tab must know beside the package: the engine and the text model that answers outside Python."""
    described = None
    if encoder is not None:
        described = {
            "id": encoder.id,
            "labels": list(encoder.labels),
            "manifest": {"name": encoder.manifest.get("name", "")},
            "calibration": encoder.calibration,
            "max_length": encoder.max_length,
        }
    return {"engine": differential.engine_name, "encoder": described}


def _write_package(target: Path, settings: dict[str, Any], model: Path | None, profile: Path | None) -> None:
    """Write the package's own files and what is this folder's own, in a fixed order with a fixed date."""
    root = Path(xinglin.__file__).parent
    extra: dict[str, bytes] = {SETTINGS: json.dumps(settings, ensure_ascii=False).encode()}
    if model is not None and (model / PACK_FILE).is_file():
        extra[PACK_FILE] = (model / PACK_FILE).read_bytes()
    if profile is not None:
        extra[PROFILE] = profile.read_bytes()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _carried(root):
            _add(archive, f"xinglin/{path.relative_to(root).as_posix()}", path.read_bytes())
        for name, content in sorted(extra.items()):
            _add(archive, f"edge/{name}", content)


def _carried(root: Path) -> Iterator[Path]:
    for pattern in CARRIED:
        found = sorted(path for path in root.glob(pattern) if path.is_file())
        if not found:
            raise ConfigurationError(f"the package holds no {pattern}: it is damaged; install it again")
        yield from found


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    item = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    item.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(item, content)


def _write_manifest(
    new: Path, differential: Differential, encoder: TextClassifier | None, kept: tuple[RuntimeFile, ...]
) -> str:
    files = {
        path.relative_to(new).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(new.rglob("*"))
        if path.is_file()
    }
    wheels = [f"runtime/{item.name}" for item in kept if item.name.endswith(".whl")]
    body = {
        "format": FORMAT,
        "xinglin": xinglin.__version__,
        "pack": {"name": differential.pack.name, "version": differential.pack.version},
        "engine": differential.engine_name,
        "encoder": encoder.id if encoder is not None else None,
        "package": PACKAGE,
        "wheels": wheels,
        "files": files,
    }
    content = json.dumps(body, ensure_ascii=False, indent=1).encode() + b"\n"
    (new / MANIFEST).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _notice(kept: tuple[RuntimeFile, ...]) -> str:
    rows = dict.fromkeys((item.package, item.license, item.source) for item in kept)
    return "\n".join(
        [
            "# 第三方组件 Third-party parts",
            "",
            "Unmodified, as published; the source of each is at the address given.",
            "",
            "| package | licence | source |",
            "|---|---|---|",
            *(f"| {package} | {license_} | {source} |" for package, license_, source in rows),
            "",
            "CPython (PSF-2.0) and its standard library come inside Pyodide. Xinglin itself: Apache-2.0.",
            "",
        ]
    )
