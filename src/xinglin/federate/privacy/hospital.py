"""Hospital-level (central) differential privacy: the server clips each hospital's update and adds noise to their sum.

DP-FedAvg with fixed denominator (McMahan et al. 2018, arXiv:1710.06963): hospitals are drawn by Poisson sampling, each
update is scaled down to the clipping norm, the noisy sum is divided by the *expected* number of hospitals, never by the
actual one or by their numbers of patients, which would tell who was there. Whoever sees the models learns little about
whether a hospital took part at all. The server itself sees every update: it must be trusted, or the hospitals add noise
of their own (``dpsgd``).

The noise is a share of one hospital's clipped update. Few hospitals cannot drown it: with four of them a small epsilon
leaves little of the model. :func:`guarantee` says the honest figure.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.federate.privacy.accountant import Kind, Step, check_delta, epsilon

Array = np.ndarray[Any, Any]
State = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What central noise promises each hospital."""

    epsilon: float
    delta: float
    sites: int
    rounds: int
    note: Mapping[str, str]
    """In one sentence, by language."""


def draw(sites: Sequence[str], rate: float, *, seed: int, secret: bytes | None = None) -> tuple[str, ...]:
    """Return the hospitals of a round, each drawn independently with the same chance; it may be none of them.

    A fixed number of them, drawn without putting back, is *not* what the accountant counts: then count rate 1.

    Args:
        sites: all that are registered.
        rate: chance of each.
        seed: of the draw, together with ``secret``.
        secret: who knows it knows who took part; ``None``: drawn here and forgotten.

    Raises:
        InvalidInputError: a rate outside (0, 1], or no hospital.
    """
    Step(rate, 0.0)
    if not sites:
        raise InvalidInputError("hospitals: expected at least one")
    chance = _random(secret, seed, b"draw").random(len(sites))
    return tuple(site for site, value in zip(sites, chance, strict=True) if value < rate)


def private_average(
    before: State,
    updates: Sequence[State],
    *,
    clip: float,
    noise_multiplier: float,
    expected: float,
    seed: int,
    secret: bytes | None = None,
) -> dict[str, Array]:
    """Return the next common state: the old one and the noisy mean of the clipped changes.

    Args:
        before: the common state that the hospitals started from.
        updates: their states; none is fine, then the step is noise alone, as it was counted.
        clip: L2 norm of a change, over all arrays together, to which it is scaled down.
        noise_multiplier: standard deviation of the noise over ``clip``.
        expected: hospitals expected in a round: sampling rate times all registered.
        seed: of the noise, together with ``secret``.
        secret: whoever knows it can take the noise off; ``None``: drawn here and forgotten.

    Returns:
        Arrays by name, of the kinds of ``before``; whole numbers stay as they were.

    Raises:
        InvalidInputError: an update of other names, shapes or kinds, or not finite; a number out of range.
    """
    for name, value in (("clip", clip), ("noise_multiplier", noise_multiplier), ("expected", expected)):
        if not (math.isfinite(value) and value > 0):
            raise InvalidInputError(f"{name}: expected a number above 0, got {value!r}")
    names = sorted(name for name, value in before.items() if np.asarray(value).dtype.kind == "f")
    total = {name: np.zeros(np.shape(before[name])) for name in names}
    for number, update in enumerate(updates):
        change = _change(before, update, names, number)
        norm = math.sqrt(sum(float((value**2).sum()) for value in change.values()))
        scale = min(1.0, clip / norm) if norm else 1.0
        for name in names:
            total[name] += scale * change[name]
    generator = _random(secret, seed, b"noise")
    state = {name: np.asarray(value) for name, value in before.items()}
    for name in names:
        noise = generator.normal(0.0, noise_multiplier * clip, total[name].shape)
        state[name] = (before[name] + (total[name] + noise) / expected).astype(np.asarray(before[name]).dtype)
    return dict(sorted(state.items()))


def guarantee(
    sites: int, rate: float, noise_multiplier: float, rounds: int, delta: float, kind: Kind = "rdp"
) -> Guarantee:
    """Return the epsilon of each hospital after all rounds, with what it means in words.

    Raises:
        InvalidInputError: a number out of range, or a delta of 1/n or more, with n hospitals.
    """
    if isinstance(sites, bool) or not isinstance(sites, int) or sites < 1:
        raise InvalidInputError(f"hospitals: expected 1 or more, got {sites!r}")
    check_delta(delta)
    if delta * sites >= 1:
        raise InvalidInputError(f"delta: expected less than 1/n = {1 / sites:.3g} with n = {sites} hospitals")
    found = epsilon([Step(rate, noise_multiplier, rounds)], delta, kind)
    noise = noise_multiplier / (rate * sites)
    weak = found > 10
    return Guarantee(
        *(found, delta, sites, rounds),
        {
            "zh": f"{sites} 家医院、{rounds} 轮之后,医院级 ε = {found:.3g}(δ = {delta:g});每轮噪声在每个权重上的标准差为"
            f"裁剪范数的 {noise:.3g} 倍。" + ("这样的 ε 几乎不提供保护:医院太少。" if weak else ""),
            "en": f"With {sites} hospitals and {rounds} rounds the epsilon of a hospital is {found:.3g} at delta {delta:g}; "
            f"the noise of a round on each weight is {noise:.3g} times the clipping norm."
            + (" Such an epsilon protects next to nothing: the hospitals are too few." if weak else ""),
        },
    )


def _change(before: State, update: State, names: Sequence[str], number: int) -> dict[str, Array]:
    if update.keys() != before.keys():
        raise InvalidInputError(f"update {number}: expected the names of the common state")
    change = {}
    for name in names:
        old, new = np.asarray(before[name]), np.asarray(update[name])
        if new.shape != old.shape or new.dtype.kind != "f" or not np.isfinite(new).all():
            raise InvalidInputError(f"update {number}: {name}: expected finite numbers of shape {old.shape}")
        change[name] = new.astype(np.float64) - old
    return change


def _random(secret: bytes | None, seed: int, use: bytes) -> np.random.Generator:
    key = secrets.token_bytes(32) if secret is None else secret
    digest = hmac.digest(key, use + b"\0" + str(seed).encode(), "sha256")
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
