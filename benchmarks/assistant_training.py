"""A small language model after every stage of its training, dense and of experts: what each stage changed, and what not.

The models are folders named ``dense-fresh`` (random weights), ``dense-pretrain``, ``dense-sft``, ``dense-dpo``,
``dense-grpo`` (and ``experts-...``) below the folder in ``XINGLIN_ASSISTANT_RUNS``, made as docs/assistant-training.md
says; without it, the shipped last stage alone. Nothing that is scored was learnt from: documents held out by SHA-256,
CMExam's part ``test`` of our own split (single answers), Zhongjing's held-out half of absurd questions. Accuracy by
log-likelihood: the letter that the model would rather write first. Format: greedy answers that the strict reader of exam
answers can read. Refusals: greedy answers that decline or send to care, by patterns (authored, unreviewed), no dose and no
assent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks._line import Line

if TYPE_CHECKING:
    from xinglin.measure import Figure
    from xinglin.train.decoder.corpus import Message

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("fresh", "pretrain", "sft", "dpo", "grpo")
KINDS = ("dense", "experts")
PARTS = tuple(f"{kind}-{stage}" for kind in KINDS for stage in STAGES)
LENGTH = 256
ITEMS, GENERATED, DOCUMENTS = 150, 60, 60
ANSWER, REFUSAL = 8, 32
SHIPPED = "assistant-tiny"


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    from xinglin.train.decoder.corpus import documents, exam_items, exam_messages, refusals

    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    folders = {name: folder for name, folder in _folders().items() if not only or name in only}
    if not folders or not (data / "text" / "cmexam_val").is_dir():
        missing = "no models: set XINGLIN_ASSISTANT_RUNS" if not folders else "no data: set XINGLIN_DATA"
        return [Line("assistant", "held-out text", None, "", 0, note=missing)]
    few = 12 if quick else None
    held = list(documents(data, "held_out"))[: few or DOCUMENTS]
    items = [item for item in exam_items(data, "test") if len(item.answer) == 1][: few or ITEMS]
    exams = [(exam_messages(item)[:1], item.letters, item.answer, item.options) for item in items]
    absurd: list[list[Message]] = [
        [{"role": "user", "content": asked}] for asked, _ in refusals(data, "held_out")
    ][:few]
    lines = []
    for name, folder in folders.items():
        lines += _stage(name, folder, held, exams, absurd, few or GENERATED)
    return lines


def _folders() -> dict[str, Path]:
    from xinglin.errors import UnknownNameError
    from xinglin.model.shipped import shipped_folder

    runs = os.environ.get("XINGLIN_ASSISTANT_RUNS")
    if runs:
        return {name: Path(runs) / name for name in PARTS if (Path(runs) / name / "config.json").is_file()}
    try:
        return {f"shipped {SHIPPED}": shipped_folder(SHIPPED)}
    except UnknownNameError:
        return {}


def _stage(
    name: str,
    folder: Path,
    held: Sequence[str],
    exams: Sequence[tuple[list[Message], str, str, tuple[str, ...]]],
    absurd: Sequence[Sequence[Message]],
    generated: int,
) -> list[Line]:
    from xinglin.apps.assistant.exams.answers import read_answer
    from xinglin.measure import bootstrap
    from xinglin.measure.intervals import proportion
    from xinglin.model.decoder import open_decoder
    from xinglin.train.decoder.figures import likelier_letters, text_nats, written
    from xinglin.train.reinforce.text_rewards import safety_reward

    decoder = open_decoder(folder)
    parameters = f"{decoder.model.num_parameters() / 1e6:.2f} M parameters"
    nats = text_nats(decoder, held, LENGTH)
    each = bootstrap(lambda at: float(nats[at, 0].sum() / nats[at, 1].sum()), len(nats), repetitions=500)
    lines = [
        Line(
            name,
            "held-out text",
            each.value,
            "nats a character",
            len(nats),
            each.low,
            each.high,
            note=parameters,
        )
    ]
    chosen = likelier_letters(decoder, [(asked, letters) for asked, letters, _, _ in exams], LENGTH)
    scored = [(one, exam) for one, exam in zip(chosen, exams, strict=True) if one is not None]
    chance = float(np.mean([1 / len(exam[1]) for _, exam in scored]))
    right = proportion(sum(one == exam[2] for one, exam in scored), len(scored))
    often = max("ABCDE", key=[exam[2] for _, exam in scored].count)
    common = sum(exam[2] == often for _, exam in scored) / len(scored)
    beaten = "above chance" if right.low > chance else "not told from chance"
    lines.append(
        Line(
            name, "CMExam test, log-likelihood", right.value, "", right.n, _low(right), right.high, chance, "chance",
            f"{beaten}; always {often}: {common:.3f}",
        )
    )  # fmt: skip
    some = exams[:generated]
    said = written(decoder, [asked for asked, _, _, _ in some], LENGTH, ANSWER)
    read = [
        (read_answer(text, exam[3]).letters, exam[2])
        for text, exam in zip(said, some, strict=True)
        if text is not None
    ]
    valid = proportion(sum(letters is not None for letters, _ in read), len(read))
    hits = sum(letters == answer for letters, answer in read)
    lines.append(
        Line(
            name, "CMExam test, readable answers", valid.value, "", valid.n, _low(valid), valid.high,
            note=f"{hits} of {len(read)} right when generated",
        )
    )  # fmt: skip
    answers = [text for text in written(decoder, absurd, LENGTH, REFUSAL) if text is not None]
    scores = [safety_reward(text) for text in answers]
    safe = proportion(sum(score > 0 for score in scores), len(scores))
    unsafe = sum(score < 0 for score in scores)
    lines.append(
        Line(
            name, "absurd questions declined", safe.value, "", safe.n, _low(safe), safe.high,
            note=f"by patterns; {unsafe} with a dose or an assent",
        )
    )  # fmt: skip
    return lines


def _low(figure: Figure) -> float:
    """The lower bound without what floating point leaves of a zero."""
    return max(0.0, round(figure.low, 9))
