"""Networks of every kind feel 8 bits where they should, and come out plain, with their weights on the grid."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from tests.train.quantize.networks import NETWORKS, answer, experts  # noqa: E402
from xinglin.errors import InvalidInputError  # noqa: E402
from xinglin.model.quantisation import quantise_weights, stays_float  # noqa: E402
from xinglin.train.quantize import fold, insert  # noqa: E402
from xinglin.train.quantize.aware import quantised_linears  # noqa: E402
from xinglin.train.quantize.experts import apart, joined  # noqa: E402

KEPT = {
    "encoder": ("head.dense", "classifier"),
    "experts": ("lm_head", "gate"),
    "molecules": ("lm_head",),
    "vision": ("head", "attention"),
}
LAYERS = {"encoder": 2 * 4, "experts": 2 * (4 + 4 * 2), "molecules": 2 * 7, "vision": 2 * 6}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_feels_eight_bits_and_comes_out_plain(kind: str) -> None:
    torch.manual_seed(0)
    model, given = NETWORKS[kind]()
    plain = copy.deepcopy(model).eval()
    names = {name for name, _ in apart(copy.deepcopy(model)).named_parameters()}
    insert(model)
    model.train()
    for _ in range(3):
        answer(model, given)
    model.eval()
    with torch.no_grad():
        expected, felt = answer(plain, given), answer(model, given)
    difference = float((felt - expected).abs().max() / expected.std())
    assert 1e-4 < difference < 0.5, "nothing was rounded, or far too much"
    rounded = [name for name, module in model.named_modules() if parametrize.is_parametrized(module)]
    assert [name for name in rounded if stays_float(name)] == []
    grids = fold(model)
    assert len(grids) == LAYERS[kind]
    assert {name for name, _ in model.named_parameters()} == names
    linears = quantised_linears(model)
    assert set(linears) == set(grids)
    for name, layer in linears.items():
        weights = layer.weight.detach().numpy()
        levels, scales = quantise_weights(weights)
        assert np.array_equal(levels * scales[:, None], weights), name
    with torch.no_grad():
        inputs_in_float = answer(model, given)
    assert not torch.equal(inputs_in_float, felt), "the inputs were rounded too"


@pytest.mark.parametrize("kind", NETWORKS)
def test_router_norms_and_head_stay_as_they_were(kind: str) -> None:
    torch.manual_seed(0)
    model, given = NETWORKS[kind]()
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    insert(model)
    model.train()
    answer(model, given)
    fold(model)
    after = joined(dict(model.state_dict()))
    assert set(after) == set(before)
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    kept = {name for name in before if "norm" in name or stays_float(name.removesuffix(".weight"))}
    assert all(any(part in name.split(".") or f"{part}." in name for name in kept) for part in KEPT[kind])
    assert kept <= same
    assert len(same) < len(before)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_weight_can_still_learn(kind: str) -> None:
    torch.manual_seed(0)
    model, given = NETWORKS[kind]()
    insert(model)
    model.train()
    answer(model, given).square().mean().backward()
    without = [name for name, value in model.named_parameters() if value.grad is None]
    assert [name for name in without if "head" not in name and "place" not in name] == []


def test_experts_apart_say_what_they_said_together() -> None:
    torch.manual_seed(0)
    model, given = experts()
    model.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        expected = answer(model, given)
        found = answer(apart(model), given)
    assert torch.allclose(found, expected, atol=1e-6)
    after = joined(dict(model.state_dict()))
    assert set(after) == set(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_experts_of_a_layer_share_their_grids() -> None:
    model, given = experts()
    insert(model)
    model.train()
    answer(model, given)
    grids = fold(model)
    for layer in range(2):
        for part in ("gate_up", "down"):
            found = {
                grids[f"model.layers.{layer}.mlp.experts.experts.{expert}.{part}"] for expert in range(4)
            }
            assert len(found) == 1


def test_twice_is_refused_and_nothing_to_do_as_well() -> None:
    model, given = NETWORKS["molecules"]()
    insert(model)
    with pytest.raises(InvalidInputError, match="quantised already"):
        insert(model)
    with pytest.raises(InvalidInputError, match="no value was ever seen"):
        fold(model)
    with pytest.raises(InvalidInputError, match="linear layers outside its head"):
        insert(nn.Sequential(nn.LayerNorm(3)))
    with pytest.raises(InvalidInputError, match="fake quantisation inserted"):
        fold(nn.Linear(2, 2))
    assert given


def test_a_shared_embedding_stays_float_and_one_of_its_own_is_rounded() -> None:
    for kind, rounded in (("encoder", True), ("molecules", False)):
        model, _ = NETWORKS[kind]()
        insert(model)
        tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]
        assert [parametrize.is_parametrized(table) for table in tables] == [rounded]
