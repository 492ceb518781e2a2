"""ai-hospital: real Chinese hospital records of wide scope, scored by the rule of ``names``.

Inputs are the patient's opening statement alone, or with the results of the examinations; the gold
fields and the dialogue are never read by the engine. GPT-4's answers in the file are rescored by the same
rule and are indicative only: its input was richer than what the file holds.

Halves: a record is *reported* if the SHA-256 of its ``patient_id``, read as a number, is even (186 of the 394
development records). Nothing is chosen or learnt on it: names of the graph aside (docs/log.md), wordings, weights
and the text model's training come from the other half (208) alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.diagnosis.answer import ranking
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.evaluate.names import Synonyms
from xinglin.apps.diagnosis.evaluate.row import CaseResult, Evaluation, ResultRow, rate
from xinglin.apps.diagnosis.facts import gather
from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines
from xinglin.measure import paired_accuracy

MODES = ("statement", "statement+exams")
INDICATIVE = "indicative: GPT-4 saw more than the file holds"
LENGTH = 5
_ANSWER = re.compile(r"#诊断结果#\s*(.*?)(?:\n\s*#|\Z)", re.S)
_NUMBER = re.compile(r"^\s*(?:\d+[.、)]|[-*])\s*")


def case_text(row: dict[str, Any], mode: str) -> str:
    """Return the input of one case.

    Raises:
        InvalidInputError: the record lacks its opening statement.
    """
    try:
        text = str(row["opening_statements"]["gpt4"])
    except (KeyError, TypeError):
        raise InvalidInputError(f"record {row.get('patient_id')}: expected opening_statements.gpt4") from None
    if mode == "statement+exams":
        text += "\n" + "\n".join(str(part) for part in row.get("exam_results", []))
    return text


def reported(row: dict[str, Any]) -> bool:
    """Return whether a record lies in the half that is only ever scored."""
    return int(sha256(str(row.get("patient_id")).encode()).hexdigest(), 16) % 2 == 0


def gpt4_list(row: dict[str, Any]) -> list[str]:
    """Return the diagnoses that GPT-4's one-step answer lists, at most five."""
    match = _ANSWER.search(str(row.get("gpt4_onestep", "")))
    lines = match.group(1).splitlines() if match else []
    return [name for line in lines if (name := _NUMBER.sub("", line).strip())][:LENGTH]


def evaluate_hospital(
    data: Path, arms: dict[str, Differential], synonyms: Synonyms, *, limit: int | None = None
) -> Evaluation:
    """Score graphs on the records.

    Args:
        data: the JSONL file.
        arms: graph name -> loaded differential.
        synonyms: names and codes of the scoring rule, the same for every arm.
        limit: first so many records (for a quick look); ``None`` all.
    """
    rows = [row for _, row in read_lines(data)][:limit]
    golds = [[str(name) for name in row["gold_diagnosis_list"]] for row in rows]
    result = Evaluation([])

    def score(lists: Sequence[Sequence[str]], mode: str, arm: str, note: str = "") -> np.ndarray[Any, Any]:
        hits = [
            [_first(ranked, gold, k, synonyms) for k in (1, 3, LENGTH)]
            for ranked, gold in zip(lists, golds, strict=True)
        ]
        anywhere = np.array(
            [_any(ranked[:LENGTH], gold, synonyms) for ranked, gold in zip(lists, golds, strict=True)]
        )
        columns = np.array(hits)
        metrics = {
            "accuracy": rate(columns[:, 0]),
            "top3": rate(columns[:, 1]),
            "top5": rate(columns[:, 2]),
            "any_in_5": rate(anywhere),
        }
        result.rows.append(ResultRow("ai-hospital", mode, arm, len(rows), metrics, note))
        return np.asarray(columns[:, 2], bool)

    gpt4 = [gpt4_list(row) for row in rows]
    reference = score(gpt4, "one-step answer", "gpt4", INDICATIVE)
    constant = constant_list(golds, arms, synonyms)
    score(
        [constant] * len(rows),
        "constant list",
        "floor",
        "best five names for these golds: " + "、".join(constant),
    )
    for mode in MODES:
        first_five = {}
        for name, differential in arms.items():
            lists = []
            for row, gold in zip(rows, golds, strict=True):
                ranked = ranking(differential, gather(differential, case_text(row, mode)[:20_000]))[:LENGTH]
                lists.append([disease for disease, _ in ranked])
                result.cases.append(
                    CaseResult(str(row["patient_id"]), mode, name, [(d, None) for d, _ in ranked], gold)
                )
            hits = first_five[name] = score(lists, mode, name)
            cut = [ranked[: max(1, len(answer))] for ranked, answer in zip(lists, gpt4, strict=True)]
            same = np.array([_first(r, g, LENGTH, synonyms) for r, g in zip(cut, golds, strict=True)], bool)
            for label, ours in (("top5", hits), ("at GPT-4's list length", same)):
                test = paired_accuracy(ours, reference)
                result.remarks.append(
                    f"ai-hospital {mode} {name} {label}: {ours.mean():.3f} against GPT-4 {reference.mean():.3f}, "
                    f"gain {test.gain:+.3f} [{test.low:+.3f}, {test.high:+.3f}], p = {test.p:.3g} ({INDICATIVE})"
                )
        for name in ("model", "both"):
            if name in first_five and "starter" in first_five:
                ours, graph = first_five[name], first_five["starter"]
                test = paired_accuracy(ours, graph)
                result.remarks.append(
                    f"ai-hospital {mode} {name} top5: {ours.mean():.3f} against the graph alone {graph.mean():.3f}, "
                    f"gain {test.gain:+.3f} [{test.low:+.3f}, {test.high:+.3f}], p = {test.p:.3g}"
                )
    return result


def _first(ranked: Sequence[str], gold: Sequence[str], k: int, synonyms: Synonyms) -> bool:
    """Whether the first gold diagnosis is among the first ``k``."""
    return bool(gold) and any(synonyms.hit(name, gold[0]) for name in ranked[:k])


def _any(ranked: Sequence[str], gold: Sequence[str], synonyms: Synonyms) -> bool:
    return any(synonyms.hit(name, item) for name in ranked for item in gold)


def constant_list(
    golds: Sequence[Sequence[str]], arms: dict[str, Differential], synonyms: Synonyms
) -> list[str]:
    """Return five names that, given to every patient, hit most first golds (chosen greedily on these golds).

    The floor is optimistic: it may look at the answers, so that beating it means something.
    """
    firsts = [gold[0] for gold in golds if gold]
    names = Counter(disease.name for arm in arms.values() for disease in arm.pack.diseases)
    hitting: dict[str, set[int]] = {}
    hit: Callable[[str, str], bool] = synonyms.hit
    for name in names:
        found = {i for i, gold in enumerate(firsts) if hit(name, gold)}
        if found:
            hitting[name] = found
    chosen: list[str] = []
    covered: set[int] = set()
    for _ in range(LENGTH):
        best = max(hitting, key=lambda name: (len(hitting[name] - covered), name), default=None)
        if best is None or not hitting[best] - covered:
            break
        chosen.append(best)
        covered |= hitting[best]
    return chosen
