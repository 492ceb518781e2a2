"""What can be bought: the leaves at which a route may end.

The list that comes with the package is a stand-in, no vendor's catalogue: reactants of USPTO-50k reactions (public
domain) and molecules of ZINC-250k, both up to a mass. A laboratory's own list is better: a table with a column
``smiles`` and, if known, ``price``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.records.delimited import open_table
from xinglin.records.molecules.parsing import read_smiles
from xinglin.records.molecules.standard import LENIENT, standardise
from xinglin.records.table import positions
from xinglin.terms.tsv import rows

SHIPPED = Path(__file__).parent / "shipped_stock.tsv"
MAX_STOCK = 5_000_000


@dataclass(frozen=True, slots=True)
class Stock:
    """Molecules by canonical SMILES, stereo included: a racemate in stock is no enantiomer."""

    name: str
    prices: Mapping[str, float | None]
    """Canonical SMILES -> price a gram or as the list says; None where it says none."""
    problems: Mapping[str, str]
    """Place in the file -> why a row was not taken."""

    def __contains__(self, smiles: object) -> bool:
        return smiles in self.prices

    def __len__(self) -> int:
        return len(self.prices)

    def price(self, smiles: str) -> float | None:
        """Return the price of a molecule, None where it is not known."""
        return self.prices.get(smiles)


def shipped_stock() -> Stock:
    """Return the list that comes with the package."""
    found = {row.required("smiles"): None for row in rows(SHIPPED, ("smiles", "source"))}
    return Stock("USPTO-50k + ZINC-250k", found, {})


def read_stock(path: Path) -> Stock:
    """Read a laboratory's own list.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: no column ``smiles``, or not one row that is a molecule.
    """
    from rdkit.Chem import MolToSmiles

    if not path.is_file():
        raise MissingDataError(f"expected a stock list, there is none at {path.name}")
    table = open_table(path)
    names = {name.lower(): name for name in table.header}
    if "smiles" not in names:
        raise InvalidInputError(
            f"{path.name}: expected a column 'smiles', there are: {', '.join(table.header[:20])}"
        )
    wanted = [names["smiles"]] + ([names["price"]] if "price" in names else [])
    at = positions(table.header, wanted)
    prices: dict[str, float | None] = {}
    problems: dict[str, str] = {}
    for row in table.rows:
        if len(prices) == MAX_STOCK:
            raise InvalidInputError(f"{path.name}: expected at most {MAX_STOCK:,} molecules")
        if row.problem:
            problems[row.place] = row.problem
            continue
        molecule = read_smiles(str(row.cells[at[names["smiles"]]] or "").strip())
        if molecule is None or molecule.GetNumAtoms() == 0:
            problems[row.place] = "no SMILES that RDKit reads"
            continue
        price = None
        if "price" in names:
            cell = str(row.cells[at[names["price"]]] or "").strip()
            try:
                price = float(cell) if cell else None
            except ValueError:
                price = math.nan
            if price is not None and not (math.isfinite(price) and price >= 0):
                problems[row.place] = (
                    f"price: expected a number from 0, got {cell[:30]!r}; kept without price"
                )
                price = None
        for part in _forms(str(MolToSmiles(molecule))):
            prices[part] = price
    if not prices:
        raise InvalidInputError(f"{path.name}: expected molecules, none of its rows is one")
    return Stock(path.name, prices, problems)


def _forms(smiles: str) -> list[str]:
    """A molecule as written and its free form, which is what templates write of a salt."""
    try:
        return [smiles, standardise(smiles, options=LENIENT).smiles]
    except InvalidInputError:
        return [smiles]


def stock_rows(
    reactants: Iterable[str], library: Iterable[str], *, heaviest_reactant: float, heaviest_library: float
) -> list[tuple[str, str]]:
    """Return ``(smiles, source)`` of the list that is shipped: everything up to a mass (g/mol), free forms."""
    from rdkit.Chem.Descriptors import MolWt  # type: ignore[attr-defined]

    found: dict[str, str] = {}
    for source, heaviest, several in (
        ("uspto50k", heaviest_reactant, reactants),
        ("zinc250k", heaviest_library, library),
    ):
        for smiles in several:
            # A letter is an atom: what has too many is not worth reading.
            if sum(mark.isalpha() and mark not in "Hh" for mark in smiles) * 10 > heaviest:
                continue
            molecule = read_smiles(smiles)
            if molecule is None or MolWt(molecule) > heaviest:
                continue
            for form in _forms(smiles) if source == "uspto50k" else _forms(smiles)[1:]:
                found.setdefault(form, source)
    return sorted(found.items())
