"""How long an explanation takes: the whole report, and the values beside ``shap`` over ``transformers``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._line import Line, aim, quantiles
from xinglin.explain.game import Game
from xinglin.explain.units import segment

NOTES = (
    "患者女,63岁,因反复活动后胸闷2年,加重伴气短1周入院。既往高血压10年,口服氨氯地平;糖尿病5年,口服二甲双胍。否认药物过敏。"
    "查体:血压 150/95 mmHg,心率 92 次/分,双肺底少许湿啰音,双下肢轻度水肿。BNP 860 pg/mL,肌酐 102 μmol/L。",
    "男,24岁,脐周痛转到右下腹1天,恶心呕吐2次,体温 38.1 ℃,无腹泻。查体:右下腹麦氏点压痛、反跳痛,肠鸣音减弱。白细胞 "
    "14.6×10^9/L,中性粒细胞 86 %,尿常规正常,腹部超声见阑尾增粗。既往体健,无手术史,无药物过敏。",
    "孩子3岁,发热2天,最高 39.2 ℃,咳嗽流涕,昨晚起呼吸急促,喉中有痰响,进食少,精神差。查体:呼吸 48 次/分,口唇无发绀,双肺可闻"
    "中细湿啰音,咽红,心音有力,腹软。白细胞 15.2×10^9/L,CRP 46 mg/L,母亲上周感冒。",
)
"""Authored for this file, 120 characters and a little more."""
SHORT = (
    "胸痛3天,放射到左肩,大汗,血压 150/95",
    "尿频、尿急、尿痛2天,无腰痛",
    "反酸、烧心1年,饭后平躺时加重",
    "心慌、手抖、怕热、多汗3个月",
    "咽痛3天,发热,扁桃体肿大有脓点",
    "双手小关节肿痛,晨僵1小时",
)
"""At most ten units, so that exact values cost 1,024 variants."""
BUDGETS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 500)
EQUAL = 1.05
"""Errors within this factor are called equal."""
NEEDED = 'needs torch, transformers and shap: pip install "xinglin[train,explain]"'


def report(quick: bool) -> list[Line]:
    """Time of one explanation with everything and its HTML page, after a first one."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.explain import explain
    from xinglin.explain.report import page

    lines = []
    for engine in ("model",) if quick else ("model", "both"):
        differential = load_differential(engine=engine)
        cold = _seconds(lambda d=differential: page(explain(d, NOTES[0][:120])))  # type: ignore[misc]
        times, asked = [], []
        for _ in range(1 if quick else 5):
            for note in NOTES[: 1 if quick else None]:
                started = time.perf_counter()
                found = explain(differential, note[:120])
                page(found)
                times.append(time.perf_counter() - started)
                asked.append(found.attribution.evaluations if found.attribution else 0)
        said = (
            f"sampled Shapley values of {len(NOTES)} notes of 120 characters, {os.cpu_count()} cores; {max(asked)} "
            f"variants for the values, and more for the checks; the first report of the process took {cold:.1f} s"
        )
        lines += quantiles(
            f"full SHAP report with checks, paths, counterfactuals and HTML, engine {engine}",
            times,
            "s",
            lambda q, value, said=said: f"{aim(value, 2, 's')}; {said}",
        )
    return lines


@dataclass(frozen=True, slots=True)
class Point:
    """What one way reaches with one budget, over all notes."""

    budget: int
    seconds: float
    error: float
    """Mean absolute difference to the exact values of the fp32 model, in log-odds."""


def peer(quick: bool) -> list[Line]:
    """Time at equal error: ours on the exported checkpoint, shap's Partition over the fp32 pipeline."""
    if quick:
        os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # a check that it runs need not compile shap
    try:
        import shap
        import torch
        import transformers
    except ModuleNotFoundError:
        return [Line("SHAP against shap over transformers", "not measured", None, "", 0, note=NEEDED)]
    from benchmarks._explain_torch import log_softmax_of, pipeline_score
    from xinglin.explain.exact import shapley
    from xinglin.explain.partition import owen, text_tree
    from xinglin.explain.permutation import sampled
    from xinglin.model import TextClassifier, shipped_folder

    torch.set_num_threads(os.cpu_count() or 1)
    folder, notes = shipped_folder(), SHORT[1:2] if quick else SHORT
    budgets = BUDGETS[:2] if quick else BUDGETS
    classifier = TextClassifier.load(folder)
    ours_score = log_softmax_of(classifier)
    cases = []
    for note in notes:
        units, target = segment(note), int(classifier.logits([note])[0].argmax())
        cases.append(
            (note, units[:5] if quick else units, target, text_tree(note, units[:5] if quick else units))
        )
    pipelines = {f"batch {size}": pipeline_score(folder, size) for size in (1, 16)}
    exact = [shapley(Game(pipelines["batch 16"], note, units, target)) for note, units, target, _ in cases]

    def partition(budget: int, place: int) -> Any:
        note, units, target, tree = cases[place]
        game = Game(ours_score, note, units, target, threads=os.cpu_count() or 1)
        return owen(game, tree, budget=budget, step=16)

    def orders(budget: int, place: int) -> Any:
        note, units, target, _ = cases[place]
        game = Game(ours_score, note, units, target, threads=os.cpu_count() or 1)
        return sampled(game, budget=budget).values

    def theirs(score: Any) -> Callable[[int, int], Any]:
        def values(budget: int, place: int) -> Any:
            note, units, target, tree = cases[place]
            game = Game(score, note, units, target, batch=10_000)
            explainer = shap.explainers.Partition(game.value, _Masker(tree))
            return explainer(np.ones((1, len(units))), max_evals=budget, batch_size=16, silent=True).values[0]

        return values

    ways = {"Partition": partition, "sampled orders": orders} | {
        f"shap, pipeline {name}": theirs(score) for name, score in pipelines.items()
    }
    curves = {
        name: [_point(way, budget, exact, 1 if quick else 2) for budget in budgets]
        for name, way in ways.items()
    }
    exactly = [_seconds(lambda p=place: shapley(_game(ours_score, cases[p]))) for place in range(len(cases))]  # type: ignore[misc]
    best = min(
        (name for name in curves if name.startswith("shap")), key=lambda name: curves[name][-1].seconds
    )
    wanted = min(curves[best], key=lambda point: (point.error, point.seconds))
    versions = f"shap {shap.__version__}, transformers {transformers.__version__}, torch {torch.__version__}"
    said = f"{len(cases)} notes of at most {max(len(units) for _, units, _, _ in cases)} units, {os.cpu_count()} cores"
    lines = []
    for way in ("Partition", "sampled orders"):
        name = f"SHAP of a note, {way}, INT8 on ONNX Runtime"
        reached = [point for point in curves[way] if point.error <= EQUAL * wanted.error]
        found = min(reached, key=lambda point: point.seconds) if reached else None
        lines += [
            Line(
                *(
                    name,
                    "s a note at the error of the peer's best budget",
                    found.seconds if found else None,
                    "s",
                ),
                len(cases),
                reference=wanted.seconds,
                reference_name=f"{best}, fp32, same run",
                note=(
                    f"{aim(wanted.seconds / found.seconds, 5, 'times faster', at_most=False)}; "
                    if found
                    else "not reached; "
                )
                + f"equal: within {100 * (EQUAL - 1):.0f} %; budgets {found.budget if found else '-'} and "
                f"{wanted.budget}; {said}; the peer compiled beforehand; {versions}",
            ),
            Line(
                *(name, "mean error at that budget", found.error if found else None, "log-odds", len(cases)),
                reference=wanted.error,
                reference_name=f"{best}, fp32, same run",
                note="against the exact Shapley values of the fp32 model on the same units",
            ),
        ]
        lines += [
            Line(
                *(name, f"s a note at budget {point.budget}", point.seconds, "s", len(cases)),
                reference=other.seconds,
                reference_name=f"{best}, fp32, same run",
                note=f"mean error {point.error:.3f}, the peer's {other.error:.3f}",
            )
            for point, other in zip(curves[way], curves[best], strict=True)
        ]
    lines.append(
        Line(
            *("exact Shapley values of a note, INT8 on ONNX Runtime", "s a note, one thread"),
            float(np.mean(exactly)),
            "s",
            len(cases),
            note=said,
        )
    )
    return lines


class _Masker:
    """Hands our masks through shap."""

    def __init__(self, tree: Any) -> None:
        self.clustering = tree

    def shape(self, note: Any) -> tuple[int, int]:
        return 1, len(self.clustering) + 1

    def __call__(self, mask: Any, note: Any) -> tuple[Any]:
        return (np.asarray(mask, bool)[None],)


def _game(score: Any, case: tuple[Any, ...]) -> Game:
    note, units, target, _ = case
    return Game(score, note, units, target)


def _point(way: Callable[[int, int], Any], budget: int, exact: Sequence[Any], rounds: int) -> Point:
    way(budget, 0)  # warms up: shap compiles
    times, errors = [], []
    for place, truth in enumerate(exact):
        for _ in range(rounds):
            started = time.perf_counter()
            values = way(budget, place)
            times.append(time.perf_counter() - started)
        errors.append(float(np.abs(values - truth).mean()))
    return Point(budget, float(np.median(times)), float(np.mean(errors)))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
