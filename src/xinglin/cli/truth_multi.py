"""``xinglin labels truth --multi`` and ``agreement --multi``: a vote holds several codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from xinglin.cli.truth_shown import disclaim, grid, rounded, show_grid, show_json

if TYPE_CHECKING:
    from xinglin.labels.crowd_files import Crowd


def truth_of_sets(crowd: Crowd, method: str, out: Path | None, top: int, as_json: bool) -> None:
    """Print what the votes say of each code, and write each item's set."""
    import numpy as np

    from xinglin.labels.answer import NONE
    from xinglin.labels.multilabel import codes_in, infer_sets, sets_of
    from xinglin.measure import proportion

    codes, probabilities = infer_sets(crowd, method)
    sets = sets_of(codes, probabilities)
    if out is not None:
        with out.open("w", encoding="utf-8") as stream:
            for item, found, row in zip(crowd.items, sets, probabilities.tolist(), strict=True):
                told = None if found is None else " ".join(sorted(found)) or NONE
                shares = None if found is None else dict(zip(codes, row, strict=True))
                line = {"item": item, "label": told, "probabilities": shares}
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    scored = [
        found == codes_in(crowd.classes[gold])
        for found, gold in zip(sets, crowd.gold.tolist(), strict=True)
        if found is not None and gold >= 0
    ]
    exact = proportion(sum(scored), len(scored)) if scored else None
    rows: list[dict[str, Any]] = [
        {
            "code": code,
            "items": int((column > 0.5).sum()),
            "mean_confidence": rounded(float(np.nanmean(np.maximum(column, 1 - column)))),
        }
        for code, column in zip(codes, probabilities.T, strict=True)
    ]
    summary: dict[str, Any] = {
        "method": method,
        "votes": len(crowd.votes),
        "items": len(crowd.items),
        "codes": rows,
        "exact_sets": None if exact is None else [exact.value, exact.low, exact.high, exact.n],
        "out": str(out) if out else None,
    }
    if as_json:
        show_json(summary)
        return
    table = grid("编码 code", "条目 items", "平均置信度 mean confidence")
    for row in sorted(rows, key=lambda row: -row["items"])[:top]:
        table.add_row(row["code"], f"{row['items']:,}", f"{row['mean_confidence']:.3f}")
    show_grid(table)
    if exact is not None:
        interval = f"[{exact.low:.3f}, {exact.high:.3f}], n={exact.n}"
        typer.echo(f"整组编码全对 whole sets right: {exact.value:.3f} {interval}")
    if out is not None:
        typer.echo(f"逐条结果 every item: {out}")
    disclaim()


def agreement_by_code(crowd: Crowd, resamples: int, seed: int, top: int, as_json: bool) -> None:
    """Print Krippendorff's alpha of each code."""
    from xinglin.labels.agreement import krippendorff_alpha
    from xinglin.labels.multilabel import by_code

    rows: list[dict[str, Any]] = []
    for code, votes in by_code(crowd).items():
        found = krippendorff_alpha(votes, resamples=resamples, seed=seed)
        row: dict[str, Any] = {"code": code, "given": int(votes.labels.sum()), "items": found.items}
        rows.append(row | {name: rounded(getattr(found, name)) for name in ("value", "low", "high")})
    if as_json:
        show_json({"votes": len(crowd.votes), "items": len(crowd.items), "by_code": rows})
        return
    table = grid("编码 code", "给出 given", "Krippendorff α [95 %]", "条目 items")
    for row in sorted(rows, key=lambda one: -one["given"])[:top]:
        value = "–" if row["value"] is None else f"{row['value']:.3f}"
        interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
        table.add_row(row["code"], f"{row['given']:,}", value + interval, f"{row['items']:,}")
    show_grid(table)
    disclaim()
