"""What Flower and Ray must be told before they start: report to nobody, look for nothing on the network."""

from __future__ import annotations

from collections.abc import MutableMapping

SETTINGS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",
}
"""Flower reads the first when it is imported: they are set before that, and in every process that is started."""


def quiet(environment: MutableMapping[str, str]) -> MutableMapping[str, str]:
    """Set them in an environment; returns it."""
    environment.update(SETTINGS)
    return environment
