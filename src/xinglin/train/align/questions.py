"""VQA-RAD: radiology images with clinicians' questions and answers (Lau et al. 2018, Sci Data 5:180251).

Files ``train.jsonl`` (``phrase_type`` freeform and para), ``test_questions.jsonl`` (test_freeform and test_para, without
answers) and ``images``. Questions of the official test are about images that training shows as well; that is the
data's own design.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, MissingExtraError

TRAIN, TEST, IMAGES = "train.jsonl", "test_questions.jsonl", "images"
SIDE = 96
"""Pixels along each side of what the network sees."""
MAX_ROWS = 100_000
MAX_FILE = 64 * 2**20
MAX_PIXELS = 4096 * 4096
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about one image."""

    row: str
    image: str
    organ: str
    """HEAD, CHEST or ABD."""
    question: str
    kind: str
    """``question_type`` as given, e.g. PRES, POS, MODALITY."""
    closed: bool
    """Answer type CLOSED: yes or no, or one of what the question names."""
    phrase: str
    answer: str | None
    """As written; ``None`` where it is kept back."""


def read_questions(path: Path) -> list[Asked]:
    """Read a table of questions.

    Raises:
        MissingDataError: there is none.
        InvalidInputError: a row is not what it should be; names its line.
        InputTooLargeError: too many rows or bytes.
    """
    if not path.is_file():
        raise MissingDataError(f"{path}: expected questions in JSON lines; there is no such file")
    if path.stat().st_size > MAX_FILE:
        raise InputTooLargeError(f"{path.name}: expected at most {MAX_FILE} bytes")
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if number > MAX_ROWS:
            raise InputTooLargeError(f"{path.name}: expected at most {MAX_ROWS} rows")
        try:
            row = json.loads(line)
            texts = [row[key] for key in ("row_id", "image_name", "image_organ", "question", "question_type")]
            closed, phrase = row["answer_type"].strip(), row["phrase_type"]
            answer = row.get("answer")
            if not all(isinstance(text, str) for text in (*texts, phrase)) or closed not in (
                "CLOSED",
                "OPEN",
            ):
                raise ValueError("a field that is no text, or an answer_type that is neither CLOSED nor OPEN")
            if not _NAME.fullmatch(texts[1]):
                raise ValueError("an image name that is none")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidInputError(f"{path.name}, line {number}: {str(error)[:100]}") from None
        told = None if answer is None else str(answer)
        found.append(
            Asked(texts[0], texts[1], texts[2], texts[3], texts[4], closed == "CLOSED", phrase, told)
        )
    if not found:
        raise InvalidInputError(f"{path.name}: expected at least one question")
    return found


def read_pictures(folder: Path, names: Sequence[str]) -> NDArray[np.uint8]:
    """Read images as squares of ``SIDE`` pixels in grey, (n, SIDE, SIDE), shrunk as a whole with black borders.

    Raises:
        MissingDataError: an image is absent.
        InvalidInputError: an image cannot be read.
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise MissingExtraError("vqa-rad", "train") from error
    pictures = np.zeros((len(names), SIDE, SIDE), dtype=np.uint8)
    for index, name in enumerate(names):
        path = folder / name
        if not path.is_file():
            raise MissingDataError(f"{folder}: there is no image {name[:80]}")
        try:
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise InputTooLargeError(f"{name[:80]}: expected at most {MAX_PIXELS} pixels")
                grey = image.convert("L")
                grey.thumbnail((SIDE, SIDE))
                small = np.asarray(grey)
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise InvalidInputError(f"{name[:80]}: cannot be read as an image: {str(error)[:80]}") from None
        top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
        pictures[index, top : top + small.shape[0], left : left + small.shape[1]] = small
    return pictures


def normalised(answer: str) -> str:
    """Return an answer as it is compared: lower case, no punctuation at the ends, single spaces."""
    return re.sub(r"\s+", " ", answer.lower().strip(" .,;:!?\t\n"))


def held_out(
    asked: Sequence[Asked], *, by_image: bool, share: float = 0.2, seed: int = 0
) -> NDArray[np.bool_]:
    """Return which questions are kept to test on.

    Args:
        asked: questions with answers.
        by_image: all questions of an image go to one side; else images are shared, as in the official split, and only
            the phrasings of one question (same image, type and answer) stay together.
        share: of the groups.
        seed: changes the draw.
    """

    def kept(one: Asked) -> bool:
        group = one.image if by_image else f"{one.image} {one.kind} {normalised(one.answer or '')}"
        return int(hashlib.sha256(f"{seed} {group}".encode()).hexdigest(), 16) % 1000 < 1000 * share

    return np.array([kept(one) for one in asked])


def right(asked: Sequence[Asked], answers: Sequence[str], closed: bool | None = None) -> NDArray[Any]:
    """Return for each question of a kind whether the answer is exactly the clinician's, after normalisation."""
    return np.array(
        [
            normalised(one.answer or "") == normalised(answer)
            for one, answer in zip(asked, answers, strict=True)
            if closed is None or one.closed == closed
        ],
        dtype=float,
    )
