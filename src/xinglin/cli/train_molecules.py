"""``xinglin train molecules``: the SMILES prior; the toxicity models and the templates stand in files of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.drugs_routes import templates
from xinglin.cli.options import AsJson, Seed
from xinglin.cli.train_toxicity import toxicity

app = typer.Typer(help="分子模型 Models of molecules: prior, toxicity, templates.", no_args_is_help=True)


@app.command("prior")
def prior(
    data: Annotated[Path, typer.Option(help="SMILES 文件,可为 .xz/.gz A file of SMILES, one a line.")],
    out: Annotated[Path, typer.Option(help="输出检查点文件夹 Folder of the checkpoint.")],
    steps: Annotated[int, typer.Option(min=1, help="优化步数 Optimiser steps.")] = 30_000,
    batch: Annotated[int, typer.Option(min=1, help="每步分子数 Molecules a step.")] = 64,
    width: Annotated[int, typer.Option(min=8, help="宽度 Width of the network.")] = 128,
    layers: Annotated[int, typer.Option(min=1, help="层数 Layers.")] = 3,
    respelt: Annotated[
        float, typer.Option(min=0, max=1, help="随机写法的比例 Share of random spellings.")
    ] = 0.0,
    samples: Annotated[int, typer.Option(min=100, help="评价用采样数 Samples for the figures.")] = 10_000,
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """由 SMILES 文件训练分子语言模型;可中断,同一命令续训。Train a language model of molecules; the same command resumes.

    例 Example: xinglin train molecules prior --data zinc250k.smi.xz --out my-prior
    """
    from xinglin.errors import MissingExtraError

    try:
        from xinglin.model.molecule.decoder import DecoderSize
        from xinglin.train.loop import Tick
        from xinglin.train.molecules.prior import PriorOptions
        from xinglin.train.molecules.prior_ship import train_prior
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin train molecules prior", "train") from error

    def report(tick: Tick) -> None:
        if tick.step % 10 == 0 or tick.step == tick.steps:
            text = f"{tick.step}/{tick.steps}  loss {tick.losses['loss']:.3f}  剩余 left {tick.seconds_left:.0f} s"
            typer.echo(f"\r{text}   ", err=True, nl=tick.step == tick.steps)

    size = DecoderSize(width=width, inner=3 * width, layers=layers)
    options = PriorOptions(size=size, steps=steps, batch=batch, respelt=respelt, seed=seed)
    shown = report if sys.stderr.isatty() and not as_json else None
    made = train_prior(data, out, options, samples=samples, threads=threads, report=shown)
    metrics = made.manifest["metrics"]
    _remember(made.id, metrics)
    if as_json:
        typer.echo(json.dumps({"id": made.id, "out": str(out), "metrics": metrics}, indent=2))
        return
    words = {"validity": "有效 valid", "uniqueness": "不重复 unique", "novelty": "新 novel"}
    for name, said in words.items():
        figure = metrics[name]
        typer.echo(
            f"{said} {figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}], n = {figure['n']}"
        )
    loss = metrics["held_out_nats"]
    typer.echo(f"留出集 held out {loss['value']:.3f} 奈特/分子 nats a molecule, n = {loss['n']}")
    typer.echo(str(out))


def _remember(identity: str, metrics: dict[str, object]) -> None:
    """Enter the new checkpoint into the ledger."""
    from xinglin.ledger import append
    from xinglin.store import open_store

    detail = {"kind": "decoder", "metrics": metrics}
    with open_store().write() as connection:
        append(connection, "train", actor="cli", subjects=(identity,), detail=detail)


app.command("toxicity")(toxicity)
app.command("templates")(templates)
