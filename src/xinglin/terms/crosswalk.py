"""From an English disease name to DOID, and from there to ICD-10-CM and SNOMED CT.

Source: Human Disease Ontology (CC0-1.0), as JSON lines with ``id``, ``label``, ``parents``, ``synonyms``
and ``xrefs``.
The file is an argument; cross-references are the ontology's claims, not equivalences that we have checked.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.terms.codes import DOID, ICD10_CM, SNOMEDCT, is_icd10
from xinglin.types import Code

MAX_BYTES = 256 * 1024**2
"""Bound on the uncompressed size; the ontology's is about 10 MB."""
_SYSTEMS = {"ICD10CM": ICD10_CM, "SNOMEDCT_US": SNOMEDCT}


@dataclass(frozen=True, slots=True)
class Disease:
    """One term of the Disease Ontology."""

    code: Code
    synonyms: tuple[str, ...]
    """Exact synonyms."""
    parents: tuple[str, ...]
    """Labels of its parents."""
    targets: tuple[Code, ...]
    """Cross-references to ICD-10-CM and SNOMED CT."""


@dataclass(frozen=True)
class Crosswalk:
    """Diseases by id and by name."""

    by_id: dict[str, Disease]
    by_name: dict[str, tuple[str, ...]]
    """Normal name -> ids; labels before synonyms."""

    def find(self, name: str) -> tuple[Disease, ...]:
        """Diseases of exactly this label or synonym; case, punctuation and plural ``s`` do not matter."""
        return tuple(self.by_id[i] for i in self.by_name.get(_normal(name), ()))

    def disease(self, doid: str) -> Disease:
        """The disease of that id.

        Raises:
            UnknownNameError: there is none.
        """
        try:
            return self.by_id[doid]
        except KeyError:
            raise UnknownNameError(
                f"expected an id such as DOID:5844; {doid!r} is not in this file: look the disease up by name"
            ) from None

    def codes(self, name: str, system: str | None = None) -> tuple[Code, ...]:
        """Codes in ICD-10-CM and SNOMED CT (or one ``system``) for a disease name, without repeats."""
        found = (code for disease in self.find(name) for code in disease.targets)
        return tuple(dict.fromkeys(code for code in found if system is None or code.system == system))


def _normal(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).split()
    return " ".join(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in words
    )


def load_crosswalk(path: Path) -> Crosswalk:
    """Read ``terms.jsonl`` or ``terms.jsonl.gz``.

    Raises:
        MissingDataError: no such file.
        InputTooLargeError: more than :data:`MAX_BYTES` uncompressed.
        InvalidInputError: not JSON lines of that shape; the message names the line.
    """
    path = Path(path)
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MissingDataError(
            f"expected the Disease Ontology at {path}; it is absent: give terms.jsonl.gz"
        ) from None
    except (gzip.BadGzipFile, EOFError) as error:
        raise InvalidInputError(f"expected a gzip file at {path}; {error}: download it again") from None
    if len(data) > MAX_BYTES:
        raise InputTooLargeError(
            f"expected at most {MAX_BYTES} bytes in {path}: this is not the Disease Ontology"
        )
    by_id: dict[str, Disease] = {}
    labels: dict[str, list[str]] = {}
    synonyms: dict[str, list[str]] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        disease = _disease(path, number, line)
        by_id[disease.code.value] = disease
        labels.setdefault(_normal(disease.code.display), []).append(disease.code.value)
        for synonym in disease.synonyms:
            synonyms.setdefault(_normal(synonym), []).append(disease.code.value)
    names = {
        name: tuple(dict.fromkeys((*labels.get(name, ()), *synonyms.get(name, ()))))
        for name in (labels | synonyms)
    }
    return Crosswalk(by_id, names)


def _disease(path: Path, number: int, line: bytes) -> Disease:
    try:
        item = json.loads(line)
        code = Code(DOID, str(item["id"]), str(item["label"]))
        targets = tuple(
            Code(system, str(value))
            for key, system in _SYSTEMS.items()
            for value in item.get("xrefs", {}).get(key, ())
            if system != ICD10_CM or is_icd10(str(value))  # chapters such as I20-I25 are no codes
        )
        exact = tuple(str(pair[0]) for pair in item.get("synonyms", ()) if pair[1] == "EXACT")
        return Disease(code, exact, tuple(map(str, item.get("parents", ()))), targets)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidInputError(
            f"{path.name}:{number}: expected an object with id, label, synonyms, xrefs; "
            f"{type(error).__name__} {error}: "
            "check that this is the Disease Ontology as JSON lines"
        ) from None
