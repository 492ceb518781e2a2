"""Who held a record first: a copy earns nothing, whoever else brings it.

Plain Shapley values would split a record's worth between all that hold it, so that copying pays. Here every record
counts for the first site that has it, in the published order of the sites (that of their registration), and is left out of
the data of all later ones before anything is trained. A site that brought only copies has no row left: it adds nothing
to any coalition, and its value is exactly 0.

Sites compare digests, never records: an HMAC over the record's canonical content under a salt of the job that all sites
share (``store.keys.keyed_digest``). What this does not see: a record that was altered, be it by one digit; where records can
be read in one place, ``near`` does. And who holds the salt can test a guess, so few possible contents stay guessable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from xinglin.errors import InvalidInputError


def first_holders(records: Mapping[str, Sequence[str]], order: Sequence[str]) -> dict[str, list[int]]:
    """Return, for each site, the places of the records that count for it.

    Args:
        records: site -> digest of each of its records. Equal digests within one site all count: two patients may look
            alike in few columns, and a site that repeats its own rows moves nobody else's share directly.
        order: the sites, first registered first.

    Raises:
        InvalidInputError: the order does not name every site once.
    """
    check_order(records, order)
    held: set[str] = set()
    kept = {}
    for site in order:
        kept[site] = [place for place, digest in enumerate(records[site]) if digest not in held]
        held.update(records[site])
    return kept


def check_order(sites: Collection[str], order: Sequence[str]) -> None:
    """Refuse an order that does not name every site once.

    Raises:
        InvalidInputError: it does not.
    """
    if sorted(order) != sorted(sites):
        raise InvalidInputError("order: expected every site once, as they were registered")
