"""Metrics with intervals, calibration, conformal sets, paired tests."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Figure": "xinglin.measure.intervals",
    "SeedComparison": "xinglin.measure.seeds",
    "aps_quantile": "xinglin.measure.conformal",
    "aps_scores": "xinglin.measure.conformal",
    "aps_set": "xinglin.measure.conformal",
    "aurc": "xinglin.measure.risk",
    "bootstrap": "xinglin.measure.intervals",
    "bootstrap_pairs": "xinglin.measure.paired",
    "brier": "xinglin.measure.calibration",
    "compare_seeds": "xinglin.measure.seeds",
    "debiased_ece": "xinglin.measure.calibration",
    "fit_temperature": "xinglin.measure.calibration",
    "hit_at": "xinglin.measure.ranking",
    "holm": "xinglin.measure.seeds",
    "least_aurc": "xinglin.measure.risk",
    "mass_set": "xinglin.measure.conformal",
    "mcnemar_pairs": "xinglin.measure.paired",
    "nll": "xinglin.measure.calibration",
    "paired_accuracy": "xinglin.measure.paired",
    "precision_at": "xinglin.measure.ranking",
    "proportion": "xinglin.measure.intervals",
    "recall_at": "xinglin.measure.ranking",
    "risk_curve": "xinglin.measure.risk",
    "slope_intercept": "xinglin.measure.calibration",
    "top_k": "xinglin.measure.ranking",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
