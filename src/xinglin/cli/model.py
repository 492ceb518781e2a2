"""``xinglin model``: get, show and verify checkpoints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import AsJson
from xinglin.cli.registry import show_version

app = typer.Typer(
    help="模型:检查点、登记与发布 Models: checkpoints, registry, release.", no_args_is_help=True
)

Named = Annotated[str, typer.Argument(help="文件夹或随包模型名 A folder, or a model of this package.")]


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="随包模型名 A model of this package: medical-open-model.")],
    labels: Annotated[
        str | None,
        typer.Option(help="封闭标签,如 甲,乙,丙:仅供演示 A closed list of diseases: demonstration only."),
    ] = None,
    into: Annotated[Path, typer.Option(help="放到哪个文件夹 Folder to put it into.")] = Path("."),
    as_json: AsJson = False,
) -> None:
    """取出随包模型,transformers 可直接加载。Copy a model of this package; plain transformers loads it by name."""
    from xinglin.ledger import append
    from xinglin.model.shipped import get as copy
    from xinglin.store import open_store

    words = None if labels is None else re.split(r"[,，、]", labels)
    # The store opens first: a copy that could not be entered into the ledger is not made.
    with open_store().write() as connection:
        checkpoint = copy(name, into, words)
        meant = checkpoint.manifest["settings"].get("labels") if words else None
        detail = {"name": name, "restricted": words is not None, "labels": meant}
        append(connection, "model.get", actor="cli", subjects=(checkpoint.id,), detail=detail)
    if as_json:
        said = {"id": checkpoint.id, "folder": checkpoint.path, **detail}
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    typer.echo(f"已写入 written {checkpoint.path}  id {checkpoint.id[:16]}")
    if meant:
        for place, (word, disease) in enumerate(meant.items()):
            typer.echo(
                f"  {place}  {word}" + ("" if word == disease else f"  (图谱疾病 the graph's {disease})")
            )
        typer.echo(checkpoint.manifest["limits"])
    typer.echo(f'AutoModelForSequenceClassification.from_pretrained("{name}")')


@app.command()
def show(
    named: Named,
    as_json: Annotated[bool, typer.Option("--json", help="输出清单 Print the manifest.")] = False,
) -> None:
    """显示检查点,或登记的版本及其证据。Show a checkpoint, or a registered version (NAME@NUMBER) with its evidence."""
    from xinglin.model.checkpoint import verify_checkpoint

    if "@" in named:
        show_version(named, as_json)
        return
    manifest = verify_checkpoint(folder_of(named)).manifest
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False, indent=2))
        return
    for line in _shown(manifest):
        typer.echo("".join(char if char.isprintable() else " " for char in line))


@app.command()
def verify(named: Named) -> None:
    """核对每个文件的摘要和各部分是否同属一个模型。Check every file's digest and that the parts are of one model."""
    from xinglin.model.checkpoint import verify_checkpoint

    checkpoint = verify_checkpoint(folder_of(named))
    count = len(checkpoint.manifest["files"])
    typer.echo(f"完好 intact: {count} 个文件 files, id {checkpoint.id}")


def folder_of(named: str) -> Path:
    """Return a folder by path; else, for a bare word, the model of that name."""
    from xinglin.errors import MissingDataError
    from xinglin.model.checkpoint import heal
    from xinglin.model.shipped import shipped_folder

    path = Path(named)
    if "@" in named and not path.is_dir():
        raise MissingDataError(
            f"{named}: 登记处不存权重,请给出文件夹 the registry keeps no weights: give the checkpoint's folder"
        )
    heal(path)  # a replacement that was cut off left the folder beside its place
    if path.is_dir():
        return path
    if path.name != named:
        raise MissingDataError(f"{named}: expected the folder of a checkpoint; there is none: check the path")
    return shipped_folder(named)


def _shown(manifest: dict[str, Any]) -> list[str]:
    kinds = {
        "encoder": "编码器 encoder",
        "classifier": "分类器 classifier",
        "decoder": "解码器 decoder",
        "detector": "检测器 detector",
        "aligned": "图文对齐 aligned",
    }
    code = manifest["code"]
    lines = [
        f"{manifest['name']}  {kinds[manifest['kind']]}",
        f"编号 id       {manifest['id']}",
        *(f"来自 parent   {parent}" for parent in manifest["parents"]),
        f"代码 code     {code.get('version')}  {code.get('commit') or ''}".rstrip(),
        f"种子 seeds    {', '.join(map(str, manifest['seeds']))}",
        "",
        "数据 data (弱 = 弱标签 weak labels)",
    ]
    for item in manifest["data"]:
        weak = "弱 weak" if item.get("weak") else ""
        lines.append(
            f"  {item.get('records', '?')!s:>8}  {item.get('name', '?')}  {item.get('licence', '?')}  {weak}".rstrip()
        )
    lines += ["", "指标 metrics"]
    lines += [f"  {key}  {_value(value)}" for key, value in manifest["metrics"].items()] or ["  无 none"]
    lines += ["", "限制 limits", f"  {manifest['limits'] or '未说明 not stated'}"]
    return lines


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
