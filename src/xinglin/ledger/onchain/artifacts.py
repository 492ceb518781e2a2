"""The contracts as they are deployed: ABI and bytecode lie beside the source, so that deploying needs no compiler."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from xinglin.errors import MissingDataError
from xinglin.ledger.onchain.library import library

FOLDER = Path(__file__).parents[1] / "contracts"
NAMES = ("DatasetRegistry", "ConsentRegistry", "AccessGrants", "AuditAnchor", "Rewards")
"""In the order of deployment: the others ask the registry who the steward is."""


@cache
def artifact(name: str) -> dict[str, Any]:
    """Return ``{"abi", "bytecode", "compiler", "evm"}`` of a contract.

    Raises:
        MissingDataError: it has not been compiled.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise MissingDataError(f"there is no compiled contract {path.name}: run write_artifacts")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def compiled(name: str) -> dict[str, Any]:
    """Compile a contract from its source; offline, and the same bytes every time.

    Raises:
        MissingExtraError: ``vyper`` is not installed.
    """
    vyper = library("vyper", "compiling the contracts")
    bundle = library("vyper.compiler.input_bundle", "compiling the contracts").FilesystemInputBundle([FOLDER])
    compile_source = library("vyper.compiler", "compiling the contracts").compile_from_file_input
    with bundle.search_path(FOLDER):
        found = compile_source(
            bundle.load_file(f"{name}.vy"),
            input_bundle=bundle,
            output_formats=["abi", "bytecode"],
            no_bytecode_metadata=True,
        )
    return {
        "abi": found["abi"],
        "bytecode": found["bytecode"],
        "compiler": f"vyper {vyper.__version__}",
        "evm": "paris",
    }


def write_artifacts() -> list[Path]:
    """Compile every contract and write the result beside its source."""
    written = []
    for name in NAMES:
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(compiled(name), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        written.append(path)
    return written
