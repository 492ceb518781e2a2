"""``xinglin drugs``: the verbs of drug design. Each is registered by the file that holds it."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="药物:从蛋白结构到值得合成的分子库 Drugs: from a protein structure to a library worth synthesising.",
    no_args_is_help=True,
)
