"""What a report shows of one explained case: nouns only, every name in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from xinglin.explain.attribution import Attribution
from xinglin.explain.faithfulness import Faithfulness
from xinglin.explain.paths import Path
from xinglin.types import DISCLAIMER, State

Pair = tuple[str, str]
"""The Chinese and the English of the same words."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate as the answer ranks it."""

    name: Pair
    system: str
    code: str
    level: Pair
    share: float
    """Posterior weight that ranks it; no probability unless ``probability`` says so."""
    probability: float | None = None
    """Calibrated probability, where percentages were found true on real cases."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing of a case taken to be otherwise."""

    name: Pair
    """The finding, or the words that are deleted."""
    before: State | None
    """``None``: words, which stand in the note."""
    after: State | None
    """``None``: the words are deleted."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest change that puts another disease first."""

    kind: Literal["findings", "words"]
    changes: tuple[Change, ...]
    """Empty: none within two changes."""
    before: Pair
    """The first candidate of the case."""
    after: Pair | None
    """The first candidate once changed."""
    evaluations: int
    """Changed cases that were weighed."""
    complete: bool
    """Whether every set of at most two changes was weighed or is beaten by a smaller one; ``False``: the budget ran
    out, so *none* only means *none found*."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set of the model's manifest."""

    name: str
    sha256: str | None
    records: int | None
    licence: str
    weak: bool


@dataclass(frozen=True, slots=True)
class Versions:
    """What answered, to the digest."""

    package: str
    engine: str
    """What answered: ``graph``, ``model`` or ``both``."""
    pack: str
    """Name and digest of the knowledge pack."""
    model: str | None = None
    """Name of the text model."""
    model_id: str | None = None
    """Digest of its weights, configuration, tokenizer and data."""
    join: str | None = None
    """What the weights of graph and text model were learnt on."""
    data: tuple[DataSet, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseExplanation:
    """Why one answer reads as it does, and how far that explanation can be trusted."""

    text: str
    """The note that the units point into."""
    patient: tuple[tuple[Pair, Pair], ...]
    """Stated facts of the header: name, value."""
    triage: Pair
    triage_level: str
    red_flags: tuple[Pair, ...]
    candidates: tuple[Ranked, ...]
    """The first of the answer (where it abstained, what would have come first) and the explained one, best first."""
    target: Ranked
    """The disease that is explained."""
    place: int
    """Its place in the ranking, from 1."""
    abstained: Pair | None
    """Why the answer claims no ranking."""
    attribution: Attribution | None
    """``None``: there is no text, only a record or answers."""
    faithfulness: Faithfulness | None
    paths: tuple[Path, ...]
    counterfactuals: tuple[Counterfactual, ...]
    versions: Versions
    time: str
    """When it was made, ISO 8601."""
    notes: tuple[Pair, ...] = ()
    """What the reader must know: the graph had no say, a check could not be made."""
    english: Mapping[str, str] = field(default_factory=dict)
    """English of the Chinese names of units and paths."""

    def named(self, name: str) -> Pair:
        """Return a Chinese name with its English, or twice the Chinese where there is none."""
        return name, self.english.get(name, name)


def as_json(explanation: CaseExplanation) -> dict[str, Any]:
    """Return an explanation as plain data (docs/explain.md); a name is a list of its Chinese and its English."""
    return {"disclaimer": [DISCLAIMER["zh"], DISCLAIMER["en"]], **asdict(explanation)}
