"""A tiny corpus of our own words, tokenised once for the tests of this room."""

from __future__ import annotations

import pytest

TEXTS = [
    f"{who}{part}{what}{days}天,{more}。查体:{sign}。"
    for who in ("患者", "孩子", "老人")
    for part in ("头", "胸", "腹")
    for what in ("痛", "胀")
    for days, more, sign in (
        (3, "伴恶心呕吐", "腹部压痛"),
        (2, "无发热,否认高血压", "心律齐"),
        (7, "夜间加重", "双肺呼吸音清"),
    )
] + [
    "The patient has had chest pain for three days and denies fever. Examination of the abdomen is normal."
] * 8


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return TEXTS


@pytest.fixture(scope="session")
def corpus(texts):
    from xinglin.train.corpus import Source
    from xinglin.train.pretrain import prepare_corpus

    source = Source("authored for the tests", "0" * 64, len(texts), 0, "Apache-2.0")
    names = ["胸痛", "双肺呼吸音清", "无发热,否认高血压", "腹部压痛", "恶心", "chest pain", "fever"]
    return prepare_corpus(texts, [source], vocabulary=400, entities=names)


@pytest.fixture(scope="session")
def encoder(corpus, tmp_path_factory):
    """A tiny encoder after four steps, with the graph's objective."""
    from xinglin.model.knowledge import entity_graph
    from xinglin.train.options import PretrainOptions
    from xinglin.train.pretrain import pretrain

    folder = tmp_path_factory.mktemp("models") / "encoder"
    options = PretrainOptions(size="tiny", steps=4, batch_size=4, length=32, threads=1, vocabulary=400)
    pretrain(corpus, folder, options, knowledge=entity_graph(with_options=False))
    return folder
