"""Every diagnosis figure in one command: figures, floors, intervals, reliability and risk-coverage plots.

    python -m benchmarks scoreboard [--only SET]

Writes ``docs/results/SET.json`` (what ``xinglin evaluate SET --json`` prints), the plots beside it, what was
compared in ``docs/results/scoreboard.json``, and the page ``docs/results/scoreboard.md``. A run that is interrupted
goes on after the sets that it has done, if nothing of the code or the model changed since; ``--only`` does some
sets again and leaves the others as they are. A set that fails is reported, and the others are done; it can be
repeated with ``--only``.

Parts that are scored are fixed: a fifth by SHA-256 (``train.corpus.reported``) of the question for texts, of the
case's id for dialogues, of the disease's name for xywy-exams; the even half for ai-hospital and dxbench. Nothing
that the package ships was trained on them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._line import Line
from benchmarks._machine import machine
from benchmarks.diagnosis_sets import SETS, absent, lines_of

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.evaluate.row import Evaluation

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
PARTS = (
    *("dxy", "mz4", "mz10", "ai-hospital", "dxbench", "xywy-exams"),
    *("toyhom-department", "toyhom-disease", "dxy-text", "mz10-text"),
)
QUICK = ("dxy-text",)
QUICK_ROWS = 60
SEED = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A set: its file below the data folder, and how it is split."""

    path: str
    held: Callable[[Mapping[str, Any]], bool] | None
    """Rows that are scored; ``None``: all, the evaluation itself splits."""
    learns: bool
    """Whether the rows that are not scored are the training file."""


def parts() -> dict[str, Part]:
    """Return every set."""
    from xinglin.apps.diagnosis.evaluate.hospital import reported as even
    from xinglin.apps.diagnosis.evaluate.text_sets import TEXT_SETS

    found = {name: Part(which.path, _by(which.key), which.key is not None) for name, which in SETS.items()}
    found["ai-hospital"] = Part(SETS["ai-hospital"].path, even, False)
    found |= {name: Part(which.path, _by(which.key), True) for name, which in TEXT_SETS.items()}
    return {name: found[name] for name in PARTS}


def _by(key: str | None) -> Callable[[Mapping[str, Any]], bool] | None:
    from xinglin.train.corpus import reported

    return None if key is None else lambda row: reported(str(row[key]))


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if quick:
        with tempfile.TemporaryDirectory() as folder:
            return _measured(only or QUICK, data, Path(folder), quick=True)[0]
    if only:
        return _measured(only, data, RESULTS)[0]
    state = _State.open(data)
    lines = {name: _kept(name) for name in PARTS if name in state.done}
    if lines:
        print(f"going on after: {', '.join(lines)}", file=sys.stderr)
    for name in PARTS:
        if name not in lines:
            lines[name], done = _measured([name], data, RESULTS)
            if done:
                state.add(name)
    state.path.unlink(missing_ok=True)  # this run is over: the next one is new
    return [line for name in PARTS for line in lines[name]]


@dataclass
class _State:
    """Which sets an unfinished run has done, with which code and model."""

    path: Path
    key: str
    done: list[str]

    @staticmethod
    def open(data: Path) -> _State:
        from xinglin.store.home import home_folder

        path, key, done = home_folder() / "cache" / "scoreboard.json", _key(data), []
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            done = [str(name) for name in body["done"]] if body["key"] == key else []
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"{path} cannot be read, so every set is done again: {error}", file=sys.stderr)
        return _State(path, key, done)

    def add(self, name: str) -> None:
        self.done.append(name)
        _write(self.path, json.dumps({"key": self.key, "done": self.done}))


def _key(data: Path) -> str:
    """Digest of everything that decides the figures: the package's files and the sets' sizes."""
    body = hashlib.sha256()
    package = ROOT / "src" / "xinglin"
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            body.update(f"{path.relative_to(package)}\0{path.stat().st_size}\0".encode())
            body.update(path.read_bytes())
    for name, part in parts().items():
        file = data / part.path
        body.update(f"{name}\0{file.stat().st_size if file.is_file() else 'absent'}\0".encode())
    return body.hexdigest()


def _kept(name: str) -> list[Line]:
    """Return the lines of a set that an earlier, unfinished run has done."""
    from xinglin.apps.diagnosis.evaluate.row import ResultRow
    from xinglin.measure import Figure

    rows = []
    for row in json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")):
        metrics = {
            key: Figure(figure["value"], figure["low"], figure["high"], row["n"])
            for key, figure in row["metrics"].items()
        }
        rows.append(ResultRow(row["set"], row["mode"], row["arm"], row["n"], metrics, row.get("note", "")))
    return lines_of(name, rows)


def _measured(
    names: Sequence[str], data: Path, results: Path, *, quick: bool = False
) -> tuple[list[Line], bool]:
    """Score sets and write their files and the page; return the lines, and whether all could be scored."""
    from benchmarks._scoreboard_page import write_page

    lines, complete = [], True
    for name in names:
        started = time.monotonic()
        try:
            result = _evaluated(name, data, quick)
        except Exception as error:
            # Whatever goes wrong in one set must not cost the hours of the others; it is reported as a line.
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            lines.append(absent(name, f"could not be scored: {type(error).__name__}: {error}"[:300]))
            complete = False
            continue
        seconds = time.monotonic() - started
        print(f"{name}: {seconds:.0f} s", file=sys.stderr)
        _keep(name, result, results, seconds)
        lines += lines_of(name, result.rows)
    write_page(results, PARTS)
    return lines, complete


def _evaluated(name: str, data: Path, quick: bool) -> Evaluation:
    from xinglin.apps.diagnosis.evaluate import evaluate
    from xinglin.apps.diagnosis.evaluate.door import GRAPH_FILES, Request
    from xinglin.apps.diagnosis.evaluate.text_models import TextSettings
    from xinglin.errors import MissingDataError

    part = parts()[name]
    path = data / part.path
    if not path.is_file():
        raise MissingDataError(f"no file {part.path} below the data folder (XINGLIN_DATA)")
    rows = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    scored = [row for row in rows if part.held is None or part.held(json.loads(row))]
    learnt = [row for row in rows if part.held is not None and not part.held(json.loads(row))]
    if quick:  # a check that it runs shows no figure of the part that is reported
        scored, learnt = learnt[QUICK_ROWS : QUICK_ROWS + 12], learnt[:QUICK_ROWS]
    graphs = {key: data / where for key, where in GRAPH_FILES.items() if (data / where).is_file()}
    settings = TextSettings(folds=2, epochs=(0.5,), threads=1) if quick else None
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("XINGLIN_DATA")
        if quick:  # no imported graph: it takes long to compile
            graphs, os.environ["XINGLIN_DATA"] = {}, folder
        try:
            files = {"scored": scored} | ({"train": learnt} if part.learns else {})
            for stem, content in files.items():
                Path(folder, f"{stem}.jsonl").write_text("\n".join(content) + "\n", encoding="utf-8")
            request = Request(
                name,
                Path(folder, "scored.jsonl"),
                Path(folder, "train.jsonl") if part.learns else None,
                graphs or None,
                SEED,
                settings=settings,
                report=_say(),
            )
            return evaluate(request)
        finally:
            if before is None:
                os.environ.pop("XINGLIN_DATA", None)
            else:
                os.environ["XINGLIN_DATA"] = before


def _say() -> Callable[[str, float], None]:
    """Say once what is done now."""
    said: set[str] = set()

    def report(what: str, share: float) -> None:
        if what not in said:
            said.add(what)
            print(f"  {what}", file=sys.stderr)

    return report


def _keep(name: str, result: Evaluation, results: Path, seconds: float) -> None:
    """Write rows, plots and remarks of a set."""
    from xinglin.apps.diagnosis.evaluate.reliability import reliability_svg, risk_svg

    rows = [row.as_json() for row in result.rows]
    _write(results / f"{name}.json", json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    calibrated = {(row.mode, row.arm) for row in result.rows if "nll" in row.metrics}
    cases = [case for case in result.cases if (case.mode, case.arm) in calibrated]
    if cases:
        _write(results / f"{name}-reliability.svg", reliability_svg(name, cases))
        _write(results / f"{name}-risk.svg", risk_svg(name, cases))
    path = results / "scoreboard.json"
    about = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    about[name] = {
        "remarks": result.remarks,
        "seconds": round(seconds),
        "seed": SEED,
        "code": _commit(),
        "model": _model(),
        "machine": machine(),
        "plots": bool(cases),
    }
    _write(path, json.dumps(about, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _model() -> str:
    """Return the id of the shipped checkpoint."""
    from xinglin.errors import XinglinError

    try:
        from xinglin.model.checkpoint import verify_checkpoint
        from xinglin.model.shipped import shipped_folder

        return str(verify_checkpoint(shipped_folder()).id)
    except (ImportError, XinglinError) as error:
        return f"none ({error})"
