"""A loaded diagnosis model: vocabulary, graph, engine, rules and clinic profile, ready to answer."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, get_args

from xinglin.apps.diagnosis.compile import compile_pack
from xinglin.apps.diagnosis.echo import Echo, graph_sayings
from xinglin.apps.diagnosis.join import Ids, Join, TextModel, label_places, read_join
from xinglin.apps.diagnosis.pack import Pack, read_pack
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.apps.diagnosis.profile import ClinicProfile, read_profile
from xinglin.apps.diagnosis.triage import TriageRules
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import CheckpointError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.graph.knowledge import Contraindication, Knowledge
from xinglin.graph.load import starter
from xinglin.graph.terms import starter_terms
from xinglin.terms.codes import XINGLIN, XINGLIN_ANALYTE
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Code

PACK_FILE = "pack.json"
MANIFEST_FILE = "manifest.json"
EngineName = Literal["graph", "model", "both"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
DEFAULT_ENGINE: EngineName = "both"
"""What answers when neither an engine nor a model folder is named: on ai-hospital's tuning half, out of fold, both
together rank better than the graph alone (docs/model.md). The graph answers where the package ships no model."""


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
    encoder: TextModel | None = None
    """A text model whose labels are diseases of the pack; ``None``: the graph answers alone."""
    join: Join | None = None
    """How graph and text model count; ``None`` with a text model: stated default weights."""
    engine_name: EngineName = "graph"
    """What answers. (``engine`` is the pack as arrays.)"""

    def using(self, name: EngineName | None) -> Differential:
        """Return this model answering with another engine; ``None`` keeps its own.

        Raises:
            InvalidInputError: no such engine, or it needs a text model and none is loaded.
        """
        if name is None or name == self.engine_name:
            return self
        if name not in ENGINES:
            raise InvalidInputError(f"engine: expected {', '.join(ENGINES)}; got {name!r}")
        if self.encoder is None:
            raise InvalidInputError(
                f"engine: {name} needs a text model and none is loaded; load a checkpoint (--model DIR), or use "
                "engine graph"
            )
        return self._others[name]

    @cached_property
    def _others(self) -> dict[EngineName, Differential]:
        return {name: replace(self, engine_name=name) for name in ENGINES}

    @cached_property
    def label_places(self) -> Ids:
        """Pack index of each label of the text model.

        Raises:
            UnknownNameError: a label is no disease of the pack.
        """
        aliases = {
            alias: disease.name
            for disease in self.knowledge.diseases.values()
            for alias in (*disease.aliases, *disease.aliases_en)
        }
        return label_places(self.pack, self.encoder.labels if self.encoder is not None else (), aliases)

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


def load_differential(
    model: Path | None = None, profile: Path | None = None, engine: EngineName | None = None
) -> Differential:
    """Load the starter graph, or what a model folder holds: a pack, a text model, or both.

    Args:
        model: folder with ``pack.json`` (a fitted or recalibrated pack), with ``manifest.json`` (a checkpoint of
            a text classifier over the graph's diseases), or with both; ``None`` is the starter graph, with the
            shipped text model where the engine wants one.
        profile: TOML of the clinic's profile; ``None`` is a clinic with what clinics commonly have.
        engine: ``graph``, ``model`` or ``both``; ``None`` is ``both`` where the folder holds a text model, and
            :data:`DEFAULT_ENGINE` without a folder.

    Raises:
        MissingDataError: the folder is no model folder, or the engine needs a text model and there is none.
        InvalidInputError: the pack is damaged, or there is no such engine.
        CheckpointError: the checkpoint is damaged or no classifier.
        UnknownNameError: a label of the text model is no disease of the graph.
        ConfigurationError: the calibration is of another pack or another model.
    """
    if engine is not None and engine not in ENGINES:
        raise InvalidInputError(f"engine: expected {', '.join(ENGINES)}; got {engine!r}")
    if model is not None and not model.exists():
        from xinglin.model.saving import heal

        heal(model)  # a save that was cut off left the last good folder beside its place
    path = None if model is None or not (model / PACK_FILE).is_file() else model / PACK_FILE
    if model is not None and path is None and not (model / MANIFEST_FILE).is_file():
        raise MissingDataError(
            f"{model} is no model folder: it has neither {PACK_FILE} nor {MANIFEST_FILE}; give the folder of a "
            "fitted pack (xinglin calibrate) or of a trained text model (xinglin train diagnosis)"
        )
    folder = _checkpoint_folder(model, engine)
    stamps = (_stamp(path), _stamp(folder / MANIFEST_FILE if folder else None), _stamp(profile))
    return _loaded(path, folder, profile, "graph" if folder is None else engine or "both", stamps)


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Time and size of a file: a model that was written anew is loaded anew."""
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@cache
def _loaded(
    path: Path | None,
    folder: Path | None,
    profile: Path | None,
    engine: EngineName,
    _stamps: tuple[tuple[int, int] | None, ...],
) -> Differential:
    # What is loaded lives as long as the process: collecting while it grows only costs time.
    gc.disable()
    try:
        graph = _graph(path, profile)
        return graph if folder is None else with_encoder(graph, load_encoder(folder), engine)
    finally:
        gc.freeze()
        gc.enable()


def _graph(path: Path | None, profile: Path | None) -> Differential:
    knowledge = starter()
    vocabulary = starter_terms()
    pack = compile_pack("starter", knowledge, vocabulary.findings) if path is None else read_pack(path)
    return Differential(
        vocabulary=vocabulary,
        knowledge=knowledge,
        engine=Engine.build(pack),
        rules=TriageRules.build(knowledge, set(vocabulary.analytes)),
        profile=read_profile(profile) if profile else ClinicProfile(),
    )


def _checkpoint_folder(model: Path | None, engine: EngineName | None) -> Path | None:
    """Where the text model lies that the engine wants; ``None``: it wants none, or there is none."""
    if engine == "graph":
        return None
    if model is not None and (model / MANIFEST_FILE).is_file():
        return model
    if engine is None and (model is not None or DEFAULT_ENGINE == "graph"):
        return None
    from xinglin.model.shipped import shipped_folder

    try:
        return shipped_folder()
    except (UnknownNameError, MissingDataError):
        if engine is None:
            return None
        raise MissingDataError(
            f"engine {engine} needs a text model, and this package ships none: give a checkpoint folder (--model "
            "DIR; xinglin train diagnosis makes one), or use engine graph"
        ) from None


def load_encoder(folder: Path, threads: int = 1) -> TextModel:
    """Load the text classifier of a checkpoint folder; needs no torch.

    Raises:
        CheckpointError: it is damaged, no classifier, or was never exported; says what to run.
    """
    from xinglin.model.runtime import TextClassifier

    return TextClassifier.load(folder, threads=threads)


def with_encoder(
    differential: Differential, encoder: TextModel, engine: EngineName = "both", join: Join | None = None
) -> Differential:
    """Return the differential with a text model beside the graph.

    Args:
        differential: the graph.
        encoder: the text model; every label must be a disease of the pack.
        engine: what answers.
        join: weights; ``None`` reads them from the checkpoint's ``calibration.json``.

    Raises:
        UnknownNameError: a label is no disease of the pack.
        ConfigurationError: the calibration is of another pack or another model.
        CheckpointError: the calibration cannot be read.
    """
    joined = replace(
        differential,
        encoder=encoder,
        join=join or read_join(encoder.calibration, differential.pack, encoder),
        engine_name=engine,
    )
    if not len(joined.label_places):  # built here, so that a wrong label is said at once
        raise CheckpointError("the text model has no labels: it is no classifier")
    return joined


def with_echo(differential: Differential) -> Differential:
    """Return the differential with the echo of the starter graph's names (see :mod:`.echo`)."""
    names = [disease.name for disease in differential.pack.diseases]
    sayings = graph_sayings(differential.knowledge, differential.vocabulary)
    return replace(differential, echo=Echo.build(names, sayings))
