"""A campaign: one question (a scheme of codes) put to the records of one data set, and who takes part in what role.

Every record gets two blind labels by different people; a disagreement goes to a third (see :mod:`.settle`). Nobody
holds two places on one record, which the schema itself refuses, and the lead, who sees every label, holds no other
role. The ledger gets digests under erasable salts: a reader of the chain learns that a label was given, not which.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from xinglin.errors import ConfigurationError, InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.labels.answer import Answer
from xinglin.labels.scheme import Scheme, scheme_from_json, scheme_to_json
from xinglin.ledger import append
from xinglin.ledger.grants import check
from xinglin.ledger.subjects import chunks, find_dataset
from xinglin.store import Store
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.tables import (
    campaign_decisions,
    campaign_items,
    campaign_roles,
    campaign_slots,
    campaign_votes,
    campaigns,
)
from xinglin.store.tables import records as archive
from xinglin.store.tables_ledger import salts
from xinglin.types import Code

Role = Literal["lead", "annotator", "arbiter", "auditor"]
Stage = Literal["annotation", "arbitration", "audit", "adjudication"]
ROLES: tuple[Role, ...] = get_args(Role)
STAGES: tuple[Stage, ...] = get_args(Stage)
"""``Label.round`` of an exported label is the place of its stage here."""
ROLE_OF: dict[Stage, Role] = {
    "annotation": "annotator",
    "arbitration": "arbiter",
    "audit": "auditor",
    "adjudication": "arbiter",
}
LABELS = 2
"""Blind labels a record, in the round and again in the audit."""
LEASE = 900.0
"""Seconds for which a case is kept for the person who took it."""
MAX_ITEMS = 1_000_000
"""Records of one campaign."""
PURPOSE = "annotation"
"""What consent and grants must cover (see :mod:`xinglin.ledger.grants`)."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it was opened; it never changes afterwards, except that it can be closed."""

    id: str
    name: str
    lead: str
    dataset: str
    scheme: Scheme
    lease: float
    """Seconds for which a case is kept for the person who took it."""
    assisted: bool
    """Whether a model votes; the annotator sees its vote after deciding."""
    closed: bool
    created: str

    def code(self, code: Code) -> Code:
        """Return a code as the scheme names it.

        Raises:
            UnknownNameError: it is not of the scheme.
        """
        return self.scheme.code(code)

    def answer(self, given: Code | Iterable[Code]) -> Answer:
        """Return one code, or several under a multi-label scheme, as an answer: in the scheme's order.

        Raises:
            UnknownNameError: a code is not of the scheme.
            InvalidInputError: the scheme is single-label and there is not exactly one code.
        """
        return self.scheme.answer((given,) if isinstance(given, Code) else given)


def stamp() -> str:
    """Return the time, UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def open_campaign(
    store: Store,
    name: str,
    *,
    dataset: str,
    scheme: Scheme,
    records: Iterable[str],
    lead: str,
    lease: float = LEASE,
    assisted: bool = False,
) -> Campaign:
    """Open a campaign over some records; the first records are handed out first.

    Args:
        store: where.
        name: a name that no other campaign has, at most 200 characters.
        dataset: data set of the archive that the records are of.
        scheme: the codes to choose from.
        records: ids in the order of their worth (see :mod:`xinglin.labels.select`), each once.
        lead: who runs it and may see everything.
        lease: seconds for which a case is kept for the person who took it.
        assisted: whether a model votes.

    Raises:
        ConfigurationError: name, lead, lease or scheme are out of bounds, or the name is taken.
        InvalidInputError: no record, a record twice, or too many.
        UnknownNameError: a record is not in the data set, or there is no such data set.
        NotPermittedError: the lead has no grant for annotation, or no consent covers it.
    """
    if not name.strip() or len(name) > 200 or not lead.strip() or len(lead) > 200:
        raise ConfigurationError("campaign: expected a name and a lead of 1 to 200 characters each")
    if not 1.0 <= lease <= 7 * 86_400.0:
        raise ConfigurationError(f"lease: expected 1 second to 7 days, got {lease:g} s")
    if len(scheme.classes) < 2:
        raise ConfigurationError(f"scheme: expected two codes at least, got {len(scheme.classes)}")
    ids = list(records)
    if not 0 < len(ids) <= MAX_ITEMS:
        raise InvalidInputError(f"records: expected 1 to {MAX_ITEMS}, got {len(ids)}")
    if len(set(ids)) < len(ids):
        raise InvalidInputError(f"records: {len(ids) - len(set(ids))} ids come twice; give each record once")
    campaign = secrets.token_hex(8)
    with store.write() as connection:
        if connection.execute(select(campaigns.c.id).where(campaigns.c.name == name)).first():
            raise ConfigurationError(f"there is a campaign {name!r} already: choose another name")
        connection.execute(
            insert(campaigns).values(
                id=campaign,
                name=name,
                created=stamp(),
                lead=lead,
                dataset=dataset,
                scheme=scheme_to_json(scheme),
                scheme_digest=scheme.digest,
                lease=lease,
                assisted=assisted,
                closed=False,
                audit_seed=None,
            )
        )
        check(connection, dataset, grantee=lead, purpose=PURPOSE)
        add_items(connection, campaign, _archived(connection, dataset, ids), audit=False)
        _add_role(connection, campaign, lead, "lead")
        append(
            connection,
            "annotation.open_campaign",
            actor=lead,
            subjects=(scheme.digest,),
            detail={"campaign": campaign, "records": len(ids), "assisted": assisted, "lease": lease},
        )
    return read_campaign(store, name)


@dataclass(frozen=True, slots=True)
class Item:
    """A record of a campaign on its way into the store."""

    record: str
    key: str
    """Digest under which the archive finds it; what is erased there is found by it."""
    version: int
    """The version that everybody labels, though a newer one may come in."""
    position: int


def _archived(connection: Connection, dataset: str, records: list[str]) -> list[Item]:
    """Look the records up in the archive."""
    found = find_dataset(connection, dataset)
    keys = {found.record_key(record): record for record in records}
    versions: dict[str, int] = {}
    for part in chunks(sorted(keys)):
        for row in connection.execute(
            select(archive.c.key, archive.c.version).where(
                archive.c.dataset == found.id, archive.c.key.in_(part), archive.c.latest.is_(True)
            )
        ):
            versions[row.key] = row.version
    if len(versions) < len(keys):
        raise UnknownNameError(
            f"{len(keys) - len(versions)} of {len(keys)} records are not in the data set {dataset!r}"
        )
    return [Item(record, key, versions[key], place) for place, (key, record) in enumerate(keys.items())]


def add_items(connection: Connection, campaign: str, items: Sequence[Item], *, audit: bool) -> None:
    """Add items with their open places, in a write transaction."""
    stage = "audit" if audit else "annotation"
    column = campaign_items.c
    for part in chunks(items):
        rows, kept = [], []
        for item in part:
            salt = new_salt()
            subject = keyed_digest(salt, f"{campaign}\0{item.key}\0{audit}".encode())
            kept.append({"subject": subject, "salt": salt})
            rows.append(
                {
                    "campaign": campaign,
                    "audit": audit,
                    "state": "labelling",
                    "subject": subject,
                    **asdict(item),
                }
            )
        connection.execute(insert(campaign_items), rows)
        connection.execute(insert(salts), kept)
        keys = [item.key for item in part]
        stored = connection.execute(
            select(column.id, column.record, column.position)
            .where(column.campaign == campaign, column.audit == audit, column.key.in_(keys))
            .order_by(column.position)
        )
        places = [
            open_place(campaign, row.id, row.record, stage, row.position)
            for row in stored.all()
            for _ in range(LABELS)
        ]
        connection.execute(insert(campaign_slots), places)


def open_place(campaign: str, item: int, record: str, stage: Stage | str, position: int) -> dict[str, Any]:
    """Return the row of an open place."""
    return {
        "campaign": campaign,
        "item": item,
        "record": record,
        "stage": stage,
        "position": position,
        "state": "open",
        "vote_seen": False,
    }


def read_campaign(store: Store, name: str) -> Campaign:
    """Return a campaign by its name or id.

    Raises:
        UnknownNameError: there is none.
    """
    with store.read() as connection:
        found = connection.execute(
            select(campaigns).where((campaigns.c.name == name) | (campaigns.c.id == name)).limit(1)
        ).first()
    if found is None:
        raise UnknownNameError(f"there is no campaign {name!r}; xinglin labels status lists them")
    return _campaign(found)


def own_campaign(store: Store, name: str, user: str) -> tuple[Campaign, tuple[Role, ...]]:
    """Return a campaign by its name or id, and the roles that a user has in it.

    Raises:
        UnknownNameError: there is none, or the user takes no part in it: whether there is one is not told.
    """
    try:
        campaign = read_campaign(store, name)
    except UnknownNameError:
        held: tuple[Role, ...] = ()
    else:
        with store.read() as connection:
            held = roles_of(connection, campaign.id, user)
    if not held:
        raise UnknownNameError(f"{user} takes part in no campaign {name!r}: ask its lead for a role")
    return campaign, held


def list_campaigns(store: Store, user: str | None = None) -> list[tuple[Campaign, tuple[Role, ...]]]:
    """Return the campaigns, newest first, each with the roles of a user; ``None`` lists all of them."""
    with store.read() as connection:
        rows = connection.execute(select(campaigns).order_by(campaigns.c.created.desc())).all()
        held: dict[str, list[Role]] = {}
        for row in connection.execute(select(campaign_roles).where(campaign_roles.c.user == (user or ""))):
            held.setdefault(row.campaign, []).append(row.role)
    roles = {key: tuple(role for role in ROLES if role in value) for key, value in held.items()}
    return [(_campaign(row), roles.get(row.id, ())) for row in rows if user is None or row.id in roles]


def _campaign(row: Row[Any]) -> Campaign:
    return Campaign(
        id=row.id,
        name=row.name,
        lead=row.lead,
        dataset=row.dataset,
        scheme=scheme_from_json(row.scheme),
        lease=row.lease,
        assisted=row.assisted,
        closed=row.closed,
        created=row.created,
    )


def assign(store: Store, campaign: Campaign, user: str, role: Role, *, by: str) -> None:
    """Give a person a role.

    Raises:
        ConfigurationError: no such role, or it does not go with the roles held: whoever sees the labels does not label.
        NotPermittedError: ``by`` is not the lead.
    """
    if role not in ROLES:
        raise ConfigurationError(f"role: expected {', '.join(ROLES)}; got {role!r}")
    if not user.strip() or len(user) > 200:
        raise ConfigurationError("user: expected a name of 1 to 200 characters")
    with store.write() as connection:
        need_role(connection, campaign, by, "lead")
        held = roles_of(connection, campaign.id, user)
        if role in held:
            return
        if held and (role == "lead" or "lead" in held):
            raise ConfigurationError(
                f"{user} is {', '.join(held)}: a lead sees every label and so takes no other role in a campaign"
            )
        _add_role(connection, campaign.id, user, role)
        append(
            connection,
            "annotation.assign",
            actor=by,
            detail={"campaign": campaign.id, "user": user, "role": role},
        )


def _add_role(connection: Connection, campaign: str, user: str, role: Role) -> None:
    connection.execute(insert(campaign_roles).values(campaign=campaign, user=user, role=role, time=stamp()))


def roles_of(connection: Connection, campaign: str, user: str) -> tuple[Role, ...]:
    """Return the roles of a person in a campaign, by name."""
    roles = campaign_roles.c
    rows = connection.execute(
        select(roles.role).where(roles.campaign == campaign, roles.user == user).order_by(roles.role)
    )
    return tuple(row.role for row in rows)


def need_role(connection: Connection, campaign: Campaign, user: str, *roles: Role) -> None:
    """Refuse a person who has none of some roles; on PostgreSQL it also makes one person's acts wait for each other.

    Raises:
        NotPermittedError: the person has none of them.
    """
    column = campaign_roles.c
    found = connection.execute(
        select(column.role)
        .where(column.campaign == campaign.id, column.user == user, column.role.in_(roles))
        .order_by(column.role)
        .with_for_update()
    ).first()
    if found is None:
        raise NotPermittedError(
            f"{user} is not {' or '.join(roles)} of the campaign {campaign.name!r}: its lead can change that "
            "(xinglin labels assign)"
        )


def need_open(connection: Connection, campaign: Campaign) -> None:
    """Refuse an act in a campaign that is closed.

    Raises:
        ConfigurationError: it is.
    """
    if connection.execute(select(campaigns.c.closed).where(campaigns.c.id == campaign.id)).scalar_one():
        raise ConfigurationError(f"the campaign {campaign.name!r} is closed: no more labels are taken")


def close_campaign(store: Store, campaign: Campaign, *, by: str) -> None:
    """Close a campaign: what was decided stays, nothing more is handed out.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    with store.write() as connection:
        need_role(connection, campaign, by, "lead")
        connection.execute(update(campaigns).where(campaigns.c.id == campaign.id).values(closed=True))
        append(connection, "annotation.close", actor=by, detail={"campaign": campaign.id})


def erase_labels(store: Store, dataset: str, *, actor: str) -> int:
    """Delete what the campaigns hold of records that are no longer in the archive, with the salts of the ledger.

    Call it after a subject was erased there.

    Returns:
        The number of items deleted, in all campaigns.
    """
    items, count = campaign_items.c, 0
    with store.write() as connection:
        found = find_dataset(connection, dataset)
        kept = exists(select(archive.c.id).where(archive.c.dataset == found.id, archive.c.key == items.key))
        rows = connection.execute(
            select(items.id, items.subject)
            .join(campaigns, campaigns.c.id == items.campaign)
            .where(campaigns.c.dataset == dataset, ~kept)
        ).all()
        for part in chunks(rows):
            ids, subjects = [row.id for row in part], [row.subject for row in part]
            slots = select(campaign_slots.c.id).where(campaign_slots.c.item.in_(ids))
            connection.execute(delete(campaign_decisions).where(campaign_decisions.c.slot.in_(slots)))
            connection.execute(delete(campaign_slots).where(campaign_slots.c.item.in_(ids)))
            connection.execute(delete(campaign_votes).where(campaign_votes.c.item.in_(ids)))
            connection.execute(delete(campaign_items).where(items.id.in_(ids)))
            connection.execute(delete(salts).where(salts.c.subject.in_(subjects)))
            count += len(ids)
        append(connection, "annotation.erase", actor=actor, detail={"dataset": dataset, "items": count})
    return count
