"""Does the knowledge graph in the weights help? Five arms of pre-training at size tiny, paired over seeds.

Arms: *none* (language modelling alone), *graph*, *shuffled* (names permuted within their kind), *rewired*
(degree-preserving swaps), *random* (as many triples, drawn uniformly). Equal size, equal steps, the same text in
the same order with the same masks. The objective is chosen beforehand on a development part. A run that is
interrupted goes on from the cells in ``XINGLIN_HOME/ablation``; a full run writes ``docs/results/knowledge.*``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.measure import SeedComparison, bootstrap, compare_seeds, holm

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
SEEDS = int(os.environ.get("XINGLIN_ABLATION_SEEDS", "5"))
DEVELOPMENT_SEEDS = (90, 91)
CONTROLS = ("none", "shuffled", "rewired", "random")
OBJECTIVES = ("contrastive", "kepler")
MEAN = "mean of all"


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "text").is_dir():
        return [
            Line("knowledge", "accuracy", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")
        ]
    if quick:
        with tempfile.TemporaryDirectory() as folder:
            return _report(_measured(data, Path(folder), quick), None)
    from xinglin.store.home import home_folder

    return _report(_measured(data, home_folder() / "ablation", quick), RESULTS)


def _measured(data: Path, cache: Path, quick: bool) -> dict[str, Any]:
    """Run every cell that is not yet in the cache."""
    import torch
    from transformers.utils import logging

    from benchmarks._ablation import QUICK, Budget, Cell, Laboratory

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    laboratory = Laboratory(data, cache, QUICK if quick else Budget())
    trials = DEVELOPMENT_SEEDS[:1] if quick else DEVELOPMENT_SEEDS
    seeds = range(2) if quick else range(SEEDS)
    controls = CONTROLS[:1] if quick else CONTROLS
    total = len(trials) * len(OBJECTIVES) + len(seeds) * (1 + len(controls))
    done = 0

    def one(cell: Cell) -> dict[str, Any]:
        nonlocal done
        found = laboratory.run(cell)
        done += 1
        print(
            f"{done}/{total} {cell.part} {cell.arm} {cell.objective} seed {cell.seed}: {found['cpu_seconds']} s of CPU",
            file=sys.stderr,
            flush=True,
        )
        return found

    development = {
        name: [one(Cell("graph", seed, name, "development")) for seed in trials] for name in OBJECTIVES
    }
    figures = laboratory.figures()
    marks = {
        name: float(np.mean([np.mean(cell["hits"][figure]) for cell in cells for figure in figures]))
        for name, cells in development.items()
    }
    chosen = max(OBJECTIVES, key=lambda name: marks[name])
    cells: dict[str, list[dict[str, Any]]] = {name: [] for name in ("graph", *controls)}
    for seed in seeds:  # seed by seed, so that what is there is always balanced
        for name in cells:
            cells[name].append(one(Cell(name, seed, OBJECTIVES[0] if name == "none" else chosen, "test")))
    return {
        "chosen": chosen,
        "marks": marks,
        "development": development,
        "cells": cells,
        "figures": figures,
        "settings": laboratory.settings(),
        "floors": _floors(laboratory, figures, len(seeds)),
    }


def _floors(laboratory: Any, figures: Sequence[str], seeds: int) -> dict[str, float]:
    """A linear model on character 1- to 3-grams, trained on the same examples."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    from benchmarks._ablation import examples, figure

    found = {}
    for task in laboratory.tasks["test"]:
        for shots, draws in zip(laboratory.budget.shots, laboratory.budget.draws, strict=True):
            hits = []
            for seed in range(1 if shots is None else seeds):
                for draw in range(draws):
                    chosen = examples(task.labels, shots, (seed, draw, shots or 0))
                    model = make_pipeline(
                        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True),
                        LinearSVC(C=0.5),
                    )
                    model.fit([task.texts[i] for i in chosen], [task.labels[i] for i in chosen])
                    hits.append(float((model.predict(task.scored_texts) == task.scored).mean()))
            found[figure(task.name, shots)] = float(np.mean(hits))
    return {name: found[name] for name in figures}


def _by_seed(cells: Sequence[Mapping[str, Any]], figure: str, figures: Sequence[str]) -> np.ndarray[Any, Any]:
    """One figure a seed; ``MEAN`` is the mean over all."""
    names = figures if figure == MEAN else [figure]
    return np.array([np.mean([np.mean(cell["hits"][name]) for name in names]) for cell in cells])


def _comparisons(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The graph against every control, for the mean first, then for every figure; Holm within both families."""
    cells, figures = found["cells"], found["figures"]
    controls = [name for name in cells if name != "graph"]
    rows: list[dict[str, Any]] = []
    for family in ([MEAN], figures):
        part = []
        for figure in family:
            ours = _by_seed(cells["graph"], figure, figures)
            for control in controls:
                test = compare_seeds(ours, _by_seed(cells[control], figure, figures))
                part.append({"figure": figure, "control": control, "test": test, "cases": None})
                if figure != MEAN:
                    gains = np.mean([cell["hits"][figure] for cell in cells["graph"]], axis=0)
                    gains = gains - np.mean([cell["hits"][figure] for cell in cells[control]], axis=0)
                    part[-1]["cases"] = bootstrap(lambda index, d=gains: float(d[index].mean()), len(gains))
        adjusted = holm(np.array([row["test"].p for row in part]))
        rows += [row | {"holm": float(p)} for row, p in zip(part, adjusted, strict=True)]
    return rows


def _interval(values: np.ndarray[Any, Any]) -> SeedComparison:
    """Mean over seeds with Student's interval: the comparison with nothing."""
    return compare_seeds(values, np.zeros(len(values)))


def _report(found: Mapping[str, Any], results: Path | None) -> list[Line]:
    comparisons = _comparisons(found)
    lines = _lines(found, comparisons)
    if results is not None:
        from benchmarks._ablation_page import page, plot

        results.mkdir(parents=True, exist_ok=True)
        plot(comparisons, results / "knowledge.svg")
        (results / "knowledge.md").write_text(page(found, comparisons, lines), encoding="utf-8")
        body = {
            "settings": found["settings"],
            "chosen": found["chosen"],
            "development": found["marks"],
            "lines": [line.as_json() for line in lines],
        }
        text = json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        (results / "knowledge.json").write_text(text, encoding="utf-8")
    return lines


def _lines(found: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]]) -> list[Line]:
    cells, figures = found["cells"], found["figures"]
    seeds = len(cells["graph"])
    lines = [
        Line(f"objective {name}", "development: mean accuracy", mark, "", len(found["development"][name]),
             note="chosen for the ablation" if name == found["chosen"] else "")
        for name, mark in found["marks"].items()
    ]  # fmt: skip
    for figure in (MEAN, *figures):
        floor = float(np.mean(list(found["floors"].values()))) if figure == MEAN else found["floors"][figure]
        for name in cells:
            test = _interval(_by_seed(cells[name], figure, figures))
            lines.append(
                Line(f"{figure}, {name}", "accuracy", test.gain, "", seeds, test.low, test.high, floor,
                     "linear model on characters, same examples")
            )  # fmt: skip
    for row in comparisons:
        test = row["test"]
        cases = row["cases"]
        over = f"; over {cases.n} cases [{cases.low:+.3f}, {cases.high:+.3f}]" if cases else ""
        lines.append(
            Line(f"{row['figure']}, graph - {row['control']}", "gain in accuracy", test.gain, "", seeds, test.low, test.high,
                 note=f"p = {test.p:.3g}, Holm {row['holm']:.3g}, sign flips {test.flip_p:.3g}{over}")
        )  # fmt: skip
    for name in cells:
        recall = _interval(np.array([cell["recall"] for cell in cells[name]]))
        lines.append(
            Line(f"graph recalled, {name}", "true finding first of 32", recall.gain, "", seeds, recall.low, recall.high,
                 1 / 32, "chance")
        )  # fmt: skip
        loss = _interval(np.array([cell["validation_loss"] for cell in cells[name]]))
        lines.append(
            Line(f"language model, {name}", "validation loss", loss.gain, "nats", seeds, loss.low, loss.high)
        )
    return lines
