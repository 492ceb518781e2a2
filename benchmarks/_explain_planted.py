"""A planted signal: a transformer trained on one word, which every explanation must put first."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line, aim
from xinglin.explain.game import Game
from xinglin.explain.units import segment
from xinglin.measure import proportion

PLANTED = "蝶形红斑"
"""The only difference of the classes. The other class has no word of its own, or its absence would be the signal."""
PIECES = (
    *(
        "发热3天",
        "咳嗽",
        "咳痰",
        "胸闷",
        "气促",
        "乏力",
        "头痛",
        "头晕",
        "恶心",
        "呕吐",
        "腹痛",
        "腹泻",
        "食欲差",
        "失眠",
    ),
    *(
        "关节痛",
        "下肢水肿",
        "尿频",
        "血尿",
        "皮肤瘙痒",
        "盗汗",
        "心悸",
        "体重下降",
        "口干",
        "便秘",
        "腰痛",
        "咽痛",
        "流涕",
    ),
)
LABELS = ("有", "无")


def planted(quick: bool) -> list[Line]:
    """Share of notes whose planted word is ranked first, by method."""
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ModuleNotFoundError:
        note = 'needs torch and transformers: pip install "xinglin[train]"'
        return [Line("planted word ranked first", "share", None, "", 0, note=note)]
    from benchmarks._explain_torch import log_softmax_of

    with tempfile.TemporaryDirectory() as folder:
        classifier = _trained(Path(folder), 40 if quick else 600, 0.5 if quick else 4.0)
        notes = _notes(2 if quick else 200, seed=1)
        texts = [text for text, label in notes if label == 0]
        right = np.mean([np.argmax(classifier.logits([text])[0]) == label for text, label in notes])
        score = log_softmax_of(classifier)
        hits: dict[str, list[bool]] = {}
        for text in texts:
            for method, found in _explained(score, classifier, text, 40 if quick else 300):
                best = found.units[int(found.order[0])].text
                hits.setdefault(method, []).append(PLANTED in best or best in PLANTED)
    lines = []
    for method, ranked in hits.items():
        figure = proportion(sum(ranked), len(ranked))
        wanted = f"{aim(figure.value, 0.99, '', at_most=False)}; " if method == "shap" else ""
        lines.append(
            Line(
                *(
                    f"planted word ranked first, {method}",
                    "share",
                    figure.value,
                    "",
                    figure.n,
                    figure.low,
                    figure.high,
                ),
                note=f"{wanted}a transformer of two layers trained here (accuracy {right:.3f}); Wilson interval",
            )
        )
    return lines


def _notes(count: int, seed: int) -> list[tuple[str, int]]:
    """Notes, every second with the planted word (label 0)."""
    generator = np.random.default_rng(seed)
    found = []
    for i in range(count):
        pieces = generator.choice(PIECES, int(generator.integers(6, 11)), replace=False).tolist()
        if i % 2 == 0:
            pieces[int(generator.integers(len(pieces)))] = PLANTED
        found.append((",".join(pieces) + "。", i % 2))
    return found


def _trained(folder: Path, count: int, epochs: float) -> Any:
    from tests.text_models import random_checkpoint

    from xinglin.train.finetune import fine_tune
    from xinglin.train.options import FineTuneOptions

    notes = _notes(count, seed=0)
    texts = [text for text, _ in notes]
    start = random_checkpoint(folder / "random", LABELS, exported=False, texts=texts[:40])
    options = FineTuneOptions(epochs=epochs, batch_size=32, learning_rate=1e-3, threads=1, token_dropout=0.2)
    return fine_tune(start, texts, [label for _, label in notes], LABELS, options)


def _explained(score: Any, classifier: Any, text: str, budget: int) -> Sequence[tuple[str, Any]]:
    from xinglin.explain.lime_words import lime_values
    from xinglin.explain.occlusion import occlusion_values
    from xinglin.explain.partition import partition_values

    # The planted word as a finding, as the app would mark it; jieba may cut it in two.
    start = text.index(PLANTED)
    units = segment(text, [((start, start + len(PLANTED)), "finding", PLANTED)])
    game = Game(score, text, units, 0, LABELS[0])
    found = [
        ("shap", partition_values(game, budget=budget)),
        ("lime", lime_values(game, samples=budget)),
        ("occlusion", occlusion_values(game)),
    ]
    try:
        import captum.attr  # noqa: F401
    except ModuleNotFoundError:
        return found
    from xinglin.explain.gradients import Differentiable, gradient_values

    classifier.model.eval().requires_grad_(False)
    model = Differentiable(classifier.model, classifier.tokenizer, LABELS, classifier.options.max_length)
    return [*found, ("gradients", gradient_values(model, text, units, 0))]
