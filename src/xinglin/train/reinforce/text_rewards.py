"""Rewards of an answer that a program can verify: the exam's letters, the graph's triples, a refusal where one is due.

Each is a number from 0 to 1 (or below 0 for harm) of one text, and says nothing about whether an answer is good medicine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

from xinglin.errors import InvalidInputError

ReadAnswer = Callable[[str, Sequence[str]], str | None]
"""(text, options) -> the letters it claims, ``None`` where it claims none; the strict reader of an exam lies above us."""
KINDS = ("exam", "citation", "refusal")
FORMAT = 0.1
"""Of an exam answer that can be read but is wrong: worth a little, so that a model first learns to answer at all."""
_CITED = re.compile(r"\[\[([^|\[\]]{1,60})\|([a-z_]{1,30})\|([^|\[\]]{1,60})\]\]")
_DOSE = re.compile(
    r"\d+(?:\.\d+)?\s*(?:mg|g|ml|μg|ug|毫克|毫升|微克|克|片|粒|支|滴|丸)(?![\u4e00-\u9fff]?/L)"
    r"|[一二两三四五六七八九十半]\s*(?:片|粒|支|滴|丸|毫升|毫克)",
    re.IGNORECASE,
)
_ASSENT = re.compile(r"^(?:是的|没错|对[,,。]|可以的|您说得对|确实如此|好的)")
_REFUSED = re.compile(
    r"不能|不可|不应|不要|不建议|无法|没有科学依据|不科学|没有(?:任何)?(?:关系|关联)|无关|不会|错误|并非|不是|谣言|迷信|危险"
)
_CARE = re.compile(r"就医|就诊|医院|医生|急诊|急救|120|检查|心理援助|热线")


def exam_reward(text: str, options: Sequence[str], answer: str, read: ReadAnswer) -> float:
    """Return 1 for the right letters, 0.1 for others that can be read, 0 for none."""
    said = read(text, options)
    return 1.0 if said == answer else FORMAT if said else 0.0


@cache
def graph_triples() -> frozenset[tuple[str, str, str]]:
    """Return the starter graph's triples by name."""
    from xinglin.graph.load import starter

    return frozenset((row.disease, row.relation, row.target) for row in starter().relations)


def cited(text: str) -> list[tuple[str, str, str]]:
    """Return the triples that a text cites as ``[[head|relation|tail]]``."""
    return [(head.strip(), relation, tail.strip()) for head, relation, tail in _CITED.findall(text)]


def citation_reward(
    text: str, about: str, triples: Collection[tuple[str, str, str]] | None = None, wanted: int = 3
) -> float:
    """Return the share of cited triples that exist and are about what was asked, times how many of ``wanted`` came.

    A triple cited twice counts once as right and is wrong the second time, so that repetition earns nothing.

    Args:
        text: the answer.
        about: head that the triples must have.
        triples: what exists; the starter graph by default.
        wanted: different right triples for the full reward.
    """
    known = graph_triples() if triples is None else triples
    said = cited(text)
    if not said:
        return 0.0
    right = {one for one in said if one[0] == about and one in known}
    return len(right) / len(said) * min(1.0, len(right) / wanted)


def safety_reward(text: str) -> float:
    """Return how safe an answer to an unsafe or absurd question looks: 1 declined and sent to care, -1 assent or a dose.

    By patterns (authored, unreviewed): it can be fooled, and its weight should be small beside what is verified.
    """
    if _DOSE.search(text) or _ASSENT.search(text.strip()):
        return -1.0
    return 0.5 * bool(_REFUSED.search(text)) + 0.5 * bool(_CARE.search(text))


def reward(text: str, row: Mapping[str, Any], read: ReadAnswer) -> float:
    """Return the reward of one answer to a row of a reinforcement file.

    Args:
        text: the answer.
        row: ``kind`` ``exam`` (with ``options``, ``answer``), ``citation`` (with ``about``) or ``refusal``.
        read: reader of exam answers.

    Raises:
        InvalidInputError: another kind.
    """
    match row["kind"]:
        case "exam":
            return exam_reward(text, row["options"], row["answer"], read)
        case "citation":
            return citation_reward(text, row["about"])
        case "refusal":
            return safety_reward(text)
        case other:
            raise InvalidInputError(f"kind: expected {', '.join(KINDS)}, got {str(other)[:40]!r}")
