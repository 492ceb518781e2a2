"""``xinglin calibrate``: learn from a site's confirmed diagnoses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson


def calibrate(
    site: Annotated[Path, typer.Option(help="确诊病例 JSONL Confirmed cases, one JSON object a line.")],
    out: Annotated[Path, typer.Option(help="新模型文件夹 Folder for the new model.")],
    model: Annotated[Path | None, typer.Option(help="起始模型 Model to start from.")] = None,
    seed: Annotated[int, typer.Option(help="随机种子 Seed of the folds.")] = 0,
    as_json: AsJson = False,
) -> None:
    """用本院确诊病例重新校准。Recalibrate on a site's confirmed diagnoses."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.calibrate import MIN_CASES, calibrate_site
    from xinglin.apps.diagnosis.differential import MANIFEST_FILE, PACK_FILE
    from xinglin.apps.diagnosis.pack import write_pack
    from xinglin.errors import ConfigurationError
    from xinglin.ledger import append
    from xinglin.store import open_store
    from xinglin.store.keys import digest

    if (out / MANIFEST_FILE).exists():
        raise ConfigurationError(
            f"--out: {out} holds a text model, which this would unseal: choose another folder"
        )
    result = calibrate_site(load_differential(model, engine="graph"), site, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    write_pack(result.pack, out / PACK_FILE)
    summary = {
        "n": result.n,
        "unmatched": result.unmatched,
        "metrics": result.metrics,
        "percentages": result.enough,
        "model": {"id": result.pack.name, "version": result.pack.version},
    }
    (out / "calibration.json").write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", "utf-8")
    with open_store().write() as connection:
        append(connection, "calibrate", actor="cli", subjects=(digest(site.read_bytes()),), detail=summary)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    typer.echo(f"病例 cases {result.n}, 范围外 outside the label space {result.unmatched}")
    for name, value in result.metrics.items():
        typer.echo(f"  {name:10s} {value:.4f}  (out of fold)")
    if result.enough:
        typer.echo(f"百分比已启用 percentages are on: {out}")
    else:
        typer.echo(
            f"百分比未启用(需要 ≥{MIN_CASES} 例且斜率接近 1)。"
            f"Percentages stay off (needs >= {MIN_CASES} cases and a slope near 1): {out}"
        )
