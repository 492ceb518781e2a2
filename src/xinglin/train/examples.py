"""Labelled texts from a user's own file, as targets over the graph's diseases or over departments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.graph.importers import read_lines
from xinglin.graph.load import starter
from xinglin.train.corpus import Source, file_digest


@dataclass(frozen=True, slots=True)
class Rendered:
    """Texts rendered from the graph, for the manifest: counted apart from real text."""

    records: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Return the manifest's entry."""
        return {
            "name": "rendered from the starter graph",
            "sha256": None,
            "records": self.records,
            "seed": self.seed,
            "licence": "Apache-2.0",
            "weak": True,
        }


@dataclass(frozen=True, slots=True)
class Examples:
    """What a classifier is fine-tuned on."""

    texts: list[str]
    targets: list[int]
    names: tuple[str, ...]
    sources: Sequence[Source | Rendered]


def diagnosis_examples(path: Path, narratives: int = 0, seed: int = 0) -> Examples:
    """Read texts labelled with diseases of the starter graph.

    Args:
        path: JSONL with ``text`` and ``disease``: a name or alias (Chinese or English) of the graph, or the object
            ``{"system", "value", "display"}`` that the workbench exports.
        narratives: so many texts rendered from the graph are added, over all diseases.
        seed: of the narratives.

    Raises:
        UnknownNameError: a disease the graph does not have; the nearest are named.
        InvalidInputError: a line without text or disease, or none at all.
    """
    knowledge = starter()
    names = tuple(knowledge.diseases)
    known: dict[str, int] = {}
    for place, disease in enumerate(knowledge.diseases.values()):
        for spelling in (disease.name, disease.en, disease.key.value, *disease.aliases, *disease.aliases_en):
            known.setdefault(spelling.casefold(), place)
    texts: list[str] = []
    targets: list[int] = []
    for number, row in read_lines(path):
        named: Any = row.get("disease")
        if isinstance(named, dict):
            named = named.get("display")
        text = _text(path, number, row, "text")
        if not isinstance(named, str) or not named.strip():
            raise InvalidInputError(f"{path.name}:{number}: expected a field disease with a name")
        label = known.get(named.strip().casefold())
        if label is None:
            near = get_close_matches(named.strip().casefold(), known, n=3, cutoff=0.5)
            hint = f"the nearest are {', '.join(near)}" if near else "see xinglin graph show"
            raise UnknownNameError(f"{path.name}:{number}: the graph has no disease {named!r}; {hint}")
        texts.append(text)
        targets.append(label)
    own = Source(path.name, file_digest(path), len(texts), 0, "as stated by its owner")
    if not texts:
        raise InvalidInputError(f"{path.name}: expected labelled texts; got none")
    if not narratives:
        return Examples(texts, targets, names, (own,))
    from xinglin.train.narratives import narratives as render

    for narrative in render(narratives, seed):
        texts.append(narrative.text)
        targets.append(known[narrative.disease.casefold()])
    return Examples(texts, targets, names, (own, Rendered(narratives, seed)))


def department_examples(path: Path) -> Examples:
    """Read texts labelled with departments; the classes are those of the file, most frequent first.

    Raises:
        InvalidInputError: a line without text (or ``ask``) or department, or fewer than two departments.
    """
    texts, labels = [], []
    for number, row in read_lines(path):
        texts.append(_text(path, number, row, "text" if "text" in row else "ask"))
        department = row.get("department")
        if not isinstance(department, str) or not department.strip():
            raise InvalidInputError(f"{path.name}:{number}: expected a field department with a name")
        labels.append(department.strip())
    names = tuple(name for name, _ in Counter(labels).most_common())
    if len(names) < 2:
        raise InvalidInputError(f"{path.name}: expected at least two departments; got {len(names)}")
    place = {name: i for i, name in enumerate(names)}
    source = Source(path.name, file_digest(path), len(texts), 0, "as stated by its owner")
    return Examples(texts, [place[label] for label in labels], names, (source,))


def _text(path: Path, number: int, row: dict[str, Any], field: str) -> str:
    text = row.get(field)
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(f"{path.name}:{number}: expected a field {field} with a text")
    return text.strip()
