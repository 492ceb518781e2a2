"""``xinglin evaluate cmexam|pubmedqa|mmlu-medical|xmedbench|cnmleqa``: a language model sits an exam."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from xinglin.apps.assistant.exams.run import Arm, Examination, Model
    from xinglin.measure import Figure

ARMS = {
    "letter": "选项字母 letter",
    "text": "选项全文 text",
    "text per byte": "选项全文/字节 text per byte",
    "generation": "生成 generation",
}
FLOORS = {
    "random": "随机猜 guessing (95 % 范围 range)",
    "majority": "最常见答案 commonest answer",
    "longest": "最长选项 longest option",
}
REASONS = {
    "empty": "空 empty", "no answer": "未作答 no answer", "refusal": "拒答 refusal", "tie": "并列 tie",
    "unfinished thinking": "思考未完 unfinished thinking", "several answers": "前后不一 several answers",
    "undecided": "未定 undecided", "letter and text differ": "字母与内容不符 letter and text differ",
    "no such option": "无此选项 no such option", "options restated": "复述选项 options restated",
    "none of the options": "称均不对 none of the options", "too long": "超出上下文 beyond the context",
    "no finite likelihood": "似然无效 no finite likelihood",
}  # fmt: skip
OVERLAP = {"clean": "未见 clean", "dirty": "见过 dirty", "unchecked": "过短未查 too short"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Options of the verb that belong to exams."""

    by: str
    shots: int
    rotate: bool
    limit: int | None
    max_tokens: int
    training: list[Path]
    answers: Path | None
    evidence: Path | None
    allow_remote: bool
    ledger: bool


def is_exam(name: str) -> bool:
    """Whether a name is an exam's."""
    from xinglin.records.exams import EXAMS

    return name in EXAMS


def evaluate_exam(
    name: str,
    data: Path | None,
    model: str | None,
    part: str | None,
    seed: int,
    asked: Asked,
    as_json: bool,
    report: Callable[[str, float], None],
) -> None:
    """Examine a model and print or return what was found; the act goes to the ledger.

    Raises:
        InvalidInputError: no model named, or options of a wrong value.
        MissingDataError: the set is not at hand.
    """
    from xinglin.apps.assistant.exams.run import Paper, examine
    from xinglin.errors import InvalidInputError, MissingDataError
    from xinglin.records.contamination import training_texts
    from xinglin.records.exams import exam_file, read_exam

    if model is None:
        raise InvalidInputError(f"{name}: name the model that is examined: --model FOLDER or --model URL")
    if data is None and not os.environ.get("XINGLIN_DATA"):
        raise MissingDataError(f"{name}: give --data FILE, or set XINGLIN_DATA to the folder of data sets")
    path = data or exam_file(name, Path(os.environ["XINGLIN_DATA"]))
    paper = Paper(
        part or "test", asked.by, asked.shots, asked.rotate, asked.limit, asked.max_tokens, seed,  # type: ignore[arg-type]
    )  # fmt: skip
    if asked.answers is not None and asked.by != "generation":
        raise InvalidInputError("--answers keeps written answers: it belongs to --by generation")
    exam = read_exam(name, path)
    examinee, close = open_model(model, asked.by, allow_remote=asked.allow_remote)
    try:
        found = examine(
            exam, examinee, paper, kept=asked.answers, report=report,
            training=(lambda: training_texts(asked.training)) if asked.training else None,
        )  # fmt: skip
    finally:
        close()
    body = found.as_json()
    if asked.evidence is not None:
        asked.evidence.write_text(
            json.dumps(_evidence(found), ensure_ascii=False, indent=2), encoding="utf-8"
        )
    if asked.ledger:
        _remember(found, body)
    if as_json:
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
    else:
        _show(found)


def open_model(where: str, by: str, *, allow_remote: bool) -> tuple[Model, Callable[[], None]]:
    """Open a folder or a URL for the way it is examined; returns it and what closes it.

    Raises:
        MissingDataError, CheckpointError, ConfigurationError: as the door that opens it.
    """
    from xinglin.apps.assistant.exams.likelihood import LocalLikelihood
    from xinglin.apps.assistant.exams.remote import RemoteLikelihood
    from xinglin.apps.assistant.exams.run import Model
    from xinglin.apps.assistant.remote_writer import RemoteWriter
    from xinglin.model.decoder import folder_id, open_decoder
    from xinglin.serve.chat_open import open_writer

    folder = Path(where)
    if by == "generation" or where.startswith(("http://", "https://")):
        writer = open_writer(where, allow_remote=allow_remote)
        if isinstance(writer, RemoteWriter):
            return Model(writer.name, None, RemoteLikelihood(writer), writer), writer.close
        return Model(folder.name, folder_id(folder), writer=writer), writer.close
    decoder = open_decoder(folder)
    return Model(folder.name, decoder.id, LocalLikelihood(decoder)), lambda: None


def _remember(found: Examination, body: dict[str, Any]) -> None:
    from xinglin.ledger import append
    from xinglin.store import open_store
    from xinglin.store.keys import digest

    told = {
        "set": found.exam.name,
        "data": found.exam.digest,
        "model": found.model.id or found.model.name,
        "part": found.paper.part,
        "by": found.paper.by,
        "n": len(found.items),
        "accuracy": {arm.name: round(arm.accuracy.value, 6) for arm in found.arms},
    }
    with open_store().write() as connection:
        subject = digest(json.dumps(body, sort_keys=True).encode())
        append(connection, "exam.evaluate", actor="cli", subjects=(subject,), detail=told)


def _evidence(found: Examination) -> list[dict[str, Any]]:
    """The accuracies as the registry takes metrics: ``xinglin model attach NAME --kind metric --file FILE``."""
    where = f"{found.exam.name}/{found.paper.part} sha256:{found.exam.digest}"
    return [
        {
            "name": f"{found.exam.name} {arm.name} accuracy",
            **arm.accuracy.as_json(),
            "n": arm.accuracy.n,
            "data": where,
        }
        for arm in found.arms
    ]


def _span(figure: Figure) -> tuple[str, str, str]:
    return f"{figure.value:.3f}", f"[{figure.low:.3f}, {figure.high:.3f}]", str(figure.n)


def _show(found: Examination) -> None:
    from rich.console import Console
    from rich.table import Table

    from xinglin.apps.assistant.exams.published import PUBLISHED
    from xinglin.types import DISCLAIMER

    console = Console()
    paper, exam = found.paper, found.exam
    console.print(
        f"[bold]{exam.name}[/]  {found.model.name}: {'似然 likelihood' if paper.by == 'likelihood' else '生成 generation'}, "
        f"{paper.shots} 例 shots, 部分 part {paper.part}(本项目自定划分 our own split), n {len(found.items)}"
    )
    if exam.repeated:
        console.print(f"[dim]重复题已去除 repeated rows dropped: {exam.repeated}[/]")
    table = Table("", "准确率 accuracy", "95 %", "n", box=None, pad_edge=False)
    for arm in found.arms:
        table.add_row(ARMS[arm.name], *_span(arm.accuracy))
        if arm.single is not None:
            table.add_row("  单选题 one right option", *_span(arm.single))
    for name, figure in found.floors.items():
        table.add_row(f"[dim]{FLOORS[name]}[/]", *_span(figure))
    for row in PUBLISHED[exam.name]:
        table.add_row(f"[dim]{row.who}[/]", f"[dim]{row.accuracy:.3f}[/]", "", f"[dim]{row.on}[/]")
    console.print(table)
    console.print(
        "[dim]已发表的数字测自该集的其他部分,不可直接相比。Published figures (dim, below the floors) are of other "
        "parts of the set: not comparable one to one.[/]"
    )
    for arm in found.arms:
        _show_arm(console, found, arm)
    console.print(f"[dim]{DISCLAIMER['zh']} {DISCLAIMER['en']}[/]")


def _show_arm(console: Any, found: Examination, arm: Arm) -> None:
    from rich.table import Table

    console.print(f"\n[bold]{ARMS[arm.name]}[/]")
    if arm.gain is not None:
        value, low, high, p = arm.gain
        console.print(
            f"比最常见答案 over the commonest answer: {value:+.3f} [{low:+.3f}, {high:+.3f}], p {p:.3g}"
        )
    if arm.unscored:
        told = ", ".join(f"{REASONS.get(why, why)} {count}" for why, count in arm.unscored.items())
        console.print(f"未得答案,按错计 unscored, counted wrong: {sum(arm.unscored.values())} ({told})")
    if arm.places is not None:
        answered = " ".join(f"{letter} {count}" for letter, count in arm.places.answered.items())
        recall = " ".join(f"{letter} {one.value:.2f}" for letter, one in arm.places.recall.items())
        console.print(
            f"所答字母 letters answered: {answered or '无 none'}; 各字母召回 recall: {recall}; "
            f"标准差 SD {arm.places.spread:.3f}"
        )
    if arm.rotations is not None:
        turns = arm.rotations
        console.print(
            f"选项轮换 options rotated: 准确率 accuracy {turns.accuracy.value:.3f} [{turns.accuracy.low:.3f}, "
            f"{turns.accuracy.high:.3f}], 各轮 by rotation {turns.lowest:.3f}-{turns.highest:.3f}, "
            f"始终同一答案 same answer throughout {turns.consistent.value:.3f}"
        )
    rows: Sequence[tuple[str, Figure]] = [
        *arm.subjects.items(),
        *((OVERLAP[name], one) for name, one in arm.overlap.items() if one is not None),
    ]
    if rows:
        table = Table("", "准确率 accuracy", "95 %", "n", box=None, pad_edge=False)
        for name, figure in rows:
            table.add_row(name, *_span(figure))
        console.print(table)
