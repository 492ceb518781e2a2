"""Whose data it is, for the budget: patients under the node's own key, whatever files hold them.

A patient is known by the first half of an HMAC-SHA-256 of the identifier under the node's salt. What a data set's files
are called, how they are written and which rows they hold does not matter: a *cohort* is a set of patients, each with
a number of examples. Patients who lie together in every cohort so far share a *cell*; a new cohort splits the cells that
it cuts through (partition refinement, Paige and Tarjan 1987), so that a cohort is a union of cells, spending on it is one
row whatever its size, and the history of a patient is what was spent on all cohorts that hold the patient's cell.

Identifiers that differ only in case, width, spaces or leading zeros are taken for one. That can only charge too much.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from xinglin.errors import InvalidInputError, StoreError
from xinglin.ledger import append
from xinglin.store.keys import keyed_digest
from xinglin.store.metadata import RowNumber
from xinglin.store.tables_privacy import (
    privacy_cells,
    privacy_cohorts,
    privacy_members,
    privacy_node,
    privacy_patients,
)
from xinglin.types import Record

MOST_EXAMPLES = 10**9
_BATCH = 20_000
_UNIDENTIFIED = b"unidentified"


@dataclass(frozen=True, slots=True)
class Patients:
    """Who is in a data set, and with how many examples each."""

    examples: Mapping[str, int]
    """Identifier -> number of examples."""
    unidentified: int = 0
    """Examples without an identifier. All such examples of the node share one account: nobody can say that two of
    them, in whatever file, are not of one patient."""
    each: int = 1
    """Most examples that one of the unidentified patients has in this data set: stated by the node, not checked."""

    @staticmethod
    def of(subjects: Iterable[str | None], each: int = 1) -> Patients:
        """Count the patients of a data set from the identifier of each example; ``None`` or blank is not known."""
        found: dict[str, int] = {}
        unidentified = 0
        for subject in subjects:
            if subject is None or not _plain(subject):
                unidentified += 1
            else:
                found[subject] = found.get(subject, 0) + 1
        return Patients(found, unidentified, each)

    @staticmethod
    def of_records(records: Iterable[Record], each: int = 1) -> Patients:
        """Count the patients of records; a record that names no subject is unidentified."""
        return Patients.of((record.subject for record in records), each)


@dataclass(frozen=True, slots=True)
class Cohort:
    """The patients of a data set, as the node knows them."""

    id: int
    digest: str
    """SHA-256 over the keyed digests: says nothing to whoever lacks the node's salt."""
    patients: int
    """How many; every unidentified example counts as one."""


def enrol(connection: Connection, patients: Patients) -> Cohort:
    """Return the cohort of these patients; one that is new is woven into the lineage of all others.

    Args:
        connection: from ``Store.write()``.
        patients: everybody whose data the training may touch.

    Raises:
        InvalidInputError: nobody, or a count that is not a positive whole number.
    """
    salt = lock_node(connection)
    given = _keyed(salt, patients)
    digest = hashlib.sha256(str(patients.unidentified).encode())
    for key in sorted(given):
        digest.update(b"%b %d %d\n" % (key, *given[key]))
    own = select(privacy_cohorts.c.id).where(privacy_cohorts.c.digest == digest.hexdigest())
    known = connection.execute(own).scalar()
    if known is None:
        row = {"digest": digest.hexdigest(), "unidentified": patients.unidentified, "created": _now()}
        connection.execute(insert(privacy_cohorts).values(row))
        known = connection.execute(own).scalar_one()
        _weave(connection, known, given)
        detail = {"patients": _count(connection, known), "unidentified": patients.unidentified}
        append(connection, "privacy.enrol", actor="node", subjects=(digest.hexdigest(),), detail=detail)
    return Cohort(known, digest.hexdigest(), _count(connection, known))


def find_cohort(connection: Connection, cohort: int) -> Cohort:
    """Return a cohort by its number.

    Raises:
        InvalidInputError: there is none.
    """
    digest = connection.execute(
        select(privacy_cohorts.c.digest).where(privacy_cohorts.c.id == cohort)
    ).scalar()
    if digest is None:
        raise InvalidInputError(f"there is no cohort {cohort} in the privacy budget of this node")
    return Cohort(cohort, digest, _count(connection, cohort))


def link(connection: Connection, pairs: Iterable[tuple[str, str]], *, by: str) -> int:
    """State that pairs of identifiers name one patient each: a pseudonym and what it stands for, two numbers of one.

    From now on the two share one account, to which what was spent under either is added, in hindsight too. Where
    both were in one cohort the patient was in it twice over and is charged so.

    Args:
        connection: from ``Store.write()``.
        pairs: identifiers; those never seen are kept for later.
        by: who states it.

    Returns:
        How many pairs were not known to be one before.

    Raises:
        InvalidInputError: a blank identifier.
    """
    salt, new = lock_node(connection), 0
    for one, other in pairs:
        if not _plain(one) or not _plain(other):
            raise InvalidInputError("link: expected two identifiers, one is blank")
        kept, gone = (_canonical(connection, _key(salt, name)) for name in (one, other))
        if kept != gone:
            _merge(connection, kept, gone)
            new += 1
    if new:
        append(connection, "privacy.link", actor=by, detail={"pairs": new})
    return new


def lock_node(connection: Connection) -> str:
    """Hold the node's row until the transaction ends, so that all who spend take turns; returns the node's salt."""
    return str(connection.execute(select(privacy_node.c.salt).with_for_update()).scalar_one())


def _keyed(salt: str, patients: Patients) -> dict[bytes, tuple[int, int]]:
    """Key -> (examples, identities): spellings of one identifier come together here."""
    found: dict[bytes, tuple[int, int]] = {}
    for name, value in (
        *patients.examples.items(),
        ("unidentified", patients.unidentified),
        ("each", patients.each),
    ):
        least = 0 if name == "unidentified" else 1
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_EXAMPLES:
            raise InvalidInputError(f"patients: expected counts of {least} to {MOST_EXAMPLES}, got {value!r}")
    for name, examples in patients.examples.items():
        if not _plain(name):
            raise InvalidInputError("patients: a blank identifier names nobody: count it as unidentified")
        key = _key(salt, name)
        before = found.get(key, (0, 0))
        found[key] = (before[0] + examples, before[1] + 1)
    if patients.unidentified:
        found[bytes.fromhex(keyed_digest(salt, _UNIDENTIFIED))[:16]] = (patients.each, patients.each)
    if not found:
        raise InvalidInputError("patients: expected somebody, the data set is empty")
    return found


def _key(salt: str, identifier: str) -> bytes:
    return bytes.fromhex(
        keyed_digest(salt, b"patient\0" + _plain(identifier).encode("utf-8", "surrogatepass"))
    )[:16]


def _plain(identifier: str) -> str:
    """An identifier as exports do not change it: no case, width, spaces, invisible characters or leading zeros."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", identifier).casefold())
    kept = "".join(char for char in folded if unicodedata.category(char)[0] not in "ZC")
    whole = kept.split(".")
    if whole[0].isdecimal() and (len(whole) == 1 or (len(whole) == 2 and not whole[1].strip("0"))):
        return whole[0].lstrip("0") or "0"  # a spreadsheet makes 0042 of it 42, or 42.0
    return kept


def _weave(connection: Connection, cohort: int, given: Mapping[bytes, tuple[int, int]]) -> None:
    """Refine the cells by a new cohort, and make the cohort their union."""
    raw, resolved = (_temporary(name) for name in ("privacy_given", "privacy_resolved"))
    raw.create(connection)
    resolved.create(connection)
    rows = [{"key": key, "examples": n, "identities": m} for key, (n, m) in given.items()]
    for start in range(0, len(rows), _BATCH):
        connection.execute(insert(raw), rows[start : start + _BATCH])
    patients, cells = privacy_patients.c, privacy_cells.c
    one = func.coalesce(patients.same_as, raw.c.key)
    connection.execute(
        insert(resolved).from_select(
            ["key", "examples", "identities"],
            select(one, func.sum(raw.c.examples), func.sum(raw.c.identities))
            .select_from(raw.outerjoin(privacy_patients, patients.key == raw.c.key))
            .group_by(one),
        )
    )
    _take_in(connection, resolved)
    counted = func.count().label("count")
    cuts: dict[tuple[int, int], list[Any]] = {}
    for row in connection.execute(
        select(patients.cell, cells.patients, resolved.c.examples, resolved.c.identities, counted)
        .join(privacy_patients, patients.key == resolved.c.key)
        .join(privacy_cells, cells.id == patients.cell)
        .group_by(patients.cell, cells.patients, resolved.c.examples, resolved.c.identities)
        .order_by(counted)
    ).all():
        cuts.setdefault((row.cell, row.patients), []).append(row)
    for (cell, size), parts in cuts.items():
        rest = size - sum(part.count for part in parts)
        for part in parts:
            home = cell
            if (
                rest or part is not parts[-1]
            ):  # else the largest part keeps the cell, after the others have left it
                home = _new_cell(connection, part.count, like=cell)
                chosen = select(resolved.c.key).where(
                    resolved.c.examples == part.examples, resolved.c.identities == part.identities
                )
                own = (patients.cell == cell, patients.key.in_(chosen))
                connection.execute(update(privacy_patients).where(*own).values(cell=home))
                _shrink(connection, cell, part.count)
            row = {"cohort": cohort, "cell": home, "examples": part.examples, "identities": part.identities}
            connection.execute(insert(privacy_members).values(row))
    raw.drop(connection)
    resolved.drop(connection)


def _take_in(connection: Connection, given: Table) -> None:
    """Put patients who were never used into a cell without history."""
    patients = privacy_patients.c
    fresh = _new_cell(connection, 0)
    linked_only = (patients.cell.is_(None), patients.same_as.is_(None), patients.key.in_(select(given.c.key)))
    count = connection.execute(update(privacy_patients).where(*linked_only).values(cell=fresh)).rowcount
    unknown = select(given.c.key, literal(fresh, RowNumber)).where(
        ~exists().where(patients.key == given.c.key)
    )
    count += connection.execute(insert(privacy_patients).from_select(["key", "cell"], unknown)).rowcount
    _shrink(connection, fresh, -count)


def _canonical(connection: Connection, key: bytes) -> bytes:
    """The key whose row holds the patient's cell."""
    patients = privacy_patients.c
    row = connection.execute(select(patients.same_as).where(patients.key == key)).first()
    if row is None:
        connection.execute(insert(privacy_patients).values(key=key))
        return key
    return row.same_as or key


def _merge(connection: Connection, kept: bytes, gone: bytes) -> None:
    """Make one patient of two: in each cohort with the examples and identities of both."""
    patients, members = privacy_patients.c, privacy_members.c
    cells = [
        connection.execute(select(patients.cell).where(patients.key == key)).scalar_one()
        for key in (kept, gone)
    ]
    used = [cell for cell in cells if cell is not None]
    home = used[0] if len(used) == 1 else None
    if len(used) == 2:
        home = _new_cell(connection, 1)
        rows: dict[int, dict[str, int]] = {}
        for cell in used:  # if it is one cell, the patient takes part twice over
            for row in connection.execute(select(privacy_members).where(members.cell == cell)):
                sum_ = rows.setdefault(
                    row.cohort, {"cohort": row.cohort, "cell": home, "examples": 0, "identities": 0}
                )
                sum_["examples"] += row.examples
                sum_["identities"] += row.identities
        if rows:
            connection.execute(insert(privacy_members), list(rows.values()))
    connection.execute(update(privacy_patients).where(patients.same_as == gone).values(same_as=kept))
    connection.execute(update(privacy_patients).where(patients.key == gone).values(cell=None, same_as=kept))
    connection.execute(update(privacy_patients).where(patients.key == kept).values(cell=home))
    for cell in used if len(used) == 2 else ():
        _shrink(connection, cell, 1)


def _new_cell(connection: Connection, patients: int, like: int | None = None) -> int:
    """Make a cell, in the cohorts of another if one is named."""
    made = connection.execute(insert(privacy_cells).values(patients=patients)).inserted_primary_key
    if made is None:
        raise StoreError("the database gave no number for a new cell")
    number = int(made[0])
    if like is not None:
        members = privacy_members.c
        own = select(members.cohort, literal(number, RowNumber), members.examples, members.identities)
        columns = ["cohort", "cell", "examples", "identities"]
        connection.execute(insert(privacy_members).from_select(columns, own.where(members.cell == like)))
    return number


def _shrink(connection: Connection, cell: int, count: int) -> None:
    """Take patients out of a cell (or put some in, if negative); a cell without any goes."""
    cells = privacy_cells.c
    connection.execute(update(privacy_cells).where(cells.id == cell).values(patients=cells.patients - count))
    left = connection.execute(select(cells.patients).where(cells.id == cell)).scalar_one()
    if left == 0:
        connection.execute(delete(privacy_members).where(privacy_members.c.cell == cell))
        connection.execute(delete(privacy_cells).where(cells.id == cell))


def _count(connection: Connection, cohort: int) -> int:
    """Patients of a cohort: the account of the unidentified stands for as many as it has examples."""
    members, cells = privacy_members.c, privacy_cells.c
    found = connection.execute(
        select(func.sum(cells.patients))
        .join(privacy_members, members.cell == cells.id)
        .where(members.cohort == cohort)
    ).scalar_one()
    unidentified = connection.execute(
        select(privacy_cohorts.c.unidentified).where(privacy_cohorts.c.id == cohort)
    ).scalar_one()
    return int(found) + (int(unidentified) - 1 if unidentified else 0)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _temporary(name: str) -> Table:
    return Table(
        name,
        MetaData(),
        Column("key", LargeBinary(16), primary_key=True),
        Column("examples", RowNumber, nullable=False),
        Column("identities", Integer, nullable=False),
        prefixes=["TEMPORARY"],
    )
