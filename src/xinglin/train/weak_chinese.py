"""Chinese sources of mined examples: questions, records, examination stems, articles, coded cases."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from xinglin.train.mining import LONGEST, Mining, Row, Weak, pieces, runs

PATIENT = re.compile("患者|岁|男|女|症状|出现|孩子|宝宝|我|疼|痛|发热|咳|晕|不适")
_DIAGNOSIS = re.compile(
    "诊断|考虑为|可能是|可能为|首先考虑|应考虑|患的是|何病|什么病|疾病是|病名|最可能的(疾病|原因|病因)"
)
_AGE = re.compile(r"\d+\s*(岁|个月|月|天|周)")
_HEADING = re.compile(r"^(?:#+ *(.+)|(.{2,12})播报编辑)$", re.M)
_TELLING = re.compile("症状|临床表现|概述|检查|诊断|病因|分型|就医")
EXPLAINED = 12
"""Explanations in which one disease is mentioned, per disease."""
SAME_PATIENT = 5
"""Runs of letters that two records' statements share when they tell of one patient: the file holds a few twice."""
_SIDE = re.compile("[（(][^（()）]*[)）]|[ⅠⅡⅢⅣIV0-9]+[级期型度]|^[左右双]侧?|(极|很)?高危$")


def toyhom(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Questions to doctors whose title, or else answer, names one disease."""
    base = folder / "toyhom_internal_medicine_dialogue"
    for name in ("dev.jsonl.gz", "extra_unlabelled.jsonl.gz"):
        for at, row in mining.rows(base / name, "toyhom", ("ask",)):
            title, answer = str(row.get("title", "")), str(row.get("answer", ""))
            disease = mining.only(title) or (None if mining.names.named(title) else mining.only(answer))
            if disease is None:
                mining.tally.dropped["toyhom", "names no disease, or several"] += 1
                continue
            yield from mining.examples(
                str(row["ask"]), disease, "toyhom", "MIT", f"toyhom/{at}", most=260, copies=True
            )


def toyhom_weak(mining: Mining, folder: Path) -> Iterator[Weak]:
    """The weak topic set: the label is the disease of the question's title."""
    path = folder / "toyhom_weak_disease" / "dev.jsonl.gz"
    for at, row in mining.rows(path, "toyhom-weak", ("text",)):
        disease = mining.exact(str(row.get("disease", "")))
        if disease is None:
            mining.tally.dropped["toyhom-weak", "label is no disease of the graph"] += 1
            continue
        text = str(row.get("text_masked") or row["text"])
        yield from mining.examples(text, disease, "toyhom-weak", "MIT", f"toyhom-weak/{at}", most=260)


def bencao(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Instruction pairs over a knowledge base that name one disease."""
    for at, row in mining.rows(folder / "huatuo_bencao_kgqa/sft.jsonl.gz", "bencao", have=("instruction",)):
        asked, answer = str(row["instruction"]), str(row.get("output", ""))
        disease = mining.only(asked, answer)
        if disease is None:
            mining.tally.dropped["bencao", "names no disease, or several"] += 1
            continue
        text = asked if PATIENT.search(asked) and len(asked) > 20 else f"{asked}\n{answer}"
        yield from mining.examples(
            text[:LONGEST], disease, "bencao", "Apache-2.0", f"bencao/{at}", most=60, copies=True
        )


def handbook(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Sections of articles about one disease."""
    path = folder / "zh_disease_handbook_mit" / "text.jsonl.gz"
    for at, row in mining.rows(path, "handbook", have=("title",)):
        title, text = str(row["title"]), str(row.get("text", ""))
        disease = mining.exact(title)
        if disease is None:
            mining.tally.dropped["handbook", "title is no disease of the graph"] += 1
            continue
        parts = _HEADING.split(text)
        for first, second, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if not _TELLING.search(first or second or ""):
                continue
            for piece in pieces(body.strip())[:6]:
                if len(piece) > 40:
                    yield from mining.examples(
                        *(piece, disease, "handbook", "MIT", f"handbook/{at}"), most=30, also=(title,)
                    )


def hospital(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Records with a gold diagnosis, of the half that is not reported: statement, with and without results."""
    from xinglin.train.corpus import reported

    path = folder / "ai_hospital_cases" / "dev.jsonl.gz"
    origin = "ai-hospital"
    told: dict[str, list[str]] = {}
    kept: set[str] = set()
    for at, row in mining.every(path):
        statements = row.get("opening_statements")
        told[at] = [str(text) for text in statements.values()] if isinstance(statements, dict) else []
        if reported(str(row.get("patient_id")), 2) or mining.exclude(str(row.get("patient_id"))):
            kept.update(run for text in told[at] for run in runs(text))
    for at, row in mining.rows(path, origin, ("patient_id",)):
        golds = row.get("gold_diagnosis_list")
        if reported(str(row["patient_id"]), 2):
            mining.tally.dropped[origin, "in the half kept for reporting"] += 1
            continue
        if not told[at] or not isinstance(golds, list):
            mining.tally.dropped[origin, "row lacks opening_statements or gold_diagnosis_list"] += 1
            continue
        if any(len(runs(text) & kept) >= SAME_PATIENT for text in told[at]):
            mining.tally.dropped[origin, "tells of a patient who is kept for reporting"] += 1
            continue
        disease = next((found for gold in golds if (found := _gold(mining, str(gold)))), None)
        if disease is None:
            mining.tally.dropped[origin, "no diagnosis is a disease of the graph"] += 1
            continue
        results = "\n".join(str(part) for part in row.get("exam_results") or [])
        for text in dict.fromkeys(told[at]):
            for whole in (text, f"{text}\n{results[:500]}") if results else (text,):
                yield from mining.examples(
                    *(whole, disease, origin, "MIT", f"ai-hospital/{at}"), weak=False, copies=True
                )


def _gold(mining: Mining, gold: str) -> str | None:
    plain = _SIDE.sub("", gold).strip(" 。.;；,，")
    return mining.exact(gold) or mining.exact(plain) or next(iter(mining.names.named(gold)), None)


def exam_stems(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Examination questions about a patient, and explanations in which one disease is mentioned."""
    path = folder / "cmexam_val" / "dev.jsonl.gz"
    for at, row in mining.rows(path, "cmexam", ("question",)):
        question, explained = str(row["question"]), str(row.get("explanation") or "")
        right = _right(row)
        if right is None:
            mining.tally.dropped["cmexam", "no single right option"] += 1
            continue
        if _AGE.search(question) and re.search("男|女|患儿|患者", question):
            asked = bool(_DIAGNOSIS.search(question))
            disease = mining.label(right) if asked else mining.exact(right)
            if disease is None:
                disease, asked = mining.only(question, explained), False
            if disease is None:
                mining.tally.dropped["cmexam", "patient without one disease of the graph"] += 1
                continue
            yield from mining.examples(
                *(question[:LONGEST], disease, "cmexam", "Apache-2.0", f"cmexam/{at}"),
                weak=not asked,
                copies=not asked,
            )
            continue
        disease = mining.only(explained) if len(explained) > 30 else None
        if disease is not None:
            yield from mining.examples(
                *(explained[:LONGEST], disease, "cmexam-explanations", "Apache-2.0", f"cmexam/{at}"),
                most=EXPLAINED,
            )


def _right(row: Row) -> str | None:
    options = row.get("options")
    answer = str(row.get("answer", ""))
    if isinstance(options, dict) and len(answer) == 1 and answer in options:
        return str(options[answer])
    return None


def questions(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Questions of two dialogue sets whose answer names one disease."""
    base = folder / "zhongjing_dialogue"
    for at, row in mining.rows(base / "huatuo26m_dev.jsonl.gz", "huatuo26m", ("question",)):
        asked = str(row["question"])
        disease = mining.only(asked, str(row.get("answer", "")))
        if disease is None or not PATIENT.search(asked):
            mining.tally.dropped["huatuo26m", "names no disease, or several"] += 1
            continue
        yield from mining.examples(
            *(asked[:LONGEST], disease, "huatuo26m", "Apache-2.0", f"huatuo26m/{at}"), most=60, copies=True
        )
    for at, row in mining.rows(base / "cmtmedqa_dev.jsonl.gz", "cmtmedqa", ("id",)):
        turns = row.get("history")
        if not isinstance(turns, list) or not turns or not all(isinstance(turn, list) for turn in turns):
            mining.tally.dropped["cmtmedqa", "row lacks history"] += 1
            continue
        talk = [str(said) for turn in turns for said in turn]
        disease = mining.only(*talk[:4])
        if disease is None:
            mining.tally.dropped["cmtmedqa", "names no disease, or several"] += 1
            continue
        text = " ".join(talk[:4:2])[:LONGEST]
        yield from mining.examples(
            *(text, disease, "cmtmedqa", "Apache-2.0", f"cmtmedqa/{at}"), most=40, copies=True
        )


_WHO = ("孩子", "宝宝", "小孩", "我家宝宝", "患儿", "孩子最近", "宝宝这两天", "小儿", "", "")
_ASKED = ("", "", "请问是怎么回事？", "怎么办？", "这是什么病？", "严重吗？")


def coded_cases(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Paediatric cases of coded symptoms, rendered as a parent's sentences; the label is real, the text templated.

    The dxy cases stay out: their consultations are scored as free text (dxy-text), where no key tells them apart.
    """
    for name in ("mz4", "mz10"):
        path = folder / "mz_dxy_diagnosis" / f"{name}_train.jsonl.gz"
        for at, row in mining.rows(path, name, ("id",)):
            disease = mining.exact(str(row.get("disease", "")))
            stated, asked = row.get("explicit"), row.get("implicit")
            if disease is None:
                mining.tally.dropped[name, "label is no disease of the graph"] += 1
                continue
            if not isinstance(stated, dict) or not isinstance(asked, dict):
                mining.tally.dropped[name, "row lacks explicit or implicit"] += 1
                continue
            dice = random.Random(f"{name}/{row['id']}")
            for states in (stated, {**stated, **asked}):
                text = _rendered(mining, states, dice)
                if text:
                    yield from mining.examples(
                        *(text, disease, name, "MIT", f"{name}/{at}"), weak=False, templated=True, most=400
                    )


def _rendered(mining: Mining, states: dict[str, str], dice: random.Random) -> str:
    """The symptoms in a sentence; what is named after a disease is left out, and what is unsure not told."""
    told = {word: state for word, state in states.items() if not mining.names.named(word)}
    present = [word for word, state in told.items() if str(state) == "1"]
    absent = [word for word, state in told.items() if str(state) == "0"][:3]
    if not present:
        return ""
    dice.shuffle(present)
    text = dice.choice(_WHO) + dice.choice(("有", "", "一直", "出现", "")) + present[0]
    for word in present[1:]:
        text += dice.choice(("，", "、", "，还有", "，也", "，伴有")) + word
    if absent:
        text += dice.choice(("，没有", "，无", "。没", "，否认")) + "、".join(absent)
    return text + "。" + dice.choice(_ASKED)
