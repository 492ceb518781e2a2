"""The recipe of the shipped model: reactions in, a kept folder out."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from xinglin.apps.drugs.routes.kept import keep, load
from xinglin.apps.drugs.routes.learn import LearnOptions, build, fit_ranker, lessons, teachable
from xinglin.apps.drugs.routes.reactions import COLUMN, Reaction, read_reactions
from xinglin.apps.drugs.routes.stock import stock_rows
from xinglin.apps.drugs.safety import screen

STOCK_REACTANT, STOCK_LIBRARY = 250.0, 200.0
"""Heaviest molecules of the shipped stock, g/mol."""
Report = Callable[[str, int, int], None]


def lawful(reactions: tuple[Reaction, ...]) -> list[Reaction]:
    """Leave out reactions that make a scheduled chemical or use one that is refused as a reagent."""
    return [
        one
        for one in reactions
        if screen(one.product) is None and screen(one.reactants, reagent=True) is None
    ]


def write_stock(data: Path, library: Path, out: Path, *, column: str = COLUMN) -> int:
    """Write the stand-in stock list: light reactants that no reaction of the table makes, and light library molecules.

    Args:
        data: table of atom-mapped reactions.
        library: SMILES, one a line, also compressed with xz.
        out: the TSV to write.
        column: of the reactions.

    Returns:
        How many molecules it lists; scheduled ones are left out.
    """
    reactions = read_reactions(data, column).rows
    made = {one.product for one in reactions}
    used = {part for one in reactions for part in one.reactants.split(".")} - made
    opened = lzma.open if library.suffix == ".xz" else open
    with opened(library, "rt", encoding="utf-8") as file:
        several = [line.split()[0] for line in file if line.strip()]
    listed = [
        (smiles, source)
        for smiles, source in stock_rows(
            sorted(used), several, heaviest_reactant=STOCK_REACTANT, heaviest_library=STOCK_LIBRARY
        )
        if screen(smiles, reagent=True) is None
    ]
    text = "".join(f"{smiles}\t{source}\n" for smiles, source in listed)
    out.write_text(f"smiles\tsource\n{text}", encoding="utf-8")
    return len(listed)


def train_templates(
    data: Path,
    out: Path,
    options: LearnOptions | None = None,
    *,
    column: str = COLUMN,
    report: Report | None = None,
) -> dict[str, Any]:
    """Learn templates and their ranking from a table of atom-mapped reactions, and write the model.

    Returns:
        The manifest.

    Raises:
        MissingDataError, InvalidInputError: the table is absent, or no reaction of it can be used.
        MissingExtraError: RDKit, rdchiral or LightGBM is not installed.
    """
    chosen = options or LearnOptions()
    table = read_reactions(data, column)
    reactions = lawful(table.rows)
    said = None if report is None else lambda done, total: report("模板 templates", done, total)
    taught = teachable(reactions, report=said)
    library, sites = build(taught)
    found = lessons(library, taught, sites, chosen)
    ranker = fit_ranker(found, chosen)
    with data.open("rb") as stream:
        digest = sha256(stream.read()).hexdigest()
    counts = {
        "reactions": len(table.rows),
        "unread": len(table.problems),
        "scheduled": len(table.rows) - len(reactions),
        "precedents": len(taught),
        "templates": len(library.templates),
        "unreachable": found.unreachable,
    }
    manifest = {
        "data": [
            {"file": data.name, "sha256": digest, "licence": "USPTO reactions (Lowe), public domain / CC0"}
        ],
        "options": asdict(chosen),
        "counts": counts,
    }
    keep(out, library, ranker.model_to_string(), manifest)
    return load(out)[2]
