"""How a dense feed-forward network is cut and copied into experts."""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.errors import InvalidInputError

MOST = 256
"""Experts of a layer; more than any published open model of this kind has."""


@dataclass(frozen=True, slots=True)
class UpcycleOptions:
    """Options of :func:`xinglin.model.experts.upcycling.upcycle`; checked when made.

    The dense network's inner width is cut into ``shared + parts`` slices of equal width: ``shared`` of them every
    token passes, the others are copied into experts. With ``split``, ``parts = per_token``: a token's experts together
    are as wide as what they were copied from, so that it costs what the dense model costs. Without, ``parts = 1``.
    """

    experts: int = 8
    """Routed experts of a layer."""
    per_token: int = 2
    """Experts that a token passes."""
    shared: int = 1
    """Slices that every token passes: the shared expert; 0 for none."""
    split: bool = True
    """Cut what is routed into ``per_token`` parts (fine-grained), instead of copying it whole."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise on the experts' weights, as a share of each matrix's own."""
    redraw: float = 0.0
    """Share of each expert's inner channels drawn anew (drop-upcycling; its authors recommend 0.5)."""
    balance: float = 0.01
    """Weight of the load-balancing loss, written into the configuration."""
    seed: int = 0
    """Of the router, the noise and the redrawn channels."""

    def __post_init__(self) -> None:
        if not 2 <= self.experts <= MOST:
            raise InvalidInputError(f"experts: expected 2 to {MOST}, got {self.experts}")
        if not 1 <= self.per_token < self.experts:
            raise InvalidInputError(
                f"per_token: expected 1 to {self.experts - 1}, fewer than the {self.experts} experts, got {self.per_token}"
            )
        if self.split and self.experts % self.per_token:
            raise InvalidInputError(
                f"experts: with split, expected a multiple of per_token = {self.per_token}, got {self.experts}"
            )
        if self.shared < 0:
            raise InvalidInputError(f"shared: expected 0 or more, got {self.shared}")
        for name, value, most in (("noise", self.noise, 10.0), ("redraw", self.redraw, 1.0)):
            if not 0 <= value <= most:
                raise InvalidInputError(f"{name}: expected 0 to {most:g}, got {value}")
        if not 0 <= self.balance <= 10:
            raise InvalidInputError(f"balance: expected 0 to 10, got {self.balance}")

    @property
    def parts(self) -> int:
        """Slices that are routed."""
        return self.per_token if self.split else 1

    def width(self, inner: int) -> int:
        """Return the inner width of one expert.

        Raises:
            InvalidInputError: the slices do not come out even.
        """
        slices = self.parts + self.shared
        if inner % slices:
            raise InvalidInputError(
                f"the feed-forward network is {inner} wide, which {slices} slices (shared {self.shared} + routed "
                f"{self.parts}) do not divide: choose another --shared, or no --split"
            )
        return inner // slices
