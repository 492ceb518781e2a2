"""A scan with its axes named by the patient: x towards the left, y towards the back, z towards the head.

Only axes are exchanged and reversed, as views of the same memory; no value changes and no voxel moves. An oblique scan
keeps its obliquity: its axes are named by what they are nearest to.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np

from xinglin.records.volumes.scan import Scan


def standing(scan: Scan) -> Scan:
    """Return the scan with its array seen in patient order; ``files`` follow if z stays the axis of slices, else none."""
    axes = scan.affine[:3, :3] / np.array(scan.spacing)
    order = max(
        permutations(range(3)), key=lambda chosen: sum(abs(axes[k, at]) for k, at in enumerate(chosen))
    )
    turn = np.eye(4)[:, [*order, 3]]
    flips = [bool(axes[k, at] < 0) for k, at in enumerate(order)]
    sizes = [scan.array.shape[2 - at] for at in order]
    for k, flipped in enumerate(flips):
        if flipped:
            turn[:, 3] += turn[:, k] * (sizes[k] - 1)
            turn[:, k] *= -1
    # Array axes run z, y, x: axis 2 - k of the new array is axis 2 - order[k] of the old.
    shuffle = [2 - order[2 - axis] for axis in range(3)]
    view = tuple(slice(None, None, -1) if flips[2 - axis] else slice(None) for axis in range(3))
    files = scan.files
    if order[2] != 2 or len(files) != len(scan.array):
        files = files if order[2] == 2 else ()
    elif flips[2]:
        files = files[::-1]
    return replace(
        scan,
        array=scan.array.transpose(shuffle)[view],
        affine=scan.affine @ turn,
        measured=None if scan.measured is None else scan.measured.transpose(shuffle)[view],
        files=files,
    )
