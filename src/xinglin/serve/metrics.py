"""``/metrics`` for Prometheus: the ledger, the released models, their answers and their open alarms.

Counts and figures only; nothing of a patient. The service's own guard stands before it as before every other page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from xinglin.release.registry.record import find, models, released
from xinglin.store import Store
from xinglin.store.tables_ledger import ledger_head, ledger_signed_heads
from xinglin.store.tables_release import model_traffic


class _State(Collector):
    """Reads the store anew at each scrape."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each family of figures."""
        with self._store.read() as connection:
            yield from _ledger(connection)
            yield from _answers(connection)
            yield from _models(connection)


def router(store: Store) -> APIRouter:
    """Return the route over a store."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_State(store))
    api = APIRouter()

    @api.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        """What Prometheus scrapes."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return api


def _ledger(connection: Connection) -> Iterator[GaugeMetricFamily]:
    entries: int = connection.execute(select(ledger_head.c.seq)).scalar_one()
    yield GaugeMetricFamily("xinglin_ledger_entries", "Entries of the audit chain.", value=entries)
    newest = connection.execute(select(func.max(ledger_signed_heads.c.time))).scalar()
    if newest is not None:
        age = (datetime.now(UTC) - datetime.fromisoformat(newest)).total_seconds()
        yield GaugeMetricFamily(
            "xinglin_ledger_signed_head_age_seconds", "Since a head was signed.", value=age
        )


def _answers(connection: Connection) -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily(
        "xinglin_answers", "Answers counted, by model and triage level.", labels=["model", "triage"]
    )
    query = (
        select(model_traffic.c.model, model_traffic.c.bin, func.sum(model_traffic.c.count))
        .where(model_traffic.c.feature == "triage")
        .group_by(model_traffic.c.model, model_traffic.c.bin)
    )
    rows: Sequence[Any] = connection.execute(query).all()
    for model, triage, count in rows:
        family.add_metric([model, triage], int(count))
    yield family


def _models(connection: Connection) -> Iterator[GaugeMetricFamily]:
    state = GaugeMetricFamily(
        "xinglin_model_released", "1 for the released version.", labels=["name", "number"]
    )
    readings = GaugeMetricFamily(
        "xinglin_model_reading", "Newest monitoring figure.", labels=["name", "number", "reading"]
    )
    alarms = GaugeMetricFamily(
        "xinglin_model_alarm",
        "1 while the reading is beyond its limit.",
        labels=["name", "number", "reading"],
    )
    for name in models(connection):
        number = released(connection, name)
        if number is None:
            continue
        state.add_metric([name, number], 1)
        newest = {
            item.content["name"]: item.content
            for item in find(connection, name, number).of_kind("monitoring")
        }
        for reading, content in sorted(newest.items()):
            readings.add_metric([name, number, reading], content["value"])
            alarms.add_metric([name, number, reading], float(content["breached"]))
    yield from (state, readings, alarms)
