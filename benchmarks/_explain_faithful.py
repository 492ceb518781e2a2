"""How faithful each method is to the shipped text model, beside random orders, on notes it never learnt from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._explain_torch import log_softmax_of
from benchmarks._line import Line
from xinglin.explain.attribution import Attribution
from xinglin.explain.faithfulness import FIGURES, Faithfulness, measure_faithfulness
from xinglin.explain.game import Game
from xinglin.explain.units import segment
from xinglin.measure import bootstrap, proportion

ROOT = Path(__file__).resolve().parents[1]
SETS = {
    "ai-hospital, statements": "ai-hospital",
    "toyhom-disease, name masked (weak topic)": "toyhom-disease",
}
CASES, BUDGET, QUICK_BUDGET = 40, 280, 20
BETTER = {"comprehensiveness": "higher", "sufficiency": "lower", "deletion": "lower", "insertion": "higher"}


@dataclass(frozen=True, slots=True)
class Models:
    """The text model, the same with randomised weights, and in torch."""

    differential: Any
    classifier: Any
    score: Any
    randomised: Any
    torch: Any
    """``None`` without torch and captum: no gradients."""


def faithfulness(quick: bool) -> list[Line]:
    """The four figures of each method with their floor, stability, and the check with randomised weights."""
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    models = _models()
    lines = []
    for name, key in SETS.items():
        try:
            texts = list(_texts(key, data, quick))
        except FileNotFoundError as error:
            note = f"no {Path(str(error.filename)).name} of {key} below the data folder (XINGLIN_DATA)"
            lines.append(Line(f"faithfulness, {name}", "not measured", None, "", 0, note=note))
            continue
        measured: dict[str, list[Faithfulness]] = {}
        for text in texts:
            for method, found in _measured(models, text, QUICK_BUDGET if quick else BUDGET):
                measured.setdefault(method, []).append(found)
        lines += [line for method, found in measured.items() for line in _lines(name, method, found)]
    return lines


def _models() -> Models:
    from xinglin.apps.diagnosis import load_differential
    from xinglin.errors import MissingExtraError
    from xinglin.explain.gradients import load_differentiable
    from xinglin.explain.randomised import randomised_classifier
    from xinglin.model import TextClassifier, shipped_folder

    classifier = TextClassifier.load(shipped_folder())
    try:
        torch, randomised = load_differentiable(shipped_folder()), randomised_classifier(classifier)
    except MissingExtraError:
        torch, randomised = None, None
    return Models(
        load_differential(engine="graph"),
        classifier,
        log_softmax_of(classifier),
        log_softmax_of(randomised) if randomised else None,
        torch,
    )


def _texts(key: str, data: Path, quick: bool) -> Iterator[str]:
    """The first cases of the part that is only scored; a quick look reads the other part."""
    from xinglin.apps.diagnosis.evaluate.hospital import case_text
    from xinglin.apps.diagnosis.evaluate.hospital import reported as even
    from xinglin.apps.diagnosis.evaluate.text_sets import TEXT_SETS
    from xinglin.graph.importers import read_lines
    from xinglin.train.corpus import reported

    path = data / ("text/ai_hospital_cases/dev.jsonl.gz" if key == "ai-hospital" else TEXT_SETS[key].path)
    if not path.is_file():
        raise FileNotFoundError(2, "absent", str(path))
    given = 0
    for _, row in read_lines(path):
        held = even(row) if key == "ai-hospital" else reported(str(row[TEXT_SETS[key].key]))
        if held == quick:
            continue
        text = case_text(row, "statement") if key == "ai-hospital" else str(row["text_masked"]).strip()
        if text:
            given += 1
            yield text
        if given == (1 if quick else CASES):
            return


def _measured(models: Models, text: str, budget: int) -> Iterator[tuple[str, Faithfulness]]:
    from xinglin.apps.diagnosis.marks import marks_of
    from xinglin.explain.exact import MAX_EXACT, exact_values
    from xinglin.explain.gradients import gradient_values
    from xinglin.explain.lime_words import lime_values
    from xinglin.explain.occlusion import occlusion_values
    from xinglin.explain.partition import partition_values
    from xinglin.explain.permutation import permutation_values
    from xinglin.types import Patient

    units = segment(text, marks_of(models.differential, text, Patient()).marks)
    if not units:
        return
    target = int(models.classifier.logits([text])[0].argmax())
    game = Game(
        models.score, text, units, target, models.classifier.labels[target], threads=os.cpu_count() or 1
    )
    exact = len(units) <= MAX_EXACT and budget == BUDGET

    def shap(played: Game, seed: int) -> Attribution:
        return exact_values(played) if exact else partition_values(played, budget=budget, seed=seed)

    def sampled(played: Game, seed: int) -> Attribution:
        return permutation_values(played, budget=budget, seed=seed)

    def lime(played: Game, seed: int) -> Attribution:
        return lime_values(played, samples=budget, seed=seed)

    ways = {
        "shap (exact up to 12 units, else Partition)": shap,
        "permutation (sampled orders)": sampled,
        "lime": lime,
    }
    for method, explain in ways.items():
        blind = None
        if models.randomised is not None:
            blind = explain(Game(models.randomised, text, units, target, threads=os.cpu_count() or 1), 0)
        again = [explain(game, 1), explain(game, 2)]
        yield method, measure_faithfulness(game, explain(game, 0), again=again, randomised=blind)
    yield "occlusion", measure_faithfulness(game, occlusion_values(game))
    if models.torch is not None:
        found = gradient_values(models.torch, text, units, target)
        yield "integrated gradients", measure_faithfulness(game, found)


def _lines(name: str, method: str, found: list[Faithfulness]) -> list[Line]:
    lines = []
    for figure in FIGURES:
        values = np.array([getattr(one, figure) for one in found])
        mean = _mean(values)
        lines.append(
            Line(
                *(f"{name}, {method}", f"{figure}, mean", mean.value, "", mean.n, mean.low, mean.high),
                reference=float(np.mean([asdict(one.chance)[figure] for one in found])),
                reference_name="random orders, same notes",
                note=f"{BETTER[figure]} is better; of the probability of the model's first label; bootstrap interval",
            )
        )
    drawn = method.startswith(("shap", "permutation", "lime"))
    if drawn:
        stability = _mean(np.array([one.stability for one in found]))
        lines.append(
            Line(
                *(f"{name}, {method}", "stability, mean", stability.value, ""),
                *(stability.n, stability.low, stability.high),
                note="rank correlation between seeds (of Partition: trees)",
            )
        )
    blind = np.array([one.randomised for one in found if one.randomised is not None])
    if len(blind):
        mean = _mean(blind)
        lines.append(
            Line(
                *(
                    f"{name}, {method}",
                    "randomised weights, mean",
                    mean.value,
                    "",
                    mean.n,
                    mean.low,
                    mean.high,
                ),
                note="rank correlation with the explanation of the model with permuted weights; near 0 is right",
            )
        )
    failed = proportion(sum(bool(one.failed) for one in found), len(found))
    lines.append(
        Line(
            *(
                f"{name}, {method}",
                "notes with a failed check",
                failed.value,
                "",
                failed.n,
                failed.low,
                failed.high,
            ),
            note="Wilson interval",
        )
    )
    return lines


def _mean(values: Any) -> Any:
    return bootstrap(lambda index: float(values[index].mean()), len(values))
