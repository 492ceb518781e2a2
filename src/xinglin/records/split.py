"""Splits of a data set that do not leak: a subject, and texts that say nearly the same, lie in one part only.

Records that share a subject or a group of near-duplicates form a *component* (transitively); a component is never
divided. A component is known by the smallest of its keys under a keyed hash, so the same records give the same split
in any order and on any machine.

``hash`` puts a component where its hash falls: what is added later moves nothing, as long as it does not tie two
components together. ``label`` deals components out so that each part gets its share of every label (iterative
stratification, Sechidis, Tsoumakas and Vlahavas 2011, over components instead of records); given the earlier split
it too moves nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xinglin.errors import InvalidInputError

By = Literal["subject", "site", "time"]
Balance = Literal["hash", "label"]
PARTS: Mapping[str, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}


@dataclass(frozen=True, slots=True)
class Member:
    """One record of a data set, as far as a split needs to know it."""

    id: str
    subject: str | None = None
    """``None``: not known; the record stands for itself."""
    site: str | None = None
    label: str | None = None
    time: str | None = None
    """ISO 8601; compared as text, so all of one form."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which record lies in which part."""

    part: Mapping[str, str]
    """Record id -> part, in the order of the members."""
    components: Mapping[str, str]
    """Record id -> component: the same for records that may not be divided."""
    parts: Mapping[str, float]
    """Part -> share asked for."""
    by: By
    seed: int
    moved: tuple[str, ...] = ()
    """Records that the earlier split had in another part: a new record tied two components together."""


def split(
    members: Sequence[Member],
    parts: Mapping[str, float] = PARTS,
    *,
    by: By = "subject",
    balance: Balance = "hash",
    seed: int = 0,
    twins: Sequence[int] | None = None,
    sites: Mapping[str, str] | None = None,
    earlier: Mapping[str, str] | None = None,
) -> Split:
    """Divide records into parts.

    Args:
        members: the records.
        parts: part -> share; the shares add up to 1. With ``by="time"`` the parts follow each other in this order.
        by: ``subject``; ``site``: a site lies in one part only; ``time``: each part is later than the one before.
            A subject seen on both sides of a cut lies on the later side, with all its records.
        balance: how components are put in parts (``subject`` only).
        seed: of the hash.
        twins: group of near-duplicates of each record, shape (members,); see ``near_duplicates``.
        sites: site -> part, fixed beforehand (``site`` only); the others are dealt out.
        earlier: record id -> part of an earlier split of some of the records, which is kept.

    Raises:
        InvalidInputError: an id twice, shares that do not add up, an unknown part, no site or no time where one is
            needed, or more parts than sites.
    """
    _check(members, parts, twins, sites, earlier, by)
    keys = [member.site or "" for member in members] if by == "site" else None
    component = _components(members, twins, keys, seed)
    gathered: dict[str, list[int]] = {}
    for place, name in enumerate(component):
        gathered.setdefault(name, []).append(place)
    fixed = _fixed(members, gathered, sites if by == "site" else None, earlier)
    if by == "time":
        chosen = _by_time(members, gathered, parts)
    elif by == "site" or balance == "label":
        chosen = fixed | _dealt(members, gathered, parts, fixed, by == "subject")
    else:
        chosen = {name: fixed.get(name) or _by_hash(name, parts) for name in gathered}
    part = {member.id: chosen[name] for member, name in zip(members, component, strict=True)}
    moved = tuple(name for name, before in (earlier or {}).items() if name in part and part[name] != before)
    return Split(part, dict(zip(part, component, strict=True)), dict(parts), by, seed, moved)


def keyed_hash(seed: int, key: str) -> str:
    """Return the hash (hex) by which a key is placed: SHA-256 of seed and key."""
    return hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()


def _check(
    members: Sequence[Member],
    parts: Mapping[str, float],
    twins: Sequence[int] | None,
    sites: Mapping[str, str] | None,
    earlier: Mapping[str, str] | None,
    by: By,
) -> None:
    twice = [name for name, count in Counter(member.id for member in members).items() if count > 1]
    if twice:
        raise InvalidInputError(f"split: expected each record id once, {len(twice)} are there more often")
    if not parts or any(share <= 0 for share in parts.values()) or abs(sum(parts.values()) - 1) > 1e-9:
        raise InvalidInputError(f"split: expected shares above 0 that add up to 1, got {dict(parts)}")
    if twins is not None and len(twins) != len(members):
        raise InvalidInputError(f"twins: expected {len(members)} groups, one a record, got {len(twins)}")
    unknown = {*(sites or {}).values(), *(earlier or {}).values()} - set(parts)
    if unknown:
        raise InvalidInputError(f"split: expected parts {', '.join(parts)}, got {', '.join(sorted(unknown))}")
    if sites and (by != "site" or (absent := set(sites) - {member.site for member in members})):
        what = f"{len(absent)} of them hold no record" if by == "site" else f"the split is by {by}"
        raise InvalidInputError(f"sites: they are given a part, but {what}")
    if by == "time" and earlier:
        raise InvalidInputError(
            "earlier: a split by time follows from the times alone; leave the earlier one out"
        )
    for field in ("site", "time"):
        lacking = sum(getattr(member, field) is None for member in members)
        if by == field and lacking:
            raise InvalidInputError(
                f"split by {field}: {lacking} of {len(members)} records have none; leave them out"
            )


def _components(
    members: Sequence[Member], twins: Sequence[int] | None, keys: Sequence[str] | None, seed: int
) -> list[str]:
    """Component of each record: the smallest keyed hash of its subjects (of its sites, where given)."""
    owner: dict[tuple[str, str | int], int] = {}
    parent = list(range(len(members)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for place, member in enumerate(members):
        ties: list[tuple[str, str | int]] = (
            [("subject", member.subject)] if member.subject is not None else []
        )
        ties += [("twin", twins[place])] if twins is not None else []
        ties += [("site", keys[place])] if keys is not None else []
        for tie in ties:
            a, b = root(owner.setdefault(tie, place)), root(place)
            parent[max(a, b)] = min(a, b)
    smallest: dict[int, str] = {}
    for place, member in enumerate(members):
        key = f"subject\0{member.subject}" if member.subject is not None else f"record\0{member.id}"
        digest = keyed_hash(seed, f"site\0{keys[place]}" if keys is not None else key)
        smallest[root(place)] = min(digest, smallest.get(root(place), digest))
    return [smallest[root(place)] for place in range(len(members))]


def _fixed(
    members: Sequence[Member],
    gathered: Mapping[str, Sequence[int]],
    sites: Mapping[str, str] | None,
    earlier: Mapping[str, str] | None,
) -> dict[str, str]:
    """Components whose part is given: by their sites, else by most of their records of the earlier split."""
    fixed: dict[str, str] = {}
    for name, places in gathered.items():
        said = (
            {sites[site] for i in places if (site := members[i].site) and site in sites} if sites else set()
        )
        if len(said) > 1:
            raise InvalidInputError(
                f"sites: {' and '.join(sorted(said))} share a subject or a near-duplicate; give these sites one part"
            )
        before = (
            Counter(earlier[members[i].id] for i in places if members[i].id in earlier) if earlier else None
        )
        if said:
            fixed[name] = said.pop()
        elif before:
            fixed[name] = min(before, key=lambda part: (-before[part], part))
    return fixed


def _by_hash(name: str, parts: Mapping[str, float]) -> str:
    """The part in whose share of [0, 1) the hash falls; 53 bits of it."""
    place = (int(name[:16], 16) >> 11) / 2**53
    below = 0.0
    for part, share in parts.items():
        below += share
        if place < below:
            return part
    return list(parts)[-1]


def _by_time(
    members: Sequence[Member], gathered: Mapping[str, Sequence[int]], parts: Mapping[str, float]
) -> dict[str, str]:
    """Cut where so many records are past; each component by its latest record; equal times stay together."""
    times = sorted(member.time or "" for member in members)
    cuts: list[str] = []
    below = 0.0
    for share in list(parts.values())[:-1]:
        below += share
        cuts.append(times[min(round(below * len(times)), len(times) - 1)] if times else "")
    latest = {name: max(members[i].time or "" for i in places) for name, places in gathered.items()}
    names = list(parts)
    return {name: names[sum(time >= cut for cut in cuts)] for name, time in latest.items()}


def _dealt(
    members: Sequence[Member],
    gathered: Mapping[str, Sequence[int]],
    parts: Mapping[str, float],
    fixed: Mapping[str, str],
    by_label: bool,
) -> dict[str, str]:
    """Give each component to the part that lacks most of its records' labels; the rarest label and the largest first.

    Ties go to the part that lacks most records, then to the first in the order of a hash of component and part.
    """
    label = [(member.label or "") if by_label else "" for member in members]
    total = Counter(label)
    want = {part: {name: share * n for name, n in total.items()} for part, share in parts.items()}
    room = {part: share * len(members) for part, share in parts.items()}

    def take(part: str, places: Iterable[int]) -> None:
        for i in places:
            want[part][label[i]] -= 1
            room[part] -= 1

    for name, part in fixed.items():
        take(part, gathered[name])
    chosen: dict[str, str] = {}

    def order(name: str) -> tuple[int, int, str]:
        places = gathered[name]
        return min(total[label[i]] for i in places), -len(places), name

    for name in sorted((name for name in gathered if name not in fixed), key=order):
        places = gathered[name]
        rarest = min((label[i] for i in places), key=lambda item: (total[item], item))
        part = max(parts, key=lambda part: (want[part][rarest], room[part], keyed_hash(0, name + part)))
        take(part, places)
        chosen[name] = part
    if not by_label and len(set(chosen.values()) | set(fixed.values())) < len(parts):
        raise InvalidInputError(
            f"split by site: {len(gathered)} groups of sites do not fill {len(parts)} parts: give fewer parts"
        )
    return chosen


def crossing(
    groups: Iterable[tuple[str, str]],
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield (key, parts) for each key that is seen in more than one part, of (key, part) pairs: what leaks."""
    seen: dict[str, set[str]] = {}
    for key, part in groups:
        seen.setdefault(key, set()).add(part)
    yield from ((key, frozenset(parts)) for key, parts in seen.items() if len(parts) > 1)
