"""A hospital's texts with one label each, out of the labels that the job names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError
from xinglin.federate.tasks.protocol import Archived, NodeData
from xinglin.federate.tasks.table import cells
from xinglin.records import archive
from xinglin.types import Record

MAX_TEXTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts and the places of their labels in the job's list."""

    texts: list[str]
    labels: list[int]
    patients: list[str] | None
    """Whose each text is; ``None``: the job names no such column."""
    dropped: int
    """Rows left out: no text, or not exactly one of the labels."""

    def __len__(self) -> int:
        return len(self.texts)


def check_labels(labels: Sequence[str]) -> None:
    """Refuse a list of labels that is none.

    Raises:
        ConfigurationError: fewer than two, an empty one, or one twice.
    """
    if len(labels) < 2 or len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
        raise ConfigurationError("[train] labels: expected at least two different names, none empty")


def read_texts(node: NodeData, labels: Sequence[str], *, text: str, label: str, patient: str = "") -> Texts:
    """Read a hospital's texts.

    Args:
        node: a table with the columns ``text`` and ``label``; of the archive, the text of each record with exactly one
            condition whose code or name is among the labels.
        labels: the job's.
        text: column of the text.
        label: column of the label.
        patient: column that says whose a text is; empty: not read. Records of the archive say it themselves.

    Raises:
        MissingDataError: no table.
        InvalidInputError: no usable row, a column absent, or a label that the job does not name; names the place.
        InputTooLargeError: more than a million texts.
    """
    index = {name: place for place, name in enumerate(labels)}
    texts: list[str] = []
    found: list[int] = []
    owners: list[str] = []
    dropped = 0
    archived = isinstance(node, Archived)
    rows = (
        _archived(node, index) if isinstance(node, Archived) else _tabled(node, text, label, patient or label)
    )
    for place, written, said, owner in rows:
        if not written.strip() or said is None:
            dropped += 1
            continue
        if said not in index:
            raise InvalidInputError(f"{place}: column {label!r}: a label that the job does not name")
        if len(texts) >= MAX_TEXTS:
            raise InputTooLargeError(f"expected at most {MAX_TEXTS:,} texts")
        if (patient or archived) and not owner.strip():
            raise InvalidInputError(f"{place}: column {patient!r}: expected whose the text is, it is empty")
        texts.append(written)
        owners.append(owner)
        found.append(index[said])
    if not texts:
        raise InvalidInputError(
            f"expected at least one text with a label; {dropped} rows were left out for want of it"
        )
    return Texts(texts, found, owners if patient or archived else None, dropped)


Row = tuple[str, str, str | None, str]
"""Place, text, label and patient."""


def _tabled(node: NodeData, text: str, label: str, patient: str) -> Iterator[Row]:
    for place, (written, said, owner) in cells(node, [text, label, patient]):
        named = None if said is None else str(said).strip() or None
        yield place, str(written or ""), named, str(owner or "")


def _archived(node: Archived, index: dict[str, int]) -> Iterator[Row]:
    reading = archive.read(node.store, node.dataset, purpose=node.purpose, actor=node.actor)
    for number, record in enumerate(reading, 1):
        said = _conditions(record) & set(index)
        named = said.pop() if len(said) == 1 else None
        yield f"record {number}", record.text, named, record.subject or record.id


def _conditions(record: Record) -> set[str]:
    codes = [event.code for event in record.events if event.kind == "condition"]
    return {code.value for code in codes} | {code.display for code in codes}
