from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.graph.load import starter
from xinglin.train import weak_chinese as zh
from xinglin.train import weak_english as en
from xinglin.train.corpus import reported
from xinglin.train.mining import LONGEST, pieces
from xinglin.train.names import MASK, starter_names
from xinglin.train.weak import Tally, mine, write_mined

KEPT = "我妈这两天头晕头痛，血压量了好几次都很高，怎么办？"
HELD = "我爸最近心慌头昏，早上起来血压一百八，要紧吗？"


def _write(path: Path, *rows: dict | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


def _held(key: str) -> bool:
    return key == HELD or key.startswith("held")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A little of every set, in our own words."""
    toyhom = tmp_path / "toyhom_internal_medicine_dialogue"
    row = {"department": "心血管科", "title": "高血压怎么治疗？", "ask": KEPT, "answer": "按时吃药。"}
    held = {"department": "心血管科", "title": "高血压怎么办？", "ask": HELD, "answer": "绝密答案：少吃盐。"}
    _write(
        toyhom / "dev.jsonl.gz", row, held, "{broken", "[1, 2]", {"title": "高血压", "answer": "没有问题的行"}
    )
    _write(toyhom / "extra_unlabelled.jsonl.gz", row, {key: held[key] for key in ("title", "ask", "answer")})
    _write(
        tmp_path / "toyhom_weak_disease/dev.jsonl.gz",
        {"text": HELD, "text_masked": HELD, "disease": "高血压"},
        {
            "text": "胃痛反酸两个月，胃病怎么治？",
            "text_masked": "胃痛反酸两个月，某病怎么治？",
            "disease": "不在图里的病",
        },
    )
    _write(
        tmp_path / "zhongjing_dialogue/huatuo26m_dev.jsonl.gz",
        {"question": HELD, "answer": "考虑高血压。"},
        {"question": "宝宝拉肚子三天了，水样的，怎么办？", "answer": "考虑轮状病毒肠炎，注意补液。"},
        {"question": "头晕怎么办？", "answer": "可能是高血压，也可能是缺铁性贫血。"},
    )
    _write(
        tmp_path / "huatuo_bencao_kgqa/sft.jsonl.gz",
        {
            "instruction": "患者男，58岁，右上腹绞痛伴发热，墨菲征阳性，可能是什么病？",
            "output": "可能是急性胆囊炎。",
        },
        {"instruction": HELD, "output": "这是高血压。"},
    )
    body = "急性胆囊炎（acute cholecystitis）的主要表现是右上腹痛、发热、恶心呕吐，常在饱餐后发作，疼痛放射到右肩背部。"
    _write(
        tmp_path / "zh_disease_handbook_mit/text.jsonl.gz",
        {"title": "急性胆囊炎", "text": f"# 急性胆囊炎\n\n## 概述\n{body * 3}\n治疗播报编辑\n手术。\n"},
    )
    _write(
        tmp_path / "cmexam_val/dev.jsonl.gz",
        {"question": "男，45岁。进食油腻后右上腹痛2天，发热。最可能的诊断是", "answer": "A",
         "options": {"A": "急性胆囊炎", "B": "胃癌"}, "explanation": "考虑急性胆囊炎。"},
        {"question": "held 男，30岁，发热。最可能的诊断是", "answer": "B",
         "options": {"A": "胃癌", "B": "肺炎"}, "explanation": "肺炎可有发热咳嗽咳痰。"},
        {"question": "多选题没有答案", "answer": "AB", "options": {"A": "甲", "B": "乙"}},
    )  # fmt: skip
    said = {"gpt4": "我胸口疼了三天，出冷汗。医生说可能是急性心肌梗死。", "gpt3": "胸口疼三天了，出冷汗。"}
    case = {
        "opening_statements": said,
        "exam_results": ["#心电图#\n-ST段抬高"],
        "gold_diagnosis_list": ["急性心肌梗死"],
    }
    ids = [number for number in range(1, 200) if not reported(str(number), 2)]
    even = [number for number in range(1, 200) if reported(str(number), 2)]
    _write(
        tmp_path / "ai_hospital_cases/dev.jsonl.gz",
        {**case, "patient_id": ids[0]},
        {
            **case,
            "patient_id": even[0],
            "opening_statements": {"gpt4": "绝密记录：胸口疼得要命，出冷汗，左肩也疼。"},
        },
        {"patient_id": ids[1], "opening_statements": "不是字典"},
        {
            **case,
            "patient_id": ids[2],
            "opening_statements": {"gpt4": "医生，绝密记录：胸口疼得要命，出冷汗，左肩也疼，怎么办"},
        },
    )
    _write(
        tmp_path / "mz_dxy_diagnosis/mz10_train.jsonl.gz",
        {"id": "mz10-1", "explicit": {"咳嗽": "1", "支气管炎": "1"}, "implicit": {"发热": "0", "痰": "1"},
         "disease": "小儿支气管炎"},
        {"id": "held-2", "explicit": {"咳嗽": "1", "绝密症状": "1"}, "implicit": {}, "disease": "小儿支气管炎"},
    )  # fmt: skip
    _write(
        tmp_path / "medquad/dev.jsonl.gz",
        {"focus": "Acute cholecystitis", "qtype": "symptoms", "question": "What are the symptoms?",
         "answer": "Acute cholecystitis (AC) causes abdominal pain, fever, nausea and vomiting. AC often follows a meal."},
    )  # fmt: skip
    _write(
        tmp_path / "agentclinic/dev.jsonl.gz",
        {"id": 7, "diagnosis": "Migraine", "physical_exam": {}, "test_results": {},
         "patient": {"Demographics": "30-year-old woman", "History": "Throbbing headache with nausea.",
                     "Symptoms": {"Primary": "headache"}}},
    )  # fmt: skip
    return tmp_path


@pytest.fixture(scope="module")
def real(data: Path):
    """Mined from the real files, without the long prose sets."""
    tally = Tally()
    sources = (zh.hospital, zh.exam_stems, zh.coded_cases, en.cases)
    started = time.process_time()
    found = list(mine(data / "text", tally=tally, sources=sources))
    return found, tally, time.process_time() - started


def test_labels_are_found_and_masked(folder: Path) -> None:
    found = list(mine(folder, exclude=_held))
    by = {}
    for item in found:
        by.setdefault(item.origin, []).append(item)
    assert by["toyhom"][0].disease == "高血压"
    assert {item.disease for item in by["huatuo26m"]} == {"轮状病毒肠炎"}
    assert by["bencao"][0].disease == by["handbook"][0].disease == by["cmexam"][0].disease == "急性胆囊炎"
    assert {item.text.count(MASK) > 0 for item in by["ai-hospital"]} == {True, False}
    assert all("cholecystitis" not in item.text.lower() and "AC" not in item.text for item in by["medquad"])
    assert by["agentclinic"][0].disease == "偏头痛"
    assert all("支气管炎" not in item.text for item in by["mz10"])
    gold = {"ai-hospital", "agentclinic", "cmexam", "mz10"}
    assert {item.origin for item in found if not item.weak} == gold
    assert {item.origin for item in found if item.templated} == {"mz10"}
    assert all(item.licence and item.row for item in found)


def test_a_reported_row_appears_in_no_form(folder: Path) -> None:
    found = list(mine(folder, exclude=_held))
    assert found
    for item in found:
        for secret in (HELD[:8], "绝密", "少吃盐", "肺炎可有"):
            assert secret not in item.text
    free = list(mine(folder, exclude=lambda _: False))
    assert any(HELD[:8] in item.text for item in free), "the check above would find it"
    assert not any("绝密记录" in item.text for item in free), "the reported half of ai-hospital is never open"


def test_what_is_dropped_is_counted_with_its_reason(folder: Path) -> None:
    tally = Tally()
    found = list(mine(folder, exclude=_held, tally=tally))
    assert sum(tally.kept.values()) == len(found)
    for key in (
        ("toyhom", "line is no JSON object"),
        ("toyhom", "row lacks ask"),
        ("toyhom", "kept for reporting"),
        ("toyhom", "repeats another"),
        ("toyhom-weak", "label is no disease of the graph"),
        ("bencao", "kept for reporting"),
        ("cmexam", "no single right option"),
        ("ai-hospital", "row lacks opening_statements or gold_diagnosis_list"),
        ("ai-hospital", "in the half kept for reporting"),
        ("ai-hospital", "tells of a patient who is kept for reporting"),
        ("huatuo26m", "names no disease, or several"),
        ("openstax", "file text.jsonl.gz is absent"),
    ):
        assert tally.dropped[key] >= 1, key
    assert tally.dropped["toyhom", "line is no JSON object"] == 2
    assert any(line.startswith("all: ") for line in tally.lines())


def test_mining_is_deterministic_and_written_whole(folder: Path, tmp_path: Path) -> None:
    first = list(mine(folder, exclude=_held))
    assert first == list(mine(folder, exclude=_held))
    out = tmp_path / "mined.jsonl"
    assert write_mined(iter(first), out) == len(first)
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(first)
    assert not out.with_suffix(".partial").exists()


def test_damaged_and_missing_files_are_named(folder: Path) -> None:
    with pytest.raises(MissingDataError, match="XINGLIN_DATA"):
        next(mine(folder / "nothing"))
    path = folder / "cmexam_val" / "dev.jsonl.gz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InvalidInputError, match="gzipped"):
        list(mine(folder, exclude=_held))


def test_real_examples_never_name_their_disease(real) -> None:
    found, tally, _ = real
    names = starter_names()
    assert len(found) > 5000
    assert len({item.disease for item in found}) > 250
    assert set(tally.kept) == {
        *("ai-hospital", "cmexam", "cmexam-explanations", "mz4", "mz10", "agentclinic"),
    }
    for item in found:
        assert item.disease in starter().diseases
        assert item.disease not in names.mentioned(item.text), (item.disease, item.text)


def test_real_rows_that_are_reported_stay_out(real, data: Path) -> None:
    found, _, _ = real
    texts = "\n".join(item.text for item in found if item.origin == "ai-hospital")
    out, used = 0, 0
    with gzip.open(data / "text/ai_hospital_cases/dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            statement = row["opening_statements"]["gpt4"][:24]
            if reported(str(row["patient_id"]), 2) or reported(str(row["patient_id"])):
                out += 1
                assert statement not in texts
            else:
                used += statement in texts
    assert out > 200
    assert used > 100


def test_mining_takes_bounded_time(real) -> None:
    assert real[2] < 30


def test_pieces_are_cut_at_sentence_ends() -> None:
    text = "第一句话。" * 30 + "\n" + "Second part here. " * 30
    cut = pieces(text, 80)
    assert all(0 < len(piece) <= 80 for piece in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert max(map(len, pieces("长" * 1000))) <= LONGEST
