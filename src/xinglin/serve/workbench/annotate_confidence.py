"""How sure one is of a label, by key: three levels that order labels, no probabilities; saying nothing is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.shell import fragment

LEVELS = (("j", "unsure", 0.33), ("k", "fairly", 0.67), ("l", "certain", 1.0))
"""Key, word and number of each level; the number is a rank on the scale of 0 to 1 that files use."""


class Confidence:
    """Three buttons; pressing one again takes it back."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.value: float | None = None
        self._buttons: list[tuple[float, Any]] = []

    def build(self) -> None:
        """Draw the row."""
        say = self.visitor.say
        with ui.element("div").classes("xa-sure").props("role=group") as self.place:
            fragment(tag("span", say("sure"), cls="xl-muted"))
            for key, word, value in LEVELS:
                button = ui.element("button").props(f"type=button data-key=sure-{key}")
                button.on("click", self._setter(value), args=[])
                with button:
                    fragment(tag("span", tag("kbd", key.upper()), say(f"sure_{word}")))
                self._buttons.append((value, button))
        self.place.props["aria-label"] = say("sure")
        self.set(None)

    def set(self, value: float | None) -> None:
        """Show a level, or none."""
        self.value = value
        for own, button in self._buttons:
            chosen = own == value
            button.classes(add="xa-current") if chosen else button.classes(remove="xa-current")
            button.props(f"aria-pressed={'true' if chosen else 'false'}")

    def _setter(self, value: float) -> Callable[[], None]:
        return lambda: self.set(None if self.value == value else value)
