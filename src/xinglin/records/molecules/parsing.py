"""RDKit as it is used everywhere here: imported late, its log silent, its complaints carried in our errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

from xinglin.errors import MissingExtraError

_listening = Lock()


@lru_cache(maxsize=1)
def rdkit() -> tuple[Any, Any, Any]:
    """Return RDKit's ``Chem``, ``rdBase`` and ``rdMolStandardize``.

    Raises:
        MissingExtraError: RDKit is not installed.
    """
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem.MolStandardize import rdMolStandardize
    except ImportError as error:
        raise MissingExtraError("reading molecules", "drugs") from error
    return Chem, rdBase, rdMolStandardize


def read_smiles(smiles: str) -> Any:
    """Return the sanitised RDKit molecule of a SMILES, or None where RDKit refuses it."""
    chem, base, _ = rdkit()
    with base.BlockLogs():
        return chem.MolFromSmiles(smiles)


def complaint(smiles: str) -> str:
    """Return RDKit's own words on a SMILES that it refused."""
    chem, base, _ = rdkit()
    with base.BlockLogs():
        raw = chem.MolFromSmiles(smiles, sanitize=False)
        problems = [] if raw is None else chem.DetectChemistryProblems(raw)
    if problems:
        return str(problems[0].Message())
    return logged(lambda: chem.MolFromSmiles(smiles)) or "RDKit cannot read it"


def logged(act: Callable[[], object]) -> str:
    """Return the first error that RDKit logs during an act, empty if none; nothing is printed."""
    base = rdkit()[1]
    told: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("rdkit")
    # RDKit's log is one for the process: one caller at a time may listen to it.
    with _listening:
        base.LogToPythonLogger()
        others, propagate = logger.handlers, logger.propagate
        logger.handlers, logger.propagate = [listener], False
        try:
            act()
        finally:
            logger.handlers, logger.propagate = others, propagate
            base.LogToCppStreams()
    lines = [line.strip() for entry in told for line in entry.splitlines() if line.strip()]
    first = next((line for line in lines if "rror" in line), lines[0] if lines else "")
    return first.split("rror:", 1)[-1].split(" for input")[0].strip()


def short(text: str) -> str:
    """Return a text for an error message, quoted and cut at 80 characters."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
