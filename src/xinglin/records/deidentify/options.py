"""What is done with what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from xinglin.errors import ConfigurationError

Mode = Literal["placeholder", "surrogate"]
Dates = Literal["shift", "year", "placeholder"]


@dataclass(frozen=True, slots=True)
class Options:
    """How identifiers are replaced."""

    mode: Mode = "placeholder"
    """``placeholder``: ``[姓名1]``, the same number for the same identifier of a text. ``surrogate``: an invented one of
    the same form, the same for the same identifier of a subject."""
    dates: Dates = "shift"
    """``shift``: by whole weeks, the same for all of a subject's dates, so that intervals and weekdays stay. ``year``:
    the year alone stays, as HIPAA Safe Harbor asks. ``placeholder``: as any other identifier."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ConfigurationError(f"mode: expected {', '.join(get_args(Mode))}; got {self.mode!r}")
        if self.dates not in get_args(Dates):
            raise ConfigurationError(f"dates: expected {', '.join(get_args(Dates))}; got {self.dates!r}")
