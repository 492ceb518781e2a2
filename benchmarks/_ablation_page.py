"""The knowledge ablation as a page and a picture; every sentence on the outcome follows from the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._line import Line
from benchmarks._machine import machine

LEVEL = 0.05
METHOD = """\
An encoder of size `tiny` (2 layers, 128 wide, {vocabulary:,} tokens) reads the same open Chinese text ({tokens:,} tokens:
{texts}) in every arm: {base_steps} steps of {base_rows} x {length} tokens of language modelling alone, the same for all
arms of a seed, then {steps} steps of {rows} x {length} tokens in which every step but those of *none* also takes the
graph's loss over 64 pairs (weight {weight:g}). Text, order and masks are the same in all arms. Graph: {entities:,}
entities, {triples:,} triples; the controls have as many. Spellings and synonyms are the same in all four; what *shuffled*,
*rewired* and *random* destroy is which entities belong together.

Each encoder is then fine-tuned on every task, from all examples and from few a disease ({seeds} seeds; figures from few
are means over {draws} draws of examples a seed, the same for all arms). `mz10`: cases of MZ-10 with full information
rendered as text (**templated**; most inputs name a diagnosis, as published). `toyhom`: questions with the disease's name
masked and 18 **weak** labels, a topic rather than a diagnosis. One fifth of the cases, by SHA-256, is scored; it stands in
no pre-training text ({passages_dropped} further passages that quote a scored question were dropped).

The p-values are of the paired t-test over seeds, Holm-adjusted within two families: the mean of all figures against the
controls, and every figure against the controls. The exact sign-flip test over {seeds} seeds cannot go below {least:.3g}.
Intervals over cases are bootstrapped with the seeds held fixed."""
LIMITS = """\
One size, one small budget, one graph (authored and unreviewed where no source is named): a larger encoder or a longer run
may answer otherwise. The seeds share the scored cases, so the intervals over seeds say nothing of other cases."""
COLOURS = {"none": "#475569", "shuffled": "#b4532a", "rewired": "#1d4ed8", "random": "#0f766e"}


def plot(comparisons: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the gain of the graph over each control with its interval over seeds, a row a figure."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figures = list(dict.fromkeys(row["figure"] for row in comparisons))
    controls = list(dict.fromkeys(row["control"] for row in comparisons))
    with rc_context({"svg.hashsalt": "knowledge", "svg.fonttype": "path"}):
        figure = Figure(figsize=(8, 0.62 * len(figures) + 1.2), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0.0, color="#94a3b8", linewidth=1)
        for place, control in enumerate(controls):
            rows = [row for row in comparisons if row["control"] == control]
            offset = (place - (len(controls) - 1) / 2) * 0.18
            heights = [figures.index(row["figure"]) + offset for row in rows]
            gains = [100 * row["test"].gain for row in rows]
            errors = [100 * (row["test"].high - row["test"].gain) for row in rows]
            colour = COLOURS[control]
            axes.errorbar(
                gains,
                heights,
                xerr=errors,
                fmt="o",
                color=colour,
                markersize=4,
                linewidth=1.3,
                label=f"graph - {control}",
            )
        axes.set_yticks(range(len(figures)), figures)
        axes.invert_yaxis()
        axes.set_xlabel("gain in accuracy, points; 95 % interval over seeds")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        figure.savefig(path, metadata={"Date": None})


def page(found: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]], lines: Sequence[Line]) -> str:
    """Return the page."""
    settings, chosen = found["settings"], found["chosen"]
    cells = found["cells"]
    seeds = len(cells["graph"])
    pairs = [row for row in lines if row.figure == "accuracy"]
    parts = [
        "# Results: does the knowledge graph in the weights help?",
        "Rendered by `python -m benchmarks knowledge`; not edited by hand.",
        f"Machine: {machine()}.",
        "## Outcome",
        *_outcome(found, comparisons),
        "![Gain of the graph over each control](knowledge.svg)",
        "## What was done",
        *_method(settings, seeds),
        "## The objective, chosen beforehand",
        "On the development part (a fifth of what is not scored), graph arm, its own seeds: "
        + ", ".join(f"{name} {mark:.4f}" for name, mark in found["marks"].items())
        + f" (mean accuracy of all figures, {len(found['development'][chosen])} seeds each). Chosen: **{chosen}**.",
        "## Accuracy",
        _table(
            ("figure", *cells, "linear floor"),
            [
                (figure, *(f"{line.value:.3f} [{line.low:.3f}, {line.high:.3f}]" for line in row), f"{row[0].reference:.3f}")
                for figure, row in _grouped(pairs).items()
            ],
        ),
        "Intervals over seeds. The floor is a linear model on character 1- to 3-grams trained on the same examples.",
        "## The graph against each control",
        _table(
            ("figure", "control", "gain, 95 % over seeds", "95 % over cases", "p", "Holm", "sign flips"),
            [
                (
                    row["figure"], row["control"],
                    f"{row['test'].gain:+.3f} [{row['test'].low:+.3f}, {row['test'].high:+.3f}]",
                    f"[{row['cases'].low:+.3f}, {row['cases'].high:+.3f}]" if row["cases"] else "",
                    f"{row['test'].p:.3g}", f"{row['holm']:.3g}", f"{row['test'].flip_p:.3g}",
                )
                for row in comparisons
            ],
        ),
        "## Did the graph enter the weights?",
        _table(
            ("arm", "true finding first of 32 (chance .031)", "language model's validation loss, nats"),
            [
                (name, *(f"{line.value:.3f} [{line.low:.3f}, {line.high:.3f}]" for line in _both(lines, name)))
                for name in cells
            ],
        ),
        "The first column asks the encoder, by cosine alone, which of 32 findings belongs behind *disease presents with*.",
        "## Limits",
        LIMITS,
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _method(settings: Mapping[str, Any], seeds: int) -> list[str]:
    words = settings["budget"] | settings
    words |= {"seeds": seeds, "least": 2 / 2**seeds, "texts": ", ".join(settings["texts"])}
    words["draws"] = ", ".join(map(str, settings["budget"]["draws"][1:]))
    return METHOD.format_map(words).split("\n\n")


def _outcome(found: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    said = []
    for row in comparisons:
        if row["cases"] is None:
            said.append(f"- against *{row['control']}*: {_verdict(row)}")
    single = [row for row in comparisons if row["cases"] is not None]
    better = [row for row in single if row["holm"] < LEVEL and row["test"].gain > 0]
    worse = [row for row in single if row["holm"] < LEVEL and row["test"].gain < 0]
    named = [
        "; ".join(f"{row['figure']} against {row['control']} {row['test'].gain:+.3f}" for row in rows)
        or "none"
        for rows in (better, worse)
    ]
    return [
        "Mean accuracy over all figures, graph minus control (Holm over these comparisons):",
        "\n".join(said),
        f"Of {len(single)} single comparisons, after Holm: better {len(better)} ({named[0]}); "
        f"worse {len(worse)} ({named[1]}); the rest undecided.",
    ]


def _verdict(row: Mapping[str, Any]) -> str:
    test = row["test"]
    if row["holm"] >= LEVEL:
        word = "**no difference shown**"
    else:
        word = "**the graph is better**" if test.gain > 0 else "**the graph is worse**"
    return (
        f"{word}: {test.gain:+.4f} [{test.low:+.4f}, {test.high:+.4f}], Holm-adjusted p = {row['holm']:.3g}"
    )


def _grouped(lines: Sequence[Line]) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.name.rpartition(", ")[0], []).append(line)
    return groups


def _both(lines: Sequence[Line], arm: str) -> list[Line]:
    return [
        line
        for head in ("graph recalled", "language model")
        for line in lines
        if line.name == f"{head}, {arm}"
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
