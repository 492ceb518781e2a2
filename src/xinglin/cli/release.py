"""``xinglin release``: what leaves the house."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson

app = typer.Typer(help="发布 Release: export.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """发布 Release."""


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="检查点文件夹 Folder of a checkpoint.")],
    int8: Annotated[bool, typer.Option(help="另存 INT8 Also write the INT8 file.")] = False,
    keep_fp32: Annotated[
        bool, typer.Option(help="保留 model.onnx Keep the fp32 file beside the INT8 one.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """导出 ONNX(和 INT8),并与 torch 对照。Export to ONNX (and INT8) and compare with torch."""
    from xinglin.errors import InvalidInputError
    from xinglin.ledger import append
    from xinglin.model.runtime import FILES
    from xinglin.release import export_onnx, export_report, quantise_int8
    from xinglin.store import open_store

    if not keep_fp32 and not int8:
        raise InvalidInputError("--no-keep-fp32 needs --int8: otherwise nothing would be left of the export")
    store = open_store()
    export_onnx(folder)
    if int8:
        quantise_int8(folder, keep_fp32=keep_fp32)
    report = export_report(folder)
    with store.write() as connection:
        append(connection, "release.export", actor="cli", subjects=(report.id,), detail=report.as_json())
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
        return
    typer.echo(f"编号 id {report.id[:16]}  对照文本 texts compared {report.texts}")
    for item in report.parities:
        typer.echo(
            f"{FILES[item.precision]:16s} {item.bytes / 1e6:7.2f} MB  最大差 max delta {item.max_delta:.2g} "
            f"(分散度 spread {item.spread:.2g})  首位一致 same first label {item.agreement:.1%}"
        )
