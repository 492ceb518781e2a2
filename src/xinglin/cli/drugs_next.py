"""``xinglin drugs next``: the next plate to measure, from a laboratory's own results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.apps.drugs.assay_table import AssayTable
    from xinglin.apps.drugs.assays import Plate
    from xinglin.apps.drugs.safety import Refusal

SHOWN = 10
"""Problems that are listed; the JSON holds all."""
REASONS = {
    "promising": "预测高 high",
    "uncertain": "不确定 uncertain",
    "different": "求异 unlike",
}
COLUMNS = (
    "well",
    "smiles",
    "inchikey",
    "predicted",
    "low",
    "high",
    "reason",
    "nearest_measured",
    "nearest_value",
    "similarity",
    "note",
)


def register(app: typer.Typer) -> None:
    """Add the verb to ``xinglin drugs``."""
    app.command(name="next")(next_plate)


def next_plate(
    assays: Annotated[
        Path, typer.Option(help="实验结果 CSV/SDF:smiles 与数值列 Results: smiles and a column of values.")
    ],
    out: Annotated[Path, typer.Option(help="输出 CSV:下一板 To write: the next plate.")],
    pool: Annotated[
        Path | None,
        typer.Option(
            help="候选分子 Candidates; 空则取结果表中未测的行 empty: rows of the results without a value."
        ),
    ] = None,
    plate: Annotated[int, typer.Option(min=1, max=1536, help="孔数 Wells.")] = 96,
    value: Annotated[str | None, typer.Option(help="数值列 Column of values.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="M | mM | uM | nM | pM | p (pIC50) | % | none 单位 Unit of the values.")
    ] = None,
    lower_is_better: Annotated[
        bool,
        typer.Option(help="数值越小越好(浓度自动如此)Small values are wanted (always so of concentrations)."),
    ] = False,
    boldness: Annotated[
        float,
        typer.Option(
            min=0, help="大胆度:0 只取预测最高 0: only what looks best; 1 兼顾未知 also what is unknown."
        ),
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """由本实验室已有结果挑选下一板分子:附预测值、区间与理由。Pick the next plate from a laboratory's own results: each
    molecule with prediction, interval and reason.

    坏行、重复、超量程值(>10000)与重复测定不一致均逐一说明。Bad rows, duplicates, values beyond the range and repeats that
    disagree are named. 未经注册,仅供研究。For research only.
    """
    from xinglin.apps.drugs.assay_table import AssayOptions, read_assay
    from xinglin.apps.drugs.assays import PlateOptions
    from xinglin.apps.drugs.assays import next_plate as pick
    from xinglin.apps.drugs.safety import screen
    from xinglin.cli.written import remember_file, write_whole
    from xinglin.records.molecules.tables import read_molecules

    table = read_assay(assays, AssayOptions(value=value, unit=unit, lower_is_better=lower_is_better))
    candidates = list(table.open_)
    problems = {f"{assays.name} {place}": reason for place, reason in table.problems.items()}
    if pool is not None:
        listed = read_molecules(pool)
        candidates = [entry.molecule for entry in listed.entries if entry.molecule is not None]
        problems |= {f"{pool.name} {place}": reason for place, reason in listed.problems.items()}
    refused: list[Refusal] = []

    def allowed(smiles: str) -> bool:
        refusal = screen(smiles)
        if refusal is not None:
            refused.append(refusal)
        return refusal is None

    chosen = pick(table, candidates, PlateOptions(size=plate, boldness=boldness), allowed=allowed)
    write_whole(out, plate_csv(chosen, table.sign))
    _remember(refused)
    remember_file(
        "next-plate", out, {"wells": len(chosen.picks), "measured": len(table.measured), "pool": chosen.pool}
    )
    summary = _summary(table, chosen, problems, refused) | {"out": str(out)}
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        _show(table, chosen, problems, out)


def plate_csv(plate: Plate, sign: int) -> str:
    """Return the plate as CSV; values on the scale of the table (of concentrations p = -log10 mol/L)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for pick in plate.picks:
        near = pick.nearest
        low, high = (pick.low, pick.high) if sign > 0 else (pick.high, pick.low)
        writer.writerow(
            [
                pick.well,
                pick.molecule.smiles,
                pick.molecule.inchikey,
                *(_number(bound, sign) for bound in (pick.predicted, low, high)),
                REASONS[pick.reason],
                near.molecule.smiles if near else "",
                f"{_bound(near.side * sign)}{near.value * sign:.3g}" if near else "",
                "" if pick.similarity is None else f"{pick.similarity:.2f}",
                "与已测分子不相似,预测不可靠 unlike all measured: a guess" if pick.distant and near else "",
            ]
        )
    return text.getvalue()


def _number(value: float | None, sign: int) -> str:
    return "" if value is None else f"{value * sign:.3f}"


def _bound(side: int) -> str:
    return {0: "", 1: ">", -1: "<"}[side]


def _remember(refused: Sequence[Refusal]) -> None:
    if not refused:
        return
    from xinglin.apps.drugs.safety import remember
    from xinglin.store import open_store

    with open_store().write() as connection:
        remember(connection, refused, actor="cli", where="next plate")


def _summary(
    table: AssayTable, plate: Plate, problems: dict[str, str], refused: Sequence[Refusal]
) -> dict[str, Any]:
    repeated = {one.molecule.smiles: list(one.places) for one in table.measured if len(one.places) > 1}
    return {
        "wells": len(plate.picks),
        "measured": len(table.measured),
        "bounds": sum(one.side != 0 for one in table.measured),
        "scale": table.scale,
        "pool": plate.pool,
        "refused": len(refused),
        "fitted": plate.fitted,
        "left_out_error": plate.error,
        "left_out_spearman": plate.correlation,
        "unlike_all_measured": sum(pick.distant for pick in plate.picks),
        "repeats": repeated,
        "disagreements": [
            {"smiles": one.smiles, "places": list(one.places), "reason": one.reason}
            for one in table.disagreements
        ],
        "left_out_rows": problems,
    }


def _show(table: AssayTable, plate: Plate, problems: dict[str, str], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from xinglin.types import DISCLAIMER

    bounds = sum(one.side != 0 for one in table.measured)
    repeats = sum(len(one.places) > 1 for one in table.measured)
    scale = {"p": "p = -log10(mol/L)", "%": "%", "none": "原单位 as given"}[table.scale]
    typer.echo(
        f"已测 measured {len(table.measured)}(超量程 bounds {bounds},重复 repeated {repeats})· "
        f"候选 candidates {plate.pool} · 标度 scale {scale}"
    )
    for name, reason in list(problems.items())[:SHOWN]:
        typer.echo(f"弃用 left out: {name}: {reason}")
    if len(problems) > SHOWN:
        typer.echo(f"……另 {len(problems) - SHOWN} 行 and {len(problems) - SHOWN} more rows; --json")
    for one in table.disagreements[:SHOWN]:
        typer.echo(f"重复不一致 repeats disagree: {', '.join(one.places)}: {one.reason}")
    if plate.refused:
        typer.echo(f"管制结构,不列入 controlled structures, not listed: {plate.refused}")
    if plate.fitted:
        weak = plate.correlation is not None and not plate.correlation > 0.3
        typer.echo(
            f"留一检验 left out one by one: 平均误差 mean error {plate.error:.2f}, Spearman {plate.correlation:.2f}"
            + (";预测力弱,本板近于随机 weak: little better than random" if weak else "")
        )
    else:
        typer.echo(
            "结果太少或无差异,未建模:本板只求彼此不同 too few or equal results, no model: a plate of unlike molecules"
        )
    grid = Table(
        "孔 well", "预测 predicted", "区间 90 %", "理由 reason", "最近已测 nearest", "SMILES", box=None
    )
    for pick in plate.picks[:SHOWN]:
        low, high = sorted(bound * table.sign for bound in (pick.low or 0.0, pick.high or 0.0))
        grid.add_row(
            pick.well,
            _number(pick.predicted, table.sign) or "–",
            "–" if pick.low is None else f"{low:.2f} – {high:.2f}",
            REASONS[pick.reason],
            "–" if pick.similarity is None else f"{pick.similarity:.2f}",
            pick.molecule.smiles,
        )
    Console().print(grid)
    if len(plate.picks) > SHOWN:
        typer.echo(f"……共 {len(plate.picks)} 孔,见文件 {len(plate.picks)} wells, see the file")
    typer.echo(str(out))
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
