"""Names in a case's header by the vocabulary: Penicillin and *allergy to penicillin* are both 青霉素.

The checks of the options compare these names, so one in another spelling would pass unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from xinglin.terms.characters import normalise
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Patient


def known_names(stated: Iterable[str], vocabulary: Vocabulary) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return stated drugs or allergens by their vocabulary names, and those it does not know.

    An unknown name stays in the first list as typed, so that no check over it can come out clear.
    """
    names: list[str] = []
    unknown: list[str] = []
    for item in stated:
        if item in vocabulary.drugs:
            names.append(item)
            continue
        found = [match.payload.name for match in vocabulary.drug_names.longest(normalise(item))]
        names += found or [item]
        if not found:
            unknown.append(item)
    return tuple(dict.fromkeys(names)), tuple(unknown)


def by_vocabulary(patient: Patient, vocabulary: Vocabulary) -> tuple[Patient, tuple[str, ...]]:
    """Return a header with its drugs and allergens by their vocabulary names, and the names not known."""
    unknown: list[str] = []
    changed: dict[str, tuple[str, ...]] = {}
    for field in ("allergies", "drugs"):
        stated = getattr(patient, field)
        if stated:
            changed[field], missed = known_names(stated, vocabulary)
            unknown += missed
    return replace(patient, **changed) if changed else patient, tuple(unknown)  # type: ignore[arg-type]
