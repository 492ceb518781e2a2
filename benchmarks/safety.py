"""The screen against weapon and drug schedules: what it finds, and what it refuses wrongly."""

from __future__ import annotations

import csv
import gzip
import lzma
import time
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks._kept import Kept
from benchmarks._line import Line
from benchmarks._molecules import molecules
from xinglin.measure import Figure, proportion

HERE = Path(__file__).parent
PIECE = 25_000
"""Molecules screened before the result is kept."""


def _rate(name: str, hits: int, n: int, note: str = "", figure: str = "refused") -> Line:
    found: Figure = proportion(hits, n)
    return Line(name, figure, found.value, "", n, found.low, found.high, note=note)


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def _schedules(quick: bool) -> list[Line]:
    from xinglin.apps.drugs.safety import screen

    rows = _table("scheduled.tsv")
    lines = []
    for part in ("written with", "held out"):
        own = [row for row in rows if row["part"] == part]
        missed = [row["name"] for row in own if screen(row["smiles"]) is None]
        note = f"missed: {', '.join(missed) or 'none'}"
        if part == "held out":
            note += "; at the first look, before benzodiazepines and three members were added, 72 of 84"
        lines.append(_rate(f"scheduled substances, {part}", len(own) - len(missed), len(own), note, "found"))
    return lines


def _approved(quick: bool) -> list[Line]:
    from xinglin.apps.drugs.safety import screen

    with gzip.open(molecules("moleculenet") / "clintox_train_valid.csv.gz", "rt") as file:
        approved = [row["smiles"] for row in csv.DictReader(file) if row["FDA_APPROVED"] == "1"]
    refused = {smiles: refusal.entry for smiles in approved if (refusal := screen(smiles)) is not None}
    judged = {row["smiles"]: row for row in _table("approved_refused.tsv")}
    unjudged = [entry.en for smiles, entry in refused.items() if smiles not in judged]
    kinds: dict[str, list[str]] = {}
    wrong = []
    for smiles, entry in refused.items():
        row = judged.get(smiles)
        if row and row["judged"] == "wrongly":
            wrong.append(f"{row['name']}: {row['note']}")
        elif row:
            kinds.setdefault(entry.category, []).append(row["name"])
    lines = [_rate("approved drugs (ClinTox)", len(refused), len(approved))]
    for category, names in kinds.items():
        note = f"controlled medicines: {', '.join(sorted(set(names)))}"
        lines.append(_rate(f"approved drugs, {category}", len(names), len(approved), note, "refused rightly"))
    lines.append(
        _rate("approved drugs (ClinTox)", len(wrong), len(approved), "; ".join(wrong), "refused wrongly")
    )
    if unjudged:
        lines.append(
            _rate("approved drugs (ClinTox)", len(unjudged), len(approved), ", ".join(unjudged), "not judged")
        )
    return lines


def _table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _library(quick: bool) -> list[Line]:
    from xinglin.apps.drugs.safety import screen

    with lzma.open(molecules("zinc250k") / "zinc250k.smi.xz", "rt") as file:
        library = [line.strip() for line in file][: 1500 if quick else None]
    kept = Kept("safety", {"molecules": len(library), "lists": lists_digest()})

    def look(start: int) -> list[Any]:
        began = time.process_time()
        found = [refusal.entry.id for smiles in library[start : start + PIECE] if (refusal := screen(smiles))]
        return [found, time.process_time() - began]

    pieces = [
        kept.get(f"library {start}", lambda start=start: look(start))  # type: ignore[misc]
        for start in range(0, len(library), PIECE)
    ]
    kept.done()
    counts = Counter(name for found, _ in pieces for name in found)
    spent = sum(seconds for _, seconds in pieces)
    note = "reading included"
    return [
        _rate("zinc250k", counts.total(), len(library), _told(counts)),
        Line("zinc250k", "CPU time a molecule", spent / len(library) * 1e6, "us", len(library), note=note),
    ]


def lists_digest() -> str:
    """SHA-256 of the files screened against: kept pieces of other lists are not taken over."""
    from xinglin.apps.drugs.safety.entries import SCHEDULES

    return sha256(b"".join(path.read_bytes() for path in sorted(SCHEDULES.glob("*.tsv")))).hexdigest()


def _reactions(quick: bool) -> list[Line]:
    from xinglin.apps.drugs.safety import duties, screen

    with gzip.open(molecules("uspto50k") / "valid.csv.gz", "rt") as file:
        rows = [row["reactants>reagents>production"] for row in csv.DictReader(file)][
            : 300 if quick else None
        ]
    refused: Counter[str] = Counter()
    declared: Counter[str] = Counter()
    for row in rows:
        left, right = (_unmapped(side) for side in row.split(">>"))
        refusal = screen(right) or screen(left, reagent=True)
        if refusal:
            refused[refusal.entry.en] += 1
        elif found := duties(left):
            declared[found[0].entry.en] += 1
    return [
        _rate("uspto50k, reactions", refused.total(), len(rows), _told(refused)),
        _rate("uspto50k, reactions", declared.total(), len(rows), _told(declared), "with a duty to declare"),
    ]


def _unmapped(smiles: str) -> str:
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(smiles)
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    return str(Chem.MolToSmiles(molecule))


MEASURES: dict[str, Callable[[bool], list[Line]]] = {
    "schedules": _schedules,
    "approved": _approved,
    "library": _library,
    "reactions": _reactions,
}
PARTS = tuple(MEASURES)


def run(quick: bool, only: Iterable[str] | None = None) -> list[Line]:
    return [line for name in only or PARTS for line in MEASURES[name](quick)]
