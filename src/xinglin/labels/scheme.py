"""A labelling scheme: the set of codes an annotator may choose from, with what each means.

Codes come from one coding system (SNOMED CT or an ICD-10 edition in practice; any of
:data:`~xinglin.terms.codes.SYSTEMS`), from an RF2 release or from a table. The digest is the version: the same
classes have the same digest wherever they were read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from xinglin.errors import InputTooLargeError, InvalidInputError, UnknownNameError
from xinglin.labels.answer import Answer
from xinglin.terms.characters import normalise
from xinglin.terms.codes import SNOMEDCT, code_of
from xinglin.terms.snomed import Snomed, read_refset, valid_sctid
from xinglin.terms.tsv import rows
from xinglin.types import Code, Label

MAX_CLASSES = 100_000
MAX_BYTES = 64 * 1024**2
"""Bound on a table of classes."""
COLUMNS = ("code", "zh", "en", "definition_zh", "definition_en", "include", "exclude", "examples")
"""Columns of a table: include, exclude and examples are lists separated by ``|``."""
_TAG = re.compile(r" \([^()]*\)$")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class SchemeClass:
    """One class: a code and what an annotator reads beside it."""

    code: Code
    zh: str = ""
    en: str = ""
    definition_zh: str = ""
    definition_en: str = ""
    include: tuple[str, ...] = ()
    """What belongs here, though one might doubt it."""
    exclude: tuple[str, ...] = ()
    """What does not belong here, and where it goes."""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scheme:
    """A set of classes of one coding system.

    Raises:
        InvalidInputError: no class, a code twice, two systems, a class without a name, or a code that is none.
    """

    name: str
    classes: tuple[SchemeClass, ...]
    multi: bool = False
    """Whether a record may bear several classes."""
    source: str = ""
    """Where the codes come from, e.g. the release and its date."""

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.classes:
            raise InvalidInputError("scheme: expected a name and at least one class; give both")
        if len(self.classes) > MAX_CLASSES:
            raise InputTooLargeError(f"scheme: at most {MAX_CLASSES} classes, got {len(self.classes)}")
        if len(systems := {one.code.system for one in self.classes}) > 1:
            raise InvalidInputError(
                f"scheme {self.name!r}: expected codes of one system; got {', '.join(sorted(systems))}: map them first"
            )
        seen: set[Code] = set()
        for one in self.classes:
            code = code_of(one.code.system, one.code.value)
            if code != one.code or (code.system == SNOMEDCT and not valid_sctid(code.value)):
                raise InvalidInputError(
                    f"scheme {self.name!r}: {one.code.value!r} is no code of {one.code.system} in its normal form "
                    f"({code.value!r}): correct it"
                )
            if len(code.value.split()) != 1:
                raise InvalidInputError(
                    f"scheme {self.name!r}: expected codes without spaces; got {code.value!r}"
                )
            if code in seen:
                raise InvalidInputError(f"scheme {self.name!r}: {code.value} stands twice: keep one row")
            if not (one.zh.strip() or one.en.strip()):
                raise InvalidInputError(f"scheme {self.name!r}: {code.value} has no name: give zh or en")
            seen.add(code)

    @property
    def codes(self) -> tuple[Code, ...]:
        """The codes in order, each with its name: Chinese if it has one, else English."""
        return tuple(Code(one.code.system, one.code.value, one.zh or one.en) for one in self.classes)

    @property
    def definitions(self) -> dict[Code, str]:
        """What each code means in one line: Chinese, then English; empty where neither is given."""
        return {
            one.code: " ".join(filter(None, (one.definition_zh, one.definition_en))) for one in self.classes
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON: the scheme's version."""
        text = json.dumps(scheme_to_json(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _places(self) -> dict[Code, int]:
        return {one.code: place for place, one in enumerate(self.classes)}

    @cached_property
    def _spelled(self) -> dict[str, Code]:
        """Codes by every spelling that names just one of them."""
        named: dict[str, Code | None] = {}
        for one, code in zip(self.classes, self.codes, strict=True):
            for spelling in {_plain(one.code.value), _plain(one.zh), _plain(one.en)} - {""}:
                named[spelling] = None if spelling in named else code
        return {spelling: code for spelling, code in named.items() if code is not None}

    def code(self, given: str | Code) -> Code:
        """Return the code of the scheme by its value or exact name.

        Raises:
            UnknownNameError: none of the scheme; the message names the nearest ones.
        """
        if isinstance(given, Code):
            value = given.value if given.system == self.classes[0].code.system else ""
            told = f"{given.system} {given.value}"
        else:
            value, told = given, repr(given)
        found = self._spelled.get(_plain(value)) if value else None
        if found is not None:
            return found
        text = _plain(given.display or given.value if isinstance(given, Code) else given)
        near = [self._spelled[name] for name in get_close_matches(text, self._spelled, n=3, cutoff=0.5)]
        if not near:
            near = [code for name, code in self._spelled.items() if text and (text in name or name in text)][
                :3
            ]
        shown = ", ".join(dict.fromkeys(f"{code.value} {code.display}" for code in near))
        raise UnknownNameError(
            f"expected a code of the scheme {self.name!r} ({len(self.classes)} classes); got {told}: "
            + (f"did you mean {shown}?" if shown else "choose one of its classes")
        )

    def answer(self, given: Iterable[str | Code]) -> Answer:
        """Return codes, values or names as an answer: each code once, in the scheme's order.

        Raises:
            UnknownNameError: as :meth:`code`.
            InvalidInputError: the scheme is single-label and there is not exactly one code.
        """
        codes = {self.code(one) for one in given}
        if not self.multi and len(codes) != 1:
            raise InvalidInputError(
                f"expected one code: the scheme {self.name!r} gives a record one class; got {len(codes)}"
            )
        return tuple(sorted(codes, key=lambda code: self._places[code]))

    def label(self, record_id: str, given: str | Code, **more: Any) -> Label:
        """Return a label of the scheme.

        Args:
            record_id: of the record.
            given: code, value or exact name.
            more: the other fields of :class:`~xinglin.types.Label`.

        Raises:
            UnknownNameError: as :meth:`code`.
        """
        return Label(record_id, self.code(given), **more)

    def check(self, labels: Iterable[Label]) -> None:
        """Check that labels are of the scheme, and single where it is single.

        Raises:
            UnknownNameError: a code is not of the scheme.
            InvalidInputError: one annotator gave one record two present classes in one round, the scheme being
                single-label; or the same class twice.
        """
        given: dict[tuple[str, str, int], set[Code]] = {}
        for label in labels:
            code = self.code(label.code)
            if label.state != "present":
                continue
            mine = given.setdefault((label.record_id, label.annotator, label.round), set())
            if code in mine or (mine and not self.multi):
                raise InvalidInputError(
                    f"record {label.record_id!r}: expected {'each class once' if self.multi else 'one class'} by an "
                    f"annotator in a round (scheme {self.name!r}); got {code.value} as well: take one back"
                )
            mine.add(code)


def scheme_to_json(scheme: Scheme) -> dict[str, Any]:
    """Return the scheme as JSON values; :func:`scheme_from_json` reads it back."""
    return {
        "name": scheme.name,
        "multi": scheme.multi,
        "source": scheme.source,
        "classes": [
            {
                "system": one.code.system,
                "code": one.code.value,
                **{name: getattr(one, name) for name in COLUMNS[1:5]},
                **{name: list(getattr(one, name)) for name in COLUMNS[5:]},
            }
            for one in scheme.classes
        ],
    }


def scheme_from_json(value: Any) -> Scheme:
    """Read a scheme; unknown and missing keys are errors.

    Raises:
        InvalidInputError: not a scheme; the message names the element.
    """
    _keys(value, {"name": str, "multi": bool, "source": str, "classes": list}, "scheme")
    kinds: dict[str, type] = (
        {"system": str} | dict.fromkeys(COLUMNS[:5], str) | dict.fromkeys(COLUMNS[5:], list)
    )
    classes = []
    for number, row in enumerate(value["classes"]):
        where = f"scheme: classes[{number}]"
        _keys(row, kinds, where)
        for name in COLUMNS[5:]:
            if not all(isinstance(item, str) for item in row[name]):
                raise InvalidInputError(f"{where}.{name}: expected a list of strings")
        notes: dict[str, Any] = {name: row[name] for name in COLUMNS[1:5]}
        notes |= {name: tuple(row[name]) for name in COLUMNS[5:]}
        classes.append(SchemeClass(Code(row["system"], row["code"], row["zh"] or row["en"]), **notes))
    return Scheme(value["name"], tuple(classes), value["multi"], value["source"])


def scheme_from_tsv(path: Path, *, name: str, system: str, multi: bool = False) -> Scheme:
    """Read a table with the columns of ``COLUMNS``; ICD-10 codes are brought into their normal form.

    Raises:
        MissingDataError: no such file.
        InputTooLargeError: more than ``MAX_BYTES``.
        VocabularyError: not a table with these columns; names file and line.
        InvalidInputError: a code is none, or the scheme is inconsistent.
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    classes = []
    for row in rows(path, COLUMNS):
        notes: dict[str, Any] = {name: row[name] for name in COLUMNS[1:5]}
        notes |= {name: row.many(name) for name in COLUMNS[5:]}
        classes.append(SchemeClass(code_of(system, row.required("code"), row["zh"] or row["en"]), **notes))
    return Scheme(name, tuple(classes), multi, path.name)


def scheme_from_snomed(
    snomed: Snomed, *, name: str, under: str, multi: bool = False, source: str = ""
) -> Scheme:
    """Make a scheme of the descendants of a SNOMED CT concept.

    Raises:
        UnknownNameError: no such concept in the release.
        InvalidInputError: it has no descendant.
    """
    return _of_concepts(snomed, snomed.descendants(under), name, multi, source or f"descendants of {under}")


def scheme_from_refset(path: Path, snomed: Snomed, *, name: str, refset: str, multi: bool = False) -> Scheme:
    """Make a scheme of the members of a simple reference set that are active concepts of the release.

    Args:
        path: of the RF2 release that holds the reference set.
        snomed: the loaded release that holds the concepts.
        refset: its id.

    Raises:
        As :func:`~xinglin.terms.snomed.read_refset`; UnknownNameError: a member is no active concept.
    """
    return _of_concepts(snomed, read_refset(path, refset), name, multi, f"reference set {refset}")


def _of_concepts(snomed: Snomed, ids: Sequence[str], name: str, multi: bool, source: str) -> Scheme:
    classes = []
    for value in ids:
        code, terms = snomed.code(value), (*snomed.preferred(value), *snomed.terms(value))
        zh = next((term for term in terms if _CHINESE.search(term)), "")
        classes.append(SchemeClass(code, zh, _TAG.sub("", code.display)))
    return Scheme(name, tuple(classes), multi, source)


def _keys(value: Any, kinds: dict[str, type], where: str) -> None:
    if not isinstance(value, dict) or set(value) != set(kinds):
        raise InvalidInputError(f"{where}: expected exactly the keys {', '.join(kinds)}")
    for name, kind in kinds.items():
        if type(value[name]) is not kind:
            raise InvalidInputError(f"{where}.{name}: expected {kind.__name__}")


def _plain(text: str) -> str:
    return " ".join(normalise(text).split())
