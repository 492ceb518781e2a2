"""The table of targets: what a checkpoint can be exported to, what each takes, and what it is held to.

A target's module has two functions:

* ``export(folder, out, calibration) -> list[Path]`` writes files of a verified checkpoint into an existing folder
* ``runner(out) -> tuple[Runner, str]`` opens them: what answers a feed, and what it runs on, with its version
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.release.export.probe import EIGHT_BIT, EXACT, FOUR_BIT, Feed, Limits, Runner

Calibration = Sequence[Feed] | None
"""Inputs that show which values occur; ``None``: no static scales are wanted."""
Open = Callable[[Path], tuple[Runner, str]]


class TargetModule(Protocol):
    """What a target's module offers."""

    def export(self, folder: Path, out: Path, calibration: Calibration = None, /) -> list[Path]:
        """Write a checkpoint's files for the target into a folder."""

    def runner(self, out: Path, /) -> tuple[Runner, str]:
        """Open what :meth:`export` wrote."""


@dataclass(frozen=True, slots=True)
class Target:
    """One way out."""

    name: str
    zh: str
    en: str
    kinds: tuple[str, ...]
    """Kinds of checkpoint that it takes."""
    limits: Limits
    module: str
    float_limits: Limits | None = None
    """What it is held to where it writes 32 bits for want of scales; ``None``: it never does."""

    def held_to(self, quantised: bool) -> Limits:
        """Return the limits, by whether scales were known."""
        return self.limits if quantised or self.float_limits is None else self.float_limits

    @property
    def built(self) -> bool:
        """Whether its module is part of this package."""
        return find_spec(self.module) is not None

    def open(self) -> TargetModule:
        """Return the target's module.

        Raises:
            MissingExtraError: a library that it needs is not installed.
            UnknownNameError: this package has no such module.
        """
        if not self.built:
            raise UnknownNameError(f"{self.name}: this version of the package has no module {self.module}")
        return cast(TargetModule, import_module(self.module))

    def require(self, kind: str) -> None:
        """Check that a kind of checkpoint goes out this way.

        Raises:
            InvalidInputError: it does not.
        """
        if kind not in self.kinds:
            raise InvalidInputError(
                f"{self.name}: expected a checkpoint of kind {' or '.join(self.kinds)}, got {kind!r}"
            )


_ALL = ("classifier", "decoder", "detector")
_HERE = "xinglin.release.export"
TARGETS: dict[str, Target] = {
    item.name: item
    for item in (
        Target("onnx", "ONNX,32 位", "ONNX in 32 bits", _ALL, EXACT, f"{_HERE}.onnx_float"),
        Target("onnx-int8", "ONNX,8 位权重", "ONNX in 8 bits", _ALL, EIGHT_BIT, f"{_HERE}.onnx_int8"),
        Target(
            *("openvino", "OpenVINO 中间表示", "OpenVINO's intermediate representation"),
            *(_ALL, EIGHT_BIT, f"{_HERE}.openvino_ir", EXACT),
        ),
        Target(
            *("executorch", "手机 ExecuTorch .pte", "ExecuTorch .pte for phones"),
            *(("classifier",), EIGHT_BIT, f"{_HERE}.executorch"),
        ),
        Target(
            *("gguf", "llama.cpp 的 GGUF,4 位权重", "GGUF in 4 bits for llama.cpp"),
            *(("decoder",), FOUR_BIT, f"{_HERE}.gguf"),
        ),
    )
}


def target(name: str) -> Target:
    """Return a target by its name.

    Raises:
        UnknownNameError: there is none; the nearest are named.
    """
    if name not in TARGETS:
        near = get_close_matches(name, TARGETS, n=3, cutoff=0.4) or list(TARGETS)
        raise UnknownNameError(f"--to: no target {name[:40]!r}; nearest: {', '.join(near)}")
    return TARGETS[name]
