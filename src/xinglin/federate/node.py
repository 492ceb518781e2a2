"""What one hospital runs: Flower's SuperNode with the hospital's key, and only the client that is installed here.

A Flower app travels from the coordinator to the nodes as a bundle of code. A hospital of ours takes none: the program
that Flower starts for each message is our own, which loads the installed ``federate.app`` whatever the bundle holds.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError, MissingExtraError
from xinglin.federate.environment import quiet

CLIENT = "flwr-clientapp"
"""The program that Flower's SuperNode starts for each message; found on the search path."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How a hospital reaches its federation."""

    site: str
    """Its name, as registered."""
    superlink: str
    """``host:port`` of the coordinator's SuperLink."""
    certificate: Path
    """The federation's ``ca.pem``."""
    key: Path
    """Its private key."""
    data: Path | None = None
    """Folder of its data set; ``None``: the archive in its own store."""
    port: int = 9094
    """Port on loopback by which SuperNode and client speak."""


def node_command(options: NodeOptions) -> list[str]:
    """Return the SuperNode's command line.

    Raises:
        MissingDataError: key, certificate or data folder is absent.
        InvalidInputError: a path that cannot be told to Flower.
        MissingExtraError: Flower is not installed.
    """
    for what, path in (("key", options.key), ("certificate", options.certificate)):
        if not path.is_file():
            raise MissingDataError(f"{what}: there is no file {path}")
    if options.data is not None and not options.data.is_dir():
        raise MissingDataError(f"data: there is no folder {options.data}")
    told = {"site": options.site, "data": "" if options.data is None else str(options.data.resolve())}
    if any(letter in value for value in told.values() for letter in "\"'\\\n"):
        raise InvalidInputError("site, data: expected no quotes and no back-slash in the name and the path")
    return [
        program("flower-supernode"),
        *("--superlink", options.superlink),
        *("--root-certificates", str(options.certificate)),
        *("--auth-supernode-private-key", str(options.key)),
        *("--port", str(options.port)),
        *("--node-config", " ".join(f'{name}="{value}"' for name, value in told.items())),
    ]


def node_environment(home: Path, base: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a hospital's processes, and put the client's program where they find it.

    Args:
        home: the hospital's ``XINGLIN_HOME``.
        base: to start from; ``None``: this process's.
    """
    environment = dict(os.environ if base is None else base)
    programs = home / "federation" / "bin"
    programs.mkdir(parents=True, exist_ok=True, mode=0o700)
    script = programs / CLIENT
    script.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m xinglin.federate.own_client "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o700)
    quiet(environment)
    environment |= {
        "XINGLIN_HOME": str(home),
        "FLWR_HOME": str(home / "federation" / "flower"),
        "PATH": os.pathsep.join(
            [str(programs), str(Path(sys.executable).parent), environment.get("PATH", "")]
        ),
    }
    return environment


def run_node(options: NodeOptions, home: Path) -> None:
    """Become the SuperNode; does not return.

    Raises:
        ConfigurationError: others may read the key.
        MissingDataError, InvalidInputError, MissingExtraError: see ``node_command``.
    """
    command = node_command(options)
    if options.key.stat().st_mode & 0o077:
        raise ConfigurationError(f"{options.key}: others may read this key. Run: chmod 600 {options.key}")
    os.execve(command[0], command, node_environment(home))


def program(name: str) -> str:
    """Return the path of one of Flower's programs, beside this Python.

    Raises:
        MissingExtraError: it is not installed.
    """
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise MissingExtraError("a federation", "federate")
    return str(path)
