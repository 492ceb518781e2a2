"""A file of SMILES as training and held-out part, and batches of it that depend on seed and step alone."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, MissingExtraError
from xinglin.model.molecule.tokens import Tokens

HELD_OUT = 0x1A
"""A SMILES whose SHA-1 begins with a byte below this is held out: a tenth."""
LONGEST = 400
"""Characters of one SMILES."""
MOST = 20_000_000
"""Lines of a file."""
POOL = 8
"""Batches that are sorted by length together, so that little is padded."""


@dataclass(frozen=True)
class Corpus:
    """The two parts of a file, each molecule once, in the order of the file."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    digest: str
    """SHA-256 over the lines of both parts."""


def read_corpus(path: Path) -> Corpus:
    """Read a file of one SMILES a line (plain, ``.gz`` or ``.xz``); what follows a blank on a line is a name.

    The spelling is kept: what is learned is the file's own way to write molecules.

    Raises:
        MissingDataError: no such file.
        InvalidInputError: a line that is no ASCII or too long, a broken archive, or a part that is empty.
        InputTooLargeError: more lines than are read.
    """
    if not path.is_file():
        raise MissingDataError(f"{path}: expected a file of SMILES; there is none")
    openers = {".xz": lzma.open, ".gz": gzip.open}
    lines: dict[str, None] = {}
    try:
        with openers.get(path.suffix, open)(path, "rt", encoding="ascii") as file:  # type: ignore[operator]
            for number, line in enumerate(iter(lambda: file.readline(LONGEST + 100), ""), 1):
                word = line.split(None, 1)[0] if line.strip() else ""
                if len(word) > LONGEST or (not line.endswith("\n") and len(line) > LONGEST):
                    raise InvalidInputError(f"{path}: line {number}: expected at most {LONGEST} characters")
                if number > MOST:
                    raise InputTooLargeError(f"{path}: expected at most {MOST} lines")
                if word:
                    lines[word] = None
    except (UnicodeDecodeError, EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InvalidInputError(f"{path}: expected SMILES in ASCII, plain, .gz or .xz; {error}") from None
    parts: tuple[list[str], list[str]] = ([], [])
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode())
        parts[held_out(line)].append(line)
    if not parts[0] or not parts[1]:
        raise InvalidInputError(
            f"{path}: expected enough molecules to train on and to hold out, got {len(parts[0])} and {len(parts[1])}"
        )
    return Corpus(tuple(parts[0]), tuple(parts[1]), digest.hexdigest())


def held_out(smiles: str) -> bool:
    """Whether a SMILES is in the held-out part."""
    return hashlib.sha1(smiles.encode(), usedforsecurity=False).digest()[0] < HELD_OUT


def drawing(
    smiles: Sequence[str], tokens: Tokens, batch: int, longest: int, seed: int, share: float
) -> Callable[[int], list[list[int]]]:
    """Return step -> sequences of ids of like length; every molecule comes once in a pass.

    Args:
        smiles: training molecules.
        tokens: the tokenizer.
        batch: sequences a step.
        longest: a sequence of more tokens is cut there.
        seed: of order and spellings.
        share: of molecules in a random spelling (Arús-Pous et al. 2019, doi 10.1186/s13321-019-0393-0).
    """
    kept: dict[int, list[list[list[int]]]] = {}

    def pool(number: int) -> list[list[list[int]]]:
        if number not in kept:
            kept.clear()
            generator = np.random.default_rng((seed, number))
            chosen = [smiles[i] for i in _places(len(smiles), number, batch * POOL, seed)]
            for at in np.flatnonzero(generator.random(len(chosen)) < share):
                chosen[at] = respelt(chosen[at], int(generator.integers(2**31 - 1)))
            ids = sorted((one[:longest] for one in tokens.encode(chosen)), key=len)
            parts = [ids[i : i + batch] for i in range(0, len(ids), batch)]
            kept[number] = [parts[i] for i in generator.permutation(len(parts))]
        return kept[number]

    return lambda step: pool(step // POOL)[step % POOL]


def _places(total: int, number: int, count: int, seed: int) -> list[int]:
    """Return the places of one pool in an endless row of passes, each in an order of its own."""
    places: list[int] = []
    while len(places) < count:
        turn, first = divmod(number * count + len(places), total)
        order = np.random.default_rng((seed, turn, 1)).permutation(total)
        places += order[first : first + count - len(places)].tolist()
    return places


def respelt(smiles: str, seed: int) -> str:
    """Return the same molecule from another atom on, in a random order; as it was where RDKit cannot.

    Raises:
        MissingExtraError: RDKit is not installed.
    """
    try:
        from rdkit import Chem, rdBase
    except ImportError as error:
        raise MissingExtraError("randomised SMILES", "drugs") from error
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return smiles if molecule is None else str(Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0])
