"""What Prometheus scrapes, read back by Prometheus' own parser from a real server."""

from __future__ import annotations

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.release.registered import checkpoint
from tests.serve.conftest import PATIENT, running
from xinglin.apps.diagnosis.differential import Differential
from xinglin.ledger import verify
from xinglin.release.gates.policy import policy_from
from xinglin.release.registry.promote import promote
from xinglin.release.registry.record import attach, register
from xinglin.serve.app import create_app
from xinglin.store import Store


def test_metrics_tell_ledger_answers_release_and_alarms(
    differential: Differential, store: Store, tmp_path: Path
) -> None:
    approval = {"person": "chen", "role": "clinical", "decision": "approve", "statement": "read"}
    alarm = {"name": "psi age", "value": 0.4, "limit": 0.25, "since": "2026-01-01", "breached": True}
    with store.write() as connection:
        register(connection, checkpoint(tmp_path / "a"), actor="lead")
        attach(connection, "nodules", "1.0.0", "approval", approval, actor="lead")
    policy = policy_from({"name": "p", "signature": False, "approvals": {"roles": ["clinical"]}})
    promote(store, "nodules", "1.0.0", policy, actor="lead")
    with store.write() as connection:
        attach(connection, "nodules", "1.0.0", "monitoring", alarm, actor="monitor")
    with (
        running(create_app(differential, store, workbench=False)) as url,
        httpx.Client(base_url=url) as client,
    ):
        assert client.post("/api/diagnose", json={"text": PATIENT}).status_code == 200
        families = {
            family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)
        }
    with store.read() as connection:
        assert families["xinglin_ledger_entries"].samples[0].value == verify(connection)
    assert sum(sample.value for sample in families["xinglin_answers"].samples) == 1
    released = families["xinglin_model_released"].samples
    assert [(one.labels, one.value) for one in released] == [({"name": "nodules", "number": "1.0.0"}, 1.0)]
    assert families["xinglin_model_alarm"].samples[0].value == 1.0
    assert families["xinglin_model_reading"].samples[0].labels["reading"] == "psi age"
