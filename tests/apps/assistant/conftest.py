from __future__ import annotations

from collections.abc import Callable

import pytest

from xinglin.apps.assistant.assistant import Assistant, Turn
from xinglin.apps.assistant.conversation import Message, conversation
from xinglin.apps.assistant.documents import Document
from xinglin.apps.assistant.index import build_index
from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.differential import Differential
from xinglin.graph.knowledge import Knowledge
from xinglin.graph.load import starter
from xinglin.graph.terms import starter_terms
from xinglin.serve.chat_tools import diagnosis_tools
from xinglin.terms.vocabulary import Vocabulary

Ask = Callable[..., Turn]


@pytest.fixture(scope="session")
def differential() -> Differential:
    return load_differential(engine="graph")


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return starter()


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return starter_terms()


@pytest.fixture(scope="session")
def ask(differential: Differential) -> Ask:
    """Ask the assistant with the real tools, a document, and a language model where one is given."""
    tools = diagnosis_tools(differential)

    def asked(*words: str, document: str | None = None, writer: object = None, **tools_: object) -> Turn:
        index = None if document is None else build_index([Document("a.md", "文档", document)])
        assistant = Assistant(
            differential.knowledge,
            differential.vocabulary,
            tools_.get("tools", tools),  # type: ignore[arg-type]
            index,
            writer,  # type: ignore[arg-type]
        )
        return assistant.answer(conversation([Message("user", word) for word in words]))

    return asked
