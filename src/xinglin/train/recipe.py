"""The recipe of the shipped model, start to end, from open data alone.

    xinglin train open-model --data DIR --out DIR

1. *Encoder*: masked language modelling on the open Chinese and English text, with the starter graph's contrastive
   objective beside it.
2. *Diagnosis head*: narratives rendered from the graph, weak labels mined from the same open text and the gold
   labels among it, over the graph's diseases.
3. *Export*: ONNX and INT8.

What the figures are reported on is read by no step (``corpus.reported``). Each step is skipped when its result is
there, so that an interrupted recipe goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.errors import MissingDataError
from xinglin.train.corpus import OPEN_SETS, Passage, Source, read_open_set
from xinglin.train.options import PretrainOptions

if TYPE_CHECKING:
    from xinglin.train.pretrain import Corpus

CHARACTERS = {"medquad": 3_000_000, "openstax": 2_500_000, "genmedgpt": 1_500_000, "mts-dialog": 700_000}
"""Most characters read of a large English set: the model is Chinese first."""
CHINESE = 2
"""How often Chinese text is read for once of English."""
PRETRAIN = PretrainOptions(size="small", steps=2000, learning_rate=1.5e-3, batch_size=32, length=128)


def open_corpus(folder: Path, *, tokenizer: Path | None = None) -> Corpus:
    """Read and tokenise the open text.

    Args:
        folder: the data folder, with ``text`` below it.
        tokenizer: checkpoint folder whose tokenizer is used; ``None`` learns one.

    Raises:
        MissingDataError: not one of the sets is there.
    """
    from xinglin.model.knowledge import entity_graph
    from xinglin.model.tokenizer import load_tokenizer
    from xinglin.train.pretrain import prepare_corpus

    texts: list[str] = []
    sources: list[Source] = []
    for name, which in OPEN_SETS.items():
        if not (folder / "text" / which.path).is_file():
            continue
        passages, source = read_open_set(name, folder / "text")
        kept = [passage.text for passage in _bounded(passages, CHARACTERS.get(name))]
        texts += kept * (CHINESE if which.lang == "zh" else 1)
        sources.append(source)
    if not texts:
        raise MissingDataError(
            f"there is no open text below {folder / 'text'}; see docs/model.md for what it holds"
        )
    names = [spelling for spellings in entity_graph().names for spelling in spellings]
    return prepare_corpus(
        texts,
        sources,
        tokenizer=load_tokenizer(tokenizer) if tokenizer else None,
        vocabulary=PRETRAIN.vocabulary,
        entities=names,
    )


def _bounded(passages: list[Passage], characters: int | None) -> Iterator[Passage]:
    """Yield passages in the order of their digests, up to so many characters in all."""
    if characters is None:
        yield from passages
        return
    seen = 0
    for passage in sorted(passages, key=lambda item: sha256(item.text.encode()).digest()):
        if seen >= characters:
            return
        seen += len(passage.text)
        yield passage
