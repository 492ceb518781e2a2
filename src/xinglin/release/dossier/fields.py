"""What evidence consists of: its kinds and their fields, each with a Chinese and an English name.

Two kinds are no entries of their own but parts of the registered version: ``version`` (name, number, class of
change) and ``manifest`` (what the checkpoint is and was made from).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from xinglin.errors import VocabularyError
from xinglin.release.registry.version import KINDS
from xinglin.terms.tsv import rows

FILE = Path(__file__).with_name("fields.tsv")
COLUMNS = ("kind", "field", "zh", "en")
REGISTERED = ("version", "manifest")
WHOLE = "*"
"""In the table: the name of the kind itself."""


@cache
def names(path: Path = FILE) -> Mapping[tuple[str, str], str]:
    """Return the bilingual name of every kind (under ``(kind, "*")``) and of every field.

    Raises:
        VocabularyError: a kind that evidence does not have, one without a name, or a field twice.
    """
    found: dict[tuple[str, str], str] = {}
    for row in rows(path, COLUMNS):
        kind, field = row.required("kind"), row.required("field")
        if kind not in (*KINDS, *REGISTERED):
            raise row.error(f"expected a kind of evidence; got {kind!r}: one of {', '.join(KINDS)}")
        if (kind, field) in found:
            raise row.error(f"{kind}.{field} stands twice: keep one row")
        zh, en = row.required("zh"), row.required("en")
        found[kind, field] = zh if zh == en else f"{zh} {en}"
    nameless = [kind for kind in (*KINDS, *REGISTERED) if (kind, WHOLE) not in found]
    if nameless:
        raise VocabularyError(f"{path.name}: no row names the kinds {', '.join(nameless)}: add them")
    return MappingProxyType(found)


def kind_name(kind: str) -> str:
    """Return the bilingual name of a kind."""
    return names()[kind, WHOLE]


def field_name(kind: str, field: str) -> str:
    """Return the bilingual name of a field; one that the table does not list is its own name."""
    return names().get((kind, field), field)


def fields_of(kind: str) -> tuple[str, ...]:
    """Return the listed fields of a kind, in the order of the table; none for one whose shape is open."""
    return tuple(field for owner, field in names() if owner == kind and field != WHOLE)
