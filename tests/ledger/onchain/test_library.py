"""The chain's libraries raise the recursion limit on import; ours stays, or deep JSON would kill the process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from xinglin.errors import MissingExtraError
from xinglin.ledger.onchain.library import library

PROGRAM = """
import json, sys
before = sys.getrecursionlimit()
from xinglin.ledger.onchain.evm import InProcess
InProcess().web3.eth.get_block("latest")
assert sys.getrecursionlimit() == before, sys.getrecursionlimit()
try:
    json.loads("[" * 100_000)
except RecursionError:
    print("refused")
"""


def test_deep_json_is_still_refused_beside_an_evm() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "refused\n"


def test_in_this_process_too(world: object) -> None:
    assert world is not None
    with pytest.raises(RecursionError):
        json.loads("[" * 100_000)


def test_what_is_not_installed_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match="chain"):
        library("no_such_library_of_a_chain", "a test")
