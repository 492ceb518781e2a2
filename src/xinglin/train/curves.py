"""A run's curves as one PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

NAMES = {
    "language": "masked language loss, training",
    "knowledge": "knowledge graph loss, training",
    "validation": "masked language loss, validation",
    "classification": "classification loss, training",
}
COLOURS = {
    "language": "#0f766e",
    "knowledge": "#b4532a",
    "validation": "#1d4ed8",
    "classification": "#0f766e",
}


def write_curves(
    path: Path, history: Sequence[Mapping[str, float]], figures: Sequence[str], title: str
) -> None:
    """Draw losses over steps: a faint line of every step, a bold one of the running mean.

    Args:
        path: the PNG.
        history: one mapping a step with ``step`` and losses.
        figures: which losses to draw; one that never occurs is left out.
        title: name of the run.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for key in figures:
        rows = [(row["step"], row[key]) for row in history if key in row]
        if not rows:
            continue
        steps, values = (np.array(column) for column in zip(*rows, strict=True))
        width = max(1, len(values) // 40)
        if width > 1:
            axes.plot(steps, values, color=COLOURS[key], alpha=0.15, linewidth=0.7)
            kernel = np.ones(width) / width
            middle = np.convolve(values, kernel, "valid")
            axes.plot(steps[width - 1 :], middle, color=COLOURS[key], linewidth=1.8, label=NAMES[key])
        else:
            axes.plot(
                steps, values, color=COLOURS[key], linewidth=1.8, marker="o", markersize=3, label=NAMES[key]
            )
    axes.set(xlabel="step", ylabel="loss (nats)", title=title)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    figure.savefig(path)
