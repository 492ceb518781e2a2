"""``xinglin drugs design``: a target becomes a ranked library of new molecules."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.drugs_dock import (
    Exhaustiveness,
    Ray,
    Timeout,
    Workers,
    dockers_of,
    docking_progress,
    show_check,
)
from xinglin.cli.options import Seed
from xinglin.errors import ConfigurationError, InvalidInputError, UnknownNameError

if TYPE_CHECKING:
    from xinglin.apps.drugs.dock.known import KnownCheck
    from xinglin.apps.drugs.target.target import Target


def register(app: typer.Typer) -> None:
    """Add the verb to ``xinglin drugs``."""
    app.command("design")(design)


def design(
    target: Annotated[
        Path,
        typer.Option(
            help="结构文件,或 xinglin drugs target 写的文件夹 Structure file, or folder of a target."
        ),
    ],
    out: Annotated[Path, typer.Option(help="输出文件夹 Folder to write.")],
    reference: Annotated[
        str | None,
        typer.Option(
            help="参考配体:文件,或结构中的残基 Reference ligand: a file, or a residue of the structure."
        ),
    ] = None,
    calls: Annotated[int, typer.Option(min=1, help="最多打分多少个分子 Molecules scored at most.")] = 3000,
    check: Annotated[
        Path | None, typer.Option(help="先对接的已知活性/非活性 CSV Known actives and decoys, docked first.")
    ] = None,
    toxicity: Annotated[
        Path | None,
        typer.Option(help="毒性模型文件夹,默认随包 Folder of the toxicity models; empty: the shipped ones."),
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(help="先验模型文件夹,默认随包 Folder of the prior; empty: the shipped one.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="每步分子数 Molecules a step.")] = 64,
    listed: Annotated[int, typer.Option(min=1, help="结果中的分子数 Molecules in the results.")] = 100,
    exhaustiveness: Exhaustiveness = 1,
    workers: Workers = None,
    timeout: Timeout = 300.0,
    ray: Ray = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="接着上次 Go on with the search in the folder.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """为靶点设计分子库:SDF、CSV 与网页报告。Design a library for a target: SDF, CSV and a page.

    可中断,--resume 续算。管制物质不设计、不写出。It can be interrupted; --resume goes on. Controlled substances are neither
    designed nor written. 对接分数不是亲和力,仅供研究。A docking score is no affinity; for research only.
    """
    from xinglin.apps.drugs.design import STATE, SearchOptions
    from xinglin.apps.drugs.design import design as search
    from xinglin.apps.drugs.dock.options import DockOptions
    from xinglin.apps.drugs.dock.shelf import Shelf
    from xinglin.apps.drugs.report.design_files import NUMBERS, write_design

    if (out / STATE).is_dir() != resume:
        raise ConfigurationError(
            f"{out} has no search to resume: leave out --resume"
            if resume
            else f"{out} holds a search: go on with --resume, or name another folder"
        )
    made, start = _target(target, reference)
    docking = DockOptions(exhaustiveness=exhaustiveness, seed=seed, timeout=timeout)
    options = SearchOptions(calls=calls, batch=batch, listed=listed, seed=seed)
    shelf = Shelf.home(docking.digest(made.digest))
    network, harm = _prior(prior), _toxicity(toxicity)
    with dockers_of(made, docking, workers, ray) as dockers, _interruptible(out):
        known, found = _known(check, docking, dockers, shelf)
        with _bar(calls) as (report, progress):
            run = search(
                made,
                network,
                dockers,
                docking,
                options,
                out,
                shelf=shelf,
                toxicity=harm,
                known=known,
                start=start,
                report=report,
                progress=progress,
            )
    made.save(out / "target")
    written = write_design(run, out, found)
    _remember(run, out / NUMBERS)
    for rank, item in enumerate(run.found[:10], 1):
        values = "  ".join(f"{name} {value:.2f}" for name, value in item.values.items())
        typer.echo(f"{rank:3d}  {item.reward:.3f}  {values}  {item.smiles}")
    typer.echo(
        f"{run.calls} 次打分 calls, {run.failed} 次无分数 without a score, 拒绝 refused {len(run.refusals)}"
    )
    for path in written:
        typer.echo(f"已写 written: {path}")


def _target(path: Path, reference: str | None) -> tuple[Target, list[str]]:
    """The target, and the reference ligand as a molecule to start with, where its file says what it is."""
    from xinglin.apps.drugs.target.prepare import prepare_target
    from xinglin.apps.drugs.target.target import Target
    from xinglin.records.molecules.tables import read_molecules

    if path.is_dir():
        if reference is not None:
            raise ConfigurationError("--target is a folder that has its box: leave out --reference")
        return Target.load(path), []
    made = prepare_target(path, reference=reference, detect=reference is None)
    typer.echo(made.as_text())
    start = []
    if reference is not None and Path(reference).suffix.lower() in (".sdf", ".mol"):
        start = [
            entry.molecule.smiles for entry in read_molecules(Path(reference)).entries[:1] if entry.molecule
        ]
    return made, start


def _prior(folder: Path | None) -> Any:
    from xinglin.model.molecule.sampling import Prior

    try:
        return Prior.load(folder)
    except UnknownNameError as error:
        raise InvalidInputError(
            "no prior comes with this package: train one with xinglin train molecules prior, and name it with --prior"
        ) from error


def _toxicity(folder: Path | None) -> tuple[str, Any] | None:
    """Name and predictor of the highest upper bound among the harms; none where no models come with the package."""
    from xinglin.apps.drugs.toxicity import SHIPPED, toxicity
    from xinglin.model.shipped import shipped_folder

    try:
        used = folder or shipped_folder(SHIPPED)
    except UnknownNameError:
        typer.echo(
            "! 未随包提供毒性模型:毒性不计入 no toxicity models come with this package: toxicity is no aim",
            err=True,
        )
        return None
    return used.name, lambda smiles: toxicity(smiles, folder=used).worst()


def _known(check: Path | None, docking: Any, dockers: Any, shelf: Any) -> tuple[list[str], KnownCheck | None]:
    """Dock known molecules first; return the actives and what was found."""
    from xinglin.apps.drugs.dock.known import check_known, read_known

    if check is None:
        typer.echo(
            "! 未核对已知分子(--check) not checked on known molecules: whether the score means anything is unknown",
            err=True,
        )
        return [], None
    molecules = read_known(check)
    with docking_progress("对接已知分子 docking known molecules") as progress:
        found = check_known(molecules, docking, dockers, shelf, progress)
    show_check(found)
    return [item.smiles for item in molecules if item.active], found


def _remember(run: Any, numbers: Path) -> None:
    """The refusals and the design in one transaction."""
    import hashlib

    from xinglin.apps.drugs.safety.remembered import remember
    from xinglin.ledger import append
    from xinglin.store import open_store

    digest = hashlib.sha256(numbers.read_bytes()).hexdigest()
    detail = {"target": run.target.digest, "calls": run.calls, "listed": len(run.found), "prior": run.prior}
    with open_store().write() as connection:
        remember(connection, run.refusals, actor="cli", where="design")
        append(connection, "drugs.design", actor="cli", subjects=(digest,), detail=detail)


@contextmanager
def _interruptible(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(
            f"已中断 interrupted: xinglin drugs design ... --out {out} --resume 续算 goes on", err=True
        )
        raise typer.Exit(130) from None


SILENCE = 60.0
"""Seconds between lines where no person looks on."""


@contextmanager
def _bar(calls: int) -> Iterator[tuple[Callable[[Any], None], Callable[[int, int], None] | None]]:
    """Calls, best reward, mean of the ten best, and the time left; in a log a line a minute at most."""
    if not sys.stderr.isatty():
        yield _lines(calls), None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("设计 design"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[docking]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=calls, docking="")

        def report(step: Any) -> None:
            bar.update(task, completed=step.calls, description=_said(step), docking="")

        def progress(done: int, total: int) -> None:
            bar.update(task, docking=f"对接 docking {done}/{total}")

        yield report, progress


def _lines(calls: int) -> Callable[[Any], None]:
    """A line for a log, seldom enough."""
    last = 0.0

    def report(step: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= SILENCE or step.calls == calls:
            last = time.monotonic()
            typer.echo(f"设计 design {step.calls}/{calls}  {_said(step)}", err=True)

    return report


def _said(step: Any) -> str:
    return f"最好 best {step.best:.3f}  前十 top 10 {step.top10:.3f}  无分数 failed {step.failed}"
