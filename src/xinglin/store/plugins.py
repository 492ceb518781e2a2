"""What other distributions add: readers, models, oracles and metrics, found by their entry points, used when named.

Listing reads the metadata of installed distributions and imports nothing. A plugin's code is imported by :func:`load`, that
is, only after somebody named it: an installed plugin that nobody names does nothing. It runs with all rights of this
process: install what you have read, or trust.

Entry points (Python packaging user guide, "Entry points specification") of the groups ``xinglin.readers``, ``.models``,
``.oracles`` and ``.metrics``. What each must be stands beside the room that uses it: ``records/readers/plugged.py``,
``model/plugged.py``, ``train/reinforce/plugged.py``, ``measure/plugged.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args

from xinglin.errors import MissingExtraError, PluginError, UnknownNameError, XinglinError

API = 1
"""Version of the interface. A plugin states the one that it was written for: ``xinglin_api = 1`` on its object."""
Group = Literal["readers", "models", "oracles", "metrics"]
GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed plugin, as its distribution's metadata tell."""

    group: Group
    name: str
    target: str
    """``module:object``."""
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.group}) of {self.distribution} {self.version}"


def installed(group: Group | None = None) -> list[Plugin]:
    """Return the installed plugins by group and name; nothing of theirs is imported."""
    return sorted(
        (plugin for one in GROUPS if group in (None, one) for plugin, _ in _found(one)),
        key=lambda plugin: (GROUPS.index(plugin.group), plugin.name, plugin.distribution),
    )


def load(group: Group, name: str) -> tuple[Plugin, Callable[..., Any]]:
    """Import a plugin and return it with its object.

    Raises:
        UnknownNameError: none of that name is installed; the nearest is named.
        PluginError: two distributions bring it, it cannot be imported, is not callable, or is of another interface.
    """
    found = [(plugin, entry) for plugin, entry in _found(group) if plugin.name == name]
    if not found:
        names = sorted({plugin.name for plugin, _ in _found(group)})
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"installed: {', '.join(names) or 'none'}"
        raise UnknownNameError(f"there is no plugin {name!r} among the {group}; {hint}")
    if len(found) > 1:
        several = ", ".join(sorted(f"{plugin.distribution} {plugin.version}" for plugin, _ in found))
        raise PluginError(f"{name!r} ({group}) is brought by {several}: uninstall all but one")
    plugin, entry = found[0]
    try:
        made = entry.load()
    except MissingExtraError:
        raise
    except Exception as error:
        raise PluginError(f"{plugin} cannot be imported: {type(error).__name__}: {error}") from error
    stated = getattr(made, "xinglin_api", None)
    if stated != API:
        raise PluginError(
            f"{plugin} is written for interface {stated}, this xinglin has {API}: install versions that fit"
            if stated is not None
            else f"{plugin} does not state its interface: its object needs xinglin_api = {API}"
        )
    if not callable(made):
        raise PluginError(f"{plugin}: expected something to call, got {type(made).__name__}")
    return plugin, made


@contextmanager
def blamed(plugin: Plugin) -> Iterator[None]:
    """Turn whatever a plugin's code raises into an error that names it; errors of ours pass.

    The original message may hold what was being read, so its kind alone is told; the cause is chained.
    """
    try:
        yield
    except XinglinError:
        raise
    except Exception as error:
        raise PluginError(f"{plugin} failed: {type(error).__name__}") from error


def _found(group: Group) -> list[tuple[Plugin, EntryPoint]]:
    found = []
    for entry in entry_points(group=f"xinglin.{group}"):
        name, version = ("?", "?") if entry.dist is None else (entry.dist.name, entry.dist.version)
        found.append((Plugin(group, entry.name, entry.value, name, version), entry))
    return found
