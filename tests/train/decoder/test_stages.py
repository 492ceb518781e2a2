"""Every stage on tiny random models: what should fall falls, what should rise rises, and the result is sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.model.decoder.small import ARCHITECTURES, small_decoder
from tests.train.decoder.conftest import CHATS, PAIRS, quick, write
from xinglin.errors import (
    CheckpointError,
    InputTooLargeError,
    InvalidInputError,
    MissingDataError,
    TrainingError,
)
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.decoder import open_decoder, prompt_text

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
TEXTS = [
    {"text": f"{what}有什么症状?多休息。请医生就诊{more}。"}
    for what in ("肺炎", "感冒", "高血压")
    for more in "甲乙丙丁戊"
]


def read(text: str, options: Any) -> str | None:
    """The first character, where it is a letter: a reader for a toy."""
    return text[:1] if text[:1] and text[:1] in "ABCDE"[: len(options)] else None


def trained(stage: str, model: Path, data: Path, out: Path, **more: Any) -> Any:
    from xinglin.train.decoder.stages import train_stage

    options = more.pop("options", None) or quick()
    return train_stage(stage, model, data, out, options, read=read, **more)  # type: ignore[arg-type]


def falls(made: Any, below: float = 0.9) -> None:
    loss = made.manifest["metrics"]["loss"]
    assert loss["last"] < below * loss["first"]


def test_sft_learns_the_answers_and_is_sealed(qwen3: Path, chats: Path, tmp_path: Path) -> None:
    made = trained("sft", qwen3, chats, tmp_path / "tuned", options=quick(steps=25))
    falls(made)
    assert verify_checkpoint(tmp_path / "tuned").id == made.id
    assert made.manifest["parents"] == [open_decoder(qwen3).id]
    assert made.manifest["data"][0]["records"] == len(CHATS)
    assert not list(tmp_path.glob(".tuned.training"))
    tuned = open_decoder(tmp_path / "tuned")
    asked = prompt_text(tuned.tokenizer, CHATS[1]["messages"][:1])
    ids = tuned.tokenizer(asked, add_special_tokens=False, return_tensors="pt")
    said = tuned.model.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert tuned.tokenizer.decode(said) == "请就医。<|im_end|>"  # and it stops


def test_dpo_margins_grow(qwen3: Path, tmp_path: Path) -> None:
    made = trained(
        "prefer", qwen3, write(tmp_path / "p.jsonl", PAIRS), tmp_path / "out", options=quick(steps=6)
    )
    margins = made.manifest["metrics"]["rewards_margins"]
    assert margins["last"] > margins["first"] + 0.1
    assert made.manifest["metrics"]["rewards_accuracies"]["last"] > 0.9


def toy(folder: Path) -> Path:
    """Questions whose right answer is always B."""
    rows = [
        {"prompt": f"{what}?", "kind": "exam", "options": ["甲", "乙"], "answer": "B"}
        for what in ("头痛", "发热", "咳嗽", "肺炎", "感冒", "高血压", "症状", "就诊")
    ]
    return write(folder / "toy.jsonl", rows)


def taught_letters(folder: Path) -> Path:
    """A model that answers A or B, as often the one as the other: what rewards can choose from."""
    from xinglin.train.decoder.stages import train_stage

    rows = [
        {"messages": [{"role": "user", "content": f"{what}?"}, {"role": "assistant", "content": letter}]}
        for what in ("头痛", "发热", "咳嗽", "肺炎") for letter in "AB"
    ]  # fmt: skip
    start = small_decoder(folder / "start", "qwen3")
    train_stage(
        "sft", start, write(folder / "l.jsonl", rows), folder / "letters", quick(batch_size=8, steps=15)
    )
    return folder / "letters"


def test_grpo_reward_rises(tmp_path: Path) -> None:
    options = quick(steps=10, batch_size=8, generations=4, answer=3, learning_rate=5e-3, beta=0.0)
    made = trained("reinforce", taught_letters(tmp_path), toy(tmp_path), tmp_path / "out", options=options)
    found = made.manifest["metrics"]["reward"]
    assert found["last"] > found["first"] + 0.2
    with pytest.raises(InvalidInputError, match="multiple of 8"):
        trained(
            "reinforce", tmp_path / "letters", toy(tmp_path), tmp_path / "no", options=quick(batch_size=4)
        )


def test_lora_trains_adapters_alone_and_its_merge_says_the_same(
    qwen3: Path, chats: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from safetensors.torch import load_file

    made = trained("sft", qwen3, chats, tmp_path / "lora", options=quick(adapter="lora", learning_rate=3e-2))
    falls(made, 0.97)
    names = load_file(tmp_path / "lora.adapter" / "adapter_model.safetensors")
    assert names
    assert all("lora_" in name for name in names)
    before, merged = open_decoder(qwen3), open_decoder(tmp_path / "lora")
    beside = PeftModel.from_pretrained(open_decoder(qwen3).model, tmp_path / "lora.adapter")
    ids = torch.tensor([[4, 9, 14, 22, 7]])
    with torch.inference_mode():
        wanted = beside(input_ids=ids).logits
        torch.testing.assert_close(merged.model(input_ids=ids).logits, wanted, atol=1e-4, rtol=1e-4)
        assert (before.model(input_ids=ids).logits - wanted).abs().max() > 0.05
        with beside.disable_adapter():  # the base itself was not touched
            torch.testing.assert_close(before.model(input_ids=ids).logits, beside(input_ids=ids).logits)
    from xinglin.train.decoder.stages import merge_stage

    again = merge_stage(qwen3, (), tmp_path / "again", adapter=tmp_path / "lora.adapter")
    assert again.manifest["parents"] == [before.id]
    torch.testing.assert_close(
        open_decoder(tmp_path / "again").model(input_ids=ids).logits, wanted, atol=1e-4, rtol=1e-4
    )


def test_distillation_brings_the_student_to_the_teacher(qwen3: Path, chats: Path, tmp_path: Path) -> None:
    teacher = small_decoder(tmp_path / "teacher", "llama", seed=5, width=48)
    made = trained("distil", qwen3, chats, tmp_path / "out", teacher=teacher, options=quick(temperature=2.0))
    falls(made)
    assert made.manifest["parents"] == [open_decoder(qwen3).id, open_decoder(teacher).id]
    with pytest.raises(InvalidInputError, match="teacher"):
        trained("distil", qwen3, chats, tmp_path / "no")


def test_a_full_memory_halves_the_batch_and_says_so(
    qwen3: Path, chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Qwen3Model

    forward = Qwen3Model.forward
    most = 2

    def small(self: Any, input_ids: Any = None, **more: Any) -> Any:
        if len(input_ids) > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return forward(self, input_ids=input_ids, **more)

    monkeypatch.setattr(Qwen3Model, "forward", small)
    made = trained("sft", qwen3, chats, tmp_path / "out", options=quick(steps=4))
    assert "2 rows at a time" in made.manifest["settings"]["notes"][0]
    most = 0
    with pytest.raises(TrainingError, match="single row"):
        trained("sft", qwen3, chats, tmp_path / "out", options=quick(steps=4))


def test_a_stopped_run_goes_on_and_another_does_not_take_its_state(
    qwen3: Path, chats: Path, tmp_path: Path
) -> None:
    import os
    import signal

    def stop(tick: Any) -> None:
        if tick.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="the same command resumes"):
        trained("sft", qwen3, chats, tmp_path / "out", report=stop, options=quick(steps=8))
    assert not (tmp_path / "out").exists()
    with pytest.raises(TrainingError, match="other settings or data"):
        trained("sft", qwen3, chats, tmp_path / "out", options=quick(steps=8, seed=1))
    steps: list[int] = []
    trained(
        "sft", qwen3, chats, tmp_path / "out", report=lambda t: steps.append(t.step), options=quick(steps=8)
    )
    assert steps[0] > 3
    assert steps[-1] == 8
    trained("sft", qwen3, chats, tmp_path / "whole", options=quick(steps=8))
    from safetensors.torch import load_file

    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "whole"))
    for name, tensor in one.items():  # interrupted or not, the same weights
        torch.testing.assert_close(tensor, other[name], atol=1e-5, rtol=1e-4)


def test_what_cannot_be_trained_is_said(qwen3: Path, chats: Path, tmp_path: Path) -> None:
    with pytest.raises(InputTooLargeError, match="the model sees 128"):
        trained("sft", qwen3, chats, tmp_path / "no", options=quick(length=4096))
    with pytest.raises(InvalidInputError, match="stage"):
        trained("dance", qwen3, chats, tmp_path / "no")
    with pytest.raises(MissingDataError):
        trained("sft", tmp_path, chats, tmp_path / "no")
    bad = write(tmp_path / "bad.jsonl", [*CHATS, {"messages": []}])
    with pytest.raises(InvalidInputError, match=r"bad\.jsonl:5"):
        trained("sft", qwen3, bad, tmp_path / "no")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "config.json").write_text('{"auto_map": {"AutoModelForCausalLM": "m.M"}}')
    with pytest.raises(CheckpointError, match="never run"):
        trained("sft", tmp_path / "code", chats, tmp_path / "no")


def test_open_data_and_pretraining_from_nothing(tmp_path: Path) -> None:
    from xinglin.train.decoder.fresh import FreshOptions, fresh_decoder

    sizes = FreshOptions(
        width=32, layers=1, heads=2, groups=1, inner=32, context=64, vocabulary=300, experts=2
    )
    start = fresh_decoder(tmp_path / "fresh", [row["text"] for row in TEXTS], sizes)
    falls(
        trained(
            "pretrain", start, write(tmp_path / "t.jsonl", TEXTS), tmp_path / "out", options=quick(length=32)
        )
    )
    assert open_decoder(tmp_path / "out").model.config.model_type == "qwen3_moe"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_stage_on_every_architecture(kind: str, chats: Path, tmp_path: Path) -> None:
    start = small_decoder(tmp_path / kind, kind)
    texts, pairs = write(tmp_path / "t.jsonl", TEXTS), write(tmp_path / "p.jsonl", PAIRS)
    falls(trained("pretrain", start, texts, tmp_path / "a"))
    falls(trained("sft", tmp_path / "a", chats, tmp_path / "b", options=quick(steps=20)))
    falls(
        trained(
            "sft",
            tmp_path / "a",
            chats,
            tmp_path / "c",
            options=quick(adapter="lora", steps=20, learning_rate=3e-2),
        ),
        1.0,  # adapters of a mixture reach its attention alone
    )
    made = trained("prefer", tmp_path / "b", pairs, tmp_path / "d", options=quick(steps=8))
    assert made.manifest["metrics"]["rewards_margins"]["last"] > 0.1
    grouped = quick(steps=3, batch_size=8, generations=4, answer=3)
    made = trained("reinforce", tmp_path / "d", toy(tmp_path), tmp_path / "e", options=grouped)
    assert 0 <= made.manifest["metrics"]["reward"]["last"] <= 1
    falls(
        trained(
            "distil", tmp_path / "a", chats, tmp_path / "f", teacher=tmp_path / "b", options=quick(steps=20)
        )
    )
    assert verify_checkpoint(tmp_path / "f").manifest["kind"] == "decoder"
