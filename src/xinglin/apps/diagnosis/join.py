r"""The join: how much the graph and how much a text model count when both weigh the same case.

A log-linear pool of two opinions (Genest and Zidek 1986; Bordley 1982):

    p(d) ∝ exp((a g_d + b w_d) / T + max(0, 1 - a / T) h_d)

    g_d  log-softmax of the graph's scores
    w_d  log softmax(logits)_d + log K for the K labels of the model, 0 for a disease that it does not know
    h_d  what age and sex rule out (it is part of g_d too): it counts in full, however small a / T is
    a, b positive, each a line on the log scale in two facts of the case: how much was read, how long the text

Under equal class priors softmax(logits)_d K is P(text | d) / P(text), so w_d is a log likelihood ratio: a model
that says nothing (all labels alike) gives exactly 0 everywhere, and a disease without a label gets 0 too, "as
likely to be told like this as on average". Any other constant would make the head's silence about a disease
count for or against it.

``calibration.json`` of a checkpoint folder holds what :mod:`.fit_join` learnt; without it stated default weights
hold and the answer says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.pack import Pack
from xinglin.apps.diagnosis.wording import UNCALIBRATED
from xinglin.errors import CheckpointError, ConfigurationError, UnknownNameError

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

FORMAT = 1
FILE = "calibration.json"
FEATURES = ("1", "log((1 + findings) / 5)", "log((1 + characters) / 61)")
"""What a line of the weights multiplies; both facts are 0 for a usual case (4 findings, 60 characters)."""
DEFAULT_LINE = (math.log(0.5), 0.0, 0.0)
"""Without learnt weights both count half: one text read twice is not two witnesses."""
LARGEST = 3.0
"""Bound of a line on the log scale, so that an unusual case cannot run away with a weight."""


class TextModel(Protocol):
    """What the differential needs of a text model; ``xinglin.model.runtime.TextClassifier`` is one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Disease names, one a logit."""

    @property
    def id(self) -> str:
        """The checkpoint's id: a digest of its content."""

    @property
    def manifest(self) -> dict[str, Any]:
        """The checkpoint's manifest."""

    @property
    def calibration(self) -> dict[str, Any] | None:
        """Content of ``calibration.json``, if the folder has one."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of logits a text."""


@dataclass(frozen=True)
class Join:
    """Learnt weights of one text model over one pack; immutable."""

    pack: str
    """Version of the pack it was fitted on."""
    model: str
    """Id of the checkpoint it was fitted for."""
    graph: tuple[float, float, float] = DEFAULT_LINE
    """log a, along ``FEATURES``."""
    text: tuple[float, float, float] = DEFAULT_LINE
    """log b, along ``FEATURES``."""
    temperature: float = 1.0
    threshold: float | None = None
    """Least probability of the first candidate at which both may answer where the graph read nothing; ``None``:
    they never may."""
    alone_temperature: float = 1.0
    """Of the model without the graph."""
    alone_threshold: float | None = None
    """The same threshold for the model without the graph."""
    quantile: float | None = None
    """APS quantile for 90 % coverage; ``None``: too few cases, or sets too large to be of use."""
    lethal_quantile: float | None = None
    """APS quantile for 98 % coverage of lethal diseases."""
    n: int = 0
    """Cases it was fitted on; 0: nothing was learnt."""
    set: str = ""
    """Name of those cases."""
    calibrated_on: str | None = None
    """Set on which percentages were found true, or ``None``: no percentages."""
    metrics: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)
    """Figures out of fold."""

    @property
    def fitted(self) -> bool:
        """Whether the weights were learnt."""
        return self.n > 0

    @property
    def name(self) -> str:
        """The set and its size, or that nothing was learnt."""
        return f"{self.set} (n={self.n})" if self.fitted else UNCALIBRATED

    def weights(self, facts: Array) -> tuple[float, float]:
        """Return (a, b) of a case with these facts."""
        return float(line(self.graph, facts)), float(line(self.text, facts))

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``calibration.json``."""
        return {
            "format": FORMAT,
            "kind": "join",
            "pack": self.pack,
            "model": self.model,
            "weights": {"graph": list(self.graph), "model": list(self.text), "features": list(FEATURES)},
            "temperature": self.temperature,
            "threshold": self.threshold,
            "alone": {"temperature": self.alone_temperature, "threshold": self.alone_threshold},
            "quantile": self.quantile,
            "lethal_quantile": self.lethal_quantile,
            "n": self.n,
            "set": self.set,
            "calibrated_on": self.calibrated_on,
            "metrics": dict(self.metrics),
        }


def facts_of(findings: int, characters: int) -> Array:
    """Return the facts of a case on which the weights depend, along ``FEATURES``."""
    return np.array([1.0, math.log((1 + findings) / 5), math.log((1 + characters) / 61)])


def line(coefficients: Sequence[float] | Array, facts: Array) -> Array:
    """Return the weight(s) of facts (one case, or cases x 3): positive and bounded."""
    return np.asarray(np.exp(np.clip(facts @ np.asarray(coefficients), -LARGEST, LARGEST)))


def pool(
    graph: Array,
    told: Array,
    excluded: Array,
    a: Array | float,
    b: Array | float,
    temperature: float = 1.0,
) -> Array:
    """Return the pooled logits; arrays may be of one case or of many (then a and b are columns)."""
    rest = np.maximum(0.0, 1.0 - np.asarray(a) / temperature)
    return np.asarray((a * graph + b * told) / temperature + rest * excluded)


def log_softmax(logits: Array) -> Array:
    """Return logits less their log-sum-exp, along the last axis."""
    top = logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True)))


def told_by(logits: NDArray[Any], places: Ids, size: int) -> Array:
    """Return w of every disease of a pack from a model's logits (one text, or texts x labels).

    Args:
        logits: what the model returned.
        places: pack index of each label, from :func:`label_places`.
        size: number of diseases of the pack.

    Raises:
        CheckpointError: the model gave no finite number.
    """
    values = np.asarray(logits, np.float64)
    if not np.isfinite(values).all():
        raise CheckpointError(
            "the text model gave a logit that is no finite number: the checkpoint is damaged; train or fetch it "
            "again"
        )
    told = np.zeros((*values.shape[:-1], size))
    told[..., places] = log_softmax(values) + math.log(values.shape[-1])
    return told


def label_places(pack: Pack, labels: Sequence[str], aliases: Mapping[str, str] | None = None) -> Ids:
    """Return the pack index of each label, by the disease's Chinese or English name, else by an alias.

    Args:
        pack: the diseases.
        labels: of the text model.
        aliases: other names, each with the Chinese name that it means.

    Raises:
        UnknownNameError: a label is no disease of the pack; names the first ones and the nearest disease.
        CheckpointError: two labels are one disease.
    """
    at: dict[str, int] = {}
    for index, disease in enumerate(pack.diseases):
        at.setdefault(disease.name, index)
        at.setdefault(disease.en, index)
    for alias, name in (aliases or {}).items():
        if name in at:
            at.setdefault(alias, at[name])
    unknown = [label for label in labels if label not in at]
    if unknown:
        shown = "; ".join(_nearest(label, at) for label in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise UnknownNameError(
            f"{len(unknown)} of the text model's {len(labels)} labels are no diseases of {pack.name} "
            f"{pack.version}: {shown}{more}. Rename the labels, or fine-tune over the names of this graph"
        )
    places = np.array([at[label] for label in labels], np.int64)
    if len(np.unique(places)) < len(places):
        twice = next(label for i, label in enumerate(labels) if at[label] in places[:i])
        raise CheckpointError(f"two labels of the text model are the same disease: {twice}")
    return places


def _nearest(label: str, known: Mapping[str, int]) -> str:
    near = get_close_matches(label, known, n=1, cutoff=0.3)
    return f"{label!r} (nearest {near[0]})" if near else repr(label)


def read_join(body: Mapping[str, Any] | None, pack: Pack, model: TextModel) -> Join:
    """Return the join of a checkpoint's ``calibration.json``; without weights in it, the stated default.

    Raises:
        ConfigurationError: it was fitted over another pack or for another model.
        CheckpointError: it cannot be read as a join.
    """
    if body is None or body.get("weights") is None:
        return Join(pack.version, model.id)
    if body.get("format") != FORMAT:
        raise CheckpointError(
            f"{FILE}: expected format {FORMAT}, got {body.get('format')!r}: fit the join again"
        )
    if body.get("pack") != pack.version:
        raise ConfigurationError(
            f"{FILE} was fitted over pack {body.get('pack')!r}, this is {pack.name} {pack.version!r}: fit the join "
            "again, delete the file to use stated default weights, or use the graph alone (engine graph)"
        )
    if body.get("model") != model.id:
        raise ConfigurationError(
            f"{FILE} was fitted for model {str(body.get('model'))[:16]!r}, this checkpoint is "
            f"{model.id[:16]!r}: fit the join again, or delete the file to use stated default weights"
        )
    try:
        weights, alone = body["weights"], body["alone"]
        return Join(
            pack=pack.version,
            model=model.id,
            graph=_line(weights["graph"]),
            text=_line(weights["model"]),
            temperature=_positive(body["temperature"]),
            threshold=_share(body["threshold"]),
            alone_temperature=_positive(alone["temperature"]),
            alone_threshold=_share(alone["threshold"]),
            quantile=_share(body["quantile"]),
            lethal_quantile=_share(body["lethal_quantile"]),
            n=int(body["n"]),
            set=str(body["set"]),
            calibrated_on=None if body["calibrated_on"] is None else str(body["calibrated_on"]),
            metrics=dict(body["metrics"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{FILE} is no calibration of a join: {error!r}; fit the join again") from error


def _line(values: Any) -> tuple[float, float, float]:
    constant, findings, characters = (float(value) for value in values)
    if not all(map(math.isfinite, (constant, findings, characters))):
        raise ValueError(f"weights: expected three finite numbers, got {values}")
    return constant, findings, characters


def _positive(value: Any) -> float:
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"temperature: expected a positive number, got {value}")
    return number


def _share(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"expected a number from 0 to 1, got {value}")
    return number
