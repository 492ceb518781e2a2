"""Eight hospitals that differ train one text classifier: each alone, together, and with all texts in one place.

toyhom_weak_disease: a patient's question with the disease's name masked; the label, one of 18, is the disease named in
the question's title: **weak**, a topic rather than a diagnosis, never checked by a clinician. The eight hospitals are
made, not real: each disease is dealt out by a draw from Dirichlet(0.5) (Hsu et al. 2019, arXiv 1909.06335), so that
hospitals differ in size and in what they see. The scored fifth is the one that nothing in the package has learnt from;
the shipped encoder, which all neural arms start from, has learnt other questions of this set and has read the
trained-on ones, some with their label: all arms alike. A tenth that it has not learnt settles the learning rate of the
arms that train the head only; the others, whose uppermost layer is trained too, have theirs set beforehand. With an *own
classifier* the last layer stays at the hospital (FedPer).

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
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._kept import Kept
from benchmarks._line import Line
from xinglin.measure import bootstrap, paired_accuracy

ROOT = Path(__file__).resolve().parents[1]
SITES = 8
SPREAD = 0.5
"""Concentration of the Dirichlet draw: below 1 most of a disease lies at few hospitals."""
SEEDS = 1
"""Deals of the diseases to the hospitals; one takes about seven minutes of one core."""
DEVELOPMENT = 100
"""Seed on which rate and rounds are chosen."""
RATES = {
    "pooled": (1e-3,),
    "federated": (1e-3,),
    "federated, head only": (1e-3, 3e-3),
    "federated, head only, own classifier": (3e-3,),
    "federated, head only, private": (3e-3, 1e-2),
}
ROUNDS = 4
HEAD_ROUNDS = 8
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
        rows = rows[:: max(1, len(rows) // 300)]
    bench = _Bench(rows, quick)
    lines = bench.lines()
    bench.kept.done()
    if not quick:
        from benchmarks._federation_page import write_page

        write_page("fed-diagnosis", lines)
    return lines


class _Bench:
    """The texts, their parts, and the runs that are kept."""

    def __init__(self, rows: Sequence[Mapping[str, str]], quick: bool) -> None:
        from xinglin.train.corpus import reported, settling

        self.quick = quick
        self.rounds = 2 if quick else ROUNDS
        self.seeds = 1 if quick else SEEDS
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
        self.kept = Kept("fed-diagnosis", settings)
        self._encoded: dict[int, Any] = {}

    def lines(self) -> list[Line]:
        rate, rounds = self._chosen()
        hits: dict[str, list[Array]] = {}
        mixes = [self._mix(self._dealt(seed)) for seed in range(self.seeds)]
        for seed in range(self.seeds):
            for name, made in self._arms(seed, rate, rounds).items():
                found = self.kept.get(f"{name}-{seed}", made)
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
        return self._federated(
            parts, seed, rate, number, scored, layers=0 if head else 1, private=private, own="own" in name
        )

    def _chosen(self) -> tuple[dict[str, float], dict[str, int]]:
        """Rate and rounds of each arm by accuracy on the settling tenth."""
        rate, rounds = {}, {}
        for arm, rates in RATES.items():
            if len(rates) == 1:
                rate[arm], rounds[arm] = rates[0], HEAD_ROUNDS if "head only" in arm else self.rounds
                continue
            marks = {}
            most = HEAD_ROUNDS if "head only" in arm else self.rounds
            for each in rates:
                found = self.kept.get(
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
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC

        hits = []
        for part in parts:
            vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2)
            learnt = vectors.fit_transform([self.texts[i] for i in part])
            met = np.unique(self.labels[part])
            said = np.full(len(self.test), met[0])
            if len(met) > 1:
                model = LinearSVC(random_state=0).fit(learnt, self.labels[part])
                said = model.predict(vectors.transform([self.texts[i] for i in self.test]))
            hits.append(said == self.labels[self.test])
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
        own: bool = False,
    ) -> dict[str, Any]:
        """FedAvg over the parts, one epoch a round; one part is plain training. Hits and curve on the scored texts."""
        from xinglin.federate.in_process import federate
        from xinglin.federate.job import DataNeeds, Job, Strategy

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
            strategy=Strategy(local_keys=("classifier.",) if own else ()),
        )
        hospitals = {f"site{n}": self._part(encoded, part) for n, part in enumerate(parts)}
        asked = self._part(encoded, scored)
        curve = []

        def watch(_: int, joined: Any) -> None:
            curve.append(task.evaluate(joined["site0"], asked)["accuracy"])

        secured = self._privacy(task, job, hospitals) if private else None
        joined = federate(job, task, hospitals, private=secured, watch=watch if scored is self.dev else None)
        models = list(joined) if own else ["site0"]
        hits = [task.logits(joined[site], asked).argmax(axis=1) == self.labels[scored] for site in models]
        return {"hits": np.array(hits, float).tolist(), "curve": curve}

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
                self._encoded[layers] = (made, made.load(Files(Path(folder))))
        found: tuple[Any, Any] = self._encoded[layers]
        return found

    def _part(self, encoded: Any, places: Array) -> Any:

        from xinglin.federate.tasks.fit import Rows

        return Rows(*encoded.batch(places))

    def _report(
        self,
        hits: Mapping[str, Sequence[Array]],
        mixes: Sequence[Array],
        rate: Mapping[str, float],
        rounds: Mapping[str, int],
    ) -> list[Line]:
        measures: dict[str, Callable[[str, Array], float]] = {
            "common test": lambda name, cases: float(np.mean([run[:, cases].mean() for run in hits[name]])),
            "own patients": lambda name, cases: float(
                np.mean([self._own(run, mix, cases) for run, mix in zip(hits[name], mixes, strict=True)])
            ),
        }
        n, lines = len(self.test), []
        for name, (figure, measure) in product(hits, measures.items()):
            found = bootstrap(lambda cases, m=measure, x=name: m(x, cases), n, repetitions=300)  # type: ignore[misc]
            said = [f"deals: {len(hits[name])}", f"models: {sum(map(len, hits[name]))}"]
            if name in rate:
                how = "chosen on the settling tenth" if len(RATES[name]) > 1 else "set beforehand"
                said.append(f"rate {rate[name]:g}, {rounds[name]} rounds, {how}")
            if "private" in name:
                said.append(
                    f"each hospital's questions: eps {EPSILON:g}, delta {DELTA:g} by DP-SGD over the whole job"
                )
            lines.append(Line(name, figure, found.value, "", n, found.low, found.high, note="; ".join(said)))
        others = ("alone", "pooled", "linear floor, alone", "linear floor, pooled", "federated, head only")
        pairs = [
            *(("federated", other) for other in others),
            ("federated, head only, own classifier", "alone"),
        ]
        for (ours, theirs), (figure, measure) in product(pairs, measures.items()):
            found = bootstrap(
                lambda cases, m=measure, a=ours, b=theirs: m(a, cases) - m(b, cases),  # type: ignore[misc]
                n,
                repetitions=300,
            )
            note = "paired over cases"
            if figure == "common test" and len(hits[ours][0]) == len(hits[theirs][0]) == 1:
                test = paired_accuracy(hits[ours][0][0] > 0.5, hits[theirs][0][0] > 0.5)
                note += f"; first deal: exact McNemar p = {test.p:.3g}"
            lines.append(
                Line(f"{ours} - {theirs}", figure, found.value, "", n, found.low, found.high, note=note)
            )
        return lines

    def _own(self, hits: Array, mix: Array, cases: Array) -> float:
        """Mean over hospitals of the accuracy on a hospital's own mix of diseases, by some of the scored cases.

        Args:
            hits: shape (models, scored cases); one model, or one for each hospital.
            mix: share of each disease at each hospital, shape (hospitals, diseases).
            cases: places of scored cases, with repetition.
        """
        counted = np.zeros((len(self.names), len(cases)))
        counted[self.labels[self.test][cases], np.arange(len(cases))] = 1
        met = counted.sum(axis=1) > 0
        by_label = hits[:, cases] @ counted[met].T / counted[met].sum(axis=1)
        weights = mix[:, met] / mix[:, met].sum(axis=1, keepdims=True)
        return float((weights * by_label).sum(axis=1).mean())
