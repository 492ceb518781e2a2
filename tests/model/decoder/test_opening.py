"""Folders of language models: what is opened is whole, and what is refused is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.model.decoder.small import ARCHITECTURES, small_decoder
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.decoder import open_decoder, prompt_text
from xinglin.model.decoder.opening import out_of_memory

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_decoder(tmp_path_factory.mktemp("models") / "qwen3", "qwen3")


def test_a_folder_is_opened_in_the_dtype_asked_for(folder: Path) -> None:
    opened = open_decoder(folder, dtype="bfloat16")
    assert opened.model.dtype is torch.bfloat16
    assert opened.max_context == 128
    assert opened.id == open_decoder(folder).id
    assert len(opened.id) == 64
    with pytest.raises(InvalidInputError, match="float32"):
        open_decoder(folder, dtype="int3")


def test_another_weight_is_another_model(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = Path(shutil.copytree(folder, tmp_path / "other"))
    tensors = load_file(other / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    assert open_decoder(other).id != open_decoder(folder).id


def test_missing_tensors_are_not_filled_in_by_chance(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    tensors = load_file(broken / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="lack 1 of the configuration's tensors"):
        open_decoder(broken)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_size": 10**9}, "hidden_size: expected a whole number"),
        ({"num_hidden_layers": -1}, "num_hidden_layers"),
        ({"vocab_size": "many"}, "vocab_size"),
        ({"text_config": {"hidden_size": 10**9}}, "hidden_size"),
        ({"auto_map": {"AutoModelForCausalLM": "evil.Model"}}, "never run"),
        ({"model_type": "of-our-own"}, "transformers cannot load it"),
        ({"vocab_size": 17}, "transformers cannot load it"),
    ],
)
def test_a_configuration_that_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    bad = Path(shutil.copytree(folder, tmp_path / "bad"))
    config = json.loads((bad / "config.json").read_text()) | change
    (bad / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=said):
        open_decoder(bad)


def test_a_tokenizer_with_code_and_a_broken_seal_are_refused(folder: Path, tmp_path: Path) -> None:
    bad = Path(shutil.copytree(folder, tmp_path / "bad"))
    named = bad / "tokenizer_config.json"
    before = named.read_text()
    named.write_text(json.dumps(json.loads(before) | {"auto_map": {"AutoTokenizer": ["evil.T", None]}}))
    with pytest.raises(CheckpointError, match="never run"):
        open_decoder(bad)
    named.write_text(before)
    open_decoder(bad)
    (bad / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match="format"):
        open_decoder(bad)


def test_a_full_memory_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    def full(*args: object, **more: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", full)
    with pytest.raises(CheckpointError, match="out of memory"):
        open_decoder(folder)
    assert out_of_memory(MemoryError())
    assert not out_of_memory(RuntimeError("shapes do not match"))


def test_messages_follow_the_template_or_plain_lines(folder: Path) -> None:
    tokenizer = open_decoder(folder).tokenizer
    said = [{"role": "user", "content": "你好"}]
    assert prompt_text(tokenizer, said) == "<|im_start|>user\n你好<|im_end|>\n<|im_start|>assistant\n"
    tokenizer.chat_template = None
    assert prompt_text(tokenizer, said) == "user: 你好\nassistant:"
    assert prompt_text(tokenizer, said, answering=False) == "user: 你好\n"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_opens_and_generates(kind: str, tmp_path: Path) -> None:
    opened = open_decoder(small_decoder(tmp_path / kind, kind))
    ids = opened.tokenizer(
        prompt_text(opened.tokenizer, [{"role": "user", "content": "头痛"}]), return_tensors="pt"
    )
    made = opened.model.generate(**ids, max_new_tokens=4, do_sample=False)
    assert made.shape[1] > ids["input_ids"].shape[1]
