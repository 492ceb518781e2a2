"""The VQA-RAD part of the align benchmark: closed and open accuracy with the floor and a model that does not look."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks._line import Line
from xinglin.measure.intervals import Figure, bootstrap, proportion
from xinglin.train.align.answering import (
    PictureOptions,
    answerer,
    majority,
    picture_vectors,
    said,
    text_vectors,
    train_pictures,
)
from xinglin.train.align.questions import IMAGES, TRAIN, Asked, held_out, read_pictures, read_questions, right

FOLDER = "vqa-rad"
PUBLISHED = {True: 0.751, False: 0.439}
"""MEVF + BAN on the official test, closed and open: readme of aioz-ai/MICCAI19-MedVQA (arXiv 1909.11867)."""
DEPTHS = (1, 10)


def lines(folder: Path, quick: bool) -> list[Line]:
    """Return the lines of this part."""
    asked = read_questions(folder / TRAIN)
    names = sorted({one.image for one in asked})
    pictures = read_pictures(folder / IMAGES, names)
    options = PictureOptions(steps=4 if quick else PictureOptions().steps)
    made: list[Line] = []
    for by_image in (False, True):
        split = "unseen images" if by_image else "images shared, as the official split does"
        held = held_out(asked, by_image=by_image)
        train = [one for one, out in zip(asked, held, strict=True) if not out]
        test = [one for one, out in zip(asked, held, strict=True) if out]
        if quick:
            train, test = train[:300], test[:100]
        with tempfile.TemporaryDirectory() as state:
            model, tokenizer = train_pictures(train, pictures, names, replace(options), Path(state) / "state")
        vectors = dict(zip(names, picture_vectors(model, pictures), strict=True))
        answers = {
            "commonest answer": majority(train)(test),
            "question alone": answerer(train, None)(test),
            "question and image": answerer(train, vectors)(test),
        }
        made += _accuracies(test, answers, split)
        if by_image:
            table = text_vectors(model, tokenizer, [said(one) for one in test])
            made += _retrieval(test, np.stack([vectors[one.image] for one in test]), table)
    return made


def _accuracies(test: Sequence[Asked], answers: dict[str, list[str]], split: str) -> list[Line]:
    made = []
    for closed in (True, False, None):
        kind = {True: "closed", False: "open", None: "all"}[closed]
        scores = {name: right(test, given, closed) for name, given in answers.items()}
        for name, score in scores.items():
            found = proportion(int(score.sum()), len(score))
            note = ""
            if name == "question and image":
                gain = _difference(score, scores["question alone"])
                note = f"against the question alone {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}], paired"
            made.append(
                Line(
                    f"VQA-RAD, {split}: {name}",
                    f"accuracy, {kind}",
                    found.value,
                    "",
                    found.n,
                    found.low,
                    found.high,
                    None if closed is None else PUBLISHED[closed],
                    None if closed is None else "MEVF+BAN, official test, pre-trained on other images",
                    note,
                )
            )
    return made


def _difference(one: np.ndarray, other: np.ndarray) -> Figure:
    gain = one - other
    return bootstrap(lambda index: float(gain[index].mean()), len(gain))


def _retrieval(test: Sequence[Asked], seen: np.ndarray, told: np.ndarray) -> list[Line]:
    """Find the image that a question with its answer is about among unseen images, and the texts of an image."""
    names = sorted({one.image for one in test})
    place = np.array([names.index(one.image) for one in test])
    first = np.array([int(np.flatnonzero(place == at)[0]) for at in range(len(names))])
    fit = told @ seen[first].T  # texts x images
    own = fit[np.arange(len(test)), place]
    before = (fit > own[:, None]).sum(1)
    made = []
    for depth in DEPTHS:
        found = bootstrap(lambda index, d=depth: float((before[index] < d).mean()), len(before))  # type: ignore[misc]
        made.append(
            Line("VQA-RAD, unseen images: text -> image", f"R@{depth}", found.value, "", found.n, found.low, found.high,
                 depth / len(names), "chance", f"{len(names)} images; question with its answer")
        )  # fmt: skip
    table = fit.T
    mine = place[None] == np.arange(len(names))[:, None]
    best = np.where(mine, table, -np.inf).max(1)
    rank = (np.where(mine, -np.inf, table) > best[:, None]).sum(1)
    for depth in DEPTHS:
        found = bootstrap(lambda index, d=depth: float((rank[index] < d).mean()), len(rank))  # type: ignore[misc]
        chance = float(np.mean([1 - np.prod([(len(test) - m - k) / (len(test) - k) for k in range(depth)])
                                for m in mine.sum(1)]))  # fmt: skip
        made.append(
            Line("VQA-RAD, unseen images: image -> text", f"R@{depth}", found.value, "", found.n, found.low, found.high,
                 chance, "chance", f"among {len(test)} texts; any text of the image counts")
        )  # fmt: skip
    return made
