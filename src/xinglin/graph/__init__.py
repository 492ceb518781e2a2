"""The knowledge graph: starter files, importers, store, in-memory index."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Knowledge": "xinglin.graph.knowledge",
    "TripleIndex": "xinglin.graph.index",
    "load": "xinglin.graph.load",
    "load_graph": "xinglin.graph.database",
    "read_graph": "xinglin.graph.importers",
    "save_graph": "xinglin.graph.database",
    "starter": "xinglin.graph.load",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
