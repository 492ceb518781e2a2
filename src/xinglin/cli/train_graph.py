"""``xinglin train graph``: embeddings of the starter graph."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import AsJson, Seed

NAMES = {"mrr": "MRR", "hits_at_10": "Hits@10"}


def graph(
    out: Annotated[Path, typer.Option(help="输出文件夹 Folder of the embeddings.")],
    model: Annotated[str, typer.Option(help="transe | rotate | complex")] = "rotate",
    dim: Annotated[int, typer.Option(min=2, help="向量维数(偶数) Numbers a vector, even.")] = 128,
    epochs: Annotated[
        int, typer.Option(min=1, help="最多轮数,验证不再提高即停 Epochs at most; stops when validation does.")
    ] = 60,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """训练图谱嵌入并在留出的三元组上评分。Train graph embeddings and score them on held-out triples.

    Writes embeddings.safetensors and embeddings.json. Figures are filtered; the floor is how often an entity is the
    answer for the relation in training.
    """
    from xinglin.model.knowledge import entity_graph
    from xinglin.train.embed import embed_graph

    def report(done: int, total: int, reached: float) -> None:
        typer.echo(f"{done}/{total} 轮 epochs, 验证 validation MRR {reached:.4f}", err=True)

    progress = report if sys.stderr.isatty() and not as_json else None
    made = embed_graph(entity_graph(), model, dim, epochs, seed, out, report=progress)
    shown = {key: value for key, value in made.description.items() if key not in ("keys", "relations")}
    _remember(shown)
    if as_json:
        typer.echo(json.dumps(shown | {"out": str(out)}, ensure_ascii=False, indent=2))
        return
    _table(shown, out)


def _remember(shown: dict[str, Any]) -> None:
    """Enter the new embeddings into the ledger."""
    from xinglin.ledger import append
    from xinglin.store import open_store

    detail = {
        "kind": "embeddings",
        **{key: shown[key] for key in ("model", "dim", "seed", "graph", "metrics")},
    }
    with open_store().write() as connection:
        append(connection, "train", actor="cli", subjects=(shown["sha256"],), detail=detail)


def _table(shown: dict[str, Any], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    metrics = shown["metrics"]
    title = (
        f"{shown['model']}, 留出三元组 held-out triples n = {metrics['n']}, 轮 epoch {shown['best_epoch']}"
    )
    table = Table("", "嵌入 embedding [95 %]", "下限 floor", "增益 gain [95 %]", title=title, box=None)
    for key, name in NAMES.items():
        ours, floor, gain = metrics[key], metrics[f"floor_{key}"], metrics[f"gain_{key}"]
        table.add_row(
            name,
            f"{ours['value']:.3f} [{ours['low']:.3f}, {ours['high']:.3f}]",
            f"{floor['value']:.3f}",
            f"{gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]",
        )
    Console().print(table)
    typer.echo(str(out))
