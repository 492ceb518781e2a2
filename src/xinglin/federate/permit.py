"""What a hospital's steward states once, so that a job may be admitted: data set, consent, grant, manifest, budget."""

from __future__ import annotations

from pathlib import Path

from xinglin.errors import UnknownNameError
from xinglin.federate.privacy.budget import state_limit
from xinglin.federate.site import ACTOR
from xinglin.ledger.grants import give_consent, grant
from xinglin.ledger.subjects import find_dataset
from xinglin.records.archive import create_dataset
from xinglin.records.manifest import Consent, build_manifest, write_manifest
from xinglin.store import Store

MANIFEST = "manifest.json"


def permit(
    store: Store,
    dataset: str,
    *,
    purpose: str,
    basis: str,
    by: str,
    epsilon: float | None = None,
    delta: float | None = None,
) -> None:
    """State consent and grant for federated jobs on a data set, in one transaction.

    Args:
        store: the hospital's.
        dataset: its name; entered if it is not there.
        purpose: what jobs may use it for.
        basis: what the consent rests on.
        by: who states it.
        epsilon: most that any patient may spend in a lifetime, at ``delta``; ``None`` states no limit.
        delta: given with ``epsilon``.

    Raises:
        UnknownNameError: no such purpose.
        InvalidInputError: no basis, or a number out of range.
    """
    with store.write() as connection:
        try:
            find_dataset(connection, dataset)
        except UnknownNameError:
            create_dataset(connection, dataset, by=by)
        give_consent(connection, dataset, subject=None, purpose=purpose, basis=basis, by=by)
        grant(connection, dataset, grantee=ACTOR, purpose=purpose, by=by)
        if epsilon is not None and delta is not None:
            state_limit(connection, epsilon, delta, by=by)


def describe(folder: Path, name: str, *, licence: str, basis: str) -> bool:
    """Write the manifest of a folder of data that has none; returns whether one was written."""
    path = folder / MANIFEST
    if path.is_file():
        return False
    made = build_manifest(
        folder,
        name=name,
        licence=licence,
        consent=Consent(basis=basis),
        leave_out=[MANIFEST, f"{MANIFEST}.sig"],
    )
    write_manifest(made, path)
    return True
