"""Inferred truth and tables of annotation, on the terminal and as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from xinglin.labels.crowd_files import Crowd
    from xinglin.labels.votes import Truth


def summarised(crowd: Crowd, found: Truth) -> dict[str, Any]:
    """Return the truth as data: counts, classes, annotators with most votes first, accuracy where truth is known."""
    import numpy as np

    confidence = found.confidence[~found.unvoted]
    order = np.argsort(-found.votes, kind="stable")
    summary: dict[str, Any] = {
        "method": found.method,
        "votes": len(crowd.votes),
        "items": len(crowd.items),
        "unvoted": int(found.unvoted.sum()),
        "tied": int((found.tied & ~found.unvoted).sum()),
        "missing": crowd.missing,
        "iterations": found.iterations,
        "converged": found.converged,
        "log_likelihood": float(found.log_likelihood[-1]) if found.iterations else None,
        "mean_confidence": float(confidence.mean()),
        "confidence_below_0.9": int((confidence < 0.9).sum()),
        "classes": [
            {"label": name, "items": int(count), "prior": float(prior)}
            for name, count, prior in zip(
                crowd.classes,
                np.bincount(found.labels[~found.unvoted], minlength=len(crowd.classes)),
                found.prior,
                strict=True,
            )
        ],
        "annotators": [
            {
                "annotator": crowd.annotators[j],
                "votes": int(found.votes[j]),
                "skill": rounded(found.skill[j]),
            }
            for j in order.tolist()
        ],
        "accuracy": None,
    }
    scored = (crowd.gold >= 0) & ~found.unvoted
    if scored.any():
        from xinglin.measure import proportion

        hits = int((found.labels == crowd.gold)[scored].sum())
        figure = proportion(hits, int(scored.sum()))
        summary["accuracy"] = figure.as_json() | {"n": figure.n}
    return summary


def item_rows(crowd: Crowd, found: Truth) -> Iterator[dict[str, Any]]:
    """Every item's result; one without a vote has no label."""
    labels, confidence, tied = found.labels, found.confidence, found.tied
    for i, name in enumerate(crowd.items):
        if found.unvoted[i]:
            yield {"item": name, "label": None, "confidence": None, "tied": False}
            continue
        yield {
            "item": name,
            "label": crowd.classes[labels[i]],
            "confidence": round(float(confidence[i]), 6),
            "tied": bool(tied[i]),
        }


def show_truth(summary: dict[str, Any], top: int) -> None:
    """Print the truth: what needs attention first, then classes and annotators."""
    accuracy = summary["accuracy"]
    head = [
        f"{summary['method']}: {summary['votes']:,} 票 votes, {summary['items']:,} 条 items, "
        f"平均置信 mean confidence {summary['mean_confidence']:.3f}, "
        f"低于 below 0.9: {summary['confidence_below_0.9']:,}"
    ]
    if not summary["converged"]:
        head.append(
            f"! {summary['iterations']} 轮后未收敛 not converged after {summary['iterations']} iterations"
        )
    if summary["unvoted"]:
        head.append(f"! {summary['unvoted']:,} 条没有投票,不给标签 items have no vote and get no label")
    if summary["tied"]:
        head.append(f"! {summary['tied']:,} 条票数相持,标签不可靠 items are tied; their label is arbitrary")
    if accuracy is not None:
        head.append(
            f"与真值一致 accuracy {accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}], "
            f"n = {accuracy['n']:,}"
        )
    for line in head:
        typer.echo(line)
    table = grid("标签 label", "条目 items", "先验 prior")
    for row in sorted(summary["classes"], key=lambda row: -row["items"])[:top]:
        table.add_row(row["label"], f"{row['items']:,}", f"{row['prior']:.3f}")
    show_grid(table)
    table = grid("标注者 annotator", "票 votes", "估计正确率 est. share right")
    for row in summary["annotators"][:top]:
        table.add_row(
            row["annotator"], f"{row['votes']:,}", "–" if row["skill"] is None else f"{row['skill']:.3f}"
        )
    show_grid(table)
    hidden = len(summary["annotators"]) - top
    if hidden > 0:
        typer.echo(f"另有 {hidden:,} 名标注者,见 --json。{hidden:,} more annotators: --json.")


def rounded(value: float | None) -> float | None:
    """Six digits; what is not a number is not there."""
    return round(float(value), 6) if value is not None and value == value else None


def grid(*columns: str) -> Table:
    """Return an empty table."""
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False)


def show_grid(table: Table) -> None:
    """Print a table."""
    from rich.console import Console

    Console().print(table)


def show_json(body: dict[str, Any]) -> None:
    """Print JSON."""
    typer.echo(json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False))


def disclaim() -> None:
    """Print what every output of the package says."""
    from xinglin.types import DISCLAIMER

    typer.echo(f"{DISCLAIMER['zh']}\n{DISCLAIMER['en']}")
