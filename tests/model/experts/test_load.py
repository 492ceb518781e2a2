"""The load: counts against a slow oracle, information that is there or not, bad texts named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.model.experts.tiny import dense
from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.model.experts import UpcycleOptions, load_page, measure_load, upcycle
from xinglin.model.experts.load import entropy, grouped_texts, information
from xinglin.model.experts.page import colour, heat_svg
from xinglin.types import DISCLAIMER

WORDS = [f"w{place}" for place in range(97)]


def word_tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="w0"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="w0", pad_token="w0")


def texts(seed: int, apart: bool) -> list[tuple[str, str]]:
    """Two departments that use different words, or the same."""
    made = np.random.default_rng(seed)
    found = []
    for place in range(40):
        department = ("甲科", "乙科")[place % 2]
        low, high = ((3, 20), (60, 77))[place % 2] if apart else (3, 77)
        found.append((department, " ".join(WORDS[i] for i in made.integers(low, high, 12))))
    return found


@pytest.fixture(scope="module")
def mixture():
    return upcycle(dense("qwen3"), UpcycleOptions(experts=4, split=False))


def test_counts_are_those_of_the_routers(mixture):
    read = texts(0, apart=True)[:6]
    found = measure_load(mixture, word_tokenizer(), read, permutations=9)
    expected = np.zeros((2, 2, 4), dtype=int)
    for place, (_, text) in enumerate(read):
        ids = torch.tensor([[WORDS.index(word) for word in text.split()]])
        with torch.inference_mode():
            made = mixture(ids, output_router_logits=True).router_logits
        for layer, scores in enumerate(made):
            for token in scores.tolist():
                for expert in sorted(range(4), key=lambda one: -token[one])[:2]:
                    expected[place % 2, layer, expert] += 1
    assert expected.sum() == 6 * 12 * 2 * 2
    assert np.array_equal(found.choices, expected)
    assert found.documents == (3, 3)
    hooks = dict(mixture.model.layers[0].mlp.gate._forward_hooks)
    measure_load(mixture, word_tokenizer(), read, permutations=9)
    assert dict(mixture.model.layers[0].mlp.gate._forward_hooks) == hooks


def test_a_difference_between_departments_is_found_and_none_is_invented(mixture):
    apart = measure_load(mixture, word_tokenizer(), texts(1, apart=True), permutations=199)
    alike = measure_load(mixture, word_tokenizer(), texts(1, apart=False), permutations=199)
    assert len(apart.layers) == len(alike.layers) == 2
    assert all(layer.p <= 0.02 and layer.information > 2 * layer.chance for layer in apart.layers)
    assert all(layer.p > 0.05 for layer in alike.layers)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=4))
def test_information_equals_the_definition(table):
    counts = np.array(table, dtype=np.int64)[:, None, :]
    if counts.sum() == 0:
        counts[0, 0, 0] = 1
    p = counts[:, 0] / counts.sum()
    slow = sum(
        p[d, e] * np.log2(p[d, e] / (p[d].sum() * p[:, e].sum()))
        for d in range(p.shape[0])
        for e in range(p.shape[1])
        if p[d, e]
    )
    assert information(counts)[0] == pytest.approx(slow, abs=1e-12)


def test_entropy_runs_from_one_expert_to_all():
    assert entropy(np.array([7, 0, 0, 0])) == 0
    assert entropy(np.array([5, 5, 5, 5])) == pytest.approx(1)


def test_a_dense_model_and_one_department_are_refused(mixture):
    with pytest.raises(InvalidInputError, match="qwen3: a dense model"):
        measure_load(dense("qwen3"), word_tokenizer(), texts(0, apart=True))
    with pytest.raises(InvalidInputError, match="two departments"):
        measure_load(mixture, word_tokenizer(), [("甲科", "w3")])
    with pytest.raises(InvalidInputError, match="no token"):
        measure_load(mixture, word_tokenizer(), [("甲科", "w3 w4"), ("乙科", " ")])


def test_texts_are_read_and_bad_lines_named(tmp_path):
    path = tmp_path / "texts.jsonl"
    rows = [{"ask": f"问{place}", "department": "甲科"} for place in range(5)]
    rows.append({"ask": "别的", "department": "乙科"})
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert grouped_texts(path, "ask", "department", most=3) == [
        *(("甲科", f"问{place}") for place in range(3)),
        ("乙科", "别的"),
    ]
    with pytest.raises(
        InvalidInputError, match=r"texts\.jsonl:1: expected the field '科室'.*ask, department"
    ):
        grouped_texts(path, "ask", "科室")
    path.write_text('{"ask": "", "department": "甲"}', encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r":1: expected the field 'ask'"):
        grouped_texts(path, "ask", "department")
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="JSON object"):
        grouped_texts(path, "ask", "department")
    with pytest.raises(MissingDataError):
        grouped_texts(tmp_path / "none.jsonl", "ask", "department")


def test_the_page_escapes_names_and_shows_every_cell(mixture):
    read = [(name.replace("甲", "<甲>"), text) for name, text in texts(2, apart=True)]
    found = measure_load(mixture, word_tokenizer(), read, permutations=19)
    page = load_page(found, "<model>")
    assert "&lt;甲&gt;" in page
    assert "<甲>" not in page
    assert "&lt;model&gt;" in page
    assert DISCLAIMER["en"].split(";")[0] in page
    assert heat_svg(found).count("<rect") == 2 * 2 * 4


def test_colours_run_from_blue_over_white_to_red():
    assert colour(1.0) == "#ffffff"
    assert colour(2.0) == colour(9.0) == "#b22222"
    assert colour(0.5) == colour(0.0) == "#2154a0"
