"""``xinglin model export``: a model for another device, let out only after it was measured beside its source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.release.export.probe import ProbeReport

Named = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="检查点文件夹或随包模型名 A checkpoint's folder, or a model of this package."
    ),
]
WEB = "web"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("export")(export)


def export(
    model: Named,
    to: Annotated[
        str,
        typer.Option(
            help="目标 Target: onnx, onnx-int8, openvino, executorch, gguf, web; list 列出 lists them."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="输出文件夹 Folder to write.")] = None,
    probe: Annotated[
        Path | None,
        typer.Option(
            help="自备探测集 JSONL(text, label)Labelled texts to probe on; default: no patient's text."
        ),
    ] = None,
    calibrate: Annotated[
        Path | None, typer.Option(help="校准文本 JSONL(text)Texts from which static INT8 scales are taken.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """导出模型,与原模型对照,未达标则拒绝。Export a model; refused where it falls short of its source."""
    from xinglin.cli.model import folder_of
    from xinglin.errors import InvalidInputError
    from xinglin.release.export import export_model
    from xinglin.store import open_store

    if to == "list":
        _listed()
        return
    if out is None:
        raise InvalidInputError("--out: expected the folder to write 请给出输出文件夹")
    if to == WEB:
        from xinglin.serve.edge import export_web

        export_web(model, out, as_json=as_json)
        return
    store = open_store()
    found = export_model(folder_of(model), to, out, store=store, probe=probe, calibrate=calibrate)
    if as_json:
        typer.echo(json.dumps({"folder": str(out), **found.as_json()}, ensure_ascii=False, indent=2))
        return
    for line in _shown(found, out):
        typer.echo(line)


def _listed() -> None:
    from xinglin.release.export.targets import TARGETS

    for item in TARGETS.values():
        state = "" if item.built else "  (本版本未含 not in this version)"
        typer.echo(f"{item.name:11s} {item.zh}  {item.en}; {', '.join(item.kinds)}{state}")
    typer.echo(f"{WEB:11s} 离线网页  a static folder for the browser; classifier")


def _shown(found: ProbeReport, out: Path) -> list[str]:
    metric = {"accuracy": "准确率 accuracy", "agreement": "与原模型一致 agreement with the source"}[
        found.metric
    ]
    lines = [
        f"已写入 written {out}  目标 target {found.target}  运行于 runs on {found.runs_on}",
        f"探测集 probe    {found.probe}, n {found.n}",
        f"最大差 max difference {found.max_delta:.3g}  (分散度 spread {found.spread:.3g})",
        f"{metric} {found.value:.4f}  原 source {found.source_value:.4f}  "
        f"损失 lost {100 * found.lost:.2f} [{100 * found.lost_low:.2f}, {100 * found.lost_high:.2f}] 点 points",
    ]
    if found.ece is not None and found.source_ece is not None:
        lines.append(f"校准误差 ECE {found.ece:.4f}  原 source {found.source_ece:.4f}")
    return [
        *lines,
        f"耗时 time p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms  "
        f"原 source {found.source_p50_ms:.1f}, {found.source_p99_ms:.1f} ms",
        f"大小 size {found.bytes / 1e6:.2f} MB  原 source {found.source_bytes / 1e6:.2f} MB (32 位 bits)",
    ]
