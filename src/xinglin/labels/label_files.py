"""Given labels, probabilities and arrays in files, for label noise and selection."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.labels.rows import ITEM, LABEL, cells, column, objects
from xinglin.labels.votes import Array, Ints

MAX_NUMBERS = 2**28
"""Numbers of a table at most: 2 GiB."""


def read_probabilities(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], Array]:
    """Read a class distribution an item: JSON lines ``{"item": ..., "probabilities": {class: probability}}``.

    Returns:
        Items in the order of the file, classes sorted, and probabilities, shape (items, classes). A class that a line
        leaves out has probability 0 there.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: a line is broken, has no distribution, or repeats an item; or there is no line.
        InputTooLargeError: more than ``MAX_NUMBERS`` numbers.
    """
    rows: dict[str, dict[str, float]] = {}
    for at, row in objects(path):
        given = row.get("probabilities")
        name = next((row[key] for key in ITEM if key in row), None)
        if not isinstance(given, dict) or not isinstance(name, str | int) or isinstance(name, bool):
            raise InvalidInputError(
                f'{at}: expected {{"item": ..., "probabilities": {{class: probability}}}}'
            )
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in given.values()):
            raise InvalidInputError(f"{at}: expected a number for each class")
        if rows.setdefault(str(name), given) is not given:
            raise InvalidInputError(f"{at}: this item stands in the file already")
    if not rows:
        raise InvalidInputError(f"{path.name}: expected a line for each item, got none")
    classes = tuple(sorted({name for row in rows.values() for name in row}))
    if len(rows) * len(classes) > MAX_NUMBERS:
        raise InputTooLargeError(f"{path.name}: more than {MAX_NUMBERS} probabilities; split the file")
    place = {name: k for k, name in enumerate(classes)}
    found = np.zeros((len(rows), len(classes)))
    for i, row in enumerate(rows.values()):
        for name, value in row.items():
            found[i, place[name]] = value
    return tuple(rows), classes, found


def read_given(
    path: Path,
    items: tuple[str, ...],
    classes: tuple[str, ...],
    *,
    item: str | None = None,
    label: str | None = None,
) -> Ints:
    """Read the given class of each item, shape (items,), from a ``.tsv``, ``.csv`` or ``.jsonl`` file.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: an item has no label or two, or a label no probability. Says where, not what.
    """
    place, at = {name: i for i, name in enumerate(items)}, {name: k for k, name in enumerate(classes)}
    given = np.full(len(items), -1, np.int64)
    for where, (name, value) in cells(path, (column(item, ITEM), column(label, LABEL))):
        if name not in place:
            raise InvalidInputError(f"{where}: this item has no line of probabilities")
        if value not in at:
            raise InvalidInputError(f"{where}: the probabilities do not know this label")
        if given[place[name]] not in (-1, at[value]):
            raise InvalidInputError(f"{where}: this item already has another label")
        given[place[name]] = at[value]
    lacking = int((given < 0).sum())
    if lacking:
        raise InvalidInputError(f"{path.name}: {lacking} items of the probabilities have no label")
    return given


def read_known(path: Path | None, items: tuple[str, ...]) -> Ints:
    """Read which items have a label, one name a line; none without a file.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: a name that is no item, or not UTF-8.
    """
    if path is None:
        return np.empty(0, np.int64)
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    place = {name: i for i, name in enumerate(items)}
    found = []
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                name = line.strip()
                if name and name not in place:
                    raise InvalidInputError(f"{path.name}:{number}: this item has no line of probabilities")
                if name:
                    found.append(place[name])
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path.name}: expected UTF-8") from None
    return np.array(found, np.int64)


def read_array(path: Path, rows: int) -> Array:
    """Read numbers from a ``.npy`` file, shape (rows, columns); objects in it are not unpickled.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: it is no ``.npy`` of numbers, or has another number of rows.
        InputTooLargeError: more than ``MAX_NUMBERS`` numbers.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise InvalidInputError(f"{path.name}: expected a .npy file of numbers") from None
    if not isinstance(found, np.ndarray) or found.ndim != 2 or len(found) != rows:
        raise InvalidInputError(
            f"{path.name}: expected {rows} rows of numbers, one an item in the same order"
        )
    if not np.issubdtype(found.dtype, np.number) or np.issubdtype(found.dtype, np.complexfloating):
        raise InvalidInputError(f"{path.name}: expected real numbers, got {found.dtype}")
    if found.size > MAX_NUMBERS:
        raise InputTooLargeError(f"{path.name}: more than {MAX_NUMBERS} numbers")
    return np.asarray(found, float)
