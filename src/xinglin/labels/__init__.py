"""Annotation: schemes, rounds, truth from many annotators, selection, and the certificate of an error rate."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "Mix": "xinglin.labels.select",
    "Truth": "xinglin.labels.votes",
    "Votes": "xinglin.labels.votes",
    "cohen_kappa": "xinglin.labels.agreement",
    "fleiss_kappa": "xinglin.labels.agreement",
    "infer_truth": "xinglin.labels.truth",
    "krippendorff_alpha": "xinglin.labels.agreement",
    "label_noise": "xinglin.labels.noise",
    "read_votes": "xinglin.labels.crowd_files",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
