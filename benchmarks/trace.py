"""Twenty audit questions: evidence (a falsified answer is noticed), claim (it passes) or none; Xinglin beside MLflow.

One model's life is recorded in both (``_trace_world``, ``_trace_mlflow``). Each question is asked; then whoever keeps the
tables falsifies the answer, mends every digest and hash in reach, and an auditor who holds public keys and one signed head
checks. As a control, the same mending without a falsehood must pass. *none* also means that MLflow has no place for the
answer. The third answer is MLflow's where it holds our sealed and signed checkpoint as an artifact. MLflow runs on its own
SQL store through its own client; its server would add a login, not a signature.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._line import Line

if TYPE_CHECKING:
    from benchmarks._trace_forgeries import Ours, Theirs
    from benchmarks._trace_mlflow import Logged
    from benchmarks._trace_world import World

    Copied = Callable[[Logged, Path], Logged]

GRADES = ("evidence", "claim", "none")


def run(quick: bool) -> list[Line]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from benchmarks._trace_mlflow import copied, log
    from benchmarks._trace_questions import QUESTIONS
    from benchmarks._trace_world import build

    lines, counts = [], {system: dict.fromkeys(GRADES, 0) for system in ("xinglin", "mlflow", "sealed")}
    with tempfile.TemporaryDirectory() as folder:
        world = build(Path(folder) / "world")
        logged = log(world, Path(folder) / "mlflow")
        place = Path(folder) / "forged"
        _control(world, logged, place, copied)
        asked = QUESTIONS[:6] if quick else QUESTIONS
        for number, question in enumerate(asked, start=1):
            truth = question.truth(world)
            grades = [_ours(world, question.ours, truth, place)]
            for theirs in (question.theirs, question.sealed or question.theirs):
                grades.append(_theirs(world, logged, theirs, truth, place, copied))
            for system, grade in zip(counts, grades, strict=True):
                counts[system][grade] += 1
            figure = f"Xinglin {grades[0]} · MLflow {grades[1]} · with our checkpoint {grades[2]}"
            lines.append(Line(f"{number}. {question.text}", figure, None, "", 1, note=question.note or "–"))
    names = ("Xinglin", "MLflow by hand", "MLflow with our sealed, signed checkpoint")
    heads = [
        Line(
            f"{name}: answered from evidence",
            "questions",
            counts[system]["evidence"],
            "",
            len(asked),
            note=f"{counts[system]['claim']} a claim, {counts[system]['none']} not at all",
        )
        for name, system in zip(names, counts, strict=True)
    ]
    return heads + lines


def _control(world: World, logged: Logged, place: Path, copied: Copied) -> None:
    """Mend everything without a falsehood: what an auditor would notice then would prove nothing."""
    from dataclasses import replace

    from benchmarks._trace_forgeries import rechained
    from benchmarks._trace_world import at

    shutil.copytree(world.folder, place)
    same = replace(world, folder=place)
    with at(place):
        rechained(same)
        if not _holds(same):
            raise RuntimeError("the control failed: an honest store was noticed")
    if _theirs(world, logged, (lambda *_: "", lambda *_: None), "", place, copied) != "claim":
        raise RuntimeError("the control failed: an honest MLflow was noticed")


def _ours(world: World, ours: Ours, truth: str, place: Path) -> str:
    """Ask Xinglin; falsify a copy; check it as an auditor does."""
    from dataclasses import replace

    from benchmarks._trace_world import at

    ask, forge = ours
    with at(world.folder):
        if truth not in ask(world):
            return "none"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(world.folder, place)
    forged = replace(world, folder=place)
    with at(place):
        forge(forged)
        return "claim" if _holds(forged) else "evidence"


def _holds(world: World) -> bool:
    """The auditor's checks: the chain against the kept head, the registry against the chain, the model's signature."""
    from benchmarks._trace_world import call
    from xinglin.errors import XinglinError

    try:
        # The key and the head are those of before: an auditor keeps them outside.
        call(
            *("audit", "verify", "--public-key", world.folder / "audit.pem.pub"),
            *("--head", world.folder / "head.json"),
        )
        call("model", "audit")
        call("model", "check", world.model, "--public-key", world.folder / "model.pem.pub")
    except XinglinError:
        return False
    return True


def _theirs(
    world: World, logged: Logged, theirs: Theirs | None, truth: str, place: Path, copied: Copied
) -> str:
    """Ask MLflow; falsify a copy; check what carries a signature of its own: MLflow has no check to run."""
    from benchmarks._trace_mlflow import certificate_holds, signed_folder_holds

    if theirs is None:
        return "none"
    ask, forge = theirs
    if truth not in ask(world, logged):
        return "none"
    copy = copied(logged, place)
    forge(world, copy)
    noticed = not (certificate_holds(world, copy) and signed_folder_holds(world, copy))
    return "evidence" if noticed else "claim"
