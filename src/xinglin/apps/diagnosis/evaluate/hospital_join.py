"""Learn how graph and text model count from the hospital records that are not reported on.

The tuning half of ai-hospital (odd by SHA-256 of ``patient_id``, :func:`.hospital.reported`) gives cases with
real diagnoses. A disease of the pack is right if it hits the record's *first* gold diagnosis by the rule of
:mod:`.names`; a record whose diagnosis no disease of the pack hits teaches nothing and is counted. Each record
comes once a mode, since a join must know how much to trust a model on a short statement and on one with results.

The text model must not have learnt the labels of these records: the recipe of the shipped one leaves them out
(``train.recipe.TUNED_ON``), though its encoder read their text in masked language modelling. A model that has learnt
them is fitted on logits of models trained without the record's fold: ``logits``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.evaluate.hospital import MODES, case_text, reported
from xinglin.apps.diagnosis.evaluate.names import Synonyms
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.fit_join import JoinFit, fit_join
from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines

LONGEST = 20_000
"""Characters of a record that are read, as in its evaluation."""


@dataclass(frozen=True)
class Tuning:
    """The records to learn from, in the order of the file, one case a mode."""

    ids: list[str]
    """``patient_id`` of each case: cases of one record belong into one fold."""
    modes: list[str]
    cases: list[Case]
    truths: list[list[int]]
    """Pack indices of the diseases that hit the first gold diagnosis; empty: none does."""

    @property
    def unmatched(self) -> int:
        """Cases whose diagnosis no disease of the pack hits."""
        return sum(not truth for truth in self.truths)


def read_tuning(
    differential: Differential, data: Path, synonyms: Synonyms, modes: Sequence[str] = MODES
) -> Tuning:
    """Read the tuning half of a file of records; the reported half is skipped unread.

    Raises:
        InvalidInputError: a record without its statement or diagnoses, or no record of the tuning half.
    """
    names = [disease.name for disease in differential.pack.diseases]
    known: dict[str, list[int]] = {}
    found = Tuning([], [], [], [])
    for number, row in read_lines(data):
        if reported(row):
            continue
        golds = row.get("gold_diagnosis_list")
        if not isinstance(golds, list) or not golds:
            raise InvalidInputError(f"{data.name}:{number}: expected gold_diagnosis_list: a list of names")
        first = str(golds[0])
        if first not in known:
            known[first] = [place for place, name in enumerate(names) if synonyms.hit(name, first)]
        for mode in modes:
            found.ids.append(str(row.get("patient_id")))
            found.modes.append(mode)
            found.cases.append(gather(differential, case_text(row, mode)[:LONGEST]))
            found.truths.append(known[first])
    if not found.cases:
        raise InvalidInputError(f"{data.name}: expected records of the tuning half; got none")
    return found


def fit_hospital_join(
    differential: Differential,
    tuning: Tuning,
    *,
    logits: NDArray[Any] | None = None,
    name: str = "ai-hospital, tuning half",
    seed: int = 0,
) -> JoinFit:
    """Fit the join on the tuning half.

    Args:
        differential: with a text model (``load_differential(folder, engine="both")``).
        tuning: from :func:`read_tuning` over the same pack.
        logits: what the text model, trained without a record, says of its cases (cases x labels, in the order of
            ``tuning``); ``None`` asks the differential's own model, which must not have learnt from these records.
        name: of the set, kept in the calibration.
        seed: of the folds.

    Raises:
        ConfigurationError: the differential has no text model.
        InvalidInputError: too few cases with a disease of the pack, or logits of another number of cases.
    """
    return fit_join(
        differential, tuning.cases, tuning.truths, name=name, logits=logits, groups=tuning.ids, seed=seed
    )
