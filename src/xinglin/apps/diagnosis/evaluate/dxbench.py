"""dxbench: symptom phrases of real dialogues and three candidate diseases, choose one.

The phrases are written out as a short text and read like any other; each candidate takes the log posterior
of the disease of the graph that its name resolves to. A candidate that no graph knows takes the mean of the
three, so that ignorance neither wins nor loses by itself.

The order of the candidates leaks: the first is right in half of the cases. It is never used, not even to
break a tie, and *first candidate* is reported beside the other floors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.evaluate.names import CLASS_WORDS, Synonyms, normal
from xinglin.apps.diagnosis.evaluate.row import CaseResult, Evaluation, ResultRow, rate
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.weighing import log_posterior, weigh
from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines
from xinglin.measure import paired_accuracy

MODES = ("explicit", "explicit+implicit")
ALIKE = 0.5
"""Least share of common character pairs (Jaccard) at which two names are taken for the same disease."""
MIN_CONTAINED = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """One case."""

    id: str
    explicit: tuple[tuple[str, bool], ...]
    implicit: tuple[tuple[str, bool], ...]
    candidates: tuple[str, ...]
    disease: str

    @property
    def reported(self) -> bool:
        """Whether the case lies in the half on which nothing is chosen."""
        return int(sha256(self.id.encode()).hexdigest(), 16) % 2 == 0

    def text(self, mode: str) -> str:
        """Return the phrases as one line, denied ones with 无."""
        phrases = self.explicit + (self.implicit if mode == "explicit+implicit" else ())
        return ";".join(name if present else f"无{name}" for name, present in phrases) + "。"


def read_choices(path: Path) -> list[Choice]:
    """Read the cases.

    Raises:
        InvalidInputError: a line without phrases, candidates or a disease among them.
    """
    choices = []
    for number, row in read_lines(path):
        try:
            choice = Choice(
                id=str(row["id"]),
                explicit=_phrases(row["explicit"]),
                implicit=_phrases(row["implicit"]),
                candidates=tuple(str(name) for name in row["candidates"]),
                disease=str(row["disease"]),
            )
        except (KeyError, TypeError) as error:
            raise InvalidInputError(
                f"{path.name}:{number}: expected id, explicit, implicit, candidates, disease ({error})"
            ) from None
        if choice.disease not in choice.candidates:
            raise InvalidInputError(f"{path.name}:{number}: the disease is not among the candidates")
        choices.append(choice)
    return choices


def _phrases(items: Sequence[Mapping[str, object]]) -> tuple[tuple[str, bool], ...]:
    return tuple((str(item["name"]), bool(item["present"])) for item in items)


class Resolver:
    """Candidate names -> diseases of a pack."""

    def __init__(self, differential: Differential, synonyms: Synonyms) -> None:
        """Index the pack's names."""
        self.names = [normal(disease.name) for disease in differential.pack.diseases]
        self.synonyms = synonyms
        self.pairs = [_pairs(name) for name in self.names]
        self.known: dict[str, list[int]] = {}

    def __call__(self, name: str) -> list[int]:
        """Return pack indices: the same or a synonym, else one name within the other, else alike."""
        if name not in self.known:
            self.known[name] = self._resolve(normal(name))
        return self.known[name]

    def _resolve(self, wanted: str) -> list[int]:
        group = self.synonyms.group.get(wanted)
        same = [
            i
            for i, name in enumerate(self.names)
            if name == wanted or (group is not None and self.synonyms.group.get(name) == group)
        ]
        if same:
            return same
        within = [i for i, name in enumerate(self.names) if _contained(*sorted((name, wanted), key=len))]
        if within:
            most = max(_alike(self.pairs[i], _pairs(wanted)) for i in within)
            return [i for i in within if _alike(self.pairs[i], _pairs(wanted)) == most]
        shares = [_alike(pairs, _pairs(wanted)) for pairs in self.pairs]
        best = max(shares, default=0.0)
        return [i for i, share in enumerate(shares) if share == best] if best >= ALIKE else []


def choose(logits: NDArray[np.float64], places: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return a score for each candidate; one that resolves to nothing takes the mean of the others."""
    values = np.array([max((logits[i] for i in place), default=np.nan) for place in places])
    if np.isnan(values).all():
        return np.zeros(len(values))
    return np.where(np.isnan(values), np.nanmean(values), values)


def evaluate_dxbench(
    data: Path, arms: Mapping[str, Differential], synonyms: Synonyms, train: Path | None = None
) -> Evaluation:
    """Score graphs on the cases.

    Args:
        data: the JSONL file.
        arms: graph name -> loaded differential.
        synonyms: names by which candidates are resolved, the same for every arm.
        train: other cases for the floor *most frequent*; ``None`` counts on the odd half of ``data`` (by
            SHA-256 of the id) and reports the even half.
    """
    choices = read_choices(data)
    if train is not None:
        counted, cases, half = read_choices(train), choices, ""
    else:
        counted = [case for case in choices if not case.reported]
        cases, half = [case for case in choices if case.reported], "the even half by SHA-256 of the id"
    if not cases:
        raise InvalidInputError("expected cases to score; got none")
    result = Evaluation([])

    def score(hits: Sequence[bool], mode: str, arm: str, note: str) -> NDArray[np.bool_]:
        metrics = {"accuracy": rate(hits)}
        result.rows.append(ResultRow("dxbench", mode, arm, len(cases), metrics, note or half))
        return np.array(hits, bool)

    frequency = Counter(case.disease for case in counted)
    floor = score(
        [_most_frequent(case, frequency) == case.disease for case in cases],
        "candidates only",
        "most frequent",
        "floor: the candidate most often right elsewhere; random .333",
    )
    score(
        [case.candidates[0] == case.disease for case in cases],
        "candidates only",
        "first candidate",
        "a leak of the file, not a method: the right answer stands first too often",
    )
    for name, differential in arms.items():
        resolver = Resolver(differential, synonyms)
        places = [[resolver(candidate) for candidate in case.candidates] for case in cases]
        found = sum(bool(place) for row in places for place in row) / sum(map(len, places))
        for mode in MODES:
            hits = []
            for case, row in zip(cases, places, strict=True):
                values = choose(_logits(differential, case.text(mode)), row)
                order = _best_first(case, values)
                ranked: list[tuple[str, float | None]] = [
                    (case.candidates[i], float(p)) for i, p in zip(order, _share(values[order]), strict=True)
                ]
                hits.append(ranked[0][0] == case.disease)
                result.cases.append(CaseResult(case.id, mode, name, ranked, [case.disease]))
            ours = score(hits, mode, name, f"{found:.0%} of the candidates resolved; {half}".rstrip("; "))
            test = paired_accuracy(ours, floor)
            result.remarks.append(
                f"dxbench {mode} {name}: {ours.mean():.3f} against most frequent {floor.mean():.3f}, "
                f"gain {test.gain:+.3f} [{test.low:+.3f}, {test.high:+.3f}], p = {test.p:.3g}"
            )
    return result


def _most_frequent(case: Choice, frequency: Mapping[str, int]) -> str:
    return max(case.candidates, key=lambda name: (frequency[name], _lot(case, name)))


def _logits(differential: Differential, text: str) -> NDArray[np.float64]:
    """Return the log posterior of every disease, up to a constant."""
    case = gather(differential, text)
    if differential.engine_name == "graph":
        return log_posterior(differential, case)
    return np.log(np.maximum(weigh(differential, case).posterior, 1e-300))


def _share(values: NDArray[np.float64]) -> list[float]:
    weights = np.exp(values - values.max())
    return [float(weight) for weight in weights / weights.sum()]


def _contained(shorter: str, longer: str) -> bool:
    return len(shorter) >= MIN_CONTAINED and shorter not in CLASS_WORDS and shorter in longer


def _lot(case: Choice, name: str) -> str:
    """What decides between equals: never the order of the candidates, which tells (see above)."""
    return sha256(f"{case.id}:{name}".encode()).hexdigest()


def _best_first(case: Choice, values: NDArray[np.float64]) -> list[int]:
    return sorted(range(len(values)), key=lambda i: (-values[i], _lot(case, case.candidates[i])))


def _pairs(name: str) -> frozenset[str]:
    return frozenset(name[i : i + 2] for i in range(len(name) - 1))


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
