"""LoRA over hospitals on a tiny causal model of an ordinary architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xinglin.errors import CheckpointError, ConfigurationError, InvalidInputError, NotTrainedError
from xinglin.federate.tasks.protocol import Archived, Files, Privacy
from xinglin.federate.tasks.registry import task

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
PAIRS = [("咳嗽", "多喝水,必要时就医"), ("胃痛", "清淡饮食,少食多餐"), ("头痛", "休息,测量血压")] * 4
OPTIONS: dict[str, Any] = {
    "model": "tiny",
    "rank": 2,
    "max_length": 24,
    "batch": 4,
    "learning_rate": 0.02,
    "optimiser": "adamw",
}


@pytest.fixture
def model(home: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    folder = home / "models" / "tiny"
    letters = sorted({letter for pair in PAIRS for letter in "".join(pair)})
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<e>", "<u>", *letters])}, unk_token="<u>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<e>", unk_token="<u>").save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(letters) + 2,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=64,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    rows = [f'{question},"{answer}"' for question, answer in PAIRS]
    (made / "train.csv").write_text("question,answer\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return made


def test_only_adapters_travel_and_fresh_ones_change_nothing(model: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    found: Any = task("decoder-lora", OPTIONS)
    state = found.initial(0)
    assert len(state) == 2 * 4 * 2  # layers, projections, factors
    assert all(".lora_A." in name or ".lora_B." in name for name in state)
    examples = found.load(Files(folder))
    tokens, mask, targets = examples.columns
    plain = AutoModelForCausalLM.from_pretrained(model)
    losses = []
    for row, seen, wanted in zip(
        tokens, mask, targets, strict=True
    ):  # the oracle: one pair at a time, no padding
        row, wanted = row[seen > 0], wanted[seen > 0]
        losses.append(plain(input_ids=row[None], labels=wanted[None]).loss.item())
    assert found.evaluate(state, examples)["loss"] == pytest.approx(np.mean(losses), abs=1e-5)
    learnt = (targets >= 0).sum(1)
    assert learnt.tolist() == [
        len(answer) + 1 for _, answer in PAIRS
    ]  # the answer and its end, not the question


def test_it_learns_over_two_hospitals(model: Path, folder: Path) -> None:
    from xinglin.federate.in_process import federate
    from xinglin.federate.job import DataNeeds, Job

    found: Any = task("decoder-lora", {**OPTIONS, "rank": 8})
    examples = found.load(Files(folder))
    made = Job(
        name="j",
        task="decoder-lora",
        rounds=3,
        data=DataNeeds(dataset="d"),
        train={**OPTIONS, "rank": 8, "epochs": 6},
    )
    joined = federate(made, found, {"a": examples, "b": examples})
    before, after = (found.evaluate(state, examples) for state in (found.initial(0), joined["a"]))
    assert after["loss"] < before["loss"] - 0.2
    assert after["perplexity"] == pytest.approx(np.exp(after["loss"]))


@pytest.mark.parametrize("private", [None, Privacy(0.5, 1.0, secret=b"test")])
def test_adapters_that_do_not_move_are_no_training(
    model: Path, folder: Path, private: Privacy | None
) -> None:
    found: Any = task("decoder-lora", OPTIONS)
    start, examples = found.initial(0), found.load(Files(folder))
    update = found.train(start, examples, options={"steps": 3}, private=private, seed=1)
    assert all(not np.array_equal(update.state[name], start[name]) for name in start)
    still = {"steps": 3, "learning_rate": 1e-45, "optimiser": "sgd"}
    with pytest.raises(NotTrainedError, match="did not change"):
        found.train(start, examples, options=still, private=private, seed=1)


def test_the_very_first_single_step_moves_one_factor_only(model: Path, folder: Path) -> None:
    found: Any = task("decoder-lora", {**OPTIONS, "optimiser": "sgd"})
    start, examples = found.initial(0), found.load(Files(folder))
    update = found.train(start, examples, options={"steps": 1}, private=None, seed=1)
    moved = {name for name in start if not np.array_equal(update.state[name], start[name])}
    assert moved == {name for name in start if ".lora_B." in name}


def test_bad_models_jobs_and_data_are_named(model: Path, folder: Path, home: Path) -> None:
    found: Any = task("decoder-lora", OPTIONS)
    with pytest.raises(ConfigurationError, match="no linear layer of the names attention"):
        task("decoder-lora", {**OPTIONS, "targets": ["attention"]})
    with pytest.raises(ConfigurationError, match="rank"):
        task("decoder-lora", {**OPTIONS, "rank": 0})
    (folder / "test.csv").write_text("question,answer\n咳嗽,\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="1 rows were left out"):
        found.load(Files(folder, "test"))
    with pytest.raises(ConfigurationError, match="reads files"):
        found.load(Archived(None, "d", "a"))  # type: ignore[arg-type]
    broken = home / "models" / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "no-such-model"}', encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot open it"):
        task("decoder-lora", {**OPTIONS, "model": "broken"})


def test_code_that_comes_with_a_model_is_never_run(model: Path, tmp_path: Path) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (model / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot open it"):
        task("decoder-lora", OPTIONS)
    assert not (tmp_path / "ran").exists()
