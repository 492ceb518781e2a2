"""The WebAssembly runtime beside this file: fetched once, where the wheel is built; never at run time.

``python -m xinglin.serve.edge.fetch`` takes the packages of ``runtime.lock.json`` with ``npm pack`` and ``pip
download`` and keeps only the files that a tab needs. Nothing is trusted for where it came from: every npm archive
must have the SHA-512 of the lock, every kept file its SHA-256. NumPy for WebAssembly is published by the Pyodide
project outside the registries that a closed build machine reaches, so the wheel is taken out of a package that
carries it; its SHA-256 is the one that Pyodide's own ``pyodide-lock.json`` names, so the carrier need not be
trusted, and any other copy will do (``--numpy FILE``).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from xinglin.errors import CheckpointError, MissingDataError, MissingProgramError

HERE = Path(__file__).parent
LOCK = HERE / "runtime.lock.json"
RUNTIME = HERE / "runtime"
COMMAND = "python -m xinglin.serve.edge.fetch"
SECONDS = 900
MAX_FILE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class RuntimeFile:
    """One file of the runtime."""

    name: str
    """As it lies in ``runtime/``."""
    sha256: str
    package: str
    license: str
    source: str


def read_lock() -> dict[str, Any]:
    """Return the content of ``runtime.lock.json``."""
    lock: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))
    return lock


def runtime_files() -> tuple[RuntimeFile, ...]:
    """Return every file that the runtime consists of."""
    lock = read_lock()
    files = [
        RuntimeFile(
            member.rpartition("/")[2], digest, f"{p['name']} {p['version']}", p["license"], p["source"]
        )
        for p in lock["npm"]
        for member, digest in p["files"].items()
    ]
    files += [
        RuntimeFile(p["file"], p["sha256"], f"{p['name']} {p['version']}", p["license"], p["source"])
        for p in lock["wheels"]
    ]
    return tuple(files)


def check_runtime(folder: Path = RUNTIME) -> tuple[RuntimeFile, ...]:
    """Return the files of a complete runtime.

    Raises:
        MissingDataError: a file is absent; names the command that fetches it.
        CheckpointError: a file is not the one that the lock names.
    """
    files = runtime_files()
    missing = [item.name for item in files if not (folder / item.name).is_file()]
    if missing:
        raise MissingDataError(
            f"浏览器运行时未随此安装提供 the browser's runtime is not part of this installation: expected "
            f"{len(files)} files, missing {', '.join(missing)}. Fetch them once, where a package registry is "
            f"reached: {COMMAND}"
        )
    for item in files:
        if _sha256(folder / item.name) != item.sha256:
            raise CheckpointError(
                f"{item.name}: not the file of {LOCK.name} (another SHA-256): delete it and fetch it again: {COMMAND}"
            )
    return files


def fetch(folder: Path = RUNTIME, numpy: Path | None = None) -> tuple[RuntimeFile, ...]:
    """Fetch what is missing of the runtime, check all of it, and return its files.

    Args:
        folder: where it is to lie.
        numpy: a copy of the NumPy wheel; ``None`` takes it from the package that the lock names.

    Raises:
        MissingProgramError: there is no npm.
        MissingDataError: a registry did not give a package.
        CheckpointError: what came is not what the lock names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = read_lock()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        for package in lock["npm"]:
            wanted = {name.rpartition("/")[2]: name for name in package["files"]}
            if all((folder / name).is_file() for name in wanted):
                continue
            archive = _npm(package, work)
            with tarfile.open(archive) as opened:
                for name, member in wanted.items():
                    found = opened.extractfile(f"package/{member}")
                    _keep(found, folder / name, package["files"][member])
        for wheel in lock["wheels"]:
            target = folder / wheel["file"]
            if target.is_file():
                continue
            if numpy is not None:
                with numpy.open("rb") as copy:
                    _keep(copy, target, wheel["sha256"])
            else:
                with zipfile.ZipFile(_pip(wheel["carrier"], work)) as outer:
                    if wheel["member"] not in outer.namelist():
                        raise CheckpointError(
                            f"{wheel['carrier']} no longer holds {wheel['file']}: give a copy of it with --numpy FILE"
                        )
                    with outer.open(wheel["member"]) as inner:
                        _keep(inner, target, wheel["sha256"])
    return check_runtime(folder)


def _npm(package: dict[str, Any], work: Path) -> Path:
    program = shutil.which("npm")
    if program is None:
        raise MissingProgramError(
            "npm was not found: the browser's runtime is fetched with it; install Node.js (18 or newer) and run "
            f"{COMMAND} again"
        )
    name = f"{package['name']}@{package['version']}"
    before = set(work.glob("*.tgz"))
    _run([program, "pack", name, "--silent"], work, name)
    made = set(work.glob("*.tgz")) - before
    if len(made) != 1:
        raise MissingDataError(f"npm pack {name}: expected one archive, got {len(made)}")
    archive = made.pop()
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != package["integrity"]:
        raise CheckpointError(f"{name}: the archive's SHA-512 is not the one of {LOCK.name}: it is not used")
    return archive


def _pip(requirement: str, work: Path) -> Path:
    into = work / "carrier"
    asked = ["download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(into), requirement]
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *asked], work, requirement)
    found = list(into.glob("*.whl"))
    if len(found) != 1:
        raise MissingDataError(f"pip download {requirement}: expected one wheel, got {len(found)}")
    return found[0]


def _run(command: Sequence[str], cwd: Path, what: str) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise MissingDataError(f"{what}: no answer within {SECONDS} s: try again") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
        raise MissingDataError(f"{what}: the registry did not give it ({said}): try again when it is reached")


def _keep(source: IO[bytes] | None, target: Path, sha256: str) -> None:
    """Write one member whole or not at all."""
    content = source.read(MAX_FILE + 1) if source is not None else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(f"{target.name}: not the file of {LOCK.name} (another SHA-256): it is not used")
    part = target.with_name(target.name + ".part")
    part.write_bytes(content)
    part.replace(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Fetch the runtime and say what was kept."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="取浏览器运行时 Fetch the browser's runtime.")
    parser.add_argument("--numpy", type=Path, help="NumPy 的 WebAssembly 轮子 a copy of the NumPy wheel")
    files = fetch(numpy=parser.parse_args(arguments).numpy)
    size = sum((RUNTIME / item.name).stat().st_size for item in files)
    print(f"浏览器运行时 runtime: {len(files)} files, {size / 2**20:.1f} MB in {RUNTIME.name}/")


if __name__ == "__main__":
    main()
