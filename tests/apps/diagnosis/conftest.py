from __future__ import annotations

from pathlib import Path

import pytest

from tests.text_models import word_checkpoint
from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential, load_encoder, with_encoder
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.render import as_json

TAUGHT = "慢性疲劳综合征"
UNREAD_WORDS = "最近总是觉得日子没有意思不想动弹"
"""Words that the vocabulary does not know."""


@pytest.fixture(scope="session")
def differential() -> Differential:
    return load_differential(engine="graph")


@pytest.fixture(scope="session")
def ask(differential: Differential):  # type: ignore[no-untyped-def]
    """Text -> rendered answer."""

    def run(text: str, lang: str = "zh", **more):  # type: ignore[no-untyped-def]
        top = more.pop("top", 5)
        return as_json(differential, answer(differential, gather(differential, text, **more), top), lang)  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="session")
def words(differential: Differential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder: a bag of words over the graph's diseases, taught one of them."""
    labels = [disease.name for disease in differential.pack.diseases]
    return word_checkpoint(tmp_path_factory.mktemp("words") / "model", labels, {TAUGHT: UNREAD_WORDS})


@pytest.fixture(scope="session")
def joined(differential: Differential, words: Path) -> Differential:
    return with_encoder(differential, load_encoder(words))
