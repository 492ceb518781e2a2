"""The options that several verbs share, each written once: same name, same help, same bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CaseText = Annotated[
    str, typer.Argument(help="病人的话和检查结果 The patient's words and results; '-' reads stdin.")
]
CaseRecord = Annotated[
    Path | None, typer.Option("--record", help="FHIR R4 Bundle 或本系统 JSON Bundle or our JSON.")
]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON Print JSON.")]
Model = Annotated[
    Path | None,
    typer.Option(help="模型文件夹 Folder of a fitted graph (pack.json), a text model, or both."),
]
Engine = Annotated[str | None, typer.Option(help="graph 图谱, model 文本模型 text model, both 合用 joined.")]
Profile = Annotated[Path | None, typer.Option(help="本院条件 TOML The clinic's profile.")]
Ledger = Annotated[bool, typer.Option(help="写入审计链 Append to the audit chain.")]
Seed = Annotated[int, typer.Option(min=0, help="随机种子 Seed of every random draw.")]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        envvar="XINGLIN_PROVIDER",
        help="计算设备 Execution provider: cpu, cuda, tensorrt, openvino, cann, coreml.",
    ),
]
