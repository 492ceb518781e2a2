"""The optional libraries, each asked for by the door that needs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xinglin.errors import MissingExtraError


def library(name: str, door: str) -> Any:
    """Return a module of the extra ``chain``.

    Args:
        name: of the module, e.g. ``web3``.
        door: what needs it, for the message.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(door, "chain") from error
