"""Flower's process for one message at a hospital, with the installed client in place of what a bundle brings.

    python -m xinglin.federate.own_client ...

Takes the arguments of ``flwr-clientapp``. Of the bundle that the coordinator sent nothing is written and nothing is
imported: whoever may submit a run to the coordinator could otherwise run code at every hospital. Flower has no setting
for this, so two names of its module are set here; flwr is pinned below 1.42, and a test sends a bundle with code.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def main() -> None:
    """Run the process."""
    from flwr.supernode.cli.flwr_clientapp import flwr_clientapp

    runtime: Any = import_module("flwr.supernode.runtime.run_clientapp")

    runtime.install_from_fab = _leave
    runtime.get_load_client_app_fn = _installed
    flwr_clientapp()


def _leave(*_: Any, **__: Any) -> None:
    """Install nothing."""


def _installed(*_: Any, **__: Any) -> Callable[[str, str, str], Any]:
    """Return what loads the client: always the one of this installation."""

    def load(_id: str, _version: str, _digest: str) -> Any:
        from xinglin.federate.app import client

        return client

    return load


if __name__ == "__main__":
    main()
