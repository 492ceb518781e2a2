"""Docking by a rule in place of a search, where a test is not about docking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from xinglin.apps.drugs.dock.engine import Answer
from xinglin.apps.drugs.dock.ligand import LigandForm


class Told:
    """Answers with what a rule says; ``None`` is a failure."""

    def __init__(self, rule: Callable[[LigandForm], float | None]) -> None:
        self.rule = rule
        self.asked: list[str] = []

    def run(self, forms: Sequence[LigandForm], /) -> Iterator[tuple[int, Answer]]:
        for index, form in enumerate(forms):
            self.asked.append(form.smiles)
            score = self.rule(form)
            yield index, Answer(score, None, 0.0, (), None if score is not None else "failed")
