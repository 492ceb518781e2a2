"""A reader that another distribution brings: an entry point of ``xinglin.readers``, called with the path of the source.

It returns what :class:`.protocol.Reader` says. Its records and problems go the way of every other reader's: the archive, the
quarantine, the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xinglin.errors import PluginError
from xinglin.records.readers.protocol import Item, Reader, Unit
from xinglin.store.plugins import Plugin, blamed, load
from xinglin.types import Record

PARTS = ("resumes", "settings", "source", "units", "items")


def plugged(name: str, source: Path) -> Reader:
    """Return an installed reader, opened on a source.

    Raises:
        UnknownNameError, PluginError: as ``store.plugins.load``; or what it returns is no reader.
    """
    plugin, make = load("readers", name)
    with blamed(plugin):
        made = make(source)
    if missing := [part for part in PARTS if not hasattr(made, part)]:
        raise PluginError(f"{plugin}: its reader lacks {', '.join(missing)}")
    return _Plugged(plugin, made)


class _Plugged:
    """A reader whose failures bear its name."""

    def __init__(self, plugin: Plugin, reader: Reader) -> None:
        self._plugin, self._reader = plugin, reader

    @property
    def resumes(self) -> bool:
        return bool(self._reader.resumes)

    @property
    def settings(self) -> str:
        # Another version may read the same bytes differently: a stopped run does not go on under it.
        return f"{self._plugin.distribution} {self._plugin.version} {self._reader.settings}"

    @property
    def source(self) -> str:
        return str(self._reader.source)

    def units(self) -> Iterator[Unit]:
        with blamed(self._plugin):
            for unit in self._reader.units():
                if not isinstance(unit, Unit):
                    raise PluginError(f"{self._plugin}: expected a Unit, got {type(unit).__name__}")
                yield unit

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        with blamed(self._plugin):
            for item in self._reader.items(unit, start):
                if not isinstance(item, Item) or not (item.record is None or isinstance(item.record, Record)):
                    raise PluginError(f"{self._plugin}: expected an Item with a Record or a problem")
                yield item
