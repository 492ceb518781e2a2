"""What the graph's rows say of a named medicine: contraindications, other drugs, uses. No row reads *not checked*."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from xinglin.apps.assistant import wording as w
from xinglin.apps.assistant.evidence import Bibliography, Sentence, Source
from xinglin.graph.knowledge import Contraindication, Knowledge
from xinglin.terms.entries import Drug

MOST = 8


def groups_of(drug: Drug) -> frozenset[str]:
    """Return the drug's name and its classes."""
    return frozenset((drug.name, *drug.classes))


def rows_of(knowledge: Knowledge, drug: Drug) -> list[Contraindication]:
    """Return the rows of every option that names the drug or one of its classes."""
    groups = groups_of(drug)
    return [row for row in knowledge.contraindications if any(group in row.option for group in groups)]


def interactions(knowledge: Knowledge, one: Drug, other: Drug) -> list[Contraindication]:
    """Return the rows that say something of two drugs together, in either direction."""
    found = [
        row for row in rows_of(knowledge, one) if row.check == "drug" and row.condition in groups_of(other)
    ]
    return found + [
        row for row in rows_of(knowledge, other) if row.check == "drug" and row.condition in groups_of(one)
    ]


def answer_of_medicines(
    knowledge: Knowledge, drugs: tuple[Drug, ...], book: Bibliography, lang: w.Lang
) -> Iterator[Sentence]:
    """Yield what the rows say of each medicine and of each pair; a check without a row reads *not checked*."""
    for one, other in combinations(drugs[:4], 2):
        names = (one.name, other.name) if lang == "zh" else (one.en, other.en)
        rows = interactions(knowledge, one, other)
        if not rows:
            head = f"{names[0]} + {names[1]}:" if lang == "zh" else f"{names[0]} + {names[1]}: "
            what = "相互作用" if lang == "zh" else "interaction "
            yield Sentence(head + what + w.say(w.NOT_CHECKED, lang) + ("。" if lang == "zh" else "."))
            continue
        for row in rows[:MOST]:
            yield book.sentence(f"{names[0]} + {names[1]}:{_said(row, lang)}", _source(row, lang))
    for drug in drugs[:4]:
        yield from _one(knowledge, drug, book, lang)


def _one(knowledge: Knowledge, drug: Drug, book: Bibliography, lang: w.Lang) -> Iterator[Sentence]:
    name = drug.name if lang == "zh" else drug.en
    rows = rows_of(knowledge, drug)
    for check, pair in w.CHECK.items():
        said = {(row.condition, row.level): row for row in rows if row.check == check}
        label = w.say(pair, lang)
        if not said:
            yield Sentence(
                f"{name}:{label}{w.say(w.NOT_CHECKED, lang)}。"
                if lang == "zh"
                else f"{name}: {label} {w.say(w.NOT_CHECKED, lang)}."
            )
        for row in list(said.values())[:MOST]:
            yield book.sentence(f"{name}:{label} — {_said(row, lang)}", _source(row, lang))
    groups = groups_of(drug)
    uses = [option for option in knowledge.options if any(group in option.option for group in groups)]
    named = {option.disease: option for option in uses}
    if named:
        listed = list(named.values())[:MOST]
        diseases = [
            option.disease if lang == "zh" else knowledge.diseases[option.disease].en for option in listed
        ]
        sources = [
            Source(
                "graph",
                f"{option.disease} — {w.say(w.RELATION['option'], lang)} → {option.option}",
                f"{option.disease}:{option.option}",
                option.provenance.source,
                (option.disease, "option", option.option),
            )
            for option in listed
        ]
        text = (
            f"图谱把{name}或其类别列为处理选项的疾病:{w.joined(diseases, lang)}。"
            if lang == "zh"
            else f"Diseases for which the graph lists {name} or its class as an option: {w.joined(diseases, lang)}."
        )
        yield book.sentence(text, *sources)


def _said(row: Contraindication, lang: w.Lang) -> str:
    level = w.say(w.LEVEL[row.level], lang)
    note = f",{row.note}" if row.note and lang == "zh" else ""
    stop = "。" if lang == "zh" else "."
    return f"{row.option}({row.condition}){level}{note}{stop}"


def _source(row: Contraindication, lang: w.Lang) -> Source:
    level = w.say(w.LEVEL[row.level], lang)
    title = f"{row.option} — {w.say(w.CHECK[row.check], lang)} {row.condition} → {level}"
    return Source(
        "graph", title, f"{title} {row.note}".strip(), row.provenance.source, (row.option, row.check, row.condition)
    )  # fmt: skip
