"""Allergens and medicines of a header or a record by the vocabulary's names, so that checks can see them."""

from __future__ import annotations

from dataclasses import replace

from xinglin.terms.characters import normalise
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Patient


def name_substances(patient: Patient, vocabulary: Vocabulary) -> Patient:
    """Return the header with each allergen and medicine under its vocabulary name.

    *Penicillin*, *Allergy to penicillin* and 青霉素过敏 all become 青霉素; what the vocabulary does not know
    stays as it was written.
    """
    return replace(
        patient,
        allergies=_named(patient.allergies, vocabulary),
        drugs=_named(patient.drugs, vocabulary),
    )


def _named(items: tuple[str, ...] | None, vocabulary: Vocabulary) -> tuple[str, ...] | None:
    if items is None:
        return None
    found: dict[str, None] = {}
    for item in items:
        if item in vocabulary.drugs:
            found[item] = None
            continue
        matches = vocabulary.drug_names.longest(normalise(item))
        found.update((match.payload.name, None) for match in matches)
        if not matches:
            found[item] = None
    return tuple(found)
