"""Maps of instance logits on ONNX Runtime alone: no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.parts import CONFIG, read_json
from xinglin.model.runtime import CALIBRATION, FILES, OF_CHECKPOINT, Precision, open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Floats = NDArray[np.float32]


class MapNetwork(Protocol):
    """What turns scaled images into maps on a coarser grid; the way over a whole CT asks for no more."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the maps' channels, ``logit`` first."""

    @property
    def stride(self) -> int:
        """Voxels from one instance to the next."""

    def maps(self, images: Floats) -> Floats:
        """Return maps (n, channels, z/stride, y/stride, x/stride) of scaled images (n, z, y, x)."""


@dataclass(frozen=True, eq=False)
class InstanceMaps:
    """A nodule network ready to answer; build it with :meth:`load`. Safe to share between threads."""

    id: str
    channels: tuple[str, ...]
    stride: int
    """Voxels from one instance to the next."""
    offset: float
    """Voxel of the first instance's centre."""
    align: int
    """Sizes must be multiples of this."""
    sharpness: float
    """Of the log-sum-exp that pools a window."""
    precision: Precision
    manifest: dict[str, Any] = field(repr=False)
    calibration: dict[str, Any] | None = field(repr=False)
    _session: InferenceSession = field(repr=False)

    @staticmethod
    def load(folder: Path, *, threads: int = 1, precision: Precision | None = None) -> InstanceMaps:
        """Verify a checkpoint and open its ONNX file.

        Args:
            folder: a sealed checkpoint of kind ``detector``.
            threads: CPU threads of one run.
            precision: ``fp32`` or ``int8``; by default fp32 where it is there.

        Raises:
            CheckpointError: the checkpoint does not verify, is no detector, or holds no ONNX file of its own.
        """
        checkpoint = verify_checkpoint(folder)
        if checkpoint.manifest["kind"] != "detector":
            raise CheckpointError(f"{folder}: expected a detector, got {checkpoint.manifest['kind']}")
        listed = checkpoint.manifest["files"]
        order: tuple[Precision, ...] = ("fp32", "int8") if precision is None else (precision,)
        found = next((kind for kind in order if FILES[kind] in listed), None)
        if found is None:
            raise CheckpointError(
                f"{folder}: expected {' or '.join(FILES[kind] for kind in order)}: train it again (xinglin train nodules)"
            )
        session = open_session(folder / FILES[found], threads)
        made_from = session.get_modelmeta().custom_metadata_map.get(OF_CHECKPOINT)
        if made_from != checkpoint.id:
            raise CheckpointError(
                f"{FILES[found]}: exported from checkpoint {str(made_from)[:12]}, the folder holds "
                f"{checkpoint.id[:12]}: train it again (xinglin train nodules)"
            )
        body = read_json(folder / CONFIG)
        try:
            return InstanceMaps(
                id=checkpoint.id,
                channels=tuple(body["channels"]),
                stride=int(body["stride"]),
                offset=float(body["offset"]),
                align=int(body["align"]),
                sharpness=float(body["sharpness"]),
                precision=found,
                manifest=checkpoint.manifest,
                calibration=read_json(folder / CALIBRATION) if CALIBRATION in listed else None,
                _session=session,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{CONFIG}: {error}: not the configuration of a nodule model") from None

    def maps(self, images: Floats) -> Floats:
        """Return the maps (n, channels, z/stride, y/stride, x/stride) of scaled images (n, z, y, x).

        Raises:
            InvalidInputError: another shape, or sizes that are no multiples of ``align``.
        """
        if images.ndim != 4 or any(size % self.align or not size for size in images.shape[1:]):
            raise InvalidInputError(
                f"images: expected (n, z, y, x) with sizes that are multiples of {self.align}, got {images.shape}"
            )
        found: Floats = self._session.run(
            ["maps"], {"images": images[:, None].astype(np.float32, copy=False)}
        )[0]
        return found
