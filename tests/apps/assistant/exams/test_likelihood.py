"""Log-likelihoods of options against one plain pass an option, for every architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model.decoder.small import small_decoder
from xinglin.apps.assistant.exams.likelihood import LocalLikelihood, Request, chosen, common
from xinglin.errors import BusyError
from xinglin.model.decoder import open_decoder

torch = pytest.importorskip("torch")

HEAD = "题,:头痛发热\n对:A\n\n"
REQUESTS = [
    Request(HEAD + "咳嗽\n:", ("A", "B", "C")),
    Request(HEAD + "高血压有什么症状?\n:", ("头痛", "头痛发热", "对")),
    Request(HEAD + "肺炎\n:", ("感冒发热咳嗽", "B")),
    Request(HEAD + "晕\n:", ("A", "B", "C", "D", "E")),
]


def plain(decoder: Any, request: Request) -> list[float]:
    """One pass an option, no cache, no batch."""
    found = []
    start = len(decoder.tokenizer(request.prompt)["input_ids"])
    for more in request.continuations:
        ids = torch.tensor([decoder.tokenizer(request.prompt + more)["input_ids"]])
        with torch.inference_mode():
            likely = torch.log_softmax(decoder.model(input_ids=ids).logits[0].float(), -1)
        found.append(float(sum(likely[at - 1, ids[0, at]] for at in range(start, ids.shape[1]))))
    return found


@pytest.mark.parametrize("kind", ["qwen3", "llama", "gemma3", "qwen3-moe"])
def test_batches_and_a_shared_prefix_change_nothing(tmp_path: Path, kind: str) -> None:
    decoder = open_decoder(small_decoder(tmp_path / kind, kind))
    wanted = [plain(decoder, request) for request in REQUESTS]
    for batch in (1, 3, 16):
        found = LocalLikelihood(decoder, batch=batch).score(REQUESTS)
        assert len(found) == 4
        for row, expected in zip(found, wanted, strict=True):
            assert row is not None
            np.testing.assert_allclose(row, expected, atol=2e-4)


def test_fewer_tokens_go_through_the_model(tmp_path: Path) -> None:
    decoder = open_decoder(small_decoder(tmp_path / "q"))
    letters = [Request(HEAD * 3 + word + ":", tuple("ABCDE")) for word in "高血压有什么症"]
    likelihood = LocalLikelihood(decoder)
    likelihood.score(letters)
    one_by_one = sum(len(request.prompt + "A") * 5 for request in letters)
    assert likelihood.passes == len(HEAD * 3) + 2 * len(
        letters
    )  # the prefix once, two tokens of its own each
    assert likelihood.passes * 15 < one_by_one


def test_what_does_not_fit_is_left_out(tmp_path: Path) -> None:
    decoder = open_decoder(small_decoder(tmp_path / "q"))
    found = LocalLikelihood(decoder).score([Request("头" * 200, ("A", "B")), REQUESTS[0]])
    assert found[0] is None
    assert found[1] is not None
    assert LocalLikelihood(decoder).score([Request("头" * 200, ("A", "B"))]) == [None]


def test_out_of_memory_halves_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = open_decoder(small_decoder(tmp_path / "q"))
    forward = decoder.model.forward

    def small(*args: Any, input_ids: Any, **more: Any) -> Any:
        if len(input_ids) > 2 * 5:
            raise torch.OutOfMemoryError("out of memory")
        return forward(*args, input_ids=input_ids, **more)

    likelihood = LocalLikelihood(decoder, batch=4)
    monkeypatch.setattr(decoder.model, "forward", small)
    found = likelihood.score(REQUESTS)
    assert likelihood.batch == 2
    for row, request in zip(found, REQUESTS, strict=True):
        np.testing.assert_allclose(row, plain(decoder, request), atol=2e-4)

    def never(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(decoder.model, "forward", never)
    with pytest.raises(BusyError, match="single item"):
        LocalLikelihood(decoder).score([REQUESTS[0]])


def test_choice_and_common() -> None:
    assert list(chosen(np.array([-3.0, -1.0, -1.0]))) == [1, 2]
    assert list(chosen(np.array([-3.0, -2.0]), [6, 2])) == [0]
    assert (common(["abc", "abd"]), common(["abc"]), common(["ab", "abc"])) == (2, 3, 2)
