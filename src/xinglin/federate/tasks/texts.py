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


def read_texts(node: NodeData, labels: Sequence[str], *, text: str, label: str) -> Texts:
    """Read a hospital's texts.

    Args:
        node: a table with the columns ``text`` and ``label``; of the archive, the text of each record with exactly one
            condition whose code or name is among the labels.
        labels: the job's.
        text: column of the text.
        label: column of the label.

    Raises:
        MissingDataError: no table.
        InvalidInputError: no usable row, a column absent, or a label that the job does not name; names the place.
        InputTooLargeError: more than a million texts.
    """
    index = {name: place for place, name in enumerate(labels)}
    texts: list[str] = []
    found: list[int] = []
    dropped = 0
    for place, written, said in (
        _archived(node, index) if isinstance(node, Archived) else _tabled(node, text, label)
    ):
        if not written.strip() or said is None:
            dropped += 1
            continue
        if said not in index:
            raise InvalidInputError(f"{place}: column {label!r}: a label that the job does not name")
        if len(texts) >= MAX_TEXTS:
            raise InputTooLargeError(f"expected at most {MAX_TEXTS:,} texts")
        texts.append(written)
        found.append(index[said])
    if not texts:
        raise InvalidInputError(
            f"expected at least one text with a label; {dropped} rows were left out for want of it"
        )
    return Texts(texts, found, dropped)


def _tabled(node: NodeData, text: str, label: str) -> Iterator[tuple[str, str, str | None]]:
    for place, (written, said) in cells(node, [text, label]):
        yield place, str(written or ""), str(said).strip() or None if said is not None else None


def _archived(node: Archived, index: dict[str, int]) -> Iterator[tuple[str, str, str | None]]:
    reading = archive.read(node.store, node.dataset, purpose=node.purpose, actor=node.actor)
    for number, record in enumerate(reading, 1):
        said = _conditions(record) & set(index)
        yield f"record {number}", record.text, said.pop() if len(said) == 1 else None


def _conditions(record: Record) -> set[str]:
    codes = [event.code for event in record.events if event.kind == "condition"]
    return {code.value for code in codes} | {code.display for code in codes}
