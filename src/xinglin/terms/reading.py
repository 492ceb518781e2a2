"""A clinical text in, findings out: mentions, values, header facts, and what follows from them.

Order of merging, for one finding: what is measured before what is said; then what is said; then what is
implied (a child present implies its parents, a parent absent denies its children). Said both present and
absent: unknown, with a problem that says so, unless time separates the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.terms.assertion import Target, assert_targets
from xinglin.terms.characters import normalise, scripts, without_surrogates
from xinglin.terms.clauses import joined
from xinglin.terms.duration import PAST, Duration, duration_of, find_durations, onset_of
from xinglin.terms.gaps import matches_across_fillers
from xinglin.terms.interpret import findings_of
from xinglin.terms.kinship import family_finding, own_history
from xinglin.terms.labtable import LabTable, read_lab_table
from xinglin.terms.laterality import laterality_of
from xinglin.terms.matcher import Match, resolve
from xinglin.terms.mention import Mention, Problem, Reading
from xinglin.terms.patient import merge_patient, read_patient, speaks_of_child
from xinglin.terms.phrases import matches_of_phrases
from xinglin.terms.quantity import Quantity, read_quantities
from xinglin.terms.vocabulary import CHRONIC_KINDS, FINDING_KINDS, Term, Vocabulary, starter_vocabulary
from xinglin.types import Finding, Patient, State

MAX_CHARACTERS = 20_000
"""Longest text that is read; a discharge letter has about 3,000 characters."""
_FINDINGS = frozenset(FINDING_KINDS)
_UNITS = frozenset(
    {"mg", "g", "ml", "cm", "mm", "pg", "ng", "kg", "ms", "l", "u", "iu", "fl", "pa", "min", "hr"}
)
_DIGIT = re.compile(r"[0-9]\s?$")
_LOOSE_KINDS = _FINDINGS - {"medication"}
"""Kinds whose names people interrupt with small words; the name of an examination they do not."""


def read(text: str, vocabulary: Vocabulary | None = None, *, patient: Patient | None = None) -> Reading:
    """Read a Chinese or English clinical text.

    Args:
        text: at most :data:`MAX_CHARACTERS` characters.
        vocabulary: what can be recognised; default: the starter vocabulary.
        patient: header facts known already; they win over what the text says.

    Returns:
        Findings (one a concept), header facts, quantities, every mention, and problems. Spans are offsets
        into ``Reading.text``, which has the length of ``text``.

    Raises:
        InvalidInputError: no text, or nothing but white space.
        InputTooLargeError: too long.
    """
    if not isinstance(text, str):
        raise InvalidInputError(f"expected a text; got {type(text).__name__}: pass a str")
    if len(text) > MAX_CHARACTERS:
        raise InputTooLargeError(
            f"expected at most {MAX_CHARACTERS} characters; got {len(text)}: 文本过长,请分段输入 (split "
            f"the text)"
        )
    if not text.strip() or not normalise(text).strip():
        raise InvalidInputError(
            "expected a description of the case; got an empty text: 请输入病情描述 (describe the case)"
        )
    vocabulary = vocabulary or starter_vocabulary()
    clean = without_surrogates(text)
    normal = normalise(clean)
    table = read_lab_table(normal, vocabulary)
    quantities, problems = _quantities(normal, vocabulary, table)
    who = merge_patient(patient, read_patient(normal, vocabulary, quantities))
    mentions = _mentions(normal, vocabulary, table)
    measured: list[Finding] = []
    child = who.age is None and speaks_of_child(normal)
    for quantity in quantities:
        found, assumption = findings_of(quantity, who, vocabulary, child=child)
        measured += found
        if assumption is not None:
            problems.append(assumption)
    said = _said(mentions, vocabulary)
    findings = _merge(said, measured, problems)
    findings = _implied(findings, vocabulary, problems)
    if clean != text:
        problems.append(
            Problem(
                "characters", "文本含无效字符,已替换", "the text has invalid characters; they were replaced"
            )
        )
    if not mentions and not quantities:
        problems.append(_nothing(clean))
    return Reading(clean, tuple(findings), who, tuple(quantities), tuple(mentions), tuple(problems))


def _nothing(text: str) -> Problem:
    foreign = not scripts(text) & {"chinese", "latin"}
    return Problem(
        "no_term",
        "未识别到医学术语" + (":请用中文或英文描述" if foreign else ":请写出症状、体征或检查结果"),
        "no medical term recognised: "
        + ("write in Chinese or English" if foreign else "name symptoms, signs or results"),
    )


def _quantities(text: str, vocabulary: Vocabulary, table: LabTable) -> tuple[list[Quantity], list[Problem]]:
    """Quantities of the table and of the prose around it, by position."""
    quantities, problems = read_quantities(text, vocabulary, tuple(table.spans))
    quantities += table.quantities
    quantities.sort(key=lambda q: q.span)
    return quantities, problems + table.problems


def _mentions(text: str, vocabulary: Vocabulary, table: LabTable) -> list[Mention]:
    """Every mention with what the text asserts of it."""
    loose = [m for m in matches_across_fillers(text, vocabulary.terms) if m.payload[0].kind in _LOOSE_KINDS]
    loose += matches_of_phrases(text, vocabulary.terms)
    matches = [m for m in resolve(vocabulary.terms.all_matches(text) + loose, text) if not _is_unit(text, m)]
    if table.results:
        rows = {i for result in table.results for i in range(*result.span)}
        matches = [m for m in matches if m.start not in rows]
    targets = [
        Target(m.start, m.end, any(term.kind in CHRONIC_KINDS for term in m.payload), m.negated)
        for m in matches
    ]
    asserted = assert_targets(text, targets)
    times = _times(text, matches)
    mentions: list[Mention] = []
    previous = 0
    for match, said, duration in zip(matches, asserted, times, strict=True):
        time = duration.iso if duration else None
        if said.when == "past" and duration and not duration.ago and duration.start >= match.end:
            said = replace(said, when="now")  # 头痛病史5年 still goes on
        side = laterality_of(text, match.start, match.end, previous)
        onset = onset_of(text, match.start, match.end)
        mentions += [
            Mention(
                term,
                (match.start, match.end),
                said.state,
                said.who,
                said.when,
                said.hypothetical,
                time,
                onset,
                side,
            )
            for term in match.payload
        ]
        previous = match.end
    mentions += [Mention(result.term, result.span, result.state) for result in table.results]
    mentions.sort(key=lambda m: m.span)
    return mentions


def _is_unit(text: str, match: Match[tuple[Term, ...]]) -> bool:
    """Whether an abbreviation is a unit here: 9.4 mg/dL names no myasthenia gravis."""
    return (
        text[match.start : match.end] in _UNITS
        and _DIGIT.search(text, max(0, match.start - 2), match.start) is not None
    )


def _times(text: str, matches: Sequence[Match[tuple[Term, ...]]]) -> list[Duration | None]:
    """Duration of each mention; members of one enumeration share it (发热、咳嗽3天)."""
    durations = find_durations(text)
    if not durations or not matches:
        return [None] * len(matches)
    starts = [duration.start for duration in durations]
    ends = [match.start for match in matches[1:]] + [len(text)]
    times = [
        duration_of(text, m.start, m.end, durations, starts, end)
        for m, end in zip(matches, ends, strict=True)
    ]
    linked = [joined(text[a.end : b.start]) for a, b in pairwise(matches)]
    for i in range(len(matches) - 2, -1, -1):
        if linked[i] and times[i] is None:
            times[i] = times[i + 1]
    for i in range(len(matches) - 1):
        if linked[i] and times[i + 1] is None:
            times[i + 1] = times[i]
    return times


def _said(mentions: Sequence[Mention], vocabulary: Vocabulary) -> list[Finding]:
    """Findings that mentions state of the patient, one a mention."""
    said: list[Finding] = []
    for mention in mentions:
        if mention.hypothetical or mention.who == "other":
            continue
        term, state, time = mention.term, mention.state, mention.time
        if mention.who == "family":
            relative = family_finding(mention, vocabulary)
            if relative is None:
                continue
            term, time = relative, None
        elif term.kind not in _FINDINGS:
            continue
        elif mention.when == "resolved":
            time = PAST
        elif mention.when == "past" and term.kind not in CHRONIC_KINDS:
            history = own_history(mention, vocabulary)
            if history is not None:
                term = history
            else:
                state, time = ("absent" if state == "absent" else "unknown"), PAST
        said.append(Finding(term.code, state, time=time, span=mention.span, origin="text"))
    return said


def _merge(said: Sequence[Finding], measured: Sequence[Finding], problems: list[Problem]) -> list[Finding]:
    """One finding a concept, in order of first appearance."""
    groups: dict[str, list[Finding]] = {}
    for finding in sorted((*said, *measured), key=lambda f: f.span or (0, 0)):
        groups.setdefault(finding.code.value, []).append(finding)
    return [_one(group, problems) for group in groups.values()]


def _one(group: list[Finding], problems: list[Problem]) -> Finding:
    """The one finding that a group of the same concept amounts to."""
    if len(group) == 1:
        return group[0]
    values = [f for f in group if f.value is not None]
    texts = [f for f in group if f.value is None]
    measured = _preferred(values)
    stated = _preferred([f for f in texts if f.time != PAST] or texts)
    now = {f.state for f in texts if f.time != PAST}
    if measured is not None and measured.state == "present":
        if "absent" in now:
            problems.append(
                _contradiction(
                    measured,
                    "测量值与叙述不符,采用测量值",
                    "measured and stated differ; the measurement is used",
                )
            )
        return measured
    if {"present", "absent"} <= now:
        problems.append(
            _contradiction(
                group[0],
                "同一征象既述有又述无,按未知处理:请核实",
                "stated both present and absent, taken as unknown: please verify",
            )
        )
        first = next(f for f in texts if f.state == "present")
        return replace(first, state="unknown")
    if stated is not None and (measured is None or stated.state == "present" or measured.state == "unknown"):
        return stated
    return measured if measured is not None else group[0]


def _preferred(findings: Sequence[Finding]) -> Finding | None:
    """Present before absent before unknown; the first of equals, with a duration if any has one."""
    order = {"present": 0, "absent": 1, "unknown": 2}
    best = min(findings, key=lambda f: order[f.state], default=None)
    if best is not None and best.time is None:
        time = next((f.time for f in findings if f.state == best.state and f.time not in (None, PAST)), None)
        return replace(best, time=time) if time else best
    return best


def _contradiction(finding: Finding, zh: str, en: str) -> Problem:
    return Problem(
        "contradiction", f"{finding.code.display}:{zh}", f"{finding.code.value}: {en}", finding.span
    )


def _implied(findings: list[Finding], vocabulary: Vocabulary, problems: list[Problem]) -> list[Finding]:
    """Add what follows: parents of present findings, children of absent ones."""
    known = {f.code.value: i for i, f in enumerate(findings)}
    result = list(findings)
    present = [f for f in findings if f.state == "present"]
    absent = [f for f in findings if f.state == "absent" and f.time != PAST]
    for finding in present:
        for name in vocabulary.ancestors(finding.code.display):
            term = vocabulary.findings[name]
            at = known.get(term.code.value)
            if at is None:
                known[term.code.value] = len(result)
                result.append(_derived(term, "present", finding))
            elif result[at].state == "absent" and result[at].time != PAST and result[at].origin == "text":
                problems.append(
                    _contradiction(
                        result[at],
                        f"与{finding.code.display}矛盾,按未知处理:请核实",
                        f"contradicts {finding.code.value}, taken as unknown: please verify",
                    )
                )
                result[at] = replace(result[at], state="unknown")
    for finding in absent:
        if result[known[finding.code.value]].state != "absent":
            continue
        for name in vocabulary.descendants(finding.code.display):
            term = vocabulary.findings[name]
            if term.code.value not in known:
                known[term.code.value] = len(result)
                result.append(_derived(term, "absent", finding))
    return result


def _derived(term: Term, state: State, cause: Finding) -> Finding:
    return Finding(
        term.code, state, time=cause.time if state == "present" else None, span=cause.span, origin="derived"
    )
