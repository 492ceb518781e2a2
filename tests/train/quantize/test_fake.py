"""Fake quantisation is ONNX's own arithmetic, and its gradient is the straight-through one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from xinglin.errors import CheckpointError, InvalidInputError, TrainingError  # noqa: E402
from xinglin.model.quantisation import (  # noqa: E402
    FILE,
    WEIGHT_LEVELS,
    Grid,
    quantise_weights,
    read_grids,
    weight_scales,
    write_grids,
)
from xinglin.train.quantize.fake import FakeActivations, FakeWeights, fake_quantise  # noqa: E402


def by_onnx(values: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """DequantizeLinear(QuantizeLinear(values)) by ONNX Runtime; scales along the last axis if there are several."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    several = {"axis": 1} if scale.ndim else {}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **several),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **several),
    ]
    graph = helper.make_graph(
        nodes,
        "pair",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, values.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, values.shape)],
        [numpy_helper.from_array(scale, "s"), numpy_helper.from_array(zero, "z")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found: np.ndarray = onnxruntime.InferenceSession(model.SerializeToString()).run(["y"], {"x": values})[0]  # type: ignore[type-arg]
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 1e4), st.floats(-0.9, 0.9))
def test_activations_are_rounded_as_onnx_rounds_them(seed: int, size: float, shift: float) -> None:
    values = (np.random.default_rng(seed).normal(shift, 1, (16, 33)) * size).astype(np.float32)
    fake = FakeActivations(1.0)
    fake.train()
    fake(torch.from_numpy(values))
    fake.train(False)
    beyond = 1.5 * values  # some of it is clipped
    found = fake(torch.from_numpy(beyond)).numpy()
    grid = fake.grid("x")
    expected = by_onnx(beyond, np.array(grid.scale, np.float32), np.array(grid.zero, np.uint8))
    assert np.array_equal(found, expected)
    assert len(np.unique(found)) > 50


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 1e3))
def test_weights_are_rounded_as_onnx_rounds_them_and_only_once(seed: int, size: float) -> None:
    weights = (np.random.default_rng(seed).normal(0, 1, (7, 40)) * size).astype(np.float32)
    found = FakeWeights(WEIGHT_LEVELS)(torch.from_numpy(weights)).detach().numpy()
    scales = weight_scales(weights)
    expected = by_onnx(np.ascontiguousarray(weights.T), scales, np.zeros(7, np.int8)).T
    assert np.array_equal(found, expected)
    levels, same = quantise_weights(found)
    assert np.array_equal(same, scales), "a weight on its grid must give the same grid"
    assert np.array_equal(levels * same[:, None], found)
    assert np.abs(levels).max() == WEIGHT_LEVELS


def test_the_gradient_passes_straight_through_and_stops_where_a_value_is_clipped() -> None:
    scale, zero = torch.tensor(0.1), torch.tensor(100.0)
    values = torch.tensor([-10.06, -10.04, -9.0, 0.0, 0.04, 15.5, 15.54, 15.56, 40.0], requires_grad=True)
    upstream = torch.arange(1.0, 10.0)
    fake_quantise(values, scale, zero, 0, 255).backward(upstream)
    # Levels 0 to 255 are the values -10.0 to 15.5; what rounds to one of them is inside.
    inside = torch.tensor([0, 1, 1, 1, 1, 1, 1, 0, 0], dtype=torch.float32)
    assert values.grad is not None
    assert torch.equal(values.grad, upstream * inside)


def test_the_gradient_is_that_of_torchs_own_fake_quantisation() -> None:
    torch.manual_seed(0)
    ours = torch.randn(64, 9, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    scale, upstream = 0.0173, torch.randn(64, 9)
    fake_quantise(ours, torch.tensor(scale), torch.tensor(128.0), 0, 255).backward(upstream)
    torch.fake_quantize_per_tensor_affine(theirs, scale, 128, 0, 255).backward(upstream)
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.equal(ours.grad, theirs.grad)
    assert 0 < int((ours.grad == 0).sum()) < ours.numel()


def test_an_observer_follows_the_moving_average() -> None:
    fake = FakeActivations(0.25)
    fake.train()
    low = high = None
    for step in range(5):
        batch = torch.tensor([-1.0 - step, 2.0 + step * step])
        fake(batch)
        least, most = batch.tolist()
        low = least if low is None else 0.75 * low + 0.25 * least
        high = most if high is None else 0.75 * high + 0.25 * most
    assert fake.low.item() == pytest.approx(low)
    assert fake.high.item() == pytest.approx(high)
    before = fake.high.item()
    fake.eval()
    fake(torch.tensor([1000.0]))
    assert fake.high.item() == before, "evaluation must not move the grid"


def test_what_cannot_give_a_scale_is_named() -> None:
    fake = FakeActivations(0.1)
    with pytest.raises(InvalidInputError, match=r"layers\.3: no value was ever seen"):
        fake.grid("layers.3")
    fake.eval()
    with pytest.raises(TrainingError, match="before any batch"):
        fake(torch.ones(2))
    fake.train()
    fake(torch.zeros(0, 4))
    with pytest.raises(InvalidInputError, match="no value was ever seen"):
        fake.grid("layers.3")
    fake(torch.full((3,), 2.0))
    with pytest.raises(InvalidInputError, match=r"layers\.3: expected values that vary, got 2\.0"):
        fake.grid("layers.3")
    with pytest.raises(TrainingError, match="expected finite values"):
        fake(torch.tensor([1.0, float("nan")]))
    with pytest.raises(InvalidInputError, match="momentum"):
        FakeActivations(0.0)


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "0", "-1e-3", "true", '"1"'])
def test_a_scale_that_is_no_scale_is_refused(tmp_path: Path, bad: str) -> None:
    write_grids(tmp_path, {"a": Grid(0.5, 3)}, {})
    text = (tmp_path / FILE).read_text()
    assert read_grids(tmp_path) == {"a": Grid(0.5, 3)}
    (tmp_path / FILE).write_text(text.replace("0.5", bad))
    with pytest.raises(CheckpointError):
        read_grids(tmp_path)


@pytest.mark.parametrize(("low", "high"), [(float("nan"), 1.0), (0.0, float("inf")), (1.0, 1.0), (2.0, 1.0)])
def test_a_range_that_is_none_is_refused(low: float, high: float) -> None:
    with pytest.raises(InvalidInputError):
        Grid.of_range(low, high)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_zero_lies_on_every_grid(low: float, width: float) -> None:
    grid = Grid.of_range(low, low + width)
    least, most = grid.range
    assert least <= 0.0 <= most
    assert least <= low + grid.scale
    assert most >= low + width - grid.scale
