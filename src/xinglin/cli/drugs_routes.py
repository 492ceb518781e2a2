"""``xinglin drugs routes`` and ``xinglin train molecules templates``: how a molecule can be made."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from xinglin.apps.drugs.routes.search import Found
    from xinglin.apps.drugs.routes.stock import Stock
    from xinglin.apps.drugs.safety import Refusal

ENGINES = ("own", "aizynthfinder")
COLUMNS = ("row_id", "rank", "reactants", "template", "score")


def register(app: typer.Typer) -> None:
    """Add the verb of the drugs application."""
    app.command("routes")(routes)


def routes(
    inputs: Annotated[
        Path, typer.Option(help="表:row_id 与 product(或 smiles) Table: row_id and product (or smiles).")
    ],
    out: Annotated[
        Path, typer.Option(help="输出:单步为 CSV,多步为文件夹 CSV for single steps, folder for routes.")
    ],
    top: Annotated[
        int, typer.Option(min=1, max=100, help="每个产物给几组前体 Precursor sets a product.")
    ] = 10,
    multi: Annotated[
        bool, typer.Option("--routes", help="多步检索到可购原料 Search back to the stock.")
    ] = False,
    stock: Annotated[
        Path | None,
        typer.Option(help="自备原料表:smiles[,price] Own stock list; empty: the shipped stand-in."),
    ] = None,
    engine: Annotated[str, typer.Option(help="own | aizynthfinder")] = "own",
    config: Annotated[Path | None, typer.Option(help="AiZynthFinder 配置 AiZynthFinder's YAML.")] = None,
    aizynthcli: Annotated[
        str, typer.Option(help="其程序(自成环境) Its program, in an environment of its own.")
    ] = "aizynthcli",
    model: Annotated[
        Path | None, typer.Option(help="模板模型文件夹 Model folder; empty: the shipped one.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=20, help="每个目标几条路线 Routes a target.")] = 3,
    depth: Annotated[int, typer.Option(min=1, max=15, help="最多连续几步 Steps in a row at most.")] = 6,
    expansions: Annotated[
        int, typer.Option(min=1, max=10000, help="展开上限 Molecules taken apart at most.")
    ] = 80,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="每个目标秒数上限 Seconds a target.")
    ] = 60.0,
) -> None:
    """逆合成:单步前体排名,或多步路线。Retrosynthesis: ranked precursors, or whole routes.

    管制结构被拒并记入审计链;未经实验验证。Controlled structures are refused and noted; nothing was tried in a laboratory.
    """
    from xinglin.errors import InvalidInputError

    if engine not in ENGINES:
        raise InvalidInputError(f"--engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if engine == "aizynthfinder" and (not multi or config is None):
        raise InvalidInputError(
            "--engine aizynthfinder searches whole routes: give --routes and --config FILE too"
        )
    if not multi:
        _single(inputs, out, top, model)
        return
    from xinglin.apps.drugs.routes.search import SearchOptions

    options = SearchOptions(routes=count, depth=depth, expansions=expansions, seconds=seconds)
    other = (config, aizynthcli) if engine == "aizynthfinder" and config else None
    _multi(inputs, out, model, stock, other, options)


def _products(path: Path) -> Iterator[tuple[str, str]]:
    """Row and product of a table, in order.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: it has neither a column ``product`` nor one ``smiles``.
    """
    from xinglin.errors import InvalidInputError, MissingDataError
    from xinglin.records.delimited import open_table
    from xinglin.records.table import positions

    if not path.is_file():
        raise MissingDataError(f"expected a table of products, there is none at {path.name}")
    table = open_table(path)
    column = next((name for name in ("product", "smiles") if name in table.header), None)
    if column is None:
        raise InvalidInputError(f"{path.name}: expected a column 'product' or 'smiles'")
    wanted = [column, "row_id"] if "row_id" in table.header else [column]
    at = positions(table.header, wanted)
    for row in table.rows:
        name = row.place
        if not row.problem and "row_id" in at:
            name = str(row.cells[at["row_id"]])
        yield name, "" if row.problem else str(row.cells[at[column]] or "").strip()


def _single(inputs: Path, out: Path, top: int, model: Path | None) -> None:
    from xinglin.apps.drugs.routes.kept import SHIPPED
    from xinglin.apps.drugs.routes.retro import Retro
    from xinglin.apps.drugs.safety import screen
    from xinglin.cli.written import write_whole
    from xinglin.errors import ControlledSubstanceError, InvalidInputError

    retro = Retro.load(model or SHIPPED)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    problems: dict[str, str] = {}
    refused: list[Refusal] = []
    done = 0
    for done, (name, smiles) in enumerate(_products(inputs), 1):
        try:
            prediction = retro.predict(smiles, top)
        except ControlledSubstanceError as error:
            problems[name] = str(error).replace("\n", " ")
            refused += [found for found in [screen(smiles)] if found]
            continue
        except InvalidInputError as error:
            problems[name] = str(error)
            continue
        refused += prediction.refused
        for rank, step in enumerate(prediction.steps, 1):
            writer.writerow((name, rank, ".".join(step.reactants), step.template, f"{step.score:.6f}"))
        if not prediction.steps:
            problems[name] = "没有模板适用 no template applies"
        if sys.stderr.isatty():
            typer.echo(f"\r{done} 个产物 products", err=True, nl=False)
    write_whole(out, text.getvalue())
    _remember(out, refused, "drugs.steps", {"products": done, "without": len(problems)})
    _told(out, problems)


def _multi(
    inputs: Path,
    out: Path,
    model: Path | None,
    stock: Path | None,
    other: tuple[Path, str] | None,
    options: Any,
) -> None:
    from xinglin.apps.drugs.routes.page import page
    from xinglin.apps.drugs.routes.reactions import canonical
    from xinglin.apps.drugs.routes.stock import read_stock, shipped_stock
    from xinglin.apps.drugs.safety import screen
    from xinglin.cli.written import write_whole
    from xinglin.errors import InvalidInputError

    buy = read_stock(stock) if stock else shipped_stock()
    targets: dict[str, str] = {}
    problems: dict[str, str] = {}
    refused: list[Refusal] = []
    for name, smiles in _products(inputs):
        try:
            target = canonical(smiles)
            refusal = screen(target)
        except InvalidInputError as error:
            problems[name] = str(error)
            continue
        if refusal:
            refused.append(refusal)
            problems[name] = f"{refusal.zh} {refusal.en}"
        else:
            targets[name] = target
    found: list[tuple[str, Found, float | None]] = []
    for name, one in _searched(targets, model, buy, other, options):
        refused += one.refused
        found.append((name, one, None if one.routes else _accessibility(one.target)))
        typer.echo(
            f"{name}: 路线 routes {len(one.routes)}, 展开 expansions {one.expansions}, {one.seconds:.1f} s, {one.ended}"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "routes.json", json.dumps([_json(*one) for one in found], ensure_ascii=False, indent=1))
    write_whole(out / "routes.html", page(found, buy))
    _remember(out / "routes.json", refused, "drugs.routes", {"targets": len(found) + len(problems)})
    _told(out / "routes.html", problems)


def _searched(
    targets: dict[str, str], model: Path | None, buy: Stock, other: tuple[Path, str] | None, options: Any
) -> Iterator[tuple[str, Found]]:
    """Search every target with the engine that was asked for."""
    if other is not None:
        from xinglin.apps.drugs.routes.aizynth import run_aizynthfinder

        config, program = other
        yield from zip(
            targets, run_aizynthfinder(list(targets.values()), config, options, program=program), strict=True
        )
        return
    from xinglin.apps.drugs.routes.kept import SHIPPED
    from xinglin.apps.drugs.routes.retro import Retro
    from xinglin.apps.drugs.routes.search import search

    retro = Retro.load(model or SHIPPED)
    for name, target in targets.items():
        yield name, search(target, retro.predict, buy, options)


def _accessibility(smiles: str) -> float:
    from xinglin.apps.drugs.accessibility import synthetic_accessibility
    from xinglin.records.molecules.parsing import read_smiles

    return synthetic_accessibility(read_smiles(smiles))


def _json(name: str, found: Found, accessibility: float | None) -> dict[str, Any]:
    def tree(route: Any) -> dict[str, Any]:
        own: dict[str, Any] = {"smiles": route.smiles, "in_stock": route.step is None}
        if route.step is not None:
            own |= {"template": route.step.template, "score": route.step.score}
            own["made_from"] = [tree(child) for child in route.children]
        return own

    return {
        "row_id": name,
        "target": found.target,
        "ended": found.ended,
        "expansions": found.expansions,
        "seconds": round(found.seconds, 2),
        "target_in_stock": found.in_stock,
        "sa_score_fallback": accessibility,
        "routes": [
            {
                "cost": route.cost,
                "steps": route.steps,
                "longest": route.longest,
                "buy": route.leaves(),
                "tree": tree(route),
            }
            for route in found.routes
        ],
    }


def _remember(out: Path, refused: list[Refusal], action: str, detail: dict[str, Any]) -> None:
    """Note the file and what was refused, in one transaction."""
    import hashlib

    from xinglin.apps.drugs.safety import remember
    from xinglin.ledger import append
    from xinglin.store import open_store

    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    with open_store().write() as connection:
        append(connection, action, actor="cli", subjects=(digest,), detail=detail)
        remember(connection, refused, actor="cli", where=action)


def _told(out: Path, problems: dict[str, str]) -> None:
    from xinglin.types import DISCLAIMER

    for name, problem in problems.items():
        typer.secho(f"{name}: {problem}", fg="yellow", err=True)
    typer.echo(f"{out}  {DISCLAIMER['zh']} {DISCLAIMER['en']}")


def templates(
    data: Annotated[Path, typer.Option(help="原子映射反应表 Table of atom-mapped reactions (USPTO-50k).")],
    out: Annotated[Path, typer.Option(help="输出模型文件夹 Folder of the model.")],
    column: Annotated[
        str, typer.Option(help="反应所在列 Column of the reactions.")
    ] = "reactants>reagents>production",
    library: Annotated[
        Path | None, typer.Option(help="SMILES 库(可 xz),与 --stock 同用 Library of SMILES, with --stock.")
    ] = None,
    stock: Annotated[
        Path | None, typer.Option(help="另写替代原料表 TSV Write the stand-in stock list too.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="随机种子 Seed.")] = 0,
) -> None:
    """从原子映射反应提取模板并训练排序模型。Extract templates and train their ranker from atom-mapped reactions."""
    from xinglin.apps.drugs.routes.learn import LearnOptions
    from xinglin.apps.drugs.routes.recipe import train_templates, write_stock
    from xinglin.errors import InvalidInputError
    from xinglin.ledger import append
    from xinglin.store import open_store

    if (library is None) != (stock is None):
        raise InvalidInputError("--library and --stock go together: the list is made of both")

    def report(stage: str, done: int, total: int) -> None:
        typer.echo(f"\r{stage} {done}/{total}", err=True, nl=done == total)

    made = train_templates(
        data, out, LearnOptions(seed=seed), column=column, report=report if sys.stderr.isatty() else None
    )
    with open_store().write() as connection:
        append(
            connection,
            "train",
            actor="cli",
            subjects=(made["files"]["ranker.json"],),
            detail={"kind": "templates", **made["counts"]},
        )
    if library is not None and stock is not None:
        typer.echo(f"{stock}: {write_stock(data, library, stock, column=column)}")
    typer.echo(json.dumps(made["counts"], ensure_ascii=False))
    typer.echo(str(out))
