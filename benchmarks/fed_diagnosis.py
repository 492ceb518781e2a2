"""Eight hospitals that differ train one text classifier: each alone, together, and with all texts in one place.

toyhom_weak_disease: a patient's question with the disease's name masked; the label, one of 18, is the disease named in
the question's title: **weak**, a topic rather than a diagnosis, never checked by a clinician. The eight hospitals are
made, not real: each disease is dealt out by a draw from Dirichlet(0.5) (Hsu et al. 2019, arXiv 1909.06335), so that
hospitals differ in size and in what they see. The scored fifth is the one that nothing in the package has learnt from;
the shipped encoder, which all neural arms start from, has learnt other questions of this set and has read the
trained-on ones, some with their label: all arms alike. A tenth that it has not learnt settles learning rate and rounds.

*common test*: accuracy on the scored fifth. *own patients*: the same hits weighted by each hospital's own mix of
diseases, averaged over hospitals. Interrupted, it goes on where it stopped: runs are kept in a folder that
XINGLIN_BENCH_STATE names.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._kept import Kept
from benchmarks._line import Line
from xinglin.measure import compare_seeds, holm, paired_accuracy

ROOT = Path(__file__).resolve().parents[1]
SITES = 8
SPREAD = 0.5
"""Concentration of the Dirichlet draw: below 1 most of a disease lies at few hospitals."""
SEEDS = 3
DEVELOPMENT = 100
"""Seed on which rate and rounds are chosen."""
RATES = {
    "pooled": (3e-4, 1e-3),
    "federated": (3e-4, 1e-3),
    "federated, head only": (1e-3, 3e-3),
    "federated, head only, private": (1e-3, 3e-3, 1e-2),
}
ROUNDS = 6
HEAD_ROUNDS = 12
LENGTH = 64
EPSILON, DELTA = 8.0, 1e-4
"""Of every hospital's own questions over the whole job, in the private arm."""
CLIP = 0.5
Array = np.ndarray[Any, Any]


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    path = data / "text" / "toyhom_weak_disease" / "dev.jsonl.gz"
    if not path.is_file():
        return [
            Line(
                "federated diagnosis",
                "accuracy",
                None,
                "",
                0,
                note="no data: set XINGLIN_DATA to the data folder",
            )
        ]
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    if quick:
        rows = rows[:: max(1, len(rows) // 600)]
    return _Bench(rows, quick).lines()


class _Bench:
    """The texts, their parts, and the runs that are kept."""

    def __init__(self, rows: Sequence[Mapping[str, str]], quick: bool) -> None:
        from xinglin.train.corpus import reported, settling

        self.quick = quick
        self.rounds = 2 if quick else ROUNDS
        self.seeds = 2 if quick else SEEDS
        self.names = sorted({row["disease"] for row in rows})
        self.texts = [row["text_masked"] for row in rows]
        self.labels = np.array([self.names.index(row["disease"]) for row in rows])
        scored = np.array([reported(row["text"]) for row in rows])
        held = np.array([settling(row["text"]) for row in rows])
        self.train, self.dev, self.test = (
            np.flatnonzero(part) for part in (~scored & ~held, held & ~scored, scored)
        )
        settings = [
            self.names,
            RATES,
            ROUNDS,
            LENGTH,
            SPREAD,
            EPSILON,
            HEAD_ROUNDS,
            CLIP,
            quick,
            len(rows),
        ]
        self._kept = Kept("fed-diagnosis", settings)
        self._encoded: dict[int, Any] = {}

    def lines(self) -> list[Line]:
        rate, rounds = self._chosen()
        hits: dict[str, list[Array]] = {}
        mixes = [self._mix(self._dealt(seed)) for seed in range(self.seeds)]
        for seed in range(self.seeds):
            for name, made in self._arms(seed, rate, rounds).items():
                found = self._kept.get(f"{name}-{seed}", made)
                hits.setdefault(name, []).append(np.array(found["hits"], float))
        return self._report(hits, mixes, rate, rounds)

    def _arms(
        self, seed: int, rate: Mapping[str, float], rounds: Mapping[str, int]
    ) -> dict[str, Callable[[], Any]]:
        joint = {
            name: lambda name=name: self._joint(name, seed, rate[name], rounds[name], self.test)  # type: ignore[misc]
            for name in RATES
        }
        return {
            "linear floor, alone": lambda: self._floor(self._dealt(seed)),
            "linear floor, pooled": lambda: self._floor([self.train]),
            "alone": lambda: self._alone(seed, rate["pooled"], self.rounds),
            **joint,
        }

    def _joint(self, name: str, seed: int, rate: float, rounds: int, scored: Array) -> dict[str, Any]:
        """One run of an arm that ends in one model."""
        parts = [self.train] if name == "pooled" else self._dealt(seed)
        head, private = "head only" in name, "private" in name
        # Noise is set for all the rounds; a private job is not stopped early by what it has seen.
        number = HEAD_ROUNDS if private else rounds
        return self._federated(parts, seed, rate, number, scored, layers=0 if head else 1, private=private)

    def _chosen(self) -> tuple[dict[str, float], dict[str, int]]:
        """Rate and rounds of each arm by accuracy on the settling tenth."""
        rate, rounds = {}, {}
        for arm, rates in RATES.items():
            marks = {}
            most = HEAD_ROUNDS if "head only" in arm else self.rounds
            for each in rates:
                found = self._kept.get(
                    f"development-{arm}-{each:g}",
                    lambda arm=arm, each=each, most=most: self._joint(  # type: ignore[misc]
                        arm, DEVELOPMENT, each, most, self.dev
                    ),
                )
                curve = list(enumerate(found["curve"], 1))
                marks |= {
                    (each, number): mark for number, mark in (curve[-1:] if "private" in arm else curve)
                }
            rate[arm], rounds[arm] = max(marks, key=lambda key: marks[key])
        return rate, rounds

    def _dealt(self, seed: int) -> list[Array]:
        """The training texts of each hospital, dealt by disease."""
        generator = np.random.default_rng([seed, 17])
        parts: list[list[int]] = [[] for _ in range(SITES)]
        for label in range(len(self.names)):
            mine = generator.permutation(self.train[self.labels[self.train] == label])
            cuts = (np.cumsum(generator.dirichlet([SPREAD] * SITES))[:-1] * len(mine)).astype(int)
            for part, some in zip(parts, np.split(mine, cuts), strict=True):
                part.extend(some.tolist())
        return [np.array(sorted(part)) for part in parts if len(part) >= 2]

    def _mix(self, parts: Sequence[Array]) -> Array:
        """Share of each disease at each hospital, shape (hospitals, diseases)."""
        counts = np.array(
            [np.bincount(self.labels[part], minlength=len(self.names)) for part in parts], float
        )
        return counts / counts.sum(axis=1, keepdims=True)

    def _floor(self, parts: Sequence[Array]) -> dict[str, Any]:
        """The linear SVM over character n-grams, one for each part; hits are averaged over the parts."""
        from xinglin.apps.diagnosis.evaluate.text_floor import FLOOR, NgramScorer

        everyone = np.concatenate([self.train, self.test])
        scorer = NgramScorer([self.texts[i] for i in everyone], self.labels[self.train], len(self.names), 0)
        place = {index: number for number, index in enumerate(everyone)}
        asked = np.arange(len(self.train), len(everyone))
        hits = []
        for part in parts:
            rest = np.array([place[i] for i in part])
            if len(np.unique(self.labels[part])) < 2:
                hits.append(self.labels[self.test] == self.labels[part[0]])
                continue
            hits.append(scorer(rest, asked)[FLOOR].argmax(axis=1) == self.labels[self.test])
        return {"hits": np.array(hits, float).tolist()}

    def _alone(self, seed: int, rate: float, rounds: int) -> dict[str, Any]:
        """Every hospital by itself; rounds as many as the others may take."""
        hits = []
        for part in self._dealt(seed):
            hits += self._federated([part], seed, rate, rounds, self.test)["hits"]
        return {"hits": hits}

    def _federated(
        self,
        parts: Sequence[Array],
        seed: int,
        rate: float,
        rounds: int,
        scored: Array,
        *,
        layers: int = 1,
        private: bool = False,
    ) -> dict[str, Any]:
        """FedAvg over the parts, one epoch a round; one part is plain training. Hits and curve on the scored texts."""
        from benchmarks._federation import federate
        from xinglin.federate.job import DataNeeds, Job

        task, encoded = self._task(layers)
        train = {"labels": self.names, "layers": layers, "max_length": LENGTH, "batch": 32}
        train |= {"learning_rate": rate, "optimiser": "adamw", "weight_decay": 0.01}
        if private:
            train |= {"batch": 128, "steps": 4}
        job = Job(
            name="fed-diagnosis",
            task="encoder",
            rounds=min(rounds, 2) if self.quick else rounds,
            seed=seed,
            min_sites=1,
            data=DataNeeds(dataset="toyhom_weak_disease"),
            train=train,
        )
        hospitals = {f"site{n}": self._part(encoded, part) for n, part in enumerate(parts)}
        asked = self._part(encoded, scored)
        curve = []

        def watch(_: int, joined: Any) -> None:
            curve.append(task.evaluate(joined["site0"], asked)["accuracy"])

        secured = self._privacy(task, job, hospitals) if private else None
        joined = federate(job, task, hospitals, private=secured, watch=watch)
        hits = task.logits(joined["site0"], asked).argmax(axis=1) == self.labels[scored]
        return {"hits": [hits.astype(float).tolist()], "curve": curve}

    def _privacy(self, task: Any, job: Any, hospitals: Mapping[str, Any]) -> dict[str, Any]:
        """Noise for each hospital so that the whole job spends (EPSILON, DELTA) of its own questions."""
        from xinglin.federate.privacy.accountant import noise_for
        from xinglin.federate.tasks.protocol import Privacy

        made = {}
        for site, examples in hospitals.items():
            plan = task.sampling(len(examples), job.train)
            noise = noise_for(EPSILON, DELTA, plan.rate, plan.steps * job.rounds)
            secret = f"benchmark {site} {job.seed}".encode()
            made[site] = Privacy(noise_multiplier=noise, max_grad_norm=CLIP, secret=secret)
        return made

    def _task(self, layers: int) -> tuple[Any, Any]:
        """The task, and all texts encoded once by the layers that are not trained."""
        from xinglin.federate.tasks.protocol import Files
        from xinglin.federate.tasks.registry import task

        if layers not in self._encoded:
            made = task("encoder", {"labels": self.names, "layers": layers, "max_length": LENGTH})
            with tempfile.TemporaryDirectory() as folder:
                with open(Path(folder) / "train.csv", "w", encoding="utf-8", newline="") as stream:
                    writer = csv.writer(stream)
                    writer.writerow(["text", "label"])
                    writer.writerows(zip(self.texts, [self.names[i] for i in self.labels], strict=True))
                self._encoded = {layers: (made, made.load(Files(Path(folder))))}
        found: tuple[Any, Any] = self._encoded[layers]
        return found

    def _part(self, encoded: Any, places: Array) -> Any:
        from dataclasses import replace

        from xinglin.federate.tasks.fit import Rows

        return replace(encoded, rows=Rows(*encoded.rows.batch(places)))

    def _report(
        self,
        hits: Mapping[str, Sequence[Array]],
        mixes: Sequence[Array],
        rate: Mapping[str, float],
        rounds: Mapping[str, int],
    ) -> list[Line]:
        n = len(self.test)
        common = {name: np.array([run.mean() for run in runs]) for name, runs in hits.items()}
        own = {
            name: np.array([self._own(run, mix) for run, mix in zip(runs, mixes, strict=True)])
            for name, runs in hits.items()
        }
        lines = []
        for name in hits:
            note = "mean of 8 models" if hits[name][0].shape[0] > 1 else ""
            if name in rate:
                note = f"rate {rate[name]:g}, {rounds[name]} rounds, chosen on the settling tenth"
            if "private" in name:
                note += f"; each hospital's questions: eps {EPSILON:g}, delta {DELTA:g} by DP-SGD over the whole job"
            for figure, values in (("common test", common[name]), ("own patients", own[name])):
                test = compare_seeds(values, np.zeros(len(values)))
                lines.append(Line(name, figure, test.gain, "", n, test.low, test.high,
                                  note="; ".join(filter(None, (f"{len(values)} seeds", note)))))  # fmt: skip
        pairs = [
            ("federated", other)
            for other in ("alone", "pooled", "linear floor, alone", "linear floor, pooled")
        ]
        tests = {
            (a, b, figure): compare_seeds(values[a], values[b])
            for figure, values in (("common test", common), ("own patients", own))
            for a, b in pairs
        }
        adjusted = holm(np.array([test.p for test in tests.values()]))
        for ((a, b, figure), test), p in zip(tests.items(), adjusted, strict=True):
            note = f"paired over {test.seeds} seeds: p = {test.p:.3g}, Holm {p:.3g}"
            if figure == "common test" and hits[b][0].shape[0] == 1:
                cases = paired_accuracy(hits[a][0][0] > 0.5, hits[b][0][0] > 0.5)
                note += (
                    f"; over cases, seed 0: [{cases.low:+.3f}, {cases.high:+.3f}], McNemar p = {cases.p:.3g}"
                )
            lines.append(Line(f"{a} - {b}", figure, test.gain, "", n, test.low, test.high, note=note))
        return lines

    def _own(self, hits: Array, mix: Array) -> float:
        """Mean over hospitals of the accuracy on a hospital's own mix of diseases."""
        truth = self.labels[self.test]
        there = [label for label in range(len(self.names)) if (truth == label).any()]
        by_label = np.array([[row[truth == label].mean() for label in there] for row in hits])
        weights = mix[:, there] / mix[:, there].sum(axis=1, keepdims=True)
        return float(
            (weights * (by_label if len(by_label) == len(weights) else by_label[:1])).sum(axis=1).mean()
        )
