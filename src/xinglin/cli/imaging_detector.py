"""The detector that ``xinglin imaging`` and the workbench use: a checkpoint, loaded and named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.cli.imaging_windows import NODULES

if TYPE_CHECKING:
    from xinglin.apps.imaging.measured import Algorithm, Detect
    from xinglin.apps.imaging.search import Found, Searcher
    from xinglin.apps.imaging.slide import Candidate, Report
    from xinglin.records.volumes import Scan


def load_searcher(folder: Path | None, *, most: int = 50, threads: int = 1) -> Searcher:
    """Load a detector that searches the lungs (:func:`xinglin.apps.imaging.search.search_lungs`).

    Args:
        folder: a sealed checkpoint of kind ``detector``; ``None``: the one that comes with the package.
        most: nodules named at most.
        threads: CPU threads.

    Raises:
        UnknownNameError: none is named and none comes with this package.
        CheckpointError: the checkpoint does not verify, or is no detector.
    """
    from xinglin.apps.imaging.measured import Algorithm
    from xinglin.apps.imaging.search import Searcher, search_lungs
    from xinglin.model.shipped import shipped_folder
    from xinglin.model.vision.runtime import InstanceMaps

    network = InstanceMaps.load(folder or shipped_folder(NODULES), threads=threads)

    def search(scan: Scan, report: Report | None) -> Found:
        return search_lungs(network, scan, most=most, report=report)

    return Searcher(search, Algorithm(f"xinglin {NODULES}", network.id[:16]))


def load_detector(
    folder: Path | None, *, most: int, threads: int, progress: Report | None = None
) -> tuple[Detect, Algorithm]:
    """Load a detector for reports: places alone; ``progress`` is called with windows done and windows in all."""
    loaded = load_searcher(folder, most=most, threads=threads)

    def detect(scan: Scan) -> Sequence[Candidate]:
        return loaded.search(scan, progress).candidates

    return detect, loaded.algorithm
