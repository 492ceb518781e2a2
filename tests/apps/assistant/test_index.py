"""Documents, passages and the index: offsets that hold, bounds, damage that is seen."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.assistant import documents
from xinglin.apps.assistant.documents import Document, passages, read_documents
from xinglin.apps.assistant.index import Encoder, build_index, load_index, save_index
from xinglin.errors import CheckpointError, InputTooLargeError, InvalidInputError, MissingDataError


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="高血压。!\n# abc,;", max_size=900))
def test_a_passage_is_what_its_offsets_say(text: str) -> None:
    found = list(passages(Document("a", "a", text)))
    for passage in found:
        assert text[passage.start : passage.end] == passage.text
        assert passage.text == passage.text.strip() != ""
        assert len(passage.text) <= documents.LONGEST
    assert all(one.end <= other.start for one, other in pairwise(found))
    kept = "".join("".join(passage.text.split()) for passage in found)
    assert kept == "".join(text.split())


def test_files_of_each_kind_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# 高血压\n头痛头晕。", encoding="utf-8")
    (tmp_path / "b.txt").write_text("糖尿病要查血糖。", encoding="utf-8-sig")
    (tmp_path / "c.jsonl").write_text(
        json.dumps({"title": "肺炎", "text": "肺炎查胸片。"}, ensure_ascii=False) + "\n\n" + '{"text": "x"}',
        encoding="utf-8",
    )
    (tmp_path / "d.pdf").write_bytes(b"%PDF")
    (tmp_path / "link.md").symlink_to("/etc/passwd")
    found = list(read_documents(tmp_path))
    assert [(item.name, item.title) for item in found] == [
        ("a.md", "高血压"),
        ("b.txt", "b"),
        ("c.jsonl:1", "肺炎"),
        ("c.jsonl:3", "c"),
    ]


def test_bad_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingDataError, match="expected a folder"):
        list(read_documents(tmp_path / "none"))
    with pytest.raises(MissingDataError, match="no file that ends in"):
        list(read_documents(tmp_path))
    bad = tmp_path / "a.jsonl"
    for content, match in (
        (b"{}\n", "a.jsonl:1"),
        (b'{"text":"x"}\n[1]', "a.jsonl:2"),
        (b"\xff", "byte 0"),
        (b"{", "a.jsonl:1"),
    ):
        bad.write_bytes(content)
        with pytest.raises(InvalidInputError, match=match):
            list(read_documents(tmp_path))
    bad.write_bytes(b'{"text":"x"}')
    monkeypatch.setattr(documents, "MAX_FILE", 3)
    with pytest.raises(InputTooLargeError, match="at most 3 bytes"):
        list(read_documents(tmp_path))


def letters(texts: list[str]) -> np.ndarray:
    """An encoder for tests: how often each of some characters occurs."""
    return np.array([[text.count(char) + 0.01 for char in "血糖压头肺"] for text in texts], np.float32)


def test_a_saved_index_finds_the_same(tmp_path: Path) -> None:
    encoder = Encoder("letters", letters)
    docs = [Document(str(n), name, text) for n, (name, text) in enumerate([
        ("高血压", "高血压常见头痛头晕。"), ("糖尿病", "糖尿病要查血糖。"), ("肺炎", "肺炎查胸片和血常规。")])]  # fmt: skip
    built = build_index(docs, encoder)
    manifest = save_index(built, tmp_path / "index")
    assert set(manifest["documents"]) == {"0", "1", "2"}
    for query in ("血糖", "头痛怎么办", "胸片"):
        hits = [hit.passage for hit in built.search(query)]
        assert hits
        again = load_index(tmp_path / "index", encoder).search(query)
        assert [hit.passage for hit in again] == hits
    assert built.search("血糖")[0].passage.title == "糖尿病"
    assert built.search("zzz") == []
    words = load_index(tmp_path / "index")  # without an encoder: words alone
    assert words.search("胸片")[0].similarity is None
    with pytest.raises(CheckpointError, match="built with encoder"):
        load_index(tmp_path / "index", Encoder("other", letters))
    save_index(built, tmp_path / "index")  # replaces the earlier one
    (tmp_path / "index" / "passages.jsonl").write_text("{}\n")
    with pytest.raises(CheckpointError, match="digest"):
        load_index(tmp_path / "index", encoder)
    with pytest.raises(MissingDataError, match="xinglin assistant index"):
        load_index(tmp_path / "none")
    with pytest.raises(MissingDataError):
        build_index([])


def test_both_rankings_count() -> None:
    docs = [
        Document("a", "a", "头痛头痛头痛。"),
        Document("b", "b", "头痛压痛血压。"),
        Document("c", "c", "血压。"),
    ]

    def like_the_second(texts: list[str]) -> np.ndarray:
        return np.array(
            [[1.0, 0.0] if text == "头痛" or "压痛" in text else [0.1, 1.0] for text in texts], np.float32
        )

    words = build_index(docs)
    assert [hit.passage.document for hit in words.search("头痛")] == ["a", "b"]
    fused = build_index(docs, Encoder("second", like_the_second)).search("头痛")
    # Ranks 1 and 2 each way: a tie, broken by place; c shares no term and is not returned.
    assert [hit.passage.document for hit in fused] == ["a", "b"]
    assert fused[0].score == pytest.approx(1 / 61 + 1 / 62)
    assert fused[1].similarity == pytest.approx(1.0)
