"""What a model goes by over a data set: every case explained, the explanations of some of them checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain_asked import Question, question
from xinglin.apps.diagnosis.explain_told import versions
from xinglin.apps.diagnosis.explain_words import METHODS, Method, attributed, attribution_of
from xinglin.apps.diagnosis.remember import now
from xinglin.errors import InputTooLargeError, InvalidInputError, UnknownNameError
from xinglin.explain.attribution import Attribution
from xinglin.explain.basis import Pair
from xinglin.explain.cohort import Cohort, trust_of
from xinglin.explain.faithfulness import Faithfulness
from xinglin.explain.game import Progress
from xinglin.explain.overview import summarise
from xinglin.types import Patient, Record

CHECKED = 20
"""Cases whose explanations are checked, drawn by the seed."""
BANDS = ((18, "0-17岁", "0-17 years"), (45, "18-44岁", "18-44 years"), (65, "45-64岁", "45-64 years"))
OLDEST = ("65岁以上", "65 years and over")
SEXES = {"male": ("男", "male"), "female": ("女", "female")}
SEX, AGE = ("性别", "sex"), ("年龄段", "age band")
REASONS: dict[type[Exception], str] = {
    InputTooLargeError: "too long",
    UnknownNameError: "no label for the disease",
    InvalidInputError: "nothing to explain",
}


def explain_cases(
    differential: Differential,
    records: Sequence[Record],
    *,
    source: str,
    digest: str = "",
    method: Method = "auto",
    target: str | None = None,
    checked: int = CHECKED,
    seed: int = 0,
    report: Progress | None = None,
) -> Cohort:
    """Explain the answer to every case and gather what the model goes by. Stores nothing.

    Args:
        differential: the loaded model.
        records: the cases; a case without text cannot be explained and is counted as left out.
        source: name of the data set, for the report.
        digest: SHA-256 of the data set.
        method: as for one case (:func:`xinglin.apps.diagnosis.explain.explain`), but ``auto`` is ``permutation``.
        target: the disease to explain in every case; ``None`` is each case's own first candidate.
        checked: cases whose explanations are checked against the model (about three times the work of a case).
        seed: of every random draw.
        report: progress as (done, of cases); may raise to cancel.

    Raises:
        InvalidInputError: no case could be explained, or the method does not fit the engine.
        UnknownNameError: no such disease as ``target``.
        MissingExtraError: an optional part is not installed.
    """
    if method not in METHODS:
        raise InvalidInputError(f"method: expected {', '.join(METHODS)}; got {method!r}")
    if method == "gradients" and differential.engine_name != "model":
        raise InvalidInputError("gradients: they explain the text model alone: use --engine model")
    if method == "auto":
        method = "permutation"  # one method for all cases: means over two kinds of values would mean nothing
    drawn = np.random.default_rng(seed).permutation(len(records))[: max(0, checked)]
    to_check = frozenset(drawn.tolist())
    told: list[tuple[Question, Attribution]] = []
    measured: list[Faithfulness] = []
    left_out: Counter[str] = Counter()
    english: dict[str, str] = {}
    for number, record in enumerate(records):
        try:
            asked = question(differential, "", record=record, target=target)
            if number in to_check:
                made = attributed(asked, method, seed)
                measured.append(made.faithfulness)
                told.append((asked, made.attribution))
            else:
                told.append((asked, attribution_of(asked, method, seed)))
            english |= asked.english
        except (InvalidInputError, UnknownNameError) as error:
            if target is not None and isinstance(error, UnknownNameError):
                raise
            left_out[next(name for kind, name in REASONS.items() if isinstance(error, kind))] += 1
        if report is not None:
            report(number + 1, len(records))
    if not told:
        raise InvalidInputError(
            f"{source}: expected cases with text to explain, none of {len(records)} has any"
        )
    groups, names = _groups([asked.asked.case.patient for asked, _ in told])
    english |= names | dict(asked.asked.name for asked, _ in told)
    return Cohort(
        source=source,
        digest=digest,
        overview=summarise([attribution for _, attribution in told], groups, seed=seed),
        class_cases=dict(Counter(attribution.target for _, attribution in told)),
        stated={name: sum(value is not None for value in values) for name, values in groups.items()},
        left_out=dict(left_out),
        abstained=sum(asked.asked.result.prediction.abstained for asked, _ in told),
        target=told[0][0].asked.name if target is not None else None,
        trust=trust_of(measured, seed=seed),
        method=method,
        seed=seed,
        versions=versions(differential),
        time=now(),
        english=english,
    )


def _groups(patients: Sequence[Patient]) -> tuple[dict[str, list[str | None]], dict[str, str]]:
    """Sex and age band of each case as the note or header states them, and the English of both."""
    sexes = [SEXES[patient.sex] if patient.sex is not None else None for patient in patients]
    bands = [_band(patient.age) if patient.age is not None else None for patient in patients]
    names = dict([SEX, AGE, *(pair for pair in (*sexes, *bands) if pair is not None)])
    grouped = {
        SEX[0]: [pair[0] if pair else None for pair in sexes],
        AGE[0]: [pair[0] if pair else None for pair in bands],
    }
    return grouped, names


def _band(age: float) -> Pair:
    for below, zh, en in BANDS:
        if age < below:
            return zh, en
    return OLDEST
