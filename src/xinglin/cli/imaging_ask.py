"""``xinglin imaging ask``: where a sentence is true in a CT."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson

WORDS = "lung-words"
"""The model of images and words that comes with the package."""


def register(app: typer.Typer) -> None:
    """Add the verb to ``xinglin imaging``."""
    app.command("ask")(ask)


def ask(
    path: Annotated[
        Path,
        typer.Argument(
            help="DICOM 文件夹、.nii(.gz)、.nrrd 或 .mha A DICOM folder, .nii(.gz), .nrrd or .mha."
        ),
    ],
    text: Annotated[
        str, typer.Option(help="要找的所见,如 毛刺结节 What to look for, e.g. 'spiculated nodule'.")
    ],
    most: Annotated[int, typer.Option(min=1, max=50, help="至多列出几处 Places at most.")] = 5,
    png: Annotated[Path | None, typer.Option(help="写热图 PNG Write the heat map as PNG.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="对齐模型文件夹 Folder of an aligned model; empty: the shipped one.")
    ] = None,
    stated: Annotated[
        str | None, typer.Option(help="格式不注明时由您声明,如 CT The modality, where the format names none.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
    as_json: AsJson = False,
) -> None:
    """用文字在胸部 CT 中指示位置。Point at what a sentence says in a chest CT.

    分数只用于排序,不是概率;总会指出最像之处。未经注册,仅供研究。Scores are an order, no probabilities; the likeliest
    places are always named. Not a medical device.
    """
    from xinglin.apps.imaging.ask import as_json as told
    from xinglin.apps.imaging.ask import ask as run
    from xinglin.apps.imaging.remember import first
    from xinglin.model.align.runtime import LungWords
    from xinglin.model.shipped import shipped_folder
    from xinglin.records.volumes import read_scan
    from xinglin.store import open_store
    from xinglin.types import DISCLAIMER

    words = LungWords.load(model or shipped_folder(WORDS), threads=threads)
    scan = read_scan(path, expected="CT", stated=stated)

    def progress(done: int, total: int) -> None:
        typer.echo(f"\r{done}/{total} 窗 windows", err=True, nl=done == total)

    found = run(words, scan, text, most=most, report=progress if sys.stderr.isatty() else None)
    with open_store().write() as connection:
        detail = {
            "algorithm": WORDS,
            "version": words.id[:16],
            "places": len(found.places),
            "picture": png is not None,
        }
        first(connection, "imaging.ask", scan.series or scan.frame, actor="cli", detail=detail)
    if png is not None:
        from xinglin.apps.imaging.ask_picture import picture
        from xinglin.serve.workbench.png import png as encoded

        png.parent.mkdir(parents=True, exist_ok=True)
        png.write_bytes(encoded(picture(found, scan.spacing)))
    if as_json:
        typer.echo(json.dumps(told(found), ensure_ascii=False, indent=2, allow_nan=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("#", "LPS mm", "体素 voxel\nz, y, x", "分数 score", box=None, pad_edge=False)
    for rank, one in enumerate(found.places, 1):
        table.add_row(
            str(rank),
            f"{one.point.x:.1f}, {one.point.y:.1f}, {one.point.z:.1f}",
            ", ".join(f"{value:.1f}" for value in one.voxel),
            f"{one.score:.2f}",
        )
    console = Console()
    console.print(f"[bold]{text}[/]")
    console.print(table)
    for zh, en in found.notes:
        typer.echo(f"· {zh} {en}")
    if png is not None:
        typer.echo(f"已写 written: {png}")
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
