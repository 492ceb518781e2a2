"""Put an assistant together: graph, tools of the diagnosis engine, the local index of documents, a language model."""

from __future__ import annotations

import os
from pathlib import Path

from xinglin.apps.assistant.assistant import Assistant
from xinglin.apps.assistant.index import DocumentIndex, load_index
from xinglin.apps.assistant.writer import Writer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import MissingDataError
from xinglin.serve.chat_tools import diagnosis_tools, passage_encoder
from xinglin.store import Store, home_folder

KEY = "XINGLIN_MODEL_KEY"
"""Environment variable with the API key of a model server."""


def index_folder() -> Path:
    """Return where the index of documents lies."""
    home: Path = home_folder()
    return home / "assistant" / "index"


def open_assistant(
    differential: Differential,
    store: Store | None = None,
    writer: Writer | None = None,
    actor: str = "assistant",
) -> Assistant:
    """Return the assistant over a loaded differential, with the local index if there is one.

    Args:
        differential: the loaded model.
        store: when given, every differential leaves a line in its ledger.
        writer: a language model; ``None`` answers by extraction.
        actor: of those lines.

    Raises:
        CheckpointError: the index is damaged or was built with another encoder.
    """
    tools = diagnosis_tools(differential, store, actor)
    return Assistant(differential.knowledge, differential.vocabulary, tools, _index(differential), writer)


def _index(differential: Differential) -> DocumentIndex | None:
    try:
        return load_index(index_folder(), passage_encoder(differential))
    except MissingDataError:
        return None


def open_writer(model: str, *, allow_remote: bool = False, name: str | None = None) -> Writer:
    """Open a language model: a folder of ``transformers``, or the URL of an OpenAI-compatible server.

    Raises:
        ConfigurationError: a URL that is none, or that lies beyond this machine without ``allow_remote``.
        MissingDataError, CheckpointError, MissingExtraError: the folder is no model, unsafe, or needs an extra.
    """
    if model.startswith(("http://", "https://")):
        from xinglin.apps.assistant.remote_writer import RemoteWriter

        return RemoteWriter(model, name, allow_remote=allow_remote, key=os.environ.get(KEY, ""))
    from xinglin.apps.assistant.local_writer import LocalWriter

    return LocalWriter.load(Path(model))
