"""``xinglin code``: which coded findings a text holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson

EXACT = 0.95
"""Least likeness at which a description of the release counts as the same term: one letter more or less."""


def code(
    text: Annotated[str, typer.Argument(help="病历文字 Clinical text; '-' reads standard input.")],
    as_json: AsJson = False,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
    snomed: Annotated[
        Path | None,
        typer.Option(help="您自己的 RF2 发布包或索引 Your own SNOMED CT RF2 release, or its index."),
    ] = None,
) -> None:
    """从文字到编码:征象、状态、数值。From text to codes: findings, states and values."""
    from rich.console import Console
    from rich.table import Table

    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.facts import gather
    from xinglin.apps.diagnosis.render import findings_json
    from xinglin.cli.input import language, read_text

    differential = load_differential(engine="graph")
    source = read_text(text)
    case = gather(differential, source)
    rows = findings_json(differential, case, language(lang))
    if snomed is not None:
        from xinglin.terms import open_search

        release = open_search(snomed)
        for row, item in zip(rows, findings_json(differential, case, "en"), strict=True):
            matches = release.search(item["code"]["display"], limit=1)
            row["snomedct"] = matches[0].code.value if matches and matches[0].score >= EXACT else None
    if as_json:
        typer.echo(
            json.dumps({"findings": rows, "problems": list(case.problems)}, ensure_ascii=False, indent=2)
        )
        return
    table = Table("原文 text", "编码 code", "名称 name", "状态 state", "数值 value", box=None, pad_edge=False)
    if snomed is not None:
        table.add_column("SNOMED CT")
    shown = [row for row in rows if row["origin"] != "derived" or row["state"] == "present"]
    for row in shown:
        span = row["span"]
        value = "" if row["value"] is None else f"{row['value']:g} {row['unit'] or ''}"
        cells = (
            source[span[0] : span[1]] if span else "",
            f"{row['code']['system']}:{row['code']['value']}",
            row["code"]["display"],
            row["state_display"],
            " ".join(filter(None, (value, row["time"]))),
        )
        table.add_row(*cells, *([row["snomedct"] or ""] if snomed is not None else []))
    console = Console()
    console.print(table)
    for problem in case.problems:
        console.print(f"[yellow]{problem}[/]")
