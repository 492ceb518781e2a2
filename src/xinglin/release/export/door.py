"""The door: export, probe, gate, seal, ledger. What falls short is not written, and the ledger says that it was refused."""

from __future__ import annotations

import math
from pathlib import Path

from xinglin.errors import GateClosedError, InvalidInputError, MissingExtraError
from xinglin.ledger import append
from xinglin.model.checkpoint import MANIFEST
from xinglin.model.parts import WEIGHTS
from xinglin.model.quantisation import FILE as GRIDS
from xinglin.model.saving import saving
from xinglin.model.weights import read_header
from xinglin.release.export.package import EXPORT, copy_beside, seal_export
from xinglin.release.export.probe import Feed, ProbeReport, alternate, report, require_pass
from xinglin.release.export.probe_sets import default_probe, labelled_probe
from xinglin.release.export.targets import Target
from xinglin.release.export.targets import target as target_of
from xinglin.store import Store

MADE = "model.export"
REFUSED = "model.export.refused"


def export_model(
    folder: Path,
    to: str,
    out: Path,
    *,
    store: Store,
    actor: str = "cli",
    probe: Path | None = None,
    calibrate: Path | None = None,
) -> ProbeReport:
    """Export a checkpoint to a target, measure it beside its source, and let it out only if it passes.

    Args:
        folder: a sealed checkpoint.
        to: name of a target (``targets.TARGETS``).
        out: the folder to write; an earlier export there is replaced at once or not at all.
        store: whose ledger is written: ``model.export`` or ``model.export.refused``, with the whole report.
        actor: who exports.
        probe: labelled texts of one's own (JSON lines, text and label); ``None``: inputs that come from no patient.
        calibrate: texts (JSON lines, text) from which static INT8 scales are taken.

    Raises:
        UnknownNameError: no such target.
        InvalidInputError: the target does not take this kind of checkpoint; a probe or calibration set of a wrong shape,
            too small, or constant.
        CheckpointError: the checkpoint does not verify; an operator that the target lacks, named with its node.
        GateClosedError: the export falls short.
        MissingExtraError: a library is not installed.
    """
    chosen = target_of(to)
    _require_own(out)
    try:
        from xinglin.release.export.source import open_source
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin model export", "train") from error
    source = open_source(folder)
    chosen.require(source.kind)
    module = chosen.open()
    asked = labelled_probe(folder, probe) if probe else default_probe(folder, source.kind)
    calibration = None if calibrate is None else _calibration(folder, calibrate)
    limits = chosen.held_to(calibration is not None or (folder / GRIDS).is_file())
    with saving(out) as new:
        module.export(folder, new, calibration)
        size = sum(path.stat().st_size for path in new.iterdir())
        run, runs_on = module.runner(new)
        source_side, export_side = alternate([source.run, run], asked.feeds)
        found = report(
            to,
            source.checkpoint.id,
            asked,
            source_side,
            export_side,
            size=size,
            source_size=_bytes_of(folder),
            runs_on=runs_on,
        )
        try:
            require_pass(found, limits)
        except GateClosedError:
            _enter(store, REFUSED, chosen, found, actor)
            raise
        copy_beside(folder, new)
        seal_export(new, source.checkpoint, found, limits)
        # Before the folder takes its place: an export that could not be entered is not let out.
        _enter(store, MADE, chosen, found, actor)
    return found


def _enter(store: Store, action: str, chosen: Target, found: ProbeReport, actor: str) -> None:
    detail = {
        key: value if not isinstance(value, float) or math.isfinite(value) else str(value)
        for key, value in found.as_json().items()
    }
    with store.write() as connection:
        append(
            connection,
            action,
            actor=actor,
            subjects=(found.checkpoint,),
            detail={"to": chosen.name, **detail},
        )


def _require_own(out: Path) -> None:
    """Only an earlier export is replaced, never a folder of somebody's own."""
    if out.is_dir() and any(out.iterdir()) and not (out / EXPORT).is_file():
        what = "a checkpoint" if (out / MANIFEST).is_file() else "no export"
        raise InvalidInputError(f"{out}: is there already and is {what}: choose another folder (--out)")


def _calibration(folder: Path, path: Path) -> tuple[Feed, ...]:
    from xinglin.graph.importers import read_lines
    from xinglin.release.export.probe_sets import text_feeds

    texts = []
    for number, row in read_lines(path):
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            raise InvalidInputError(f"{path.name}:{number}: expected text: words")
        texts.append(text)
    return text_feeds(folder, texts)


def _bytes_of(folder: Path) -> int:
    return 4 * sum(math.prod(tensor.shape) for tensor in read_header(folder / WEIGHTS).values())
