"""The detector that ``xinglin imaging`` uses: a checkpoint, loaded and named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.cli.imaging_windows import NODULES

if TYPE_CHECKING:
    from xinglin.apps.imaging.measured import Algorithm, Detect
    from xinglin.apps.imaging.slide import Candidate, Report
    from xinglin.records.volumes import Scan


def load_detector(
    folder: Path | None, *, most: int, threads: int, progress: Report | None = None
) -> tuple[Detect, Algorithm]:
    """Load a detector that searches the lungs; its scores on a whole CT are logits, no probabilities.

    Where no lung with air is seen it raises ``InvalidInputError``: searching elsewhere would find what is no lung nodule,
    and finding nothing would look like an answer.

    Args:
        folder: a sealed checkpoint of kind ``detector``; ``None``: the one that comes with the package.
        most: nodules named at most.
        threads: CPU threads.
        progress: called with windows done and windows in all.
    """
    import numpy as np

    from xinglin.apps.imaging.lungs import lung_mask
    from xinglin.apps.imaging.measured import Algorithm
    from xinglin.apps.imaging.slide import find_in_volume
    from xinglin.errors import InvalidInputError
    from xinglin.model.shipped import shipped_folder
    from xinglin.model.vision.runtime import InstanceMaps

    network = InstanceMaps.load(folder or shipped_folder(NODULES), threads=threads)

    def detect(scan: Scan) -> Sequence[Candidate]:
        lungs = lung_mask(scan)
        if not lungs.array.any():
            raise InvalidInputError(
                "看不到含气的肺,未做检测。No lung with air is seen in the scan, so it was not searched: this detector "
                "reads CT of the chest; it cannot read lungs without air"
            )
        mask = np.empty(scan.array.shape, bool)
        for at, plane in enumerate(lungs.on(scan)):
            mask[at] = plane
        x, y, z = scan.spacing
        return find_in_volume(network, scan.array, (z, y, x), mask=mask, most=most, report=progress)

    return detect, Algorithm(f"xinglin {NODULES}", network.id[:16])
