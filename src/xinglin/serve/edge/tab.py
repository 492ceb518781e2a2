"""What runs inside the tab: the package's own reader, engine and rules, behind calls of plain JSON.

The page's worker starts this module in Pyodide. It is the same code over the same files as the server's, so an
answer is the server's answer; only the text model's numbers come from outside, since ONNX Runtime and the tokenizer
are JavaScript there. Imports stay within what the folder carries: NumPy and the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import (
    PACK_FILE,
    Differential,
    EngineName,
    load_differential,
    with_encoder,
)
from xinglin.apps.diagnosis.facts import gather, words_of
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.apps.diagnosis.render import as_json, model_json, question
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.model.runtime import windows_of
from xinglin.records.decode import decode_json
from xinglin.terms.reading import MAX_CHARACTERS
from xinglin.types import Patient, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETTINGS, PROFILE = "settings.json", "profile.toml"
_STATES = ("present", "absent", "unknown")
_LIMITS = {"age": 130.0, "gestation_weeks": 45.0, "egfr": 250.0}
_LISTS = {"allergies": 100, "drugs": 200}
_FLAGS = ("pregnant", "lactating")


@dataclass(frozen=True)
class TabEncoder:
    """The text model as the engine sees it; its logits are computed by JavaScript and handed to :meth:`Tab.respond`."""

    id: str
    labels: tuple[str, ...]
    manifest: dict[str, Any]
    calibration: dict[str, Any] | None
    max_length: int

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Say that there is nothing: only a text without a single token arrives here.

        Raises:
            InvalidInputError: always; the graph answers alone, and the answer says so, as on the server.
        """
        raise InvalidInputError(f"{len(texts)} text(s) without words for the text model: 请输入病情描述")


@dataclass(frozen=True)
class Request:
    """The body of ``POST /api/diagnose``, as far as a tab takes it."""

    text: str = ""
    patient: Patient | None = None
    answers: Mapping[str, State] = field(default_factory=dict)
    top: int = 5
    lang: Lang = "zh"
    engine: EngineName | None = None


@dataclass(frozen=True)
class Tab:
    """A loaded model in a tab."""

    differential: Differential

    @staticmethod
    def open(folder: str) -> Tab:
        """Load what :func:`xinglin.serve.edge.build.write_edge` put into the folder's archive.

        Raises:
            XinglinError: the pack, the profile or the calibration does not fit.
        """
        place = Path(folder)
        settings = json.loads((place / SETTINGS).read_text(encoding="utf-8"))
        profile = place / PROFILE
        pack = place if (place / PACK_FILE).is_file() else None
        graph = load_differential(pack, profile if profile.is_file() else None, "graph")
        described = settings["encoder"]
        if described is None:
            return Tab(graph)
        encoder = TabEncoder(
            described["id"],
            tuple(described["labels"]),
            described["manifest"],
            described["calibration"],
            described["max_length"],
        )
        return Tab(with_encoder(graph, encoder, settings["engine"]))

    def words(self, body: str) -> str:
        """Return the words that the text model is to read; empty: it has no say."""
        try:
            asked = read_request(body)
            if self.differential.using(asked.engine).engine_name == "graph":
                return ""
        except XinglinError:
            return ""  # respond says it
        words = words_of(asked.text)
        return words if words.strip() and len(words) <= MAX_CHARACTERS else ""

    def windows(self, ids: Sequence[int]) -> list[list[int]]:
        """Return the windows of a text's token ids, special tokens included."""
        encoder = cast("TabEncoder", self.differential.encoder)
        return windows_of(list(ids), encoder.max_length) if ids else []

    def respond(self, body: str, logits: Sequence[float] | None = None) -> str:
        """Answer one request: ``{"status", "body"}``, the body as ``POST /api/diagnose`` would send it.

        Args:
            body: the request's JSON.
            logits: mean over the windows of the text model's logits; ``None`` where there was nothing to read.
        """
        try:
            asked = read_request(body)
            differential = self.differential.using(asked.engine)
            case = gather(differential, asked.text, None, asked.patient, asked.answers)
            told = None if logits is None else np.asarray(logits, np.float32)
            result = answer(differential, case, asked.top, told)
            rendered = as_json(differential, result, asked.lang)
            unknown = frozenset(key for key, state in asked.answers.items() if state == "unknown")
            if unknown:
                rendered["question"] = question(differential, result, asked.lang, unknown)
        except XinglinError as error:
            problem = {
                "type": "about:blank",
                "title": error.title,
                "status": error.status,
                "detail": str(error),
            }
            return _dumps({"status": error.status, "body": problem})
        return _dumps({"status": 200, "body": rendered})

    def choices(self) -> str:
        """Return the findings that a person may tick: id, Chinese and English name."""
        findings = self.differential.pack.findings
        return _dumps([[item.key, item.name, item.en] for item in findings])

    def model(self) -> str:
        """Return which model is loaded, as ``GET /api/health`` names it."""
        return _dumps(model_json(self.differential))

    def vectors(self) -> str:
        """Run the conformance vectors in this runtime: ``{"agreed", "of"}``."""
        from xinglin.apps.diagnosis.conformance.vectors import output, read_vectors

        pack, vectors = read_vectors()
        engine = Engine.build(pack)
        agreed = sum(output(engine, row["input"]) == row["output"] for row in vectors)
        return _dumps({"agreed": agreed, "of": len(vectors)})


def read_request(body: str) -> Request:
    """Read a request strictly; an unknown field is refused by name.

    Raises:
        InputTooLargeError: the text is longer than 20,000 characters.
        InvalidInputError: names the field and what was expected of it.
    """
    given = decode_json(body.encode("utf-8", "surrogatepass"), "body")
    if not isinstance(given, dict):
        raise InvalidInputError("body: expected a JSON object")
    _known(given, Request.__dataclass_fields__, "body")
    text = given.get("text", "")
    if not isinstance(text, str):
        raise InvalidInputError("text: expected a string")
    if len(text) > MAX_CHARACTERS:
        raise InputTooLargeError(
            f"expected at most {MAX_CHARACTERS} characters; got {len(text)}: 文本过长,请分段输入 (split the text)"
        )
    top = given.get("top", 5)
    if type(top) is not int or not 1 <= top <= 50:
        raise InvalidInputError("top: expected a whole number from 1 to 50")
    lang = given.get("lang", "zh")
    if lang not in ("zh", "en"):
        raise InvalidInputError("lang: expected zh or en")
    answers = given.get("answers", {})
    if not isinstance(answers, dict) or len(answers) > 200 or not all(s in _STATES for s in answers.values()):
        raise InvalidInputError(f"answers: expected at most 200 findings, each {', '.join(_STATES)}")
    header = given.get("patient")
    return Request(
        text, None if header is None else _patient(header), answers, top, lang, given.get("engine")
    )


def _patient(given: Any) -> Patient:
    """The header, with the bounds of :class:`xinglin.records.intake.PatientJson`."""
    if not isinstance(given, dict):
        raise InvalidInputError("patient: expected an object")
    _known(given, Patient.__dataclass_fields__, "patient")
    values = {name: value for name, value in given.items() if value is not None}
    for name, value in values.items():
        if name in _LIMITS:
            number = type(value) in (int, float)
            if not number or not 0 <= value <= _LIMITS[name]:
                raise InvalidInputError(f"patient.{name}: expected a number from 0 to {_LIMITS[name]:g}")
            values[name] = float(value)
        elif name in _FLAGS and type(value) is not bool:
            raise InvalidInputError(f"patient.{name}: expected true or false")
        elif name == "sex" and value not in ("male", "female"):
            raise InvalidInputError("patient.sex: expected male or female")
        elif name in _LISTS:
            if not isinstance(value, list) or len(value) > _LISTS[name] or not all(map(_is_text, value)):
                raise InvalidInputError(f"patient.{name}: expected at most {_LISTS[name]} names")
            values[name] = tuple(value)
    return Patient(**values)


def _known(given: Mapping[str, Any], fields: Mapping[str, Any], place: str) -> None:
    extra = [name for name in given if name not in fields]
    if extra:
        raise InvalidInputError(f"{place}: unknown field {extra[0][:40]!r}; expected {', '.join(fields)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
