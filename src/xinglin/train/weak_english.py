"""English sources of mined examples: question answers, dialogues, a disease table, cases, textbooks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xinglin.graph.knowledge import Knowledge
from xinglin.train.mining import LONGEST, Mining, Weak, pieces
from xinglin.train.names import DiseaseNames

TELLING = frozenset(
    {"symptoms", "information", "exams and tests", "causes", "susceptibility", "complications"}
)
"""Question types of MedQuAD whose answers describe the disease."""
MENTIONED = 10
"""Paragraphs of prose in which one disease is mentioned, per disease."""
RENDERED = 6
"""Renderings of one disease's symptom list."""
_TABLE = "The Human Phenotype Ontology provides"


def ontology_synonyms(
    mining: Mining, path: Path, knowledge: Knowledge, names: DiseaseNames
) -> dict[str, str]:
    """Further English names: those of Disease Ontology terms of which exactly one disease's name is one."""
    found: dict[str, str | None] = {}
    for _, row in mining.rows(path, "disease-ontology", have=("label",)):
        exact = [str(row["label"])]
        exact += [str(item[0]) for item in row.get("synonyms") or [] if len(item) == 2 and item[1] == "EXACT"]
        owners = {owner for name in exact if (owner := names.exactly(name))}
        if len(owners) == 1:
            owner = owners.pop()
            for name in exact:
                key = name.lower()
                found[key] = owner if found.get(key, owner) == owner else None
    return {name: owner for name, owner in found.items() if owner and len(name) > 3}


def medquad(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Answers about one disease, cut into pieces."""
    for at, row in mining.rows(folder / "medquad/dev.jsonl.gz", "medquad", ("question",), have=("focus",)):
        focus = str(row["focus"])
        disease = mining.exact(focus)
        if disease is None or row.get("qtype") not in TELLING:
            reason = (
                "focus is no disease of the graph"
                if disease is None
                else "type of question tells no symptoms"
            )
            mining.tally.dropped["medquad", reason] += 1
            continue
        answer = str(row.get("answer", "")).partition(_TABLE)[0]
        for piece in pieces(answer)[:4]:
            if len(piece) > 60:
                yield from mining.examples(
                    *(piece, disease, "medquad", "CC-BY-4.0", f"medquad/{at}"),
                    lang="en",
                    most=24,
                    also=(focus,),
                )


def dialogues(mining: Mining, folder: Path) -> Iterator[Weak]:
    """A patient's message whose answer names one disease that the message does not name."""
    for at, row in mining.rows(folder / "chatdoctor/genmedgpt5k.jsonl.gz", "genmedgpt", have=("input",)):
        message, answer = str(row["input"]), str(row.get("output", ""))
        disease = mining.only(message, answer)
        if disease is None or len(message) < 40:
            mining.tally.dropped["genmedgpt", "names no disease, or several"] += 1
            continue
        yield from mining.examples(
            message[:LONGEST], disease, "genmedgpt", "Apache-2.0", f"genmedgpt/{at}", lang="en", most=40
        )


_FRAMES = (
    "I have {}.",
    "I've been having {} for a while.",
    "Symptoms: {}",
    "Patient presents with {}.",
    "{}. What could this be?",
    "My main problems are {}.",
    "Complains of {}",
    "Doctor, I am suffering from {}.",
)


def disease_table(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Symptom lists of diseases rendered as complaints, and their descriptions."""
    origin = "chatdoctor-db"
    for at, row in mining.rows(folder / "chatdoctor/disease_db_en.jsonl.gz", origin, have=("disease",)):
        name, symptoms = str(row["disease"]), row.get("symptoms")
        disease = mining.exact(name)
        if disease is None:
            mining.tally.dropped[origin, "name is no disease of the graph"] += 1
            continue
        if not isinstance(symptoms, list) or not symptoms:
            mining.tally.dropped[origin, "row lacks symptoms"] += 1
            continue
        dice = random.Random(f"{origin}/{name}")
        words = [str(item).lower() for item in symptoms]
        for _ in range(RENDERED):
            some = dice.sample(words, min(len(words), dice.randint(2, 5)))
            said = ", ".join(some[:-1]) + (" and " if len(some) > 1 else "") + some[-1]
            yield from mining.examples(
                *(dice.choice(_FRAMES).format(said), disease, origin, "Apache-2.0", f"{origin}/{at}"),
                lang="en",
                templated=True,
                also=(name,),
            )
        for piece in pieces(str(row.get("description", "")))[:2]:
            if len(piece) > 80 and "\\x" not in piece:
                yield from mining.examples(
                    *(piece, disease, origin, "Apache-2.0", f"{origin}/{at}"), lang="en", also=(name,)
                )


def cases(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Cases with a stated diagnosis: the history, and the history with examination and results."""
    origin = "agentclinic"
    for at, row in mining.rows(folder / "agentclinic/dev.jsonl.gz", origin, ("id",), have=("diagnosis",)):
        disease = mining.label(str(row["diagnosis"]))
        if disease is None:
            mining.tally.dropped[origin, "diagnosis is no disease of the graph"] += 1
            continue
        patient = row.get("patient")
        if not isinstance(patient, dict):
            mining.tally.dropped[origin, "row lacks patient"] += 1
            continue
        history = ". ".join(
            str(patient.get(key, "")) for key in ("Demographics", "History") if patient.get(key)
        )
        symptoms = _flat(patient.get("Symptoms"))
        examined = f"{_flat(row.get('physical_exam'))}. {_flat(row.get('test_results'))}"
        for text in (
            history[:LONGEST],
            f"{patient.get('Demographics', '')}. {symptoms}"[:LONGEST],
            f"{history[:LONGEST]} {symptoms[:200]}. {examined[:500]}",
        ):
            yield from mining.examples(
                *(text, disease, origin, "MIT", f"{origin}/{at}"),
                weak=False,
                lang="en",
                also=(str(row["diagnosis"]),),
            )


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{str(key).replace('_', ' ')}: {_flat(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(item) for item in value)
    return "" if value is None else str(value)


def prose(mining: Mining, folder: Path) -> Iterator[Weak]:
    """Paragraphs of textbooks and abstracts in which exactly one disease is mentioned."""
    for at, row in mining.rows(folder / "openstax_health_en/text.jsonl.gz", "openstax", have=("text",)):
        for paragraph in str(row.get("text", "")).split("\n"):
            if 120 < len(paragraph) < 1200:
                yield from _mentions(mining, paragraph, "openstax", "CC-BY-4.0 / CC-BY-3.0", f"openstax/{at}")
    for at, row in mining.rows(folder / "pubmedqa/dev.jsonl.gz", "pubmedqa", ("question",)):
        for paragraph in row.get("contexts") or []:
            yield from _mentions(mining, str(paragraph), "pubmedqa", "MIT", f"pubmedqa/{at}")


def _mentions(mining: Mining, paragraph: str, origin: str, licence: str, at: str) -> Iterator[Weak]:
    disease = mining.only(paragraph)
    if disease is not None:
        piece = next(
            (part for part in pieces(paragraph) if mining.only(part) == disease), paragraph[:LONGEST]
        )
        yield from mining.examples(piece, disease, origin, licence, at, lang="en", most=MENTIONED)
