"""Many molecules into one target: what was docked before is taken from the shelf, the rest is docked and kept.

An interrupted run loses the ligands under way and no other: the same command goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xinglin.apps.drugs.dock.engine import Answer
from xinglin.apps.drugs.dock.ligand import LigandForm, ligand_form
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.pool import Dockers
from xinglin.apps.drugs.dock.shelf import Shelf
from xinglin.errors import XinglinError

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Docked:
    """One molecule's row: a score with its pose, or an error."""

    smiles: str
    """As given."""
    form: LigandForm | None
    """As docked; ``None``: it was no molecule."""
    answer: Answer
    kept: bool = False
    """Whether the score was taken from the shelf."""

    @property
    def score(self) -> float | None:
        """kcal/mol; ``None``: not docked."""
        return self.answer.score

    @property
    def per_heavy_atom(self) -> float | None:
        """Score by atom other than hydrogen (ligand efficiency, Hopkins et al. 2004, with the sign of the score)."""
        if self.answer.score is None or self.form is None:
            return None
        return self.answer.score / self.form.heavy_atoms

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed or assumed."""
        return (*(self.form.notes if self.form else ()), *self.answer.notes)


def dock_many(
    smiles: Sequence[str],
    options: DockOptions,
    dockers: Dockers,
    shelf: Shelf | None = None,
    progress: Progress | None = None,
) -> list[Docked]:
    """Return one row a molecule, in their order.

    Args:
        smiles: molecules; of duplicates one is docked.
        options: of docking; the same that ``dockers`` and ``shelf`` were made with.
        dockers: what docks.
        shelf: where scores are kept; ``None``: nowhere.
        progress: called with (done, of) as molecules are done.
    """
    forms: list[LigandForm | None] = []
    answers: dict[LigandForm, Answer] = {}
    refused: dict[int, str] = {}
    taken = set()
    for index, text in enumerate(smiles):
        try:
            form = ligand_form(text, options)
        except XinglinError as error:
            forms.append(None)
            refused[index] = str(error)
            continue
        forms.append(form)
        found = shelf.get(form) if shelf is not None and form not in answers else None
        if found is not None:
            answers[form] = found
            taken.add(form)
    wanted = list(dict.fromkeys(form for form in forms if form is not None and form not in answers))
    done, total = len(smiles) - len(wanted), len(smiles)
    if progress is not None:
        progress(done, total)
    for index, answer in dockers.run(wanted):
        answers[wanted[index]] = answer
        if shelf is not None:
            shelf.put(wanted[index], answer)
        done += 1
        if progress is not None:
            progress(done, total)
    if shelf is not None:
        shelf.bound()
    return [
        Docked(text, form, answers[form], form in taken) if form is not None
        else Docked(text, None, Answer(None, None, 0.0, (), refused[index]))
        for index, (text, form) in enumerate(zip(smiles, forms, strict=True))
    ]  # fmt: skip
