"""One door to every benchmark of the diagnosis app."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.apps.diagnosis.differential import Differential, load_differential
from xinglin.apps.diagnosis.evaluate.row import Evaluation
from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError
from xinglin.graph.importers import read_graph
from xinglin.types import Triple

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.evaluate.text_models import TextSettings

GRAPH_FILES = {
    "xywy": "restricted/zh_disease_kg_xywy/kg.jsonl.gz",
    "39": "restricted/zh_disease_kg_39/kg.jsonl.gz",
}
"""Where imported graphs lie below the data folder, when no ``--graph`` names them."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an evaluation is asked for."""

    name: str
    data: Path
    train: Path | None = None
    graphs: Mapping[str, Path] | None = None
    seed: int = 0
    model: Path | None = None
    """Checkpoint folder of the text encoder; ``None``: the one that the package ships."""
    settings: TextSettings | None = None
    """Of fine-tuning; ``None``: the set's own."""
    report: Callable[[str, float], None] | None = None
    """Called with what is done now and the share of it that is done."""

    def training(self) -> Path:
        """Return the training file.

        Raises:
            InvalidInputError: none was given.
        """
        if self.train is None:
            raise InvalidInputError(f"{self.name} is fitted on labelled cases: give --train FILE")
        return self.train

    def graph_file(self, name: str) -> Path | None:
        """Return the file of an imported graph, by ``--graph NAME=FILE`` or below ``XINGLIN_DATA``."""
        if self.graphs and name in self.graphs:
            return self.graphs[name]
        root = os.environ.get("XINGLIN_DATA")
        folders = [Path(root)] if root else [Path("../shared/data"), *self.data.resolve().parents]
        for folder in folders:
            path = folder / GRAPH_FILES[name]
            if path.is_file():
                return path
        return None


def _dialogues(request: Request) -> Evaluation:
    from xinglin.apps.diagnosis.evaluate.dialogues import evaluate_dialogues

    return evaluate_dialogues(request.name, request.data, request.training(), seed=request.seed)


def _hospital(request: Request) -> Evaluation:
    from xinglin.apps.diagnosis.evaluate.hospital import evaluate_hospital
    from xinglin.apps.diagnosis.evaluate.names import Synonyms

    arms, imported = _arms(request)
    return evaluate_hospital(request.data, arms, Synonyms.build(arms["starter"].knowledge, imported))


def _dxbench(request: Request) -> Evaluation:
    from xinglin.apps.diagnosis.evaluate.dxbench import evaluate_dxbench
    from xinglin.apps.diagnosis.evaluate.names import Synonyms

    arms, imported = _arms(request)
    return evaluate_dxbench(
        request.data, arms, Synonyms.build(arms["starter"].knowledge, imported), request.train
    )


def _texts(request: Request) -> Evaluation:
    from xinglin.apps.diagnosis.evaluate.texts import evaluate_texts

    return evaluate_texts(
        request.name,
        request.data,
        request.training(),
        model=request.model,
        seed=request.seed,
        settings=request.settings,
        report=request.report,
    )


def _exams(request: Request) -> Evaluation:
    from xinglin.apps.diagnosis.evaluate.exams import evaluate_exams

    return evaluate_exams(request.data, request.training(), seed=request.seed)


def _arms(request: Request) -> tuple[dict[str, Differential], list[Triple]]:
    """The starter graph; beside it the text model and both, and the imported graph, where they are at hand."""
    from xinglin.apps.diagnosis.differential import with_echo
    from xinglin.apps.diagnosis.imported import imported_differential

    starter = load_differential(engine="graph")
    hearing = with_echo(starter)
    arms = {"starter": starter, **_text_arms(request.model), "starter+echo": hearing}
    triples: list[Triple] = []
    xywy, more = request.graph_file("xywy"), request.graph_file("39")
    if more is not None:
        triples += read_graph("39", more)
    if xywy is not None:
        own = list(read_graph("xywy", xywy))
        arms["xywy"] = imported_differential("xywy", [*own, *triples], hearing)
        triples += own
    return arms, [triple for triple in triples if triple.relation == "alias"]


def _text_arms(model: Path | None) -> dict[str, Differential]:
    """The text model alone and with the graph: of the folder given, else of the shipped one, if there is one."""
    try:
        both = load_differential(model, engine="both")
    except MissingDataError:
        if model is not None:
            raise
        return {}
    return {"model": both.using("model"), "both": both}


SETS: dict[str, Callable[[Request], Evaluation]] = {
    "dxy": _dialogues,
    "mz4": _dialogues,
    "mz10": _dialogues,
    "ai-hospital": _hospital,
    "dxbench": _dxbench,
    "xywy-exams": _exams,
    "toyhom-department": _texts,
    "toyhom-disease": _texts,
    "dxy-text": _texts,
    "mz10-text": _texts,
}


def evaluate(request: Request) -> Evaluation:
    """Run one benchmark.

    Raises:
        UnknownNameError: no such set; names the nearest.
        MissingDataError: the data or training file is absent.
        InvalidInputError: a file of a wrong shape, or a training file that is needed and missing.
    """
    if request.name not in SETS:
        near = get_close_matches(request.name, SETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(SETS)}"
        raise UnknownNameError(f"there is no benchmark {request.name!r}; {hint}")
    for path in (request.data, request.train):
        if path is not None and not path.is_file():
            raise MissingDataError(f"there is no file {path}")
    return SETS[request.name](request)
