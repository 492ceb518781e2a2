"""The Flower app that is submitted: a name, a version and where the installed apps lie. It holds no code of ours."""

from __future__ import annotations

from pathlib import Path

from xinglin import __version__
from xinglin.federate.keep import write_whole

APP = """\
[project]
name = "xinglin-federation"
version = "{version}"
description = "Points at the apps of the installed xinglin"
license = {{ file = "LICENSE" }}
dependencies = ["flwr[simulation]>=1.41,<1.42"]

[tool.flwr.app]
publisher = "xinglin"

[tool.flwr.app.components]
serverapp = "xinglin.federate.app:server"
clientapp = "xinglin.federate.app:client"

[tool.flwr.app.config]
job = ""
"""
LICENCE = "SPDX-License-Identifier: Apache-2.0\n"


def write_bundle(folder: Path) -> None:
    """Write the app's folder, as ``flwr run`` wants it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / "pyproject.toml", APP.format(version=__version__).encode())
    write_whole(folder / "LICENSE", LICENCE.encode())
