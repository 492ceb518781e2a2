"""Drift between sites: each site against all others, by field; tests corrected together, effects with intervals.

Categories: chi-square (Pearson 1900) for the test, the population stability index for the effect: PSI = sum over
categories of (p - q) ln(p / q), with half a record added to each count. PSI of two samples of one population is not
zero but about (categories - 1) (1/n + 1/m) (Yurdakul 2018), so the interval is the basic bootstrap's, which takes
that bias off, and the customary thresholds 0.1 and 0.25 are read against its lower end.

Numbers: two-sample Kolmogorov-Smirnov; D is the effect, its interval from the inequality of Dvoretzky, Kiefer and
Wolfowitz with Massart's constant (1990): wide, and never too narrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import log, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.measure import Figure
from xinglin.measure.seeds import holm
from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import Case
from xinglin.records.quality.rules import RULES
from xinglin.records.quality.samples import Reservoir
from xinglin.records.quality.tally import Check, Outcome

Kind = Literal["category", "number", "text"]
REST = "(其他 other)"
MOST_LEVELS = 30
"""Categories told apart; the rarer ones are one."""
MOST_SITES = 20
"""The largest sites are compared; with more, each comparison says little."""
MOST_FIELDS = 20
"""Analytes and codes compared: those with the most values."""
LEAST = 20
"""Values that a site must have for a field to be compared."""
REPETITIONS = 500
AGE_BANDS = (0, 1, 7, 18, 45, 60, 75)
SEX = {"male": "男 male", "female": "女 female"}
MISSING = "(缺失 missing)"


@dataclass(frozen=True, slots=True)
class Drift:
    """One field of one site against the same field of all other sites."""

    field: tuple[str, str]
    kind: Kind
    site: str
    effect: Figure
    """PSI of categories, D of numbers, accuracy of the classifier for texts; ``n`` is the site's."""
    p: float
    adjusted: float
    """After Holm's correction over all tests of the report."""
    worth: float
    """The effect from which it is worth telling."""
    here: tuple[float, ...]
    """Shares by category or bin at the site, for the picture."""
    elsewhere: tuple[float, ...]
    labels: tuple[str, ...]
    """Of the categories or the bins' edges."""

    @property
    def found(self) -> bool:
        """Whether it is beyond chance and large: both, since in large sets chance alone proves little."""
        return self.adjusted < 0.05 and self.effect.low >= self.worth

    def as_json(self) -> dict[str, Any]:
        """Return the drift as JSON values."""
        return {
            "field": list(self.field),
            "kind": self.kind,
            "site": self.site,
            "effect": self.effect.as_json() | {"n": self.effect.n},
            "p": self.p,
            "p_adjusted": self.adjusted,
            "found": self.found,
            "here": [round(value, 6) for value in self.here],
            "elsewhere": [round(value, 6) for value in self.elsewhere],
            "labels": list(self.labels),
        }


def age_band(age: float | None) -> str:
    """Return the band of an age in years, e.g. ``18–44``."""
    if age is None:
        return MISSING
    start = max((edge for edge in AGE_BANDS if edge <= age), default=0)
    place = AGE_BANDS.index(start)
    if place + 1 == len(AGE_BANDS):
        return f"≥{start}"
    end = AGE_BANDS[place + 1] - 1
    return f"{start}–{end}" if end > start else "<1"


def in_order(groups: Iterable[str]) -> list[str]:
    """Return groups in the order of the age bands where they are such, what is missing or the rest last."""
    order = {band: place for place, band in enumerate(age_band(float(edge)) for edge in AGE_BANDS)}
    last = {MISSING: 1, REST: 2}
    return sorted(groups, key=lambda group: (last.get(group, 0), order.get(group, 0)))


class SiteDrift(Check):
    """Collects the distributions of each site in bounded memory; compares them at the end."""

    def __init__(self, options: QualityOptions) -> None:
        self._options = options
        self._categories: dict[tuple[str, str], dict[str, Counter[str]]] = {}
        self._numbers: dict[tuple[str, str], dict[str, Reservoir[float]]] = {}
        self._units: dict[tuple[str, str], str] = {("年龄", "age"): "岁 years"}
        self._sites: Counter[str] = Counter()
        self.found: tuple[Drift, ...] = ()

    def see(self, case: Case) -> None:
        """Take the next case."""
        site = case.site
        if site is None:
            return
        self._sites[site] += 1
        patient = case.row.record.patient
        self._category(("性别", "sex"), site, SEX.get(patient.sex or "", MISSING))
        self._category(("年龄段", "age band"), site, age_band(patient.age))
        if case.row.label is not None:
            self._category(("标签", "label"), site, case.row.label)
        if patient.age is not None:
            self._number(("年龄", "age"), site, patient.age)
        for measure in case.measures:
            if measure.canonical is not None:
                field = (measure.analyte.name, measure.analyte.en)
                self._units.setdefault(field, measure.analyte.unit)
                self._number(field, site, measure.canonical)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found, a field an outcome."""
        self.found = tuple(self._compare())
        yield from drift_outcomes("drift", self.found, self._options.examples)

    def _category(self, field: tuple[str, str], site: str, value: str) -> None:
        counts = self._categories.setdefault(field, {}).setdefault(site, Counter())
        # Beyond a thousand values a field is no category; what is new is counted as the rest.
        counts[value if value in counts or len(counts) < 1000 else REST] += 1

    def _number(self, field: tuple[str, str], site: str, value: float) -> None:
        sites = self._numbers.setdefault(field, {})
        if site not in sites:
            sites[site] = Reservoir(self._options.site_sample, f"{self._options.seed}:{field[1]}:{site}")
        sites[site].add(value)

    def _compare(self) -> Iterable[Drift]:
        sites = [site for site, _ in self._sites.most_common(MOST_SITES)]
        if len(sites) < 2:
            return ()
        tests: list[Drift] = []
        generator = np.random.default_rng(self._options.seed)
        for field, counts in self._categories.items():
            tests += _categories(
                field, {s: counts[s] for s in sites if s in counts}, self._options, generator
            )
        busiest = sorted(self._numbers, key=lambda field: -sum(r.seen for r in self._numbers[field].values()))
        for field in islice(busiest, MOST_FIELDS):
            reservoirs = self._numbers[field]
            samples = {s: reservoirs[s].items for s in sites if s in reservoirs}
            tests += _numbers(field, self._units[field], samples, self._options)
        return adjusted(tests)


def adjusted(tests: Iterable[Drift]) -> list[Drift]:
    """Return tests with their p-values corrected together."""
    listed = list(tests)
    if not listed:
        return []
    corrected = holm(np.array([test.p for test in listed]))
    return [
        Drift(t.field, t.kind, t.site, t.effect, t.p, float(p), t.worth, t.here, t.elsewhere, t.labels)
        for t, p in zip(listed, corrected, strict=True)
    ]


def drift_outcomes(rule: str, tests: Iterable[Drift], examples: int) -> Iterator[Outcome]:
    """Yield one outcome a field: how many sites differ from the others; the sites are named, not records."""
    fields: dict[tuple[str, str], list[Drift]] = {}
    for test in tests:
        fields.setdefault(test.field, []).append(test)
    if not fields:
        yield Outcome(RULES[rule], ("", ""), 0, 0, (), RULES[rule].tolerance)
    for field, group in fields.items():
        found = [test.site for test in group if test.found]
        names = "、".join(found[:examples])
        note = (f"中心 {names}", f"sites {', '.join(found[:examples])}") if found else ("", "")
        yield Outcome(RULES[rule], field, len(found), len(group), (), RULES[rule].tolerance, note)


def psi(here: NDArray[np.float64], elsewhere: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the population stability index of counts, shape (..., categories); half a record is added to each."""
    p, q = (counts + 0.5 for counts in (here, elsewhere))
    p, q = (counts / counts.sum(-1, keepdims=True) for counts in (p, q))
    found: NDArray[np.float64] = ((p - q) * np.log(p / q)).sum(-1)
    return found


def _categories(
    field: tuple[str, str],
    counts: Mapping[str, Counter[str]],
    options: QualityOptions,
    generator: np.random.Generator,
) -> Iterator[Drift]:
    total: Counter[str] = Counter()
    for own in counts.values():
        total.update(own)
    levels = in_order(level for level, _ in total.most_common(MOST_LEVELS))
    rest = len(total) > len(levels)
    names = tuple(levels) + ((REST,) if rest else ())
    if len(names) < 2:
        return
    table = {site: _vector(own, levels, rest) for site, own in counts.items()}
    everything = np.sum(list(table.values()), axis=0)
    for site, here in table.items():
        elsewhere = everything - here
        if here.sum() < LEAST or elsewhere.sum() < LEAST:
            continue
        yield Drift(
            field, "category", site, _psi(here, elsewhere, generator), _chi_square(here, elsewhere), 1.0,
            options.least_drift, tuple(here / here.sum()), tuple(elsewhere / elsewhere.sum()), names,
        )  # fmt: skip


def _vector(own: Counter[str], levels: list[str], rest: bool) -> NDArray[np.float64]:
    known = [float(own[level]) for level in levels]
    return np.array(known + ([own.total() - sum(known)] if rest else []))


def _psi(here: NDArray[np.float64], elsewhere: NDArray[np.float64], generator: np.random.Generator) -> Figure:
    value = float(psi(here, elsewhere))
    drawn = psi(
        *(
            generator.multinomial(int(n.sum()), n / n.sum(), REPETITIONS).astype(float)
            for n in (here, elsewhere)
        )
    )
    low, high = np.percentile(drawn, [2.5, 97.5])
    # Basic bootstrap: mirrored at the estimate, which takes off the bias that PSI has in every sample.
    return Figure(value, max(0.0, 2 * value - float(high)), max(0.0, 2 * value - float(low)), int(here.sum()))


def _chi_square(here: NDArray[np.float64], elsewhere: NDArray[np.float64]) -> float:
    from scipy.stats import chi2_contingency

    table = np.array([here, elsewhere])
    return float(chi2_contingency(table[:, table.sum(0) > 0], correction=False).pvalue)


def _numbers(
    field: tuple[str, str], unit: str, samples: Mapping[str, list[float]], options: QualityOptions
) -> Iterator[Drift]:
    from scipy.stats import ks_2samp

    values = {site: np.asarray(own) for site, own in samples.items()}
    if len(values) < 2:
        return
    edges = _edges(np.concatenate(list(values.values())))
    for site, here in values.items():
        elsewhere = np.concatenate([own for other, own in values.items() if other != site])
        if len(here) < LEAST or len(elsewhere) < LEAST:
            continue
        test = ks_2samp(here, elsewhere, method="auto")
        d = float(test.statistic)
        slack = sum(sqrt(log(4 / options.alpha) / (2 * len(own))) for own in (here, elsewhere))
        effect = Figure(d, max(0.0, d - slack), min(1.0, d + slack), len(here))
        shares = [
            tuple(np.histogram(np.clip(own, edges[0], edges[-1]), edges)[0] / len(own))
            for own in (here, elsewhere)
        ]
        yield Drift(
            field, "number", site, effect, float(test.pvalue), 1.0, options.least_drift, shares[0], shares[1],
            (*(f"{edge:.3g}" for edge in edges[:-1]), f"{edges[-1]:.3g} {unit}"),
        )  # fmt: skip


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sixteen bins over the middle 98 %; what lies beyond counts to the outermost."""
    low, high = np.percentile(values, [1, 99])
    if high <= low:
        low, high = low - 0.5, low + 0.5
    return np.linspace(low, high, 17)
