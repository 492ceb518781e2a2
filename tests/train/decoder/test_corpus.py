"""What is learnt from and what is scored are apart; Toyhom's doctors are in neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinglin.graph.importers import read_lines
from xinglin.train.decoder.corpus import dialogues, documents, exam_items, exam_messages, refusals, sources
from xinglin.train.prefer.pairs import pairs


@pytest.fixture(scope="module")
def learnt(data: Path) -> set[str]:
    return set(documents(data))


def test_held_out_documents_and_test_questions_are_not_learnt(data: Path, learnt: set[str]) -> None:
    held = set(documents(data, "held_out"))
    assert len(held) > 100
    assert not held & learnt
    whole = "\n".join(learnt)
    scored = [item for item in exam_items(data, "test") if len(item.question) > 12]
    assert len(scored) > 500
    # The same stem may stand in another question of the training part; the whole item may not.
    answered = [
        f"{item.question}\n答案:{' '.join(item.options['ABCDEFGHIJ'.index(a)] for a in item.answer)}"
        for item in scored
    ]
    assert not [text for text in answered[:200] if text in whole]
    asked = {messages[0]["content"] for messages in dialogues(data)}
    assert not asked & {exam_messages(item)[0]["content"] for item in scored}
    kept = {asked for asked, _ in refusals(data, "held_out")}
    assert len(kept) > 50
    assert not kept & asked


@pytest.mark.slow
def test_no_answer_of_toyhom_is_a_target(data: Path, learnt: set[str]) -> None:
    answers = {
        str(row["answer"]).strip()
        for _, row in read_lines(data / "text" / "toyhom_internal_medicine_dialogue" / "dev.jsonl.gz")
    }
    assert len(answers) > 1000
    said = [message["content"] for messages in dialogues(data) for message in messages]
    preferred = [text for pair in pairs(data) for text in (pair.chosen, pair.rejected)]
    assert len(said) > 10_000
    assert not answers & {*said, *preferred, *learnt}


@pytest.mark.slow
def test_sources_name_their_files(data: Path) -> None:
    found = {one.name: one for one in sources(data)}
    assert {"cmtmedqa", "handbook", "cmexam, part train", "zhongjing-refusals"} <= found.keys()
    assert all(len(one.sha256) == 64 and one.records > 0 for one in found.values())
    assert not any("restricted" in name or "toyhom" in name for name in found)


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert list(documents(tmp_path)) == []
    assert list(dialogues(tmp_path)) == []
    assert sources(tmp_path) == []
