"""VQA-RAD: images and clinicians' words in one space, and answers with and without looking at the image.

Image and text meet as for the nodules: a small CNN on 96 x 96 grey pixels, a small BERT on question and answer, InfoNCE
with every text of the same image counted as its own. Answering is classification over the answers of training, as the
published models do: logistic regression on the question's words alone, or with the image's vector and its products with
what the question is about. No weights from elsewhere: a few hundred images teach a network from nothing little, and the
figures say so.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xinglin.errors import MissingExtraError
from xinglin.model.align.networks import Sentences, WordsConfig
from xinglin.model.tokenizer import train_tokenizer
from xinglin.train.align.batches import encoded
from xinglin.train.align.objective import own_share
from xinglin.train.align.questions import SIDE, Asked, normalised
from xinglin.train.loop import Plan, train

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = NDArray[np.float32]
ABOUT = 24
"""Dimensions of what a question is about, that the image's vector is multiplied with."""
MOVED = 6
"""Pixels by which a picture may be moved in training."""


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """What decides the weights, beside the data."""

    steps: int = 240
    batch: int = 48
    learning_rate: float = 2e-3
    width: int = 16
    space: int = 48
    vocabulary: int = 1200
    seed: int = 0


class Pictures(nn.Module):
    """Pictures (n, 1, SIDE, SIDE) -> unit vectors (n, space): four stages that halve, group norm, means and maxima."""

    def __init__(self, width: int, space: int) -> None:
        super().__init__()
        sizes = (1, width, 2 * width, 4 * width, 4 * width)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(low, high, 3, padding=1), nn.GroupNorm(4, high), nn.ReLU(), nn.MaxPool2d(2)
                )
                for low, high in pairwise(sizes)
            )
        )
        self.head = nn.Linear(8 * width, space)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the vectors."""
        seen = self.stages(pictures)
        return nn.functional.normalize(self.head(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)), dim=1)


class PicturesAndWords(nn.Module):
    """Both towers and their InfoNCE with a learnt temperature."""

    def __init__(self, vocabulary: int, options: PictureOptions) -> None:
        super().__init__()
        self.pictures = Pictures(options.width, options.space)
        self.sentences = Sentences(WordsConfig(vocab_size=vocabulary, space=options.space))
        self.scale = nn.Parameter(torch.tensor([2.3]))

    def forward(
        self, pictures: Tensor, input_ids: Tensor, attention_mask: Tensor, owner: Tensor
    ) -> dict[str, Tensor]:
        """Return ``loss``; owner (n,): texts and pictures of the same number belong together."""
        fit = self.scale.exp() * self.pictures(pictures) @ self.sentences(input_ids, attention_mask).T
        mine = owner[:, None] == owner[None]
        return {"loss": -own_share(fit, mine).mean() - own_share(fit.T, mine.T).mean()}


def said(one: Asked) -> str:
    """Return a question with its answer as one text."""
    return f"{one.question} {one.answer or ''}".strip()


def train_pictures(
    asked: Sequence[Asked],
    pictures: NDArray[np.uint8],
    names: Sequence[str],
    options: PictureOptions,
    state: Path,
    *,
    threads: int | None = 1,
) -> tuple[PicturesAndWords, Tokenizer]:
    """Align pictures with what was asked and answered of them.

    Args:
        asked: questions with answers, to train on.
        pictures: (n, SIDE, SIDE).
        names: of the pictures.
        options: settings.
        state: folder of the resumable state.
        threads: CPU threads.
    """
    place = {name: index for index, name in enumerate(names)}
    tokenizer = train_tokenizer([said(one) for one in asked], options.vocabulary)
    ids, mask = encoded(tokenizer, [said(one) for one in asked])
    torch.manual_seed(options.seed)
    model = PicturesAndWords(tokenizer.get_vocab_size(), options)
    digest = hashlib.sha256(repr((options, [(one.row, said(one)) for one in asked])).encode())

    def draw(step: int, process: int, processes: int) -> dict[str, Tensor]:
        generator = np.random.default_rng((options.seed, step, process))
        chosen = generator.choice(len(asked), min(options.batch, len(asked)), replace=False)[
            process::processes
        ]
        owner = np.array([place[asked[i].image] for i in chosen])
        return {
            "pictures": torch.from_numpy(_changed(pictures[owner], generator)),
            "input_ids": torch.from_numpy(ids[chosen]),
            "attention_mask": torch.from_numpy(mask[chosen]),
            "owner": torch.from_numpy(owner),
        }

    plan = Plan(
        options.steps,
        options.learning_rate,
        0.1,
        0.05,
        options.seed,
        max(1, options.steps // 4),
        digest.hexdigest(),
        threads,
    )
    train(model, draw, plan, state)
    return model.eval(), tokenizer


@torch.no_grad()
def picture_vectors(model: PicturesAndWords, pictures: NDArray[np.uint8]) -> Floats:
    """Return the vectors of pictures, (n, space)."""
    found: Floats = model.pictures(torch.from_numpy(_scaled(pictures))).numpy()
    return found


@torch.no_grad()
def text_vectors(model: PicturesAndWords, tokenizer: Tokenizer, texts: Sequence[str]) -> Floats:
    """Return the vectors of texts, (n, space)."""
    ids, mask = encoded(tokenizer, texts)
    found: Floats = model.sentences(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    return found


def majority(asked: Sequence[Asked]) -> Callable[[Sequence[Asked]], list[str]]:
    """Return what always gives the commonest answer of its kind, closed or open: the floor."""
    common = {
        closed: Counter(normalised(one.answer or "") for one in asked if one.closed == closed).most_common(1)[
            0
        ][0]
        for closed in {one.closed for one in asked}
    }
    return lambda questions: [common.get(one.closed, "") for one in questions]


def answerer(
    asked: Sequence[Asked], vectors: dict[str, Floats] | None, *, strength: float = 10.0
) -> Callable[[Sequence[Asked]], list[str]]:
    """Fit what answers by the question's words, and by the image where vectors are given.

    Args:
        asked: questions with answers, to train on.
        vectors: vector of every image by name; ``None``: it does not look.
        strength: inverse regularisation.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ModuleNotFoundError as error:
        raise MissingExtraError("vqa-rad", "train") from error
    from scipy.sparse import csr_matrix, hstack

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, max_features=20_000)
    told = hstack(
        [
            words.fit_transform(one.question for one in asked),
            letters.fit_transform(one.question for one in asked),
        ]
    )
    about = TruncatedSVD(ABOUT, random_state=0).fit(told)

    def features(questions: Sequence[Asked]) -> Any:
        texts = [one.question for one in questions]
        told = hstack([words.transform(texts), letters.transform(texts)])
        closed = csr_matrix(np.array([[float(one.closed)] for one in questions]))
        parts = [told, closed]
        if vectors is not None:
            seen = np.stack([vectors[one.image] for one in questions])
            topic = about.transform(told)
            products = (topic[:, :, None] * seen[:, None]).reshape(len(seen), -1)
            parts += [csr_matrix(seen), csr_matrix(products)]
        return hstack(parts).tocsr()

    model = LogisticRegression(C=strength, max_iter=300)
    model.fit(features(asked), [normalised(one.answer or "") for one in asked])
    return lambda questions: [str(answer) for answer in model.predict(features(questions))]


def _scaled(pictures: NDArray[np.uint8]) -> Floats:
    return ((pictures[:, None].astype(np.float32) - 64) / 64).astype(np.float32)


def _changed(pictures: NDArray[np.uint8], generator: np.random.Generator) -> Floats:
    """Pictures moved a little, with another brightness and contrast; never mirrored: left and right are asked for."""
    made = np.zeros((len(pictures), 1, SIDE, SIDE), dtype=np.float32)
    for index, picture in enumerate(pictures):
        down, right = generator.integers(-MOVED, MOVED + 1, 2)
        moved = np.roll(picture, (int(down), int(right)), (0, 1))
        made[index, 0] = moved * generator.uniform(0.8, 1.2) + generator.uniform(-10, 10)
    return ((made - 64) / 64).astype(np.float32)
