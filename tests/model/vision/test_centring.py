"""A ball painted at a known place is found there, with its size, whatever lies beside it."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.model.vision.centring import centre, parabolic
from xinglin.model.vision.peaks import highest


def ball(place, diameter: float, shape=(28, 32, 32), inside: float = 40.0, outside: float = -850.0):
    """A ball of soft tissue in lung, its border smoothed by the part of each voxel that it fills."""
    away = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(np.indices(shape), place, strict=True)))
    return (outside + (inside - outside) * np.clip(diameter / 2 - away + 0.5, 0, 1)).astype(np.float32)


@pytest.mark.parametrize("diameter", [5.0, 8.0, 12.0])
@pytest.mark.parametrize("place", [(13.3, 15.75, 16.1), (14.0, 16.0, 15.5)])
def test_finds_centre_and_size(place, diameter):
    found = centre(ball(place, diameter), tuple(np.add(place, (1.2, -1.4, 0.9))))
    assert np.linalg.norm(np.subtract(found.point, place)) < 0.3
    assert abs(found.diameter - diameter) < 0.15 * diameter
    assert found.response > 0


def test_a_window_and_a_whole_ct_say_the_same():
    image = ball((40.2, 50.3, 60.4), 7, (80, 96, 110))
    inside = centre(image[20:60, 30:70, 40:80], (20.0, 20.0, 20.0))
    whole = centre(image, (40.0, 50.0, 60.0))
    assert np.allclose(np.add(inside.point, (20, 30, 40)), whole.point, atol=1e-3)


def test_where_nothing_is_bright_the_point_stays():
    found = centre(np.full((20, 32, 32), -850.0, np.float32), (9.5, 10.0, 11.0))
    assert found.point == (9.5, 10.0, 11.0)
    assert found.response <= 0


def test_a_second_nodule_far_away_does_not_draw():
    image = np.maximum(ball((10, 8, 8), 6), ball((10, 24, 24), 12))
    assert np.linalg.norm(np.subtract(centre(image, (10, 9, 9)).point, (10, 8, 8))) < 0.4


def test_parabola_finds_its_own_top():
    grid = np.indices((7, 7, 7)).astype(float)
    top = (3.2, 2.7, 3.4)
    values = -sum((axis - at) ** 2 for axis, at in zip(grid, top, strict=True))
    assert parabolic(values, (3, 3, 3)) == pytest.approx(top)
    assert parabolic(values, (0, 0, 0)).tolist() == [0, 0, 0]


def test_highest_stays_inside_the_image():
    logits = np.zeros((10, 16, 16), np.float32)
    logits[9, 0, 15] = 1
    assert highest(logits, 2, 0.5, (20, 32, 32)) == (18.5, 0.5, 30.5)


def test_the_response_is_that_of_the_laplacian_of_gaussian():
    from scipy.ndimage import gaussian_laplace

    from xinglin.model.vision.centring import SCALES, _response

    box = np.random.default_rng(0).normal(-500, 200, (29, 30, 22)).astype(np.float32)
    kept = [(3, 20), (0, 10), (5, 22)]
    for scale in (SCALES[0], SCALES[-1]):
        slow = -(scale**2) * gaussian_laplace(box.astype(float), scale, mode="nearest")
        assert np.abs(slow[3:20, 0:10, 5:22] - _response(box, scale, kept)).max() < 1e-3
