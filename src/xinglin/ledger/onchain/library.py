"""The optional libraries, each asked for by the door that needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
        with own_recursion_limit():
            return import_module(name)
    except ImportError as error:
        raise MissingExtraError(door, "chain") from error


@contextmanager
def own_recursion_limit() -> Iterator[None]:
    """Give the interpreter its recursion limit back.

    py-evm raises it to 10,000 and py-ecc, which web3 brings, to 100,000 while they are imported. With that, a JSON text of
    many brackets no longer ends in a ``RecursionError`` that a reader refuses: it overruns the stack and kills the process.
    """
    before = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
