"""Why an answer reads as it does: units of a note, what each adds, and whether that explanation can be trusted."""

from importlib import import_module
from typing import Any

_DOORS = {
    "Attribution": "xinglin.explain.attribution",
    "Cohort": "xinglin.explain.cohort",
    "Chance": "xinglin.explain.faithfulness",
    "Explainable": "xinglin.explain.door",
    "Faithfulness": "xinglin.explain.faithfulness",
    "Game": "xinglin.explain.game",
    "Overview": "xinglin.explain.overview",
    "Unit": "xinglin.explain.units",
    "draw_beeswarm": "xinglin.explain.beeswarm",
    "exact_values": "xinglin.explain.exact",
    "gradient_values": "xinglin.explain.gradients",
    "load_differentiable": "xinglin.explain.gradients",
    "lime_values": "xinglin.explain.lime_words",
    "measure_faithfulness": "xinglin.explain.faithfulness",
    "occlusion_values": "xinglin.explain.occlusion",
    "permutation_values": "xinglin.explain.permutation",
    "partition_values": "xinglin.explain.partition",
    "randomised_classifier": "xinglin.explain.randomised",
    "segment": "xinglin.explain.units",
    "summarise": "xinglin.explain.overview",
    "without": "xinglin.explain.units",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
