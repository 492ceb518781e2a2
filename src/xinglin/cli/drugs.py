"""``xinglin drugs``: the verbs of drug design. Each is registered by the file that holds it."""

from __future__ import annotations

import typer

from xinglin.cli import (
    drugs_design,
    drugs_dock,
    drugs_next,
    drugs_predict,
    drugs_routes,
    drugs_safety,
    drugs_target,
)

app = typer.Typer(
    help="药物:从蛋白结构到值得合成的分子库 Drugs: from a protein structure to a library worth synthesising.",
    no_args_is_help=True,
)
for verbs in (
    *(drugs_target, drugs_dock, drugs_design),
    *(drugs_predict, drugs_next, drugs_routes, drugs_safety),
):
    verbs.register(app)
