"""The words that Markdown and PDF share: Chinese first, English beside it."""

from __future__ import annotations

from collections.abc import Iterator

from xinglin.measure.typography import full_width
from xinglin.release.dossier.answers import Answer, Claim, Source, State
from xinglin.release.dossier.dossier import Dossier
from xinglin.release.dossier.fields import WHOLE, field_name, kind_name
from xinglin.release.dossier.questions import Requirement, Term
from xinglin.release.dossier.values import MISSING

STATES: dict[State, str] = {
    "complete": "有证据 evidence",
    "partial": "部分有证据 partly evidence",
    "statement": "仅有人员声明 a person's statement only",
    "missing": MISSING,
}
STAGES = {"candidate": "候选 candidate", "released": "已发布 released", "retired": "已停用 retired"}
CHANGES = {
    "first": "首次登记 first",
    "algorithm": "算法驱动 driven by the algorithm",
    "data": "数据驱动 driven by data",
    "none": "权重与数据均未变 neither weights nor data",
}
INDEX = "证据索引 Index of evidence"
INDEX_HEAD = (
    "账本条目 ledger entry",
    "SHA-256",
    "种类 kind",
    "时间 time",
    "记录人 recorded by",
    "回答 answers",
)
NOT_USED = "此处未用 not used here"
UNVERIFIED = "原文未核对 text unverified"


def heading(dossier: Dossier) -> str:
    """Return the title with model and version."""
    zh, en = dossier.titles
    return f"{zh} {en}: {dossier.version.name} {dossier.version.number}"


def summary(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """Yield what stands on the first page: label and text."""
    version = dossier.version
    yield "模型 model", version.name
    yield "版本 version", version.number
    yield "检查点 checkpoint", version.checkpoint
    yield "阶段 stage", STAGES.get(version.stage, version.stage)
    yield "变更类别 class of change", CHANGES.get(version.change, version.change)
    yield "最后账本条目时间 time of the last ledger entry", dossier.time
    yield "要求 requirements", str(len(dossier.answers))
    for state, count in dossier.counts().items():
        yield STATES[state], str(count)
    yield UNVERIFIED, str(dossier.unverified())


def documents(dossier: Dossier) -> Iterator[tuple[str, list[Answer]]]:
    """Yield the answers document by document, in the order of the tables."""
    chapter: list[Answer] = []
    for item in dossier.answers:
        if chapter and item.requirement.document != chapter[0].requirement.document:
            yield _chapter(chapter), chapter
            chapter = []
        chapter.append(item)
    if chapter:
        yield _chapter(chapter), chapter


def _chapter(answers: list[Answer]) -> str:
    first = answers[0].requirement
    return f"{first.document}, {first.authority}"


def question(asked: Requirement) -> tuple[str, str]:
    """Return the question, typeset, in Chinese and in English."""
    return full_width(asked.zh), asked.en


def status(item: Answer) -> str:
    """Return how far a requirement is answered and whether its text has been opened."""
    asked = item.requirement
    text = f"原文已核对 text verified ({asked.read}): {asked.source}" if asked.verified else UNVERIFIED
    return f"{STATES[item.state]} · {text}"


def claimed(claim: Claim) -> str:
    """Return what kind of thing says it, and who, where a person does."""
    name = kind_name(claim.source.kind)
    return name if claim.person is None else f"{name} · 声明人 stated by {claim.person}"


def reference(source: Source) -> str:
    """Return ledger entry and digest, short; the index has the whole digest."""
    return f"账本 ledger #{source.seq} · {source.digest[:12]}"


def absent(term: Term) -> str:
    """Return what is missing, in words."""
    where = f" [{term.path} = {'null' if term.value is None else term.value}]" if term.path else ""
    fields = [] if term.fields == (WHOLE,) else [field_name(term.kind, field) for field in term.fields]
    listed = f": {', '.join(fields)}" if fields and term.kind != "statement" else ""
    return f"{MISSING}: {kind_name(term.kind)}{where}{listed}"
