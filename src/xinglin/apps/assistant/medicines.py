"""What the graph's rows say of a named medicine: contraindications, other drugs, uses. No row reads *not checked*."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from xinglin.apps.assistant import wording as w
from xinglin.apps.assistant.evidence import Bibliography, Sentence, Source
from xinglin.apps.assistant.graph_answers import option_source
from xinglin.apps.assistant.question import Asked
from xinglin.graph.knowledge import Contraindication, Knowledge
from xinglin.terms.characters import normalise
from xinglin.terms.entries import Drug
from xinglin.terms.vocabulary import Vocabulary

MOST, MOST_DRUGS = 8, 4


_TOGETHER = re.compile(r"一起|同时|同服|合用|联用|相互作用|together|interact|combin|along with")
_CUES: dict[str, re.Pattern[str]] = {
    "age": re.compile(r"岁|儿童|小孩|孩子|宝宝|婴|老人|老年|child|infant|baby|elderly|age"),
    "pregnancy": re.compile(r"孕|怀|哺乳|喂奶|备孕|pregnan|breast|lactat"),
    "allergy": re.compile(r"过敏|allerg"),
    "renal": re.compile(r"肾|egfr|肌酐|renal|kidney"),
}
_FORBIDDEN = re.compile(r"(?:禁用|避免|停用|不用|慎用|停)$")


@dataclass(frozen=True)
class Rows:
    """The graph's contraindications by medicine."""

    knowledge: Knowledge
    vocabulary: Vocabulary

    @cached_property
    def classes(self) -> frozenset[str]:
        """Every class of every medicine of the vocabulary."""
        return frozenset(name for drug in self.vocabulary.drugs.values() for name in drug.classes)

    def means(self, option: str, drug: Drug) -> bool:
        """Whether an option is the medicine or one of its classes.

        A class inside the name of a longer class that the medicine does not belong to does not count (口服抗凝药 in
        直接口服抗凝药), nor does one that the option forbids (禁用非甾体抗炎药).
        """
        groups = groups_of(drug)
        for group in groups:
            place = option.find(group)
            if place < 0 or _FORBIDDEN.search(option[:place]):
                continue
            longer = {name for name in self.classes if group in name and name in option and name != group}
            if longer <= groups:
                return True
        return False

    def of(self, drug: Drug) -> list[Contraindication]:
        """Return the rows of every option that is the medicine or one of its classes."""
        return [row for row in self.knowledge.contraindications if self.means(row.option, drug)]

    def together(self, one: Drug, other: Drug) -> list[Contraindication]:
        """Return the rows that say something of two medicines together, in either direction."""
        return [
            row
            for first, second in ((one, other), (other, one))
            for row in self.of(first)
            if row.check == "drug" and row.condition in groups_of(second)
        ]


def groups_of(drug: Drug) -> frozenset[str]:
    """Return the drug's name and its classes."""
    return frozenset((drug.name, *drug.classes))


def answer_of_medicines(
    knowledge: Knowledge, vocabulary: Vocabulary, asked: Asked, book: Bibliography, lang: w.Lang
) -> Iterator[Sentence]:
    """Yield what the rows say of the medicines that a question names; a check without a row reads *not checked*.

    Two medicines asked of together are answered as pairs; a question of pregnancy, age, allergy or kidneys by that check
    alone; any other by all five checks and the diseases for which the graph lists the medicine.
    """
    rows, normal, drugs = Rows(knowledge, vocabulary), normalise(asked.text), asked.drugs[:MOST_DRUGS]
    if len(drugs) > 1 and _TOGETHER.search(normal):
        for one, other in combinations(drugs, 2):
            yield from _pair(rows, one, other, book, lang)
        return
    wanted = [check for check, cue in _CUES.items() if cue.search(normal)]
    for drug in drugs:
        yield from _checks(rows, drug, wanted or list(w.CHECK), book, lang)
        if not wanted:
            yield from _uses(rows, drug, book, lang)


def _pair(rows: Rows, one: Drug, other: Drug, book: Bibliography, lang: w.Lang) -> Iterator[Sentence]:
    pair = f"{_named(one, lang)} + {_named(other, lang)}"
    found = rows.together(one, other)
    for row in found[:MOST]:
        yield book.sentence(f"{pair}:{_said(row, lang)}", _source(row, lang))
    if not found:
        silent = w.say(w.NOT_CHECKED, lang)
        yield Sentence(f"{pair}:相互作用{silent}。" if lang == "zh" else f"{pair}: interaction {silent}.")


def _checks(
    rows: Rows, drug: Drug, wanted: list[str], book: Bibliography, lang: w.Lang
) -> Iterator[Sentence]:
    name, of_drug, silent = _named(drug, lang), rows.of(drug), []
    for check in wanted:
        label = w.say(w.CHECK[check], lang)
        said = {(row.condition, row.level): row for row in of_drug if row.check == check}
        for row in list(said.values())[:MOST]:
            yield book.sentence(f"{name}:{label} — {_said(row, lang)}", _source(row, lang))
        if not said:
            silent.append(label)
    if silent:
        yield Sentence(f"{name}:{w.joined(silent, lang)} — {w.say(w.NOT_CHECKED, lang)}。")


def _uses(rows: Rows, drug: Drug, book: Bibliography, lang: w.Lang) -> Iterator[Sentence]:
    uses = {option.disease: option for option in rows.knowledge.options if rows.means(option.option, drug)}
    if not uses:
        return
    listed = list(uses.values())[:MOST]
    diseases = [
        option.disease if lang == "zh" else rows.knowledge.diseases[option.disease].en for option in listed
    ]
    sources = [option_source(rows.knowledge, option, lang) for option in listed]
    text = (
        f"图谱把{drug.name}或其类别列为处理选项的疾病:{w.joined(diseases, lang)}。"
        if lang == "zh"
        else f"Diseases for which the graph lists {drug.en} or its class as an option: {w.joined(diseases, lang)}."
    )
    yield book.sentence(text, *sources)


def _named(drug: Drug, lang: w.Lang) -> str:
    return drug.name if lang == "zh" else drug.en


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
