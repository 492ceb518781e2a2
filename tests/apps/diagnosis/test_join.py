"""The formula of the join, its label map and its calibration file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.join import (
    LARGEST,
    UNCALIBRATED,
    Join,
    facts_of,
    label_places,
    line,
    log_softmax,
    pool,
    read_join,
    told_by,
)
from xinglin.errors import CheckpointError, ConfigurationError, UnknownNameError

FINITE = st.floats(-30, 30)


class Named:
    """As much of a text model as the reader of a calibration looks at."""

    def __init__(self, identity: str = "a" * 64) -> None:
        self.id, self.labels, self.manifest, self.calibration = identity, ("x",), {"name": "n"}, None

    def logits(self, texts: Any) -> Any:
        return np.zeros((len(texts), 1), np.float32)


@given(arrays(float, 5, elements=FINITE), arrays(float, 4, elements=FINITE))
def test_the_pool_is_the_formula(graph: Any, logits: Any) -> None:
    places, a, b, temperature = np.array([3, 0, 4, 1]), 0.7, 1.3, 1.6
    told = told_by(logits, places, 5)
    excluded = np.array([0, -9.0, 0, 0, -6.0])
    total = sum(math.exp(x - logits.max()) for x in logits)
    for label, disease in enumerate(places):
        share = math.exp(logits[label] - logits.max()) / total
        if share > 1e-300:
            assert told[disease] == pytest.approx(math.log(share) + math.log(4))
    assert told[2] == 0
    pooled = pool(log_softmax(graph), told, excluded, a, b, temperature)
    lse = math.log(sum(math.exp(x - graph.max()) for x in graph)) + graph.max()
    for d in range(5):
        rest = 1 - a / temperature
        expected = (a * (graph[d] - lse) + b * told[d]) / temperature + rest * excluded[d]
        assert pooled[d] == pytest.approx(expected)


def test_a_model_that_says_nothing_says_zero() -> None:
    told = told_by(np.full(3, 7.5, np.float32), np.array([4, 1, 0]), 6)
    assert told == pytest.approx(np.zeros(6))


def test_what_is_ruled_out_counts_in_full_whatever_the_weight() -> None:
    excluded = np.array([0.0, -9.0])
    for a in (0.05, 0.5, 1.0):
        for temperature in (0.5, 1.0, 3.0):
            pooled = pool(excluded, np.zeros(2), excluded, a, 1.0, temperature)
            assert pooled[1] - pooled[0] <= -9.0 + 1e-9


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_logit_that_is_no_number_is_refused(wrong: float) -> None:
    with pytest.raises(CheckpointError, match="no finite number"):
        told_by(np.array([0.0, wrong]), np.array([0, 1]), 2)


def test_weights_are_positive_and_bounded() -> None:
    usual = facts_of(4, 60)
    assert usual == pytest.approx([1, 0, 0])
    join = Join("p", "m", graph=(-0.3, 0.5, 0.2), text=(0.1, -0.4, 0.0))
    assert join.weights(usual) == pytest.approx((math.exp(-0.3), math.exp(0.1)))
    more = join.weights(facts_of(9, 60))
    assert more[0] > math.exp(-0.3)
    assert more[1] < math.exp(0.1)
    assert float(line((90.0, 0, 0), usual)) == pytest.approx(math.exp(LARGEST))


def test_labels_are_found_by_either_name(differential: Differential) -> None:
    first, second = differential.pack.diseases[:2]
    assert label_places(differential.pack, (second.en, first.name)).tolist() == [1, 0]
    with pytest.raises(UnknownNameError):
        label_places(differential.pack, ("心梗子",))
    assert label_places(differential.pack, ("心梗子",), {"心梗子": second.name, "x": "no such"}).tolist() == [
        1
    ]


def test_unknown_labels_are_named_with_the_nearest(differential: Differential) -> None:
    labels = ("急性心肌梗死", "急性心肌梗塞死", "qqq", *(f"zz{i}" for i in range(9)))
    with pytest.raises(UnknownNameError) as error:
        label_places(differential.pack, labels)
    said = str(error.value)
    assert "11 of the text model's 12 labels" in said
    assert "'急性心肌梗塞死' (nearest 急性心肌梗死)" in said
    assert "'qqq'" in said
    assert "and 6 more" in said


def test_one_disease_cannot_have_two_labels(differential: Differential) -> None:
    disease = differential.pack.diseases[7]
    with pytest.raises(CheckpointError, match=disease.name):
        label_places(differential.pack, (disease.en, disease.name))


def fitted(differential: Differential) -> Join:
    return Join(
        pack=differential.pack.version,
        model="a" * 64,
        graph=(-0.5, 0.25, 0.0),
        text=(-1.0, 0.0, 0.125),
        temperature=1.5,
        threshold=0.4,
        alone_temperature=2.0,
        alone_threshold=0.5,
        quantile=0.9,
        n=300,
        set="dev",
        calibrated_on="dev (n=300)",
        metrics={"both": {"top1": 0.5}},
    )


def test_the_file_holds_the_whole_join(differential: Differential) -> None:
    join = fitted(differential)
    body = json.loads(json.dumps(join.as_json()))
    again = read_join(body, differential.pack, Named())
    assert again == join
    assert again.metrics == join.metrics
    assert again.name == "dev (n=300)"


def test_without_weights_the_default_is_stated(differential: Differential) -> None:
    # The second is what xinglin calibrate writes beside a recalibrated graph.
    for body in (None, {"n": 12, "metrics": {}, "percentages": False}):
        join = read_join(body, differential.pack, Named())
        assert (join.pack, join.model) == (differential.pack.version, "a" * 64)
        assert join.name == UNCALIBRATED
        assert join.weights(facts_of(0, 500)) == pytest.approx((0.5, 0.5))
        assert (join.threshold, join.quantile, join.calibrated_on) == (None, None, None)


def test_a_calibration_of_something_else_is_refused_by_name(differential: Differential) -> None:
    body = fitted(differential).as_json()
    with pytest.raises(ConfigurationError, match=r"pack 'old'.*starter"):
        read_join(body | {"pack": "old"}, differential.pack, Named())
    with pytest.raises(ConfigurationError, match=r"model 'aaaaaaaaaaaaaaaa'.*'bbbbbbbbbbbbbbbb'"):
        read_join(body, differential.pack, Named("b" * 64))
    other = replace(differential.pack, version="0" * 16)
    with pytest.raises(ConfigurationError, match="0000000000000000"):
        read_join(body, other, Named())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("weights", {"graph": [1, 2], "model": [0, 0, 0]}),
        ("weights", {"graph": [0, 0, math.nan], "model": [0, 0, 0]}),
        ("weights", "half"),
        ("temperature", 0),
        ("temperature", "warm"),
        ("threshold", 1.5),
        ("quantile", -0.1),
        ("alone", None),
        ("n", None),
        ("metrics", 3),
    ],
)
def test_a_damaged_calibration_is_refused(differential: Differential, key: str, value: Any) -> None:
    body = fitted(differential).as_json() | {key: value}
    with pytest.raises(CheckpointError, match=r"calibration\.json"):
        read_join(body, differential.pack, Named())
    del body[key]
    if key != "weights":
        with pytest.raises(CheckpointError):
            read_join(body, differential.pack, Named())
