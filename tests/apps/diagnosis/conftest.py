from __future__ import annotations

import pytest

from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.render import as_json


@pytest.fixture(scope="session")
def differential() -> Differential:
    return load_differential()


@pytest.fixture(scope="session")
def ask(differential: Differential):  # type: ignore[no-untyped-def]
    """Text -> rendered answer."""

    def run(text: str, lang: str = "zh", **more):  # type: ignore[no-untyped-def]
        top = more.pop("top", 5)
        return as_json(differential, answer(differential, gather(differential, text, **more), top), lang)  # type: ignore[arg-type]

    return run
