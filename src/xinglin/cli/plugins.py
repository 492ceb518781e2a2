"""``xinglin plugins``: what is installed, and a plugin named and used: predict, measure, score."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import AsJson, Seed

app = typer.Typer(
    help="插件 Plugins: readers, models, oracles, metrics of other distributions.", no_args_is_help=True
)
Out = Annotated[Path, typer.Option(help="输出文件 File to write.")]
MAX_FILE = 64 << 20
NOTICE = "第三方插件,未经本项目验证。A third party's plugin; not validated by this project."


@app.command("list")
def listing(as_json: AsJson = False) -> None:
    """列出已安装的插件;不加载其代码。List installed plugins; none of their code is loaded."""
    from xinglin.store.plugins import installed

    found = installed()
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        typer.echo(f"{one.group:8s} {one.name:20s} {one.distribution} {one.version}  {one.target}")
    typer.echo(NOTICE if found else "未安装插件 no plugin is installed: docs/plugins.md")


@app.command()
def check(
    group: Annotated[str, typer.Argument(help="readers | models | oracles | metrics")],
    name: Annotated[str, typer.Argument(help="插件名 Name of the plugin.")],
) -> None:
    """加载一个插件并核对接口版本。Load one plugin and check the version of its interface."""
    from xinglin.errors import UnknownNameError
    from xinglin.store.plugins import API, GROUPS, load

    known = next((one for one in GROUPS if one == group), None)
    if known is None:
        raise UnknownNameError(f"expected one of {', '.join(GROUPS)}, got {group!r}")
    plugin, _ = load(known, name)
    typer.echo(f"可用 usable: {plugin}, 接口 interface {API}")


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="模型插件 Name of a model.")],
    data: Annotated[Path, typer.Option(help='JSONL:{"id", "text", "truth"} 每行一例 A case a line.')],
    out: Out,
) -> None:
    """用模型插件预测文本;输出格式同 evaluate --predictions。Predict texts with a model plugin."""
    from xinglin.cli.written import remember_file, write_whole
    from xinglin.errors import InvalidInputError
    from xinglin.model.plugged import PluggedModel

    opened = PluggedModel(model)
    rows = _lines(data)
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("text"), str):
            raise InvalidInputError(f"{data.name}, line {number}: expected a text")
    lines = []
    for row, ranked in zip(rows, opened([row["text"] for row in rows]), strict=True):
        shown = [{"label": label, "probability": round(p, 6)} for label, p in ranked]
        case = {
            "id": str(row.get("id", "")),
            "mode": "text",
            "arm": f"plugin:{model}",
            "truth": row.get("truth", []),
        }
        lines.append(json.dumps(case | {"ranked": shown}, ensure_ascii=False) + "\n")
    write_whole(out, "".join(lines))
    plugin = opened.plugin
    told = {
        "plugin": model,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "cases": len(rows),
    }
    remember_file("plugin.predict", out, told)
    typer.echo(f"已写 written: {out} ({len(rows)})\n{NOTICE}")


@app.command()
def measure(
    metric: Annotated[str, typer.Argument(help="指标插件 Name of a metric.")],
    predictions: Annotated[Path, typer.Option(help="逐例预测 JSONL Predictions, as evaluate writes them.")],
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """用指标插件为预测评分,附 n 与 95% 区间。Score predictions with a metric plugin, with n and an interval."""
    from xinglin.errors import InvalidInputError
    from xinglin.measure.plugged import measured

    groups: dict[tuple[str, str], list[Any]] = {}
    for number, row in enumerate(_lines(predictions), 1):
        truth, ranked = row.get("truth"), row.get("ranked")
        if (
            not isinstance(ranked, list)
            or not all(isinstance(one, dict) and isinstance(one.get("label"), str) for one in ranked)
            or not isinstance(truth, list)
            or not truth
            or not all(isinstance(one, str) for one in truth)
        ):
            raise InvalidInputError(f"{predictions.name}, line {number}: expected truth and ranked labels")
        where = (str(row.get("mode", "")), str(row.get("arm", "")))
        groups.setdefault(where, []).append((truth, [one["label"] for one in ranked]))
    figures = {where: measured(metric, cases, seed=seed) for where, cases in groups.items()}
    if as_json:
        rows = [{"mode": mode, "arm": arm, "metric": metric, **figure.as_json(), "n": figure.n}
                for (mode, arm), figure in figures.items()]  # fmt: skip
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for (mode, arm), figure in figures.items():
        span = f"[{figure.low:.3f}, {figure.high:.3f}]"
        typer.echo(f"{mode}  {arm}  {metric} {figure.value:.3f} {span}, n {figure.n}")


@app.command()
def score(
    oracle: Annotated[str, typer.Argument(help="打分插件 Name of an oracle.")],
    data: Annotated[Path, typer.Option(help="每行一个 SMILES One SMILES a line.")],
    out: Out,
) -> None:
    """用打分插件为分子打分。Score molecules with an oracle plugin.

    管制物质不打分。Controlled substances are not scored.
    """
    from xinglin.apps.drugs.safety import remember, screen
    from xinglin.cli.written import write_whole
    from xinglin.errors import InvalidInputError
    from xinglin.ledger import append
    from xinglin.store import open_store
    from xinglin.store.keys import digest
    from xinglin.train.reinforce.plugged import PluggedOracle

    smiles = [line.split()[0] for line in _text(data).splitlines() if line.strip()]
    if not smiles:
        raise InvalidInputError(f"{data.name}: expected at least one SMILES")
    opened = PluggedOracle(oracle)
    refusals = {one: refusal for one in smiles if (refusal := screen(one)) is not None}
    allowed = [one for one in dict.fromkeys(smiles) if one not in refusals]
    found = dict(zip(allowed, opened(allowed).tolist(), strict=True)) if allowed else {}
    rows = [
        f"{one},{'' if math.isnan(value := found.get(one, math.nan)) else repr(value)}\n" for one in smiles
    ]
    table = "smiles,score\n" + "".join(rows)
    plugin = opened.plugin
    told = {"plugin": oracle, "distribution": plugin.distribution, "version": plugin.version}
    with open_store().write() as connection:
        remember(connection, list(refusals.values()), actor="cli", where="plugins score")
        detail = told | {"molecules": len(smiles), "refused": len(refusals)}
        append(connection, "plugin.score", actor="cli", subjects=(digest(table.encode()),), detail=detail)
    write_whole(out, table)
    typer.echo(f"已写 written: {out} ({len(smiles)}, 拒绝 refused {len(refusals)})\n{NOTICE}")


def _text(path: Path) -> str:
    from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > MAX_FILE:
        raise InputTooLargeError(f"{path.name}: expected at most {MAX_FILE} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path.name}: expected UTF-8") from None


def _lines(path: Path) -> list[dict[str, Any]]:
    from xinglin.errors import InvalidInputError

    rows = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise InvalidInputError(f"{path.name}, line {number}: expected a JSON object")
        rows.append(row)
    if not rows:
        raise InvalidInputError(f"{path.name}: expected at least one line")
    return rows
