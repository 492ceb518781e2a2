from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.apps.imaging.orient import standing
from xinglin.records.volumes import Scan


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    order=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    seed=st.integers(0, 2**32 - 1),
    turn=st.floats(0, 0.3),
)
def test_every_value_stays_at_its_millimetre(
    order: list[int], signs: tuple[float, ...], seed: int, turn: float
) -> None:
    rng = np.random.default_rng(seed)
    small = np.array([[1, -turn, 0], [turn, 1, 0], [0, 0, 1]]) / np.array([np.hypot(1, turn)] * 2 + [1])
    affine = np.eye(4)
    affine[:3, :3] = (small @ np.eye(3)[order] * signs) * [0.7, 0.9, 2.5]
    affine[:3, 3] = rng.normal(size=3) * 100
    array = rng.integers(-1000, 1000, (4, 5, 6)).astype(np.int16)
    made = standing(Scan(array, affine, "CT", "1"))
    assert (np.diag(made.affine)[:3] > 0).all()
    assert np.shares_memory(made.array, array)
    index = np.argwhere(np.ones(array.shape))[:, ::-1]
    there = made.to_voxels(Scan(array, affine, "CT", "1").to_lps(index))
    assert np.abs(there - np.rint(there)).max() < 1e-6
    found = made.array[tuple(np.rint(there).astype(int)[:, ::-1].T)]
    assert np.array_equal(found, array[tuple(index[:, ::-1].T)])
