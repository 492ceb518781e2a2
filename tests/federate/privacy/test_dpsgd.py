"""Private training: clipping against gradients taken one by one, noise and draws by distribution, the silent failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from xinglin.errors import ConfigurationError, InvalidInputError, NotTrainedError, TrainingError
from xinglin.federate.privacy.dpsgd import private_training
from xinglin.federate.privacy.guard import require_changed

SECRET = b"repeatable, so not private"
QUIET = 1e-7
"""Noise too small to see."""


def linear(inputs: int = 5) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(inputs, 1)


def rows(count: int = 24, inputs: int = 5) -> TensorDataset:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count, inputs, generator=generator)
    return TensorDataset(x, x.sum(1, keepdim=True) + torch.randn(count, 1, generator=generator))


def private(model: nn.Module, data: TensorDataset, batch: int, **more: Any) -> tuple[Any, Any, Any]:
    settings = {"noise_multiplier": QUIET, "max_grad_norm": 0.5, "seed": 0, "secret": SECRET} | more
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    return private_training(model, optimizer, DataLoader(data, batch_size=batch), **settings)


def weights(model: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    return {name: value.detach().clone().numpy() for name, value in model.named_parameters()}


def gradient(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """All gradients of the summed loss, flat."""
    loss = ((model(x) - y) ** 2).sum()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


@pytest.mark.parametrize("by_patient", [False, True])
def test_a_step_is_the_sum_of_clipped_gradients(by_patient: bool) -> None:
    data, model = rows(), linear()
    owners = [n // 3 for n in range(24)] if by_patient else list(range(24))
    run, optimizer, loader = private(model, data, 8, patients=owners if by_patient else None)
    assert len(loader) == 3
    for x, y in loader:
        before, own = weights(model), linear()
        own.load_state_dict({k: torch.tensor(v) for k, v in before.items()})
        optimizer.zero_grad()
        ((run(x) - y) ** 2).mean().backward()
        optimizer.step()
        places = [int((data.tensors[0] == row).all(1).nonzero()[0]) for row in x]
        expected = torch.zeros(6)
        for unit in {owners[place] for place in places}:
            mine = [place for place in places if owners[place] == unit]
            assert not by_patient or len(mine) == 3, "a patient is drawn whole"
            total = gradient(own, data.tensors[0][mine], data.tensors[1][mine])
            expected += total * min(1.0, 0.5 / float(total.norm()))
        moved = np.concatenate([(before[k] - v).ravel() for k, v in weights(model).items()])
        units = len(set(owners))
        np.testing.assert_allclose(moved, (expected / (units / 3)).numpy(), atol=2e-5)


def test_noise_has_the_size_that_is_accounted_for() -> None:
    model = nn.Linear(4000, 1, bias=False)
    data = TensorDataset(torch.zeros(10, 4000), torch.zeros(10, 1))
    run, optimizer, loader = private(model, data, 5, noise_multiplier=3.0, max_grad_norm=0.5)
    before = weights(model)["weight"]
    for x, y in loader:
        optimizer.zero_grad()
        ((run(x) - y) ** 2).mean().backward()
        optimizer.step()
        break
    moved = (weights(model)["weight"] - before).ravel() * 5  # 5 are expected in a batch
    assert moved.std() == pytest.approx(1.5, rel=5 / np.sqrt(2 * 4000))
    assert abs(moved.mean()) < 5 * 1.5 / np.sqrt(4000)


def test_units_are_drawn_independently_at_the_rate() -> None:
    owners = [n % 50 for n in range(100)]
    sizes = []
    for seed in range(40):
        _, _, loader = private(linear(), rows(100), 20, seed=seed, patients=owners)
        for x, _ in loader:
            assert len(x) % 2 == 0
            sizes.append(len(x) / 2)
    assert len(sizes) == 200
    # binomial of 50 at 1/5
    assert np.mean(sizes) == pytest.approx(10, abs=4 * np.sqrt(8 / 200))
    assert np.var(sizes) == pytest.approx(8, rel=0.45)


def test_the_seed_alone_does_not_give_the_noise_away() -> None:
    def trained(secret: bytes | None) -> np.ndarray[Any, Any]:
        model = linear()
        run, optimizer, loader = private(model, rows(), 8, noise_multiplier=1.0, secret=secret)
        for x, y in loader:
            optimizer.zero_grad()
            ((run(x) - y) ** 2).mean().backward()
            optimizer.step()
        return weights(model)["weight"]

    np.testing.assert_array_equal(trained(SECRET), trained(SECRET))
    assert not np.array_equal(trained(None), trained(None))
    assert not np.array_equal(trained(SECRET), trained(b"another"))


def test_an_empty_batch_still_adds_its_noise() -> None:
    model = linear()
    run, optimizer, loader = private(model, rows(2), 1, noise_multiplier=1.0, seed=3)
    empty = 0
    for _ in range(20):
        for x, y in loader:
            before = weights(model)["weight"]
            optimizer.zero_grad()
            ((run(x) - y) ** 2).mean().backward()
            optimizer.step()
            assert np.isfinite(weights(model)["weight"]).all()
            assert not np.array_equal(before, weights(model)["weight"])
            empty += not len(x)
    assert empty > 3


def bert() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=50,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=20,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


def test_an_encoder_trains_whole_its_positions_too() -> None:
    model, one = bert(), bert()
    ids = torch.randint(5, 50, (6, 9), generator=torch.Generator().manual_seed(2))
    run, optimizer, loader = private(model, TensorDataset(ids, torch.arange(6) % 2), 3)
    run.train()
    before = weights(model)
    ids, target = next(batch for batch in loader if len(batch[0]) > 1)
    optimizer.zero_grad()
    nn.functional.cross_entropy(run(input_ids=ids).logits, target).backward()
    found = {name: value.grad_sample for name, value in model.named_parameters()}
    for place in range(len(ids)):
        one.zero_grad()
        nn.functional.cross_entropy(one(input_ids=ids[[place]]).logits, target[[place]]).backward()
        for name, value in one.named_parameters():
            np.testing.assert_allclose(found[name][place], value.grad, atol=1e-5, err_msg=name)
    optimizer.step()
    after = weights(model)
    require_changed(before, after, before.keys())
    assert sum("position" in name for name in before) == 1


def adapters(model: Any) -> Any:
    peft = pytest.importorskip("peft")
    return peft.get_peft_model(
        model, peft.LoraConfig(r=2, lora_alpha=4, target_modules=["query", "value"], task_type="SEQ_CLS")
    )


def test_adapters_train_and_all_else_stays() -> None:
    model = adapters(bert())
    ids = torch.randint(5, 50, (12, 9), generator=torch.Generator().manual_seed(2))
    run, optimizer, loader = private(model, TensorDataset(ids, torch.arange(12) % 2), 6, noise_multiplier=1.0)
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    before = weights(model)
    for ids, target in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(run(input_ids=ids).logits, target).backward()
        optimizer.step()
    assert len(names) == 6  # A and B of two layers, weight and bias of the head
    require_changed(before, weights(model), names)


def test_adapters_that_silently_do_not_train_are_found() -> None:
    """Opacus takes an optimizer without a trainable parameter and steps it like any other: nothing moves, no error."""
    from opacus import PrivacyEngine

    model = bert()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=0.1
    )  # made before the adapters: holds the frozen weights
    model = adapters(model)
    for name, value in model.named_parameters():
        value.requires_grad_("lora" in name)
    ids = torch.randint(5, 50, (12, 9), generator=torch.Generator().manual_seed(2))
    data = DataLoader(TensorDataset(ids, torch.arange(12) % 2), batch_size=6)
    with pytest.raises(ConfigurationError, match=r"holds 0 of the 4 parameters"):
        private_training(model, optimizer, data, noise_multiplier=1.0, max_grad_norm=1.0, seed=0)
    before = weights(model)
    run, wrapped, loader = PrivacyEngine().make_private(
        module=model, optimizer=optimizer, data_loader=data, noise_multiplier=1.0, max_grad_norm=1.0
    )
    steps = 0
    for ids, target in loader:
        run.zero_grad()  # the optimizer's own would leave the adapters' gradients, and the second batch would fail
        loss = nn.functional.cross_entropy(run(input_ids=ids).logits, target)
        loss.backward()
        wrapped.step()
        steps += 1
    assert steps == 2
    names = [name for name in before if "lora" in name]
    with pytest.raises(NotTrainedError, match="4 of 4 weights that were to be trained did not change"):
        require_changed(before, weights(model), names)


def test_what_cannot_be_private_is_refused() -> None:
    mixed = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(ConfigurationError, match="cannot be trained privately"):
        private(mixed, rows(), 8)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidInputError, match="noise_multiplier"):
            private(linear(), rows(), 8, noise_multiplier=wrong)
        with pytest.raises(InvalidInputError, match="max_grad_norm"):
            private(linear(), rows(), 8, max_grad_norm=wrong)
    with pytest.raises(InvalidInputError, match="one for each of 24 examples, got 3"):
        private(linear(), rows(), 8, patients=["a", "b", "c"])


def test_gradients_of_two_batches_cannot_be_mixed_by_patient() -> None:
    run, optimizer, loader = private(linear(), rows(), 8, patients=[n // 2 for n in range(24)])
    optimizer.zero_grad()
    for x, y in loader:
        ((run(x) - y) ** 2).mean().backward()
    with pytest.raises(TrainingError, match="one backward"):
        optimizer.step()


def test_the_guard_sees_what_moved_and_what_did_not() -> None:
    old = {"a": np.zeros(3, np.float32), "b": np.ones(2, np.float32)}
    require_changed(old, {"a": np.ones(3, np.float32), "b": old["b"]}, ["a"])
    with pytest.raises(NotTrainedError, match="frozen weights changed, b"):
        require_changed(old, {"a": np.ones(3, np.float32), "b": 2 * old["b"]}, ["a"])
    with pytest.raises(NotTrainedError, match="did not change, a"):
        require_changed(old, old, ["a"])
    with pytest.raises(NotTrainedError, match="not finite"):
        require_changed(old, {"a": np.array([0, np.nan, 0], np.float32), "b": old["b"]}, ["a"])
    with pytest.raises(NotTrainedError, match="float64"):
        require_changed(old, {"a": np.ones(3), "b": old["b"]}, ["a"])
    with pytest.raises(InvalidInputError, match="'c' was to be trained"):
        require_changed(old, old, ["c"])
    with pytest.raises(InvalidInputError, match="nothing was to be trained"):
        require_changed(old, old, [])
    with pytest.raises(InvalidInputError, match="'b' is in one only"):
        require_changed(old, {"a": old["a"]}, ["a"])
