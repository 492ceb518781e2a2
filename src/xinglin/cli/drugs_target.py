"""``xinglin drugs target``: a structure file becomes a receptor and a box."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the verb to ``xinglin drugs``."""
    app.command("target")(target)


def target(
    structure: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="PDB、mmCIF 或受体 PDBQT,可 gzip PDB, mmCIF or a receptor PDBQT, also .gz."
        ),
    ],
    out: Annotated[Path, typer.Option(help="输出文件夹 Folder to write: receptor.pdbqt, box.json, report.")],
    reference: Annotated[
        str | None,
        typer.Option(
            help="参考配体:文件,或结构中的残基(STI、A:STI:201) Reference ligand: a file, or a residue of the structure."
        ),
    ] = None,
    residues: Annotated[
        str | None, typer.Option(help="位点残基,如 A:315,A:381 Residues of the site.")
    ] = None,
    detect: Annotated[
        bool, typer.Option("--detect", help="由几何检测口袋 Detect a pocket by geometry.")
    ] = False,
    box: Annotated[str | None, typer.Option(help="中心与边长 X,Y,Z,A,B,C(Å) Centre and edges, Å.")] = None,
    chains: Annotated[str | None, typer.Option(help="保留的链,如 A,B Chains to keep.")] = None,
    keep: Annotated[
        str | None, typer.Option(help="另行保留的残基名,如 HOH Names of further residues to keep.")
    ] = None,
    metals: Annotated[bool, typer.Option(help="保留金属离子 Keep metal ions.")] = True,
    as_json: AsJson = False,
) -> None:
    """由结构文件制备受体与盒子;一切异常及处理均列出。Prepare receptor and box; whatever is odd is listed with what was done.

    不补建缺失的侧链与残基,不计算 pKa。Missing side chains and residues are not built, no pKa is computed. 仅供研究。
    """
    from xinglin.apps.drugs.report.target_page import target_page
    from xinglin.apps.drugs.target.box import Box
    from xinglin.apps.drugs.target.clean import Cleaning
    from xinglin.apps.drugs.target.prepare import prepare_target
    from xinglin.apps.drugs.target.target import RECEPTOR
    from xinglin.cli.written import remember_file, write_whole

    stated = None if box is None else Box.from_json(_numbers(box))
    cleaning = Cleaning(chains=_names(chains), keep=_names(keep) or (), metals=metals)
    made = prepare_target(
        structure, reference=reference, residues=residues, detect=detect, box=stated, cleaning=cleaning
    )
    made.save(out)
    write_whole(out / "report.html", target_page(made))
    remember_file("drugs.target", out / RECEPTOR, {"target": made.digest, "box": made.box.as_json()})
    if as_json:
        typer.echo(json.dumps(made.as_json(), ensure_ascii=False, indent=2))
        return
    typer.echo(made.as_text())
    typer.echo(f"已写 written: {out}")


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(text: str) -> dict[str, list[str]]:
    parts = text.split(",")
    return {"center": parts[:3], "size": parts[3:]}
