"""Answers from the rows of the graph: each item of a sentence cites its own triple."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xinglin.apps.assistant import wording as w
from xinglin.apps.assistant.evidence import Bibliography, Sentence, Source
from xinglin.apps.assistant.question import Asked, Kind
from xinglin.graph.knowledge import FREQUENCIES, ROLES, STRENGTHS, Disease, Knowledge, Option, Relation
from xinglin.terms.vocabulary import Vocabulary

MOST = 12
"""Items of one list; how many more there are is said."""
MOST_DISEASES = 3
"""Diseases of one question that are answered."""
_ORDER = {name: place for place, name in enumerate((*FREQUENCIES, *STRENGTHS, *ROLES))}
RELATIONS: dict[Kind, tuple[str, ...]] = {
    "symptoms": ("has_finding",),
    "exams": ("exam",),
    "cause": ("risk_factor",),
    "complication": ("complication",),
    "differential": ("differential", "exclude_before"),
}


def source_of(knowledge: Knowledge, vocabulary: Vocabulary, row: Relation, lang: w.Lang) -> Source:
    """Return a row of the graph as a source."""
    head, tail = _named(knowledge, row.disease, lang), _target(knowledge, vocabulary, row, lang)
    relation = w.say(w.RELATION[row.relation], lang)
    how = f"({w.say(w.QUALIFIER[row.qualifier], lang)})" if row.qualifier else ""
    note = f";{row.note}" if row.note and lang == "zh" else ""
    return Source(
        "graph",
        f"{head} — {relation}{how} → {tail}",
        f"{head}的{relation}有{tail}{how}{note}"
        if lang == "zh"
        else f"{head}: {relation} {tail} {how}".strip(),
        row.provenance.source,
        (row.disease, row.relation, row.target),
    )


def option_source(knowledge: Knowledge, option: Option, lang: w.Lang) -> Source:
    """Return a management option as a source."""
    head = _named(knowledge, option.disease, lang)
    name = option.option if lang == "zh" else option.en
    relation = w.say(w.RELATION["option"], lang)
    before = f";{option.precondition}" if option.precondition and lang == "zh" else ""
    return Source(
        "graph",
        f"{head} — {relation} → {name}",
        f"{head}的{relation}有{name}{before}" if lang == "zh" else f"{head}: {relation} {name}",
        option.provenance.source,
        (option.disease, "option", option.option),
    )


def answer_from_graph(
    knowledge: Knowledge, vocabulary: Vocabulary, asked: Asked, book: Bibliography, lang: w.Lang
) -> Iterator[Sentence]:
    """Yield what the graph holds of the diseases that a question names, by the kinds that it asks for."""
    if "differential" in asked.kinds and len(asked.diseases) > 1:
        yield from _compared(knowledge, vocabulary, asked.diseases[:2], book, lang)
        return
    kinds: Sequence[Kind] = [kind for kind in asked.kinds if kind != "medicine"]
    for name in asked.diseases[:MOST_DISEASES]:
        disease = knowledge.diseases.get(name)
        if disease is None:
            continue
        for kind in kinds or ("definition", "symptoms"):
            if kind in RELATIONS:
                for relation in RELATIONS[kind]:
                    yield from _listed(knowledge, vocabulary, disease, relation, book, lang)
            elif kind == "treatment":
                yield from _options(knowledge, disease, book, lang)
            else:
                yield _described(disease, kind, book, lang)


def _listed(
    knowledge: Knowledge,
    vocabulary: Vocabulary,
    disease: Disease,
    relation: str,
    book: Bibliography,
    lang: w.Lang,
) -> Iterator[Sentence]:
    rows = [row for row in knowledge.by_disease[disease.name] if row.relation == relation]
    rows = [row for row in rows if row.qualifier != "excluded"]
    rows.sort(key=lambda row: _ORDER.get(row.qualifier or "", 99))
    tiers: dict[str | None, list[Relation]] = {}
    for row in rows[:MOST]:
        tiers.setdefault(row.qualifier, []).append(row)
    head, what = _named(knowledge, disease.name, lang), w.say(w.RELATION[relation], lang)
    for qualifier, tier in tiers.items():
        how = f"({w.say(w.QUALIFIER[qualifier], lang)})" if qualifier else ""
        names = [_target(knowledge, vocabulary, row, lang) for row in tier]
        sources = [source_of(knowledge, vocabulary, row, lang) for row in tier]
        text = f"{head}的{what}{how}:{w.joined(names, lang)}。" if lang == "zh" else (
            f"{head}: {what} {how} {w.joined(names, lang)}."
        )  # fmt: skip
        yield book.sentence(text, *sources)
    if len(rows) > MOST:
        left = len(rows) - MOST
        yield Sentence(
            f"(图谱另有{left}条未列出。)"
            if lang == "zh"
            else f"({left} more rows of the graph are not listed.)"
        )


def _options(knowledge: Knowledge, disease: Disease, book: Bibliography, lang: w.Lang) -> Iterator[Sentence]:
    rows = knowledge.options_by_disease.get(disease.name, ())[:MOST]
    if not rows:
        return
    names = [row.option if lang == "zh" else row.en for row in rows]
    sources = [option_source(knowledge, row, lang) for row in rows]
    text = w.say(w.PLAN, lang, disease=_named(knowledge, disease.name, lang)) + w.joined(names, lang)
    yield book.sentence(text + ("。" if lang == "zh" else "."), *sources)


def _described(disease: Disease, kind: Kind, book: Bibliography, lang: w.Lang) -> Sentence:
    course = w.say(w.COURSE.get(disease.course, (disease.course, disease.course)), lang)
    if lang == "zh":
        text = f"{disease.name}:就诊科室 {disease.department}。"
        if kind == "definition":
            named = "、".join(disease.aliases[:4])
            text = (
                f"{disease.name}({disease.en},ICD-10 {disease.icd10}){'又称' + named if named else ''};"
                f"病程{course},就诊科室 {disease.department}。"
            )
    else:
        text = f"{disease.en}: department {disease.department}."
        if kind == "definition":
            text = f"{disease.en} (ICD-10 {disease.icd10}): course {course}, department {disease.department}."
    source = Source(
        "graph", disease.name, text, disease.provenance.source, (disease.name, "disease", disease.icd10)
    )
    return book.sentence(text, source)


def _compared(
    knowledge: Knowledge, vocabulary: Vocabulary, pair: Sequence[str], book: Bibliography, lang: w.Lang
) -> Iterator[Sentence]:
    """What only one of two diseases shows."""
    rows = {
        name: {row.target: row for row in knowledge.by_disease.get(name, ()) if row.relation == "has_finding"}
        for name in pair
    }
    first, second = pair
    for one, other in ((first, second), (second, first)):
        only = [row for target, row in rows[one].items() if target not in rows[other]]
        only.sort(key=lambda row: _ORDER.get(row.qualifier or "", 99))
        if only:
            names = [_target(knowledge, vocabulary, row, lang) for row in only[:MOST]]
            sources = [source_of(knowledge, vocabulary, row, lang) for row in only[:MOST]]
            head, rest = _named(knowledge, one, lang), _named(knowledge, other, lang)
            text = f"图谱中{head}有而{rest}没有列出的表现:" if lang == "zh" else (
                f"Findings that the graph lists for {head} and not for {rest}: "
            )  # fmt: skip
            yield book.sentence(text + w.joined(names, lang) + ("。" if lang == "zh" else "."), *sources)


def _named(knowledge: Knowledge, name: str, lang: w.Lang) -> str:
    return name if lang == "zh" else knowledge.diseases[name].en


def _target(knowledge: Knowledge, vocabulary: Vocabulary, row: Relation, lang: w.Lang) -> str:
    if lang == "zh":
        return row.target
    if row.relation == "exam":
        return knowledge.exams[row.target].en
    if row.relation in ("has_finding", "risk_factor"):
        term = vocabulary.findings.get(row.target)
        return term.en if term else row.target
    return knowledge.diseases[row.target].en
