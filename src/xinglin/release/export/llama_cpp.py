"""llama.cpp as a runner: logits and tokens of a GGUF file, by the prebuilt build that ``node-llama-cpp`` ships.

llama.cpp has no wheel with a runtime, so it is asked through Node.js, in a process that lives as long as the runner. Where
it is installed says ``XINGLIN_LLAMA_CPP``: a folder in which ``npm install node-llama-cpp`` was run. No network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, MissingProgramError

if TYPE_CHECKING:
    from xinglin.release.export.probe import Feed, Runner

VARIABLE = "XINGLIN_LLAMA_CPP"
PACKAGE = "node-llama-cpp"
_SCRIPT = Path(__file__).with_name("llama_cpp.js")


class LlamaCpp:
    """A GGUF file open in llama.cpp, one thread; close it, or let it go."""

    def __init__(self, path: Path, *, context: int = 512) -> None:
        """Start the process.

        Args:
            path: the GGUF file.
            context: most tokens of one question.

        Raises:
            MissingProgramError: no Node.js, or no ``node-llama-cpp`` at ``XINGLIN_LLAMA_CPP``.
            CheckpointError: llama.cpp cannot open the file.
        """
        command, place = _installed()
        self._process = subprocess.Popen(
            [command, str(_SCRIPT), str(place), str(path.resolve()), str(context)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._end = weakref.finalize(self, _stop, self._process)
        self._name = path.name
        said = self._heard()
        self.version: str = said["version"] or "unknown"
        """Release of llama.cpp."""
        self.template: str | None = said["template"]
        """Chat template that llama.cpp found in the file."""

    def logits(self, ids: list[int], vocabulary: int) -> NDArray[np.float32]:
        """Return the logits (tokens, vocabulary) of the next token after each one.

        Raises:
            CheckpointError: llama.cpp failed.
        """
        rows = self._asked({"ids": ids, "size": vocabulary})["logits"]
        from base64 import b64decode

        return np.stack([np.frombuffer(b64decode(row), dtype=np.float32) for row in rows])

    def tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Return the tokens of a text; ``special``: names of special tokens in it mean these.

        Raises:
            CheckpointError: llama.cpp failed.
        """
        found: list[int] = self._asked({"text": text, "special": special})["tokens"]
        return found

    def close(self) -> None:
        """End the process; twice is once."""
        self._end()

    def _asked(self, question: dict[str, Any]) -> dict[str, Any]:
        stream = self._process.stdin
        if stream is None or self._process.poll() is not None:
            raise CheckpointError(f"{self._name}: llama.cpp has ended")
        stream.write(json.dumps(question, ensure_ascii=False) + "\n")
        stream.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        stream = self._process.stdout
        line = stream.readline() if stream is not None else ""
        said: dict[str, Any] = json.loads(line) if line else {"error": "it ended without a word"}
        if "error" in said:
            raise CheckpointError(f"{self._name}: llama.cpp: {said['error']}: export it again")
        return said


def open_gguf(path: Path) -> tuple[Runner, str]:
    """Return what answers token ids (rows, tokens) with logits (rows, tokens, vocabulary), and what it runs on.

    Raises:
        MissingProgramError, CheckpointError: as :class:`LlamaCpp`.
    """
    model = LlamaCpp(path)
    size = _vocabulary(path)

    def run(feed: Feed) -> NDArray[np.float32]:
        return np.stack([model.logits([int(one) for one in row], size) for row in feed["input_ids"]])

    return run, f"llama.cpp {model.version} by {PACKAGE}, CPU, one thread"


def _vocabulary(path: Path) -> int:
    import gguf

    field = gguf.GGUFReader(path).get_field(gguf.Keys.Tokenizer.LIST)
    if field is None:
        raise CheckpointError(f"{path.name}: has no tokens: export it again")
    return len(field.data)


def _installed() -> tuple[str, Path]:
    node = shutil.which("node")
    place = os.environ.get(VARIABLE)
    if node is None:
        raise MissingProgramError("llama.cpp is asked through Node.js 20 or later: install nodejs")
    if not place or not (Path(place) / "node_modules" / PACKAGE).is_dir():
        raise MissingProgramError(
            f"llama.cpp: expected {VARIABLE} to name a folder with {PACKAGE}: run npm install {PACKAGE} --ignore-scripts "
            "in an empty folder and set it"
        )
    return node, Path(place).resolve()


def _stop(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
