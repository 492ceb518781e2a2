"""A real, tiny, random model of transformers: batches, sampling, stops, cancelling, memory, folders that are refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xinglin.apps.assistant.local_writer import LocalWriter
from xinglin.apps.assistant.writer import Sampling
from xinglin.errors import BusyError, CheckpointError, InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.model.decoder import check_folder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow  # the import of torch and transformers is most of it
ASK = [{"role": "user", "content": "高血压有什么症状?"}]


def made(folder: Path, kind: str) -> Path:
    """A model folder of random weights with a character tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    letters = sorted(
        set("高血压有什么症状?头痛晕。:user assistant\n" + "".join(chr(c) for c in range(33, 127)))
    )
    vocabulary = {token: n for n, token in enumerate(["<pad>", "<eos>", "<unk>", *letters])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(folder)
    size: dict[str, Any] = {
        "vocab_size": len(vocabulary), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256,
        "eos_token_id": 1, "pad_token_id": 0, "bos_token_id": None,
    }  # fmt: skip
    torch.manual_seed(0)
    model = (
        Qwen3ForCausalLM(Qwen3Config(**size)) if kind == "qwen3" else LlamaForCausalLM(LlamaConfig(**size))
    )
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["qwen3", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture
def writer(folder: Path) -> Iterator[LocalWriter]:
    loaded = LocalWriter.load(folder, largest=4)
    yield loaded
    loaded.close()


def together(writer: LocalWriter, several: list[Sampling]) -> list[str]:
    """Answers to requests that are put in before any is taken out."""
    pieces = [writer.write(ASK * (place + 1), sampling) for place, sampling in enumerate(several)]
    found = [""] * len(pieces)

    def take(place: int) -> None:
        found[place] = "".join(pieces[place])

    threads = [threading.Thread(target=take, args=(place,)) for place in range(len(pieces))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_a_batch_says_what_each_would_say_alone(writer: LocalWriter) -> None:
    several = [
        Sampling(max_tokens=9),
        Sampling(temperature=1.0, seed=3, max_tokens=14),
        Sampling(temperature=1.3, top_p=0.7, seed=4, max_tokens=6),
    ]
    alone = ["".join(writer.write(ASK * (place + 1), one)) for place, one in enumerate(several)]
    assert alone[1]
    assert together(writer, several) == alone
    assert "".join(writer.write(ASK * 2, several[1])) == alone[1]  # the seed alone decides


def test_greedy_is_what_transformers_generates(writer: LocalWriter, folder: Path) -> None:
    ids = torch.tensor([writer._ids(ASK)])
    with torch.inference_mode():
        out = writer._model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
        )
    wanted = writer._tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    assert "".join(writer.write(ASK, Sampling(max_tokens=12))) == wanted


def test_stop_strings_and_limits(writer: LocalWriter) -> None:
    whole = "".join(writer.write(ASK, Sampling(temperature=1, seed=1, max_tokens=20)))
    assert len(whole) > 8
    stop = whole[5:7]
    cut = "".join(writer.write(ASK, Sampling(temperature=1, seed=1, max_tokens=20, stop=(stop,))))
    assert cut == whole[: whole.find(stop)]
    assert len("".join(writer.write(ASK, Sampling(max_tokens=3))).split(" ")) <= 3  # its words are its tokens


def test_who_leaves_frees_the_place(writer: LocalWriter) -> None:
    pieces = writer.write(ASK, Sampling(temperature=1, seed=2, max_tokens=200))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert "".join(writer.write(ASK, Sampling(max_tokens=4)))


def test_what_does_not_fit_is_said(writer: LocalWriter) -> None:
    with pytest.raises(InputTooLargeError, match="the model sees 256"):
        writer.write([{"role": "user", "content": "高" * 400}], Sampling())
    full = "".join(writer.write([{"role": "user", "content": "高" * 200}], Sampling(max_tokens=500)))
    assert isinstance(full, str)  # ends at the last position
    with pytest.raises(InvalidInputError):
        Sampling(temperature=5)


def test_out_of_memory_makes_the_batch_smaller_and_says_so(
    writer: LocalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = writer._model.forward
    several = [Sampling(temperature=1, seed=n, max_tokens=8) for n in range(4)]
    alone = ["".join(writer.write(ASK * (place + 1), one)) for place, one in enumerate(several)]
    writer.batches.clear()

    def small(*args: Any, input_ids: Any, **more: Any) -> Any:
        if len(input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, input_ids=input_ids, **more)

    with writer._changed:  # all four wait before the worker may look
        monkeypatch.setattr(writer._model, "forward", small)
        threads: list[threading.Thread] = []
        found = [""] * 4

        def take(place: int) -> None:
            found[place] = "".join(writer.write(ASK * (place + 1), several[place]))

        threads = [threading.Thread(target=take, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(60)
    assert found == alone
    if max(writer.batches) > 1:
        assert any("Out of memory" in note for note in writer.notes())
        assert writer.largest < 4
    assert writer.notes() == ()

    def never(*args: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(writer._model, "forward", never)
    with pytest.raises(BusyError, match="out of memory for a single request"):
        list(writer.write(ASK, Sampling()))


def test_folders_that_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        check_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(CheckpointError, match="no weights"):
        check_folder(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(CheckpointError, match="only pickled weights"):
        LocalWriter.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="cannot load it"):
        LocalWriter.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "x.Evil"}}))
    with pytest.raises(CheckpointError, match="never run"):
        LocalWriter.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "modeling_evil.py").write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match=r"modeling_evil\.py"):
        LocalWriter.load(tmp_path)
