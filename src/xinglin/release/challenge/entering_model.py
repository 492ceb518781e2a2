"""Entering a model: looked through, evaluated behind barriers, its answers entered, or its failure kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from xinglin.release.challenge.entering import enter, enter_failed, may_enter
from xinglin.release.challenge.evaluation import EvaluationFailedError, predict
from xinglin.release.challenge.manifest import Manifest
from xinglin.release.challenge.model_files import ModelFiles, check_model, unpack
from xinglin.release.challenge.parts import read_inputs
from xinglin.release.challenge.record import Entered, find, hidden_part
from xinglin.store import Store


def enter_model(
    store: Store, name: str, given: Path, *, entrant: str, title: str, now: datetime, weak: bool = False
) -> Entered:
    """Evaluate a model on the hidden questions and enter its answers.

    Args:
        store: where the challenge is kept.
        name: of the challenge.
        given: folder, or zip, of the model.
        entrant: who enters.
        title: what it is, for the board.
        now: the present moment.
        weak: as in :func:`.evaluation.predict`.

    Returns:
        The entry; its state is ``failed`` where the model gave no answer.

    Raises:
        InvalidInputError, InputTooLargeError: files that are not taken; nothing is kept then.
        ConflictError, NotPermittedError: as :func:`.entering.may_enter`.
        ConfigurationError, MissingExtraError: as :func:`.evaluation.predict`.
    """
    with store.read() as connection:
        challenge = find(connection, name)
        may_enter(connection, challenge, entrant, "model", now)
        texts = read_inputs(hidden_part(connection, name, "inputs")[1])
    with opened_model(given, challenge.manifest) as model:
        try:
            found = predict(model, texts, challenge.manifest, weak=weak)
        except EvaluationFailedError as error:
            return enter_failed(
                store, name, entrant=entrant, title=title, model=model.digest, reason=str(error), now=now
            )
        return enter(
            store,
            name,
            found.predictions,
            entrant=entrant,
            title=title,
            now=now,
            kind="model",
            model=model.digest,
            barriers=found.barriers,
        )


@contextmanager
def opened_model(given: Path, manifest: Manifest) -> Iterator[ModelFiles]:
    """Yield a model that was looked through: of a folder, or of a zip that is unpacked for as long as it is needed.

    Raises:
        InvalidInputError, InputTooLargeError: files that are not taken.
    """
    if given.is_dir():
        yield check_model(given, manifest.labels, manifest.limits.model_mib)
        return
    with tempfile.TemporaryDirectory(prefix="xinglin-challenge-") as folder:
        unpack(given, Path(folder), manifest.limits.model_mib)
        yield check_model(Path(folder), manifest.labels, manifest.limits.model_mib)
