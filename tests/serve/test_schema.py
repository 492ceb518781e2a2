"""Every operation of the OpenAPI document against generated requests: no 5xx, errors are problem documents."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

from tests.serve.conftest import PROBLEM, ledger_of, running
from xinglin.apps.diagnosis.differential import Differential
from xinglin.serve.app import create_app
from xinglin.store import Store, open_store

OPERATIONS = [
    ("GET", "/api/health"),
    ("GET", "/api/session"),
    ("POST", "/api/diagnose"),
    ("POST", "/api/note"),
    ("GET", "/api/explain"),
    ("POST", "/api/explain"),
    ("GET", "/api/cases"),
    ("POST", "/api/cases"),
    ("GET", "/api/cases/confirmed"),
    ("GET", "/api/cases/{case}"),
    ("GET", "/api/cases/{case}/account"),
    ("PUT", "/api/cases/{case}/confirmed"),
    ("DELETE", "/api/cases/{case}"),
    *(
        (method, f"/api/labels/campaigns{path}")
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            *(
                ("GET", f"/{{campaign}}/{name}")
                for name in ("scheme", "classes", "overview", "second-looks", "results")
            ),
            *(
                ("POST", f"/{{campaign}}/{name}")
                for name in ("roles", "next", "undo", "second-looks", "audit")
            ),
            *(("POST", f"/{{campaign}}/{name}") for name in ("import", "close")),
            *(
                ("POST", f"/{{campaign}}/cases/{{slot}}/{name}")
                for name in ("label", "vote", "answer", "skip")
            ),
        )
    ),
    *(
        (method, f"/api/challenges{path}")
        for method, path in (
            *(("GET", ""), ("POST", ""), ("GET", "/{name}"), ("POST", "/{name}/entries")),
            *(("GET", f"/{{name}}/{part}") for part in ("questions", "verify", "opening", "entries")),
            *(("POST", "/{name}/close"), ("POST", "/{name}/sites")),
            ("GET", "/{name}/entries/{number}/receipt"),
        )
    ),
    ("GET", "/api/consents"),
    *(
        ("POST", f"/api/consents/{name}")
        for name in ("look", "verify", "proof", "reach", "withdraw", "revoke")
    ),
    ("GET", "/cds-services"),
    ("POST", "/cds-services/xinglin-patient-view"),
    ("POST", "/cds-services/xinglin-order-select"),
    ("POST", "/cds-services/{service}/feedback"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{name}"),
    ("POST", "/v1/chat/completions"),
]


@pytest.fixture(scope="module")
def served(
    differential: Differential, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Store]]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('schema') / 'x.db'}")
    with running(create_app(differential, store, workbench=False)) as address:
        yield address, store
    store.close()


def test_the_document_lists_every_operation(served: tuple[str, Store]) -> None:
    document = httpx.get(f"{served[0]}/api/openapi.json").json()
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert listed == set(OPERATIONS)
    assert "未经注册" in document["info"]["description"]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda value: value)
def test_an_operation_never_fails(
    served: tuple[str, Store], method: str, path: str, mode: GenerationMode
) -> None:
    address, store = served
    schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
    operation = schema[path][method]
    tried = 0

    @seed(20261123)
    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: schemathesis.Case) -> None:
        nonlocal tried
        tried += 1
        answer = case.call(base_url=address)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == [PROBLEM]
            assert "Traceback" not in answer.text

    try:
        attempt()
    except Exception as error:
        if type(error).__name__ not in ("Unsatisfiable", "SerializationNotPossible"):
            raise
        assert method == "GET" or mode is GenerationMode.POSITIVE, "nothing could be generated"
    ledger_of(store)
