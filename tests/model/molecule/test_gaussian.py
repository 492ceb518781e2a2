"""The Gaussian process against textbook formulas, refitting and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.errors import InvalidInputError
from xinglin.model.molecule.gaussian import NOISES, Observed, Process


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.exp(-((x[:, None] - y) ** 2) / 2).astype(np.float32)


def _drawn(count: int, seed: int, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.uniform(-6, 6, count)
    return x, 5 + 2 * np.sin(x) + noise * generator.normal(size=count)


def test_prediction_is_the_textbook_formula() -> None:
    """Rasmussen and Williams, eq. 2.23 and 2.24, by plain inversion, at the noise that was chosen."""
    x, y = _drawn(40, 0)
    asked = np.linspace(-6, 6, 9)
    process = Process.fit(_kernel(x, x), Observed.exact(y))
    assert process.noise in NOISES
    inverse = np.linalg.inv(_kernel(x, x).astype(float) + process.noise * np.eye(40))
    across = _kernel(asked, x).astype(float)
    centred = y - y.mean()
    power = centred @ inverse @ centred / 40
    mean, deviation = process.predict(_kernel(asked, x))
    np.testing.assert_allclose(mean, y.mean() + across @ inverse @ centred, rtol=1e-6)
    np.testing.assert_allclose(
        deviation, np.sqrt(power * (1 - np.einsum("ij,jk,ik->i", across, inverse, across))), rtol=1e-5
    )


def test_left_out_predictions_are_those_of_a_fit_without_the_value() -> None:
    """The closed form against removing each value and solving again, mean and noise held."""
    x, y = _drawn(15, 1)
    process = Process.fit(_kernel(x, x), Observed.exact(y))
    for index in range(15):
        rest = np.arange(15) != index
        among = _kernel(x[rest], x[rest]).astype(float) + process.noise * np.eye(14)
        across = _kernel(x[[index]], x[rest]).astype(float)
        expected = y.mean() + across @ np.linalg.solve(among, y[rest] - y.mean())
        assert process.left_out[index] == pytest.approx(expected[0], rel=1e-5)


def test_intervals_hold_what_they_say() -> None:
    inside = []
    for seed in range(30):
        x, y = _drawn(80, seed)
        new, truth = _drawn(200, 1000 + seed)
        low, high = Process.fit(_kernel(x, x), Observed.exact(y)).interval(_kernel(new, x), 0.9)
        inside.append(np.mean((truth >= low) & (truth <= high)))
    assert 0.86 < np.mean(inside) < 0.95


def test_a_bound_informs_and_is_not_taken_for_a_value() -> None:
    """Values of a slope; the low half is only known to lie below 5. As exact 5s they would flatten the slope."""
    x = np.linspace(-2, 2, 40)
    truth = 5 + 2 * x
    low = truth < 5
    observed = Observed(
        np.where(low, 5.0, truth), np.where(low, -1, 0).astype(np.int8), np.ones(40, np.int64)
    )
    flat = Observed.exact(np.where(low, 5.0, truth))
    asked = np.array([-1.0])
    kernel, across = _kernel(x / 2, x / 2), _kernel(asked / 2, x / 2)
    (with_bound,), _ = Process.fit(kernel, observed).predict(across)
    (as_value,), _ = Process.fit(kernel, flat).predict(across)
    assert with_bound < as_value - 0.2
    assert abs(with_bound - 3.0) < abs(as_value - 3.0)


def test_a_batch_is_greedy_without_boldness_and_spreads_with_it() -> None:
    x, y = _drawn(30, 2)
    asked = np.linspace(-6, 6, 60)
    process = Process.fit(_kernel(x, x), Observed.exact(y))
    across, within = _kernel(asked, x), _kernel(asked, asked)
    mean, _ = process.predict(across)
    assert process.batch(across, within, 10, 0.0).tolist() == np.argsort(-mean, kind="stable")[:10].tolist()
    bold = process.batch(across, within, 10, 2.0)
    assert len(set(bold.tolist())) == 10
    assert np.ptp(asked[bold]) > np.ptp(asked[process.batch(across, within, 10, 0.0)])


def test_batch_deviations_are_those_of_a_refit() -> None:
    """After picking one, the next pick is that of a process which has measured it at its own prediction."""
    x, y = _drawn(30, 3)
    asked = np.linspace(-6, 6, 40)
    process = Process.fit(_kernel(x, x), Observed.exact(y))
    across, within = _kernel(asked, x), _kernel(asked, asked)
    first, second = process.batch(across, within, 2, 1.5)
    grown = np.append(x, asked[first])
    inverse = np.linalg.inv(_kernel(grown, grown).astype(float) + process.noise * np.eye(31))
    wide = _kernel(asked, grown).astype(float)
    deviation = process.scale * np.sqrt(1 - np.einsum("ij,jk,ik->i", wide, inverse, wide))
    merit = process.predict(across)[0] + 1.5 * deviation
    merit[first] = -np.inf
    assert second == np.argmax(merit)


@pytest.mark.parametrize("values", [np.zeros(20), np.arange(5.0)])
def test_too_little_is_refused(values: np.ndarray) -> None:
    x = np.arange(len(values), dtype=float)
    with pytest.raises(InvalidInputError, match="measure more"):
        Process.fit(_kernel(x, x), Observed.exact(values))
