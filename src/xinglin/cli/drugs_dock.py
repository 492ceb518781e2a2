"""``xinglin drugs dock``: many ligands into one target, and the check whether docking tells binders apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AsJson, Seed
from xinglin.errors import ConfigurationError

if TYPE_CHECKING:
    from xinglin.apps.drugs.dock.known import KnownCheck

Exhaustiveness = Annotated[
    int, typer.Option(min=1, max=1024, help="搜索强度 Searches a ligand: 1 to screen, 8 and more for a pose.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="进程数,默认全部核 Processes; empty: all cores.")]
Timeout = Annotated[float, typer.Option(min=1, help="每个配体最多几秒 Seconds a ligand at most.")]
Ray = Annotated[
    str | None,
    typer.Option(help="Ray 集群地址,auto 或 local Address of a Ray cluster: many machines; or auto, local."),
]


def register(app: typer.Typer) -> None:
    """Add the verb to ``xinglin drugs``."""
    app.command("dock")(dock)


def dock(
    target: Annotated[Path, typer.Option(help="xinglin drugs target 写的文件夹 Folder of the target.")],
    ligands: Annotated[
        Path | None, typer.Option(help="配体:CSV、SMI、SDF,可 gzip Ligands: CSV, SMI, SDF, also .gz.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="输出 CSV To write.")] = None,
    sdf: Annotated[Path | None, typer.Option(help="姿态 SDF To write: poses.")] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            help="已知活性/非活性 CSV(smiles、active、affinity) Known actives and decoys: smiles, active, affinity."
        ),
    ] = None,
    exhaustiveness: Exhaustiveness = 8,
    scoring: Annotated[str, typer.Option(help="vina | vinardo")] = "vina",
    as_drawn: Annotated[
        bool,
        typer.Option(
            "--as-drawn", help="按输入电荷,不按 pH 7.4 规则 Charges as drawn, not by rules for pH 7.4."
        ),
    ] = False,
    workers: Workers = None,
    timeout: Timeout = 600.0,
    ray: Ray = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """把多个配体对接到一个靶点;失败为错误行,绝不记 0 分。Dock many ligands; a failure is an error row, never a score of 0.

    结果按 InChIKey 缓存,中断后同一命令续算。Scores are kept by InChIKey: the same command goes on after an interruption.
    对接分数不是亲和力。A docking score is no affinity. 仅供研究 For research only.
    """
    from xinglin.apps.drugs.dock.options import DockOptions
    from xinglin.apps.drugs.target.target import Target

    if (ligands is None) == (check is None):
        raise ConfigurationError("expected either --ligands FILE with --out FILE.csv, or --check KNOWN.csv")
    if ligands is not None and out is None:
        raise ConfigurationError("--ligands: expected --out FILE.csv beside it")
    if scoring not in ("vina", "vinardo"):
        raise ConfigurationError(f"--scoring: expected vina or vinardo, got {scoring!r}")
    made = Target.load(target)
    options = DockOptions(
        exhaustiveness=exhaustiveness, seed=seed, timeout=timeout, scoring=scoring,  # type: ignore[arg-type]
        protonation="as-drawn" if as_drawn else "ph7",
    )  # fmt: skip
    with dockers_of(made, options, workers, ray) as dockers:
        if check is not None:
            _check(made, options, dockers, check, out, as_json)
        elif ligands is not None and out is not None:
            _dock(made, options, dockers, ligands, out, sdf, as_json)


@contextmanager
def dockers_of(target: Any, options: Any, workers: int | None, ray: str | None) -> Iterator[Any]:
    """Processes of this machine, or actors of a Ray cluster."""
    if ray is not None:
        from xinglin.apps.drugs.dock.ray_pool import RayPool

        with RayPool(target, options, ray, workers) as actors:
            yield actors
        return
    from xinglin.apps.drugs.dock.pool import Pool

    with Pool(target, options, workers) as pool:
        yield pool


@contextmanager
def docking_progress(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with the time left, where a person looks on."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _dock(
    target: Any, options: Any, dockers: Any, ligands: Path, out: Path, sdf: Path | None, as_json: bool
) -> None:
    from xinglin.apps.drugs.dock.poses import write_sdf
    from xinglin.apps.drugs.dock.run import dock_many
    from xinglin.apps.drugs.dock.shelf import Shelf
    from xinglin.apps.drugs.dock.table import docked_csv
    from xinglin.cli.written import remember_file, write_whole
    from xinglin.records.molecules.tables import read_molecules

    table = read_molecules(ligands)
    shelf = Shelf.home(options.digest(target.digest))
    with docking_progress("对接 docking") as progress, _told_interrupt():
        rows = dock_many([entry.text for entry in table.entries], options, dockers, shelf, progress)
    named = [
        (entry.place, entry.cells.get("name") or entry.cells.get("id") or entry.place, row)
        for entry, row in zip(table.entries, rows, strict=True)
    ]
    write_whole(out, docked_csv(named))
    scored = sum(row.score is not None for row in rows)
    detail = {
        "target": target.digest,
        "options": options.digest(target.digest),
        "rows": len(rows),
        "scored": scored,
    }
    remember_file("drugs.dock", out, detail)
    poses = None
    if sdf is not None:
        poses = write_sdf(sdf, [(name, row) for _, name, row in named])
    summary = {"rows": len(rows), "scored": scored, "kept": sum(row.kept for row in rows),
               "duplicates": len(table.duplicates), "out": str(out), "poses": poses}  # fmt: skip
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    best = sorted((row.score, name, row) for _, name, row in named if row.score is not None)[:10]
    typer.echo(
        f"{len(rows)} 行 rows, 有分数 scored {scored}, 取自缓存 kept before {summary['kept']}, "
        f"失败 failed {len(rows) - scored}"
    )
    for score, name, row in best:
        each = f"{row.per_heavy_atom:.2f}" if row.per_heavy_atom is not None else ""
        typer.echo(f"  {score:7.2f} kcal/mol  每重原子 per heavy atom {each}  {name}  {row.smiles}")
    for place, name, row in [item for item in named if item[2].answer.error][:10]:
        typer.echo(f"  ! {place} {name}: {row.answer.error}")
    typer.echo(str(out))


def _check(target: Any, options: Any, dockers: Any, known: Path, out: Path | None, as_json: bool) -> None:
    from xinglin.apps.drugs.dock.known import check_known, read_known
    from xinglin.apps.drugs.dock.shelf import Shelf
    from xinglin.apps.drugs.dock.table import docked_csv
    from xinglin.cli.written import remember_file, write_whole

    molecules = read_known(known)
    shelf = Shelf.home(options.digest(target.digest))
    with docking_progress("对接已知分子 docking known molecules") as progress, _told_interrupt():
        found = check_known(molecules, options, dockers, shelf, progress)
    if out is not None:
        write_whole(
            out,
            docked_csv(
                [(item.place, item.name, row) for item, row in zip(molecules, found.rows, strict=True)]
            ),
        )
        remember_file(
            "drugs.dock.check", out, {"target": target.digest, "options": options.digest(target.digest)}
        )
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
        return
    show_check(found)


def show_check(found: KnownCheck) -> None:
    """Print the figures of a check, and the warning where docking is not better than chance."""
    from rich.console import Console
    from rich.table import Table

    table = Table("排序依据 ranked by", "EF1%", "AUROC", "Spearman", box=None, pad_edge=False)
    for title, figures in found.ranked.items():
        table.add_row(
            title, *(_cell(value) for value in (figures.enrichment, figures.auroc, figures.spearman))
        )
    first = next(iter(found.ranked.values()))
    typer.echo(f"{first.actives} 活性 actives, {first.decoys} 诱饵 decoys, 失败 failed {first.failed}")
    Console().print(table)
    for warning in found.warnings:
        typer.echo(f"! {warning}")


def _cell(figure: Any) -> str:
    return "–" if figure is None else f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}] n={figure.n}"


@contextmanager
def _told_interrupt() -> Iterator[None]:
    """An interrupted run says that the same command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        message = "已中断;已完成者均已保存,同一命令续算 interrupted: what was docked is kept, the same command goes on"
        typer.echo(message, err=True)
        raise typer.Exit(130) from None
