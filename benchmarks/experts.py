"""Experts against dense models of equal active and of equal total parameters, in one run: loss, latency, tokens a second.

Three arms of one attention and embedding; the feed-forward part is 3 slices wide (dense, equal active), 9 slices wide
(dense, equal total), or 1 shared slice and 8 experts of a slice, 2 of them awake. They are trained from random weights
on the same tokens of the open Chinese text, and scored on documents that none has read, with one recipe that was tuned
for none of them; in part ``wide`` in bfloat16 autocast, at the rate that suits the larger dense model. The mixture has
the balancing loss of ``transformers``, and, in part ``balance``, ours.
Speed is measured at the size of part ``quality``, where the interpreter costs as much as the matrices, with random
weights at a size where the matrices decide (``large``), and, in part ``wide``, at a size between them that was trained
too: there loss and speed are of the same models. All on the CPU, float32, one thread, plain ``transformers``.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._line import Line, aim, quantile
from xinglin.measure import bootstrap

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
PARTS = ("paths", "large", "quality", "balance", "wide")
LARGE = (1024, 8)
"""Width and layers of the arms with random weights."""
FASTER = 1.8
NO_DATA = Line("experts", "held-out loss", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")
NEEDED = 'needs pip install "xinglin[train]"'


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ModuleNotFoundError:
        return [Line("experts", "times faster", None, "x", 0, note=NEEDED)]
    lines: list[Line] = []
    parts = {"paths": _paths, "large": _large, "quality": _quality, "balance": _balance, "wide": _wide}
    for part in only or PARTS:
        lines += parts[part](quick)
    return lines


def _paths(quick: bool) -> list[Line]:
    """One layer of experts, each way of computing it."""
    from benchmarks._experts_speed import paths
    from xinglin.model.experts.grouped import NAME

    lines = []
    for width, tokens in ((64, 4),) if quick else ((192, 1), (192, 64), (1024, 1), (1024, 64)):
        found = paths(width, width, tokens, 3 if quick else 25)
        ours = found[NAME]
        rest = ", ".join(f"{way} {one.value:.2f}" for way, one in found.items() if way not in (NAME, "eager"))
        lines.append(
            Line(
                f"layer of 8 experts, 2 awake, width {width}, {tokens} token(s)", "p50", ours.value, "ms CPU",
                ours.n, ours.low, ours.high, reference=found["eager"].value,
                reference_name="loop over experts, same run", note=f"transformers' other ways, ms: {rest}",
            )
        )  # fmt: skip
    return lines


def _large(quick: bool) -> list[Line]:
    """Random weights at a size where matrix products decide."""
    from benchmarks._experts_train import ARMS, model_of

    width, layers = (64, 1) if quick else LARGE
    models = {arm: model_of(arm, width, layers, 0, 500 if quick else 6_000).eval() for arm in ARMS}
    lines = _speed(
        models, f"random weights, width {width}, {layers} layers", 500 if quick else 6_000, 2 if quick else 10
    )
    del models
    gc.collect()
    return lines


def _speed(models: dict[str, Any], said: str, vocabulary: int, rounds: int) -> list[Line]:
    from benchmarks._experts_speed import timed, times_faster
    from xinglin.model.experts import parameters

    found = timed(models, vocabulary, rounds)
    lines = []
    for arm, model in models.items():
        count = parameters(model)
        lines.append(
            Line(f"{arm}: {said}", "parameters in all", count.total / 1e6, "M", 1, reference=count.active / 1e6,
                 reference_name="active for a token")
        )  # fmt: skip
    total, active = "dense, equal total", "dense, equal active"
    for task in dict.fromkeys(name for name, _ in found):
        ours = quantile(found[task, "experts"].tolist(), 0.5)
        for other in (total, active):
            theirs = quantile(found[task, other].tolist(), 0.5)
            faster = times_faster(found[task, "experts"], found[task, other])
            met = f"; {aim(faster.value, FASTER, 'times', at_most=False)}" if other == total else ""
            lines.append(
                Line(
                    f"experts, {task}: {said}", "p50 a token", ours.value, "ms CPU", ours.n, ours.low, ours.high,
                    reference=theirs.value, reference_name=f"{other}, same run",
                    note=f"{faster.value:.2f} [{faster.low:.2f}, {faster.high:.2f}] times faster{met}; "
                    f"{1000 / ours.value:,.0f} against {1000 / theirs.value:,.0f} tokens a CPU second",
                )
            )  # fmt: skip
    return lines


def _quality(quick: bool) -> list[Line]:
    """Loss on held-out documents after equal tokens, paired by document; then speed and load of what was trained."""
    from benchmarks._experts_train import ARMS

    made = _trained(ARMS, quick)
    if made is None:
        return [NO_DATA]
    models, lines, text = made
    said = "as trained, width {hidden_size}, {num_hidden_layers} layers".format(
        **models["experts"].config.to_dict()
    )
    lines += _speed(models, said, 500, 2 if quick else 25)
    return lines + _load("experts", models["experts"], text, quick)


def _balance(quick: bool) -> list[Line]:
    """The mixture with either balancing loss."""
    from benchmarks._experts_train import BY_LAYER

    made = _trained(("experts", BY_LAYER), quick)
    if made is None:
        return [NO_DATA]
    models, lines, text = made
    return lines + [line for arm, model in models.items() for line in _load(arm, model, text, quick)]


def _wide(quick: bool) -> list[Line]:
    """Loss and speed of the same models, at a size that was chosen by its speed, before any was trained.

    All arms take the rate that suits the larger dense model best in short runs on the training text.
    """
    from benchmarks._experts_train import ARMS, WIDE, wide_rate

    made = _trained(ARMS, quick, lambda text: replace(WIDE, rate=wide_rate(text)))
    if made is None:
        return [NO_DATA]
    models, lines, _ = made
    said = f"width {models['experts'].config.hidden_size}, trained"
    lines = [replace(line, name=f"{line.name}: {said}") for line in lines]
    return lines + _speed(models, said, 500, 2 if quick else 10)


def _trained(
    arms: Sequence[str], quick: bool, choose: Callable[[Any], Any] | None = None
) -> tuple[dict[str, Any], list[Line], Any] | None:
    """Train arms, or load them, and compare their losses; None without data. ``choose``: the recipe, from the text."""
    from benchmarks._experts_text import kept_text
    from benchmarks._experts_train import Recipe, document_nats, state_folder, trained

    folder = _data()
    if not folder.is_dir():
        return None
    text = kept_text(folder, quick, state_folder())
    if quick:
        recipe = Recipe(width=64, layers=1, steps=4, rows=2)
    else:
        recipe = Recipe() if choose is None else choose(text)
    found = {arm: trained(arm, recipe, text) for arm in arms}
    models = {arm: model for arm, (model, _) in found.items()}
    nats = {arm: document_nats(model, text.held) for arm, model in models.items()}
    return models, _losses(nats, {arm: figures for arm, (_, figures) in found.items()}, recipe), text


def _data() -> Path:
    return Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "text"


def _losses(
    nats: dict[str, NDArray[np.float64]], figures: dict[str, dict[str, Any]], recipe: Any
) -> list[Line]:
    """Nats a token of every arm, and the differences of ``experts`` from the others, with intervals over documents.

    Args:
        nats: arm -> document x (nats, tokens).
        figures: of each arm's training.
        recipe: of all.
    """
    half = ", bfloat16 autocast" if recipe.bfloat16 else ""
    lines = []
    for arm, found in nats.items():
        loss = bootstrap(lambda index, found=found: found[index, 0].sum() / found[index, 1].sum(), len(found))
        spent, balance = figures[arm]["processor_seconds"], figures[arm]["balance"]
        cost = f"{spent:.0f} CPU seconds to train" if spent else "trained in pieces"
        even = f"; its balancing loss {balance:.3f}, 2 is even" if balance is not None else ""
        lines.append(
            Line(
                f"{arm}: held-out documents", "nats a token", loss.value, "", loss.n, loss.low, loss.high,
                note=f"{figures[arm]['tokens']:,} training tokens, one seed, rate {recipe.rate:g}{half}; {cost}{even}",
            )
        )  # fmt: skip
    ours = nats["experts"]
    for other in [arm for arm in nats if arm != "experts"]:
        gaps = ours[:, 0] - nats[other][:, 0]
        gap = bootstrap(lambda index, gaps=gaps: gaps[index].sum() / ours[index, 1].sum(), len(ours))
        verdict = "better" if gap.high < 0 else "worse" if gap.low > 0 else "no difference shown"
        lines.append(
            Line(
                f"experts minus {other}", "nats a token, paired by document", gap.value, "", gap.n, gap.low, gap.high,
                note=f"experts: {verdict}" + ("; aim: equal or better" if other.endswith("total") else ""),
            )
        )  # fmt: skip
    return lines


def _load(arm: str, model: Any, text: Any, quick: bool) -> list[Line]:
    """Do the trained experts' choices depend on the department of a question none of them has read?"""
    from transformers import PreTrainedTokenizerFast

    from xinglin.graph.importers import read_lines
    from xinglin.model.experts.load import measure_load
    from xinglin.model.experts.page import heat_svg
    from xinglin.train.corpus import reported

    path = _data() / "toyhom_internal_medicine_dialogue" / "dev.jsonl.gz"
    seen: dict[str, int] = {}
    read: list[tuple[str, str]] = []
    for _, row in read_lines(path):
        if not reported(str(row["ask"])):
            continue
        seen[row["department"]] = seen.get(row["department"], 0) + 1
        if seen[row["department"]] <= (2 if quick else 60):
            read.append((row["department"], row["ask"]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=text.tokenizer, pad_token="<|endoftext|>")
    found = measure_load(model, tokenizer, read, permutations=19 if quick else 999)
    if not quick and arm == "experts":
        (RESULTS / "experts-load.svg").write_text(heat_svg(found) + "\n", encoding="utf-8")
    return [
        Line(
            f"{arm}: load of layer {place + 1}, toyhom questions of {len(found.departments)} departments",
            "mutual information of expert and department", one.information, "bits a choice", sum(found.documents),
            reference=one.chance, reference_name="departments dealt anew",
            note=f"p {one.p:.3f} (Holm, {found.permutations} permutations of documents); entropy {one.entropy:.3f} of 1, "
            f"busiest expert {one.peak:.2f} times the mean",
        )
        for place, one in enumerate(found.layers)
    ]  # fmt: skip
