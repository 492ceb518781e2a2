"""The SMILES prior: validity, uniqueness, novelty, distance from real molecules, and speed.

10,000 samples of the shipped prior, of a seed that neither training nor its card used. Novelty is against all of the
training set. Distances are Fréchet's over named descriptors and over folded ECFP4 counts, not FCD (ChemNet's weights are
not used); their floor is the same distance between as many held-out and training molecules. Intervals: Wilson for rates;
beside a distance stands that of a second seed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line, aim

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
SAMPLES, SEEDS = 10_000, (101, 102)
PARTS = ("samples", "speed")
UNITS = ("Da", "", "Å²", "", "", "", "", "", "", "", "", "", "")


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    from xinglin.errors import UnknownNameError
    from xinglin.model.molecule.sampling import Prior

    source = _data() / "zinc250k" / "zinc250k.smi.xz"
    if not source.is_file():
        return [Line("prior", "validity", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")]
    try:
        prior = Prior.load()
    except UnknownNameError as error:
        return [Line("prior", "validity", None, "", 0, note=str(error))]
    lines: list[Line] = []
    for part in only or PARTS:
        lines += _samples(prior, source, quick) if part == "samples" else _speed(prior, quick)
    return lines


def _data() -> Path:
    return Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"


def _samples(prior: Any, source: Path, quick: bool) -> list[Line]:
    from xinglin.train.molecules.prior import molecule_loss
    from xinglin.train.molecules.prior_figures import PROPERTIES, Features, judged, known_molecules
    from xinglin.train.molecules.smiles import read_corpus

    corpus = read_corpus(source)
    count = 300 if quick else SAMPLES
    known = known_molecules(corpus.train[:2000] if quick else corpus.train)
    found = judged(prior.sample(count, seed=SEEDS[0]), known)
    rates = (
        ("validity", found.validity, 0.97),
        ("uniqueness", found.uniqueness, 0.999),
        ("novelty", found.novelty, 0.9),
    )
    lines = [
        Line(
            f"{count:,} samples", name, one.value, "", one.n, one.low, one.high,
            note=aim(one.value, least, "", at_most=False),
        )
        for name, one, least in rates
    ]  # fmt: skip
    held = corpus.held_out[: len(found.molecules)]
    real = np.random.default_rng(0).choice(len(corpus.train), len(held), replace=False)
    train = Features.of([corpus.train[i] for i in real])
    scale = train.properties.std(0)
    floor = Features.of(held).distances(train, scale)
    ours = Features.of(found.molecules)
    distances = ours.distances(train, scale)
    second = Features.of(judged(prior.sample(count, seed=SEEDS[1]), known).molecules).distances(train, scale)
    units = {"properties": "standard deviations squared", "fingerprints": "root counts squared"}
    for name, value in distances.items():
        note = f"second seed {second[name]:.4f}; not FCD"
        lines.append(
            Line(f"Fréchet, {name}", units[name], value, "", len(found.molecules), reference=floor[name],
                 reference_name="held-out molecules against training ones", note=note)
        )  # fmt: skip
    loss = molecule_loss(prior.decoder, prior.tokens, corpus.held_out[: 200 if quick else None])
    lines.append(
        Line("held-out molecules", "nats a molecule", loss, "", 200 if quick else len(corpus.held_out))
    )
    held_properties = Features.of(held).properties
    for place, name in enumerate(PROPERTIES):
        lines.append(
            Line(
                "property, mean", name, float(ours.properties[:, place].mean()), UNITS[place], len(ours.properties),
                reference=float(held_properties[:, place].mean()), reference_name="held out",
            )
        )  # fmt: skip
    if not quick:
        _plot(ours.properties, held_properties, RESULTS / "molecule-prior.svg")
    return lines


def _speed(prior: Any, quick: bool) -> list[Line]:
    """Samples a second, validity checked afterwards: by the clock on this machine, and by CPU seconds on one thread."""
    import torch

    from xinglin.train.reinforce.oracle import canonical

    count = 256 if quick else 8192
    before = torch.get_num_threads()
    lines = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            prior.sample(256, seed=0)
            clock, processor = time.perf_counter(), time.process_time()
            drawn = prior.sample(count, seed=7)
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            valid = sum(canonical(one) is not None for one in drawn)
            name = f"sampling, {threads} thread{'s' * (threads > 1)}"
            note = aim(valid / clock, 2000, "/s", at_most=False) if threads == 2 else ""
            lines.append(Line(name, "valid a second", valid / clock, "/s", count, note=note))
            lines.append(
                Line(name, "valid a CPU second", valid / processor, "/s", count,
                     note="of the threads together: what a free core gives is at least this")
            )  # fmt: skip
    finally:
        torch.set_num_threads(before)
    return lines


def _plot(ours: Any, held: Any, path: Path) -> None:
    """Histograms of every property: samples against held-out molecules."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from xinglin.train.molecules.prior_figures import PROPERTIES

    with rc_context({"svg.hashsalt": "molecule-prior", "svg.fonttype": "path", "font.size": 8}):
        figure = Figure(figsize=(11, 6.4), layout="constrained")
        for place, name in enumerate(PROPERTIES):
            axes = figure.add_subplot(3, 5, place + 1)
            both = np.concatenate([ours[:, place], held[:, place]])
            low, high = np.quantile(both, [0.001, 0.999])
            whole = bool(np.all(both == np.round(both)))
            edges = np.arange(low - 0.5, high + 1) if whole else np.linspace(low, high, 41)
            for values, colour, said, filled in (
                (held[:, place], "#9aa5b1", "held out", True),
                (ours[:, place], "#b3331d", "samples", False),
            ):
                axes.hist(
                    np.clip(values, low, high), edges, density=True, color=colour, label=said,
                    histtype="stepfilled" if filled else "step", linewidth=1.4,
                )  # fmt: skip
            axes.set_title(f"{name}, {UNITS[place]}" if UNITS[place] else name)
            axes.set_yticks([])
            axes.spines[["top", "right", "left"]].set_visible(False)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="lower right", bbox_to_anchor=(0.97, 0.12), frameon=False, fontsize=10
        )
        figure.savefig(path, metadata={"Date": None})
