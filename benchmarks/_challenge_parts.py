"""The data of the first challenge: toyhom questions -> public part, hidden questions, hidden labels.

Nothing of them is shipped: this recipe makes the same bytes from the open data set, and the manifest holds their
digests. Hidden is the fifth that no model of this project reads (``train.corpus.reported``); a quarter of it, again by
SHA-256, feeds the board while the challenge is open, the rest decides.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.evaluate.text_sets import TEXT_SETS, read_questions
from xinglin.release.challenge.parts import Case
from xinglin.train.corpus import reported, unlearnt

SET = TEXT_SETS["toyhom-department"]
BOARD_ONE_IN = 4


@dataclass(frozen=True)
class Parts:
    """Labelled questions for everybody, and the organiser's."""

    public: tuple[Case, ...]
    hidden: tuple[Case, ...]
    new: NDArray[np.intp]
    """Places of the public questions whose labels the shipped encoder has not learnt."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The departments, sorted."""
        return tuple(sorted({case.label for case in self.public}))


def read_parts(data: Path) -> Parts:
    """Read the data set and divide it.

    Args:
        data: the folder of shared data sets.
    """
    public, hidden, unseen = [], [], set()
    for question in read_questions(SET, "question", data / SET.path):
        key = str(question.row[SET.key])
        if not question.text:
            continue
        mark = hashlib.sha256(key.encode()).hexdigest()
        if not reported(key):
            public.append(Case(mark[:16], question.text, question.label))
            if unlearnt(key):
                unseen.add(mark[:16])
            continue
        board = int(hashlib.sha256(f"board {key}".encode()).hexdigest(), 16) % BOARD_ONE_IN == 0
        groups = {"长度 length": "≤60" if len(question.text) <= 60 else ">60"}
        part = "board" if board else "final"
        hidden.append(Case(mark[:16], question.text, question.label, part, groups))
    public.sort()
    new = np.array([place for place, case in enumerate(public) if case.id in unseen], np.intp)
    return Parts(_numbered(public), _numbered(sorted(hidden)), new)


def _numbered(cases: list[Case]) -> tuple[Case, ...]:
    """Tell the same question asked twice apart."""
    seen: dict[str, int] = {}
    found = []
    for case in cases:
        seen[case.id] = seen.get(case.id, 0) + 1
        found.append(case if seen[case.id] == 1 else replace(case, id=f"{case.id}-{seen[case.id]}"))
    return tuple(found)
