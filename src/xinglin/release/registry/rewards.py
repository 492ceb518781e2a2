"""What stands at both ends of a version: the grants under which its data were read, and the payouts that reward them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from xinglin.ledger.credit.settle import Proposal, payouts
from xinglin.release.registry.version import Version
from xinglin.store.tables import datasets, grants


@dataclass(frozen=True, slots=True)
class GrantUsed:
    """A grant that let somebody read a version's data."""

    dataset: str
    grantee: str
    """Who might read; empty where the evidence names a digest only."""
    purpose: str
    by: str
    """Who granted, or who attached the evidence."""
    time: str
    digest: str | None
    """Of the grant, where it was stated at another store and came as evidence; ``None``: it is in this store."""


def grants_of(connection: Connection, version: Version) -> list[GrantUsed]:
    """Return the grants that a version rests on, oldest first.

    These are the ones in this store for the data sets that its manifest names, given for training before it was
    registered, and those that evidence of consent names by digest.
    """
    names = {str(item.get("name")) for item in version.manifest["data"]}
    query = (
        select(datasets.c.name, grants.c.grantee, grants.c.purpose, grants.c.by, grants.c.time)
        .join(grants, grants.c.dataset == datasets.c.id)
        .where(
            datasets.c.name.in_(sorted(names)),
            grants.c.given.is_(True),
            grants.c.purpose == "training",
            grants.c.time <= version.time,
        )
        .order_by(grants.c.id)
    )
    found = [
        GrantUsed(row.name, row.grantee, row.purpose, row.by, row.time, None)
        for row in connection.execute(query)
    ]
    for one in version.of_kind("consent"):
        said = one.content
        purposes = ", ".join(said["purposes"])
        found += [
            GrantUsed(said["dataset"], "", purposes, one.actor, one.time, text) for text in said["grants"]
        ]
    return found


def rewards_of(connection: Connection, version: Version) -> list[Proposal]:
    """Return the payouts that reward a version's checkpoint, withdrawn ones too, oldest first."""
    return payouts(connection, version.checkpoint)
