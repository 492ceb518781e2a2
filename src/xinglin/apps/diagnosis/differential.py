"""A loaded diagnosis model: vocabulary, graph, engine, rules and clinic profile, ready to answer."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from xinglin.apps.diagnosis.compile import compile_pack
from xinglin.apps.diagnosis.echo import Echo, graph_sayings
from xinglin.apps.diagnosis.pack import Pack, read_pack
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.apps.diagnosis.profile import ClinicProfile, read_profile
from xinglin.apps.diagnosis.triage import TriageRules
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import MissingDataError
from xinglin.graph.knowledge import Contraindication, Knowledge
from xinglin.graph.load import starter
from xinglin.graph.terms import starter_terms
from xinglin.terms.codes import XINGLIN, XINGLIN_ANALYTE
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Code

PACK_FILE = "pack.json"


@dataclass(frozen=True)
class Differential:
    """Everything an answer needs; immutable, shared between threads."""

    vocabulary: Vocabulary
    knowledge: Knowledge
    engine: Engine
    rules: TriageRules
    profile: ClinicProfile
    echo: Echo | None = None
    """What the text's own characters add; ``None`` leaves them out (see :func:`with_echo`)."""

    @property
    def pack(self) -> Pack:
        """The compiled pack."""
        return self.engine.pack

    @cached_property
    def finding_by_key(self) -> dict[str, str]:
        """Finding id -> Chinese name."""
        return {code.value: name for name, code in self.knowledge.finding_codes.items()}

    @cached_property
    def by_finding_name(self) -> dict[str, int]:
        """Chinese name -> pack index."""
        return {finding.name: i for i, finding in enumerate(self.pack.findings)}

    @cached_property
    def deadly(self) -> frozenset[str]:
        """Ids of diseases that kill within days if missed: a text that names one is an emergency."""
        return frozenset(
            disease.key.value
            for disease in self.knowledge.diseases.values()
            if disease.severity == "lethal" and disease.course == "acute"
        )

    @cached_property
    def exam_by_key(self) -> dict[str, str]:
        """Examination id -> Chinese name."""
        return {exam.key.value: name for name, exam in self.knowledge.exams.items()}

    @cached_property
    def exclude_before(self) -> dict[int, tuple[int, ...]]:
        """Disease -> diseases to be excluded before its usual treatment, by pack index."""
        grouped: dict[int, list[int]] = {}
        for disease, other in self.pack.exclude_before:
            grouped.setdefault(disease, []).append(other)
        return {disease: tuple(others) for disease, others in grouped.items()}

    @cached_property
    def contraindications(self) -> dict[str, tuple[Contraindication, ...]]:
        """Option name -> its rows."""
        grouped: dict[str, list[Contraindication]] = {}
        for row in self.knowledge.contraindications:
            grouped.setdefault(row.option, []).append(row)
        return {name: tuple(rows) for name, rows in grouped.items()}

    @cached_property
    def drug_classes(self) -> Mapping[str, tuple[str, ...]]:
        """Drug or allergen -> its classes."""
        return {name: drug.classes for name, drug in self.vocabulary.drugs.items()}

    def finding_name(self, name: str, lang: Lang) -> str:
        """Return a finding's name in a language, from its Chinese name."""
        if lang == "zh" or name not in self.vocabulary.findings:
            return name
        return self.vocabulary.findings[name].en

    def finding_key_name(self, key: str, lang: Lang) -> str:
        """Return a finding's name in a language, from its id."""
        return self.finding_name(self.finding_by_key.get(key, key), lang)

    def kind(self, code: Code) -> str:
        """Return the kind of a finding, ``quantity`` for a measured value, else the coding system."""
        if code.system == XINGLIN and code.value in self.finding_by_key:
            return self.vocabulary.findings[self.finding_by_key[code.value]].kind
        return "quantity" if code.system == XINGLIN_ANALYTE else code.system

    def display(self, code: Code, lang: Lang) -> str:
        """Return the display of any code of ours in a language."""
        if code.system == XINGLIN:
            return self.finding_key_name(code.value, lang)
        if lang == "en":
            index = self.engine.disease_index.get(code.value)
            if index is not None:
                return self.pack.diseases[index].en
            if code.value in self.exam_by_key:
                return self.knowledge.exams[self.exam_by_key[code.value]].en
        return code.display

    def provenance(self, disease: str) -> dict[str, int]:
        """Return how much of a disease's knowledge is sourced and reviewed."""
        return self._provenance.get(disease, {"rows": 0, "verified": 0, "reviewed": 0})

    @cached_property
    def _provenance(self) -> dict[str, dict[str, int]]:
        return {
            disease: {
                "rows": len(rows),
                "verified": sum(row.provenance.verified for row in rows),
                "reviewed": sum(row.provenance.reviewed_by is not None for row in rows),
            }
            for disease, rows in self.knowledge.by_disease.items()
        }


@cache
def load_differential(model: Path | None = None, profile: Path | None = None) -> Differential:
    """Load the starter graph, or a fitted or recalibrated pack from a model folder.

    Args:
        model: folder with ``pack.json``; ``None`` compiles the starter graph.
        profile: TOML of the clinic's profile; ``None`` is a clinic with what clinics commonly have.

    Raises:
        MissingDataError: the folder has no pack.
        InvalidInputError: the pack is damaged.
    """
    # What is loaded lives as long as the process: collecting while it grows only costs time.
    gc.disable()
    try:
        return _load(model, profile)
    finally:
        gc.freeze()
        gc.enable()


def _load(model: Path | None, profile: Path | None) -> Differential:
    knowledge = starter()
    vocabulary = starter_terms()
    if model is None:
        pack = compile_pack("starter", knowledge, vocabulary.findings)
    else:
        path = model / PACK_FILE
        if not path.is_file():
            raise MissingDataError(f"{model} is no model folder: it has no {PACK_FILE}")
        pack = read_pack(path)
    return Differential(
        vocabulary=vocabulary,
        knowledge=knowledge,
        engine=Engine.build(pack),
        rules=TriageRules.build(knowledge, set(vocabulary.analytes)),
        profile=read_profile(profile) if profile else ClinicProfile(),
    )


def with_echo(differential: Differential) -> Differential:
    """Return the differential with the echo of the starter graph's names (see :mod:`.echo`)."""
    names = [disease.name for disease in differential.pack.diseases]
    sayings = graph_sayings(differential.knowledge, differential.vocabulary)
    return replace(differential, echo=Echo.build(names, sayings))
