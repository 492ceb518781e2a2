"""The Python door: one call from text to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import EngineName, load_differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.remember import remember_prediction
from xinglin.apps.diagnosis.render import as_json
from xinglin.apps.diagnosis.wording import Lang
from xinglin.store import Store
from xinglin.types import Patient, Record


def diagnose(
    text: str,
    *,
    record: Record | None = None,
    patient: Patient | None = None,
    top: int = 5,
    lang: Lang = "zh",
    model: Path | None = None,
    profile: Path | None = None,
    engine: EngineName | None = None,
    store: Store | None = None,
) -> dict[str, Any]:
    """Return the whole answer for one patient as plain data (keys: docs/answer.md).

    Args:
        text: the patient's words and results, Chinese or English, at most 20,000 characters.
        record: a structured record beside the text (``xinglin.records.read_record``).
        patient: header facts; what it states wins over the text.
        top: number of candidates, 1 to 50.
        lang: language of the answer.
        model: folder of a fitted or recalibrated graph, of a text model, or of both; ``None`` is the starter graph.
        profile: the clinic's profile (TOML).
        engine: ``graph``, ``model`` or ``both``; ``None`` is ``both``, or ``graph`` where a folder has no text model.
        store: when given, the prediction is appended to its ledger.

    Raises:
        InvalidInputError: nothing to read.
        InputTooLargeError: the text is too long.
        MissingDataError: no such model, or the engine needs a text model and there is none.
        CheckpointError: the text model is damaged.
    """
    differential = load_differential(model, profile, engine)
    case = gather(differential, text, record, patient)
    rendered = as_json(differential, answer(differential, case, top), lang)
    if store is not None:
        remember_prediction(store, case.text, rendered, actor="python")
    return rendered
