"""Label Studio's task format <-> what a campaign has gathered.

Format: the *Label Studio JSON format of annotated tasks* (labelstud.io/guide/task_format): a list of tasks, each with
``data``, ``annotations`` (one a person; ``was_cancelled``: skipped) and ``predictions``. An answer is one ``choices``
result whose choices are ``system:value`` (the configuration's ``alias``, so that people read names and files hold codes;
several or none under a multi-label scheme),
the words it rests on are ``labels`` results, a confidence is a ``number``, a reason a ``textarea``. People are given
by their e-mail, as its import wants it.

Offsets: since 2022 Label Studio counts characters, before it counted the UTF-16 units of the browser (its pull request
1559); the quoted text of a span says which, and a span that fits neither is an error. Left out on the way, since the
format has no place for it: the label before the model's vote was seen, which a file brought in takes to be the label.
The direct export of a server names people and predictions by number: say who is who; a snapshot (Export, with predictions)
holds what the predictions say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from xml.sax.saxutils import quoteattr

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.labels.answer import Answer
from xinglin.labels.campaign import STAGES, Stage
from xinglin.labels.results import Given
from xinglin.labels.scheme import Scheme
from xinglin.labels.verify import ModelVote
from xinglin.types import Code

MAX_BYTES = 512 * 1024**2
MAX_TASKS = 1_000_000
EVIDENCE = "evidence"
"""The one label of a span: it is what the choice rests on."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StudioTask:
    """One record with its labels, as it passes to and from Label Studio."""

    record: str
    text: str
    audit: bool
    given: tuple[Given, ...]
    vote: ModelVote | None = None
    final: Answer | None = None
    """What the record was settled on; written as ground truth, not read back."""


def labelling_config(scheme: Scheme) -> str:
    """Return the labelling configuration (XML) of a scheme."""
    choices = []
    for one in scheme.classes:
        name = " ".join(part for part in (one.zh, one.en) if part)
        hint = " ".join(part for part in (one.definition_zh, one.definition_en) if part)
        shown = f" hint={quoteattr(hint)}" if hint else ""
        choices.append(
            f"    <Choice value={quoteattr(f'{name} [{one.code.value}]')} alias={quoteattr(_written(one.code))}{shown}/>"
        )
    asked = 'choice="multiple" required="false"' if scheme.multi else 'choice="single" required="true"'
    stages = "".join(f'<Choice value="{stage}"/>' for stage in STAGES)
    return "\n".join(
        (
            "<View>",
            '  <Text name="text" value="$text" granularity="symbol"/>',
            f'  <Choices name="code" toName="text" {asked} showInline="false">',
            *choices,
            "  </Choices>",
            f'  <Labels name="spans" toName="text"><Label value="{EVIDENCE}"/></Labels>',
            '  <Number name="confidence" toName="text" min="0" max="1" step="0.01"/>',
            '  <TextArea name="reason" toName="text" maxSubmissions="1" placeholder="跳过的原因 Why passed on"/>',
            f'  <View style="display: none"><Choices name="stage" toName="text">{stages}</Choices></View>',
            "</View>",
            "",
        )
    )


def write_tasks(tasks: Iterable[StudioTask]) -> str:
    """Return tasks as Label Studio's JSON."""
    shown = []
    for number, task in enumerate(tasks, 1):
        annotations = [_annotation(one, task, f"{number}-{place}") for place, one in enumerate(task.given)]
        if task.final is not None:
            result = _chosen(task.final, f"{number}-final")
            annotations.append({"result": result, "was_cancelled": False, "ground_truth": True})
        shown.append(
            {
                "id": number,
                "data": {"text": task.text, "record": task.record, "audit": task.audit},
                "annotations": annotations,
                "predictions": [] if task.vote is None else [_prediction(task.vote, task, f"{number}-model")],
            }
        )
    return json.dumps(shown, ensure_ascii=False, indent=1, allow_nan=False)


def _annotation(one: Given, task: StudioTask, id_: str) -> dict[str, Any]:
    result = [
        _result("stage", "choices", {"choices": [one.stage]}, f"{id_}-stage"),
        *_spans(one.spans, task.text, id_),
        *_chosen(one.codes or (), f"{id_}-code"),
    ]
    if one.confidence is not None:
        result.append(_result("confidence", "number", {"number": one.confidence}, f"{id_}-confidence"))
    if one.reason is not None:
        result.append(_result("reason", "textarea", {"text": [one.reason]}, f"{id_}-reason"))
    shown: dict[str, Any] = {
        "completed_by": {"email": one.annotator},
        "result": result,
        "was_cancelled": one.codes is None,
        "ground_truth": False,
    }
    if one.seconds is not None:
        shown["lead_time"] = one.seconds
    if one.time:
        shown["created_at"] = one.time
    return shown


def _prediction(vote: ModelVote, task: StudioTask, id_: str) -> dict[str, Any]:
    result = _chosen(() if vote.code is None else (vote.code,), f"{id_}-code")
    shown: dict[str, Any] = {
        "model_version": vote.model,
        "result": [*result, *_spans(vote.spans, task.text, id_)],
    }
    if vote.probability is not None:
        shown["score"] = vote.probability
    return shown


def _spans(spans: Iterable[Span], text: str, id_: str) -> list[dict[str, Any]]:
    return [
        _result(
            "spans",
            "labels",
            {"start": start, "end": end, "text": text[start:end], "labels": [EVIDENCE]},
            f"{id_}-{start}-{end}",
        )
        for start, end in spans
    ]


def _chosen(answer: Answer, id_: str) -> list[dict[str, Any]]:
    return [_result("code", "choices", {"choices": list(map(_written, answer))}, id_)] if answer else []


def _result(name: str, kind: str, value: dict[str, Any], id_: str) -> dict[str, Any]:
    return {"id": id_, "from_name": name, "to_name": "text", "type": kind, "value": value}


def _written(code: Code) -> str:
    return f"{code.system}:{code.value}"


def read_tasks(
    content: bytes, scheme: Scheme, *, people: Mapping[str, str] | None = None
) -> list[StudioTask]:
    """Read tasks that Label Studio exported (JSON, not JSON_MIN); drafts and ground truth are left aside.

    Args:
        content: of the file.
        scheme: whose choices are expected, written ``system:value``, as the code alone, or by name.
        people: Label Studio's e-mail or user number -> our name; who is not in it keeps the e-mail.

    Raises:
        InputTooLargeError: more than 512 MiB or a million tasks.
        InvalidInputError: not that format; the message says where.
    """
    if len(content) > MAX_BYTES:
        raise InputTooLargeError(f"Label Studio file: at most {MAX_BYTES} bytes, got {len(content)}")
    try:
        tasks = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(
            "Label Studio file: expected JSON in UTF-8; export it as JSON again"
        ) from error
    if not isinstance(tasks, list):
        raise InvalidInputError("Label Studio file: expected a list of tasks (the format JSON, not JSON_MIN)")
    if len(tasks) > MAX_TASKS:
        raise InputTooLargeError(f"Label Studio file: at most {MAX_TASKS} tasks, got {len(tasks)}")
    reader = _Reader(scheme, people or {})
    return [reader.task(task, f"task {number}") for number, task in enumerate(tasks, 1)]


class _Reader:
    """Reads checked values; every error names its place, never what stands there."""

    def __init__(self, scheme: Scheme, people: Mapping[str, str]) -> None:
        self.people, self.scheme = people, scheme
        self.codes: dict[str, Code] = {}
        for one, code in zip(scheme.classes, scheme.codes, strict=True):
            name = " ".join(part for part in (one.zh, one.en) if part)
            for spelling in (_written(code), code.value, one.zh, one.en, f"{name} [{code.value}]"):
                if spelling:
                    self.codes.setdefault(spelling, code)

    def task(self, value: Any, where: str) -> StudioTask:
        data = _get(_object(value, where), "data", dict, where)
        text = _get(data, "text", str, f"{where}, data")
        record = _get(data, "record", str, f"{where}, data")
        if not record:
            raise InvalidInputError(f"{where}, data.record: expected the record's id, it is empty")
        annotations = _get(value, "annotations", list, where, [])
        predictions = _get(value, "predictions", list, where, [])
        audit = _get(data, "audit", bool, f"{where}, data", False)
        given = [
            self._given(one, text, audit, f"{where}, annotation {place}")
            for place, one in enumerate(annotations, 1)
            if not (isinstance(one, dict) and one.get("ground_truth") is True)
        ]
        if len(predictions) > 1:
            raise InvalidInputError(f"{where}: expected one prediction at most, got {len(predictions)}")
        if predictions and type(predictions[0]) is int:
            predictions = []  # the server's direct export names predictions by number, without what they say
        vote = self._vote(predictions[0], text, f"{where}, prediction") if predictions else None
        return StudioTask(record, text, audit, tuple(given), vote)

    def _given(self, value: Any, text: str, audit: bool, where: str) -> Given:
        said = self._results(_get(_object(value, where), "result", list, where), text, where)
        cancelled = _get(value, "was_cancelled", bool, where, False)
        if not cancelled and not said.codes and not self.scheme.multi:
            raise InvalidInputError(
                f"{where}: expected one choice of the scheme, or was_cancelled; got neither"
            )
        codes = None if cancelled else self.scheme.answer(said.codes)
        seconds = value.get("lead_time")
        stage: Stage = said.stage or ("audit" if audit else "annotation")
        if (stage in ("audit", "adjudication")) != audit:
            raise InvalidInputError(f"{where}: stage {stage} does not fit data.audit")
        return Given(
            annotator=self._person(value.get("completed_by"), where),
            stage=stage,
            codes=codes,
            blind=codes,
            spans=said.spans,
            confidence=said.confidence,
            reason=(said.reason or "other: skipped in Label Studio") if cancelled else said.reason,
            seconds=None if seconds is None else _number(seconds, f"{where}, lead_time", math.inf),
            time=_get(value, "created_at", str, where, ""),
        )

    def _vote(self, value: Any, text: str, where: str) -> ModelVote:
        said = self._results(_get(_object(value, where), "result", list, where), text, where)
        score = value.get("score")
        return ModelVote(
            _get(value, "model_version", str, where) or "unnamed",
            self._one(said.codes, where),
            None if score is None else _number(score, f"{where}, score", 1.0),
            said.spans,
        )

    def _one(self, codes: list[Code], where: str) -> Code | None:
        if len(codes) > 1:
            raise InvalidInputError(f"{where}: expected one choice at most, got {len(codes)}")
        return codes[0] if codes else None

    def _person(self, value: Any, where: str) -> str:
        if isinstance(value, dict):
            value = value.get("email") or value.get("id")
        if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
            raise InvalidInputError(f"{where}, completed_by: expected a user's number or e-mail")
        return self.people.get(str(value), str(value))

    def _results(self, values: list[Any], text: str, where: str) -> _Said:
        said = _Said()
        for place, one in enumerate(values, 1):
            at = f"{where}, result {place}"
            kind = _get(_object(one, at), "type", str, at)
            value, name = _get(one, "value", dict, at), one.get("from_name")
            if kind == "choices":
                single = name == "stage" or not self.scheme.multi
                choices = _some(value, "choices", at, 1 if single else None)
                if name == "stage":
                    if choices[0] not in STAGES:
                        raise InvalidInputError(f"{at}: expected a stage ({', '.join(STAGES)})")
                    said.stage = cast(Stage, choices[0])
                elif said.codes:
                    raise InvalidInputError(
                        f"{at}: expected the choices of an annotation in one result, got another"
                    )
                elif not self.codes.keys() >= set(choices):
                    raise InvalidInputError(f"{at}: a choice is no class of the scheme")
                else:
                    said.codes = [self.codes[choice] for choice in choices]
            elif kind == "labels":
                said.spans = tuple(sorted({*said.spans, _span(value, text, at)}))
            elif kind == "number":
                said.confidence = _number(value.get("number"), at, 1.0)
            elif kind == "textarea":
                said.reason = "\n".join(_some(value, "text", at, None))
            else:
                raise InvalidInputError(
                    f"{at}: expected choices, labels, number or textarea; results of other types cannot be taken over"
                )
        return said


@dataclass(slots=True)
class _Said:
    codes: list[Code] = field(default_factory=list)
    spans: tuple[Span, ...] = ()
    confidence: float | None = None
    reason: str | None = None
    stage: Stage | None = None


def _span(value: dict[str, Any], text: str, where: str) -> Span:
    start, end = value.get("start"), value.get("end")
    if type(start) is not int or type(end) is not int:
        raise InvalidInputError(f"{where}: expected integer offsets start and end")
    quoted = value.get("text")
    if 0 <= start < end <= len(text) and quoted in (None, text[start:end]):
        return start, end
    units = text.encode("utf-16-le", "surrogatepass")
    if 0 <= start < end <= len(units) // 2 and isinstance(quoted, str):
        before = units[: 2 * start].decode("utf-16-le", "replace")
        inside = units[2 * start : 2 * end].decode("utf-16-le", "replace")
        if inside == quoted:
            return len(before), len(before) + len(inside)
    raise InvalidInputError(
        f"{where}: the span does not lie in the text, or its quoted words stand elsewhere"
    )


def _number(value: Any, where: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= most:
        raise InvalidInputError(f"{where}: expected a number from 0 to {most:g}")
    if not math.isfinite(value):
        raise InvalidInputError(f"{where}: expected a finite number")
    return float(value)


def _some(value: dict[str, Any], name: str, where: str, count: int | None) -> list[str]:
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidInputError(f"{where}, value.{name}: expected a list of texts")
    if count is not None and len(found) != count:
        raise InvalidInputError(f"{where}, value.{name}: expected {count}, got {len(found)}")
    return found


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"{where}: expected an object")
    return value


def _get(value: dict[str, Any], name: str, kind: type, where: str, default: Any = ...) -> Any:
    found = value.get(name, default)
    if found is None and default is not ...:
        return default
    if found is ...:
        raise InvalidInputError(f"{where}: expected the key {name!r}, it is missing")
    if type(found) is not kind:
        raise InvalidInputError(f"{where}, {name}: expected {kind.__name__}")
    return found
