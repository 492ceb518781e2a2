"""The audit behind a certificate: its plan, its random order, its blind readings, and what they amount to.

The order is that of SHA-256 over the seed and the item's id, so that anyone can draw it again with no software of
ours (the principle of Rivest's ballot sampler for election audits). The plan fixes the labels, the claim and the
seed before the first reading; a reading that was not blind, not of the plan's people or not next in the order
makes the audit void.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from fractions import Fraction
from typing import Any, Literal, get_args

from scipy.stats import binom

from xinglin.errors import CertificateError, InvalidInputError
from xinglin.labels.bounds import hypergeometric_upper, missed_upper
from xinglin.records.manifest import canonical
from xinglin.store.keys import digest

Role = Literal["auditor", "adjudicator"]
_DECIMAL = re.compile(r"0?\.[0-9]{1,15}|[01]")
AUDITORS_LABELS = "auditors"
"""The only thing that may have been seen before a reading: an adjudicator sees the two auditors' labels."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One person's decision about one item of the audit."""

    item: str
    reader: str
    label: str
    """Codes as :func:`~xinglin.labels.answer.written`. Labels are compared whole: under a multi-label scheme an item is
    wrong if any code is missing or too many. Anything else counts as a wrong label."""
    role: Role = "auditor"
    saw: tuple[str, ...] = ()
    """What was shown before the decision: ``label`` (the released one), ``model``, ``auditors``, ..."""


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What is fixed before the first reading."""

    dataset: str
    manifest: str
    """SHA-256 (hex) of the data set's manifest."""
    labels: str
    """SHA-256 (hex) over all items and their released labels, :func:`labels_digest`."""
    population: int
    claim: str
    """Decimal number: the share of wrong labels shall be below it."""
    seed: str
    """Drawn in public after the labels were fixed."""
    auditors: tuple[str, ...]
    adjudicators: tuple[str, ...]
    confidence: str = "0.95"
    reserve: str = "0.2"
    """Share of ``1 - confidence`` kept for the auditors' own error."""
    hardest: str | None = None
    """Assumed bound of one reader's chance of error on any item; None if gold items measure it instead."""
    gold: str | None = None
    """SHA-256 (hex) of the gold items and their truth; kept from the auditors."""
    gold_items: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("claim", 0, 1),
            ("confidence", 0, 1),
            ("reserve", 0, 1),
            ("hardest", 0, 0.5),
        ):
            text = getattr(self, name)
            if text is not None and not low < _number(name, text) < high:
                raise InvalidInputError(
                    f"audit plan: expected {low} < {name} < {high}; got {text}: correct the plan"
                )
        if self.population < 1 or len(set(self.auditors)) < 2 or not self.adjudicators:
            raise InvalidInputError(
                "audit plan: expected at least one item, two auditors and an adjudicator; got "
                f"{self.population} items, {len(set(self.auditors))} auditors, {len(self.adjudicators)} adjudicators"
            )
        if (self.hardest is None) == (self.gold is None) or (self.gold is None) != (self.gold_items == 0):
            raise InvalidInputError(
                "audit plan: expected either `hardest` (an assumption about the readers) or gold items (a "
                "measurement): without one of them nothing is known of the auditors' own error; give exactly one"
            )

    @property
    def alpha(self) -> tuple[float, float]:
        """Chance of error given to the sample, and to the auditors' own error."""
        total = 1 - _number("confidence", self.confidence)
        kept = total * _number("reserve", self.reserve)
        return float(total - kept), float(kept)

    @property
    def limit(self) -> int:
        """Largest number of wrong labels that lies below the claim."""
        return math.ceil(_number("claim", self.claim) * self.population) - 1

    @property
    def miss(self) -> float:
        """Bound of the chance that the audit of a wrong label repeats it, under ``hardest``.

        Both auditors give that label (h * h), or they disagree and the adjudicator gives it: together at most
        3 h**2 - 2 h**3, readers erring independently given the item.
        """
        h = float(self.hardest or 0.0)
        return h * h * (3 - 2 * h)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self) | {"auditors": list(self.auditors), "adjudicators": list(self.adjudicators)}

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) over the canonical JSON."""
        return digest(canonical(self.as_json()))


@dataclass(frozen=True, slots=True)
class Tally:
    """What the readings amount to."""

    read: int
    """Items whose reference is settled, from the start of the order without a gap."""
    wrong: int
    """Of these, released labels that differ from the reference."""
    disagreements: int
    """Of these, items on which the two auditors disagreed."""
    gold_wrong: int
    """Gold items whose reference differs from the truth."""
    gold_missing: int
    """Gold items not settled yet."""
    readings: str
    """SHA-256 (hex) over all readings, sorted."""


def plan_from_json(value: Any) -> AuditPlan:
    """Read a plan; unknown and missing keys are errors.

    Raises:
        InvalidInputError: not a plan.
    """
    names = {f.name for f in fields(AuditPlan)}
    if not isinstance(value, dict) or set(value) != names:
        raise InvalidInputError(f"audit plan: expected exactly the keys {', '.join(sorted(names))}")
    lists = ("auditors", "adjudicators")
    for name, cell in value.items():
        good = (
            isinstance(cell, list) and all(isinstance(who, str) for who in cell)
            if name in lists
            else (type(cell) is int if name in ("population", "gold_items") else isinstance(cell, str))
            or (name in ("hardest", "gold") and cell is None)
        )
        if not good:
            raise InvalidInputError(f"audit plan: {name} has the wrong type: correct the plan")
    given: dict[str, Any] = {name: tuple(cell) if name in lists else cell for name, cell in value.items()}
    return AuditPlan(**given)


def labels_digest(labels: Mapping[str, str]) -> str:
    """Return SHA-256 (hex) over items and labels, whatever their order."""
    return digest(canonical([[item, label] for item, label in sorted(labels.items())]))


def audit_order(items: Iterable[str], seed: str) -> list[str]:
    """Return the items in the order of SHA-256 over ``seed``, a line feed and the id."""
    start = hashlib.sha256(f"{seed}\n".encode())

    def place(item: str) -> bytes:
        ticket = start.copy()
        ticket.update(item.encode())
        return ticket.digest()

    return sorted(items, key=place)


def tally(
    plan: AuditPlan,
    labels: Mapping[str, str],
    readings: Sequence[Reading],
    *,
    gold: Mapping[str, str] | None = None,
    annotators: Mapping[str, frozenset[str]] | None = None,
) -> Tally:
    """Check an audit against its plan and count.

    Args:
        plan: fixed beforehand.
        labels: all items of the data set and their released labels.
        readings: all readings of the audit; none may be left out.
        gold: the gold items (not part of the data set) and their truth, if the plan has any.
        annotators: who labelled an item before; such a person may not audit it.

    Raises:
        CertificateError: labels or gold changed, the sample is not the random one, or a reading was not blind.
    """
    gold = dict(gold or {})
    _check_items(plan, labels, gold)
    settled = _Settled(plan, annotators or {})
    for reading in readings:
        if reading.item not in labels and reading.item not in gold:
            raise CertificateError(
                f"expected readings of items of the data set or of gold items; got {reading.item!r}: the sample is "
                "not the planned one"
            )
        settled.add(reading)
    order = audit_order(labels, plan.seed)
    begun = {reading.item for reading in readings if reading.item in labels}
    strangers = begun.difference(order[: len(begun)])
    if strangers:
        raise CertificateError(
            f"expected the first {len(begun)} items of the random order; got {len(strangers)} items from elsewhere, "
            f"among them {min(strangers)!r}: the sample was not drawn by the plan's seed, read the items in order"
        )
    read = wrong = disagreements = 0
    for item in order[: len(begun)]:
        reference = settled.reference(item)
        if reference is None:
            break
        read += 1
        wrong += reference != labels[item]
        disagreements += settled.disagreed(item)
    truth = {item: settled.reference(item) for item in gold}
    return Tally(
        read,
        wrong,
        disagreements,
        sum(given is not None and given != gold[item] for item, given in truth.items()),
        sum(given is None for given in truth.values()),
        digest(canonical([[*row[:4], [*row[4]]] for row in sorted(map(astuple, readings))])),
    )


def found_limit(plan: AuditPlan, gold_wrong: int = 0) -> int:
    """Return how many wrong labels an audit of everything may find at most for the claim to hold; -1 if none.

    With ``hardest``: the largest D whose :func:`~xinglin.labels.bounds.missed_upper` is within the limit. With gold:
    the limit less the bound of wrong references, gold and data set taken as exchangeable.
    """
    reserve = plan.alpha[1]
    if plan.gold is not None:
        return max(plan.limit - reference_errors_upper(plan, gold_wrong), -1)
    if plan.limit < 0:
        return -1
    # missed_upper(found) <= limit exactly if Binomial(limit + 1, 1 - miss) is at most `found` with chance <= reserve
    found = int(binom.ppf(reserve, plan.limit + 1, 1 - plan.miss))
    while found >= 0 and missed_upper(found, plan.miss, plan.population, reserve) > plan.limit:
        found -= 1
    return found


def reference_errors_upper(plan: AuditPlan, gold_wrong: int) -> int:
    """Return the bound of wrong references among the items, from gold: both drawn alike, counted together."""
    total = plan.population + plan.gold_items
    return hypergeometric_upper(gold_wrong, plan.gold_items, total, plan.alpha[1]) - gold_wrong


class _Settled:
    """Readings by item, each checked as it is added."""

    def __init__(self, plan: AuditPlan, annotators: Mapping[str, frozenset[str]]) -> None:
        self._plan, self._annotators = plan, annotators
        self._auditors: dict[str, dict[str, str]] = {}
        self._adjudicated: dict[str, tuple[str, str]] = {}

    def add(self, reading: Reading) -> None:
        plan, item, who = self._plan, reading.item, reading.reader
        people = plan.auditors if reading.role == "auditor" else plan.adjudicators
        if reading.role not in get_args(Role) or who not in people:
            raise CertificateError(f"{item!r}: {who!r} is no {reading.role} of the plan: the audit is void")
        allowed = {AUDITORS_LABELS} if reading.role == "adjudicator" else set()
        if set(reading.saw) - allowed:
            raise CertificateError(
                f"{item!r}: {who!r} saw {', '.join(sorted(set(reading.saw) - allowed))} before deciding: the reading "
                "was not blind, the audit is void"
            )
        if who in self._annotators.get(item, frozenset()):
            raise CertificateError(
                f"{item!r}: {who!r} labelled the item before and may not audit it: the audit is void"
            )
        mine = self._auditors.setdefault(item, {})
        if reading.role == "auditor":
            if who in mine or len(mine) == 2:
                raise CertificateError(
                    f"{item!r}: expected one reading of each of two auditors; got one more by {who!r}: nothing may "
                    "be read again"
                )
            mine[who] = reading.label
        elif item in self._adjudicated:
            raise CertificateError(
                f"{item!r}: adjudicated twice, by {who!r} again: nothing may be read again"
            )
        else:
            self._adjudicated[item] = (who, reading.label)

    def disagreed(self, item: str) -> bool:
        return len(set(self._auditors[item].values())) == 2

    def reference(self, item: str) -> str | None:
        """The adjudicated label; ``None`` while a reading is missing."""
        given = self._auditors.get(item, {})
        if len(given) < 2:
            return None
        if not self.disagreed(item):
            return next(iter(given.values()))
        who, label = self._adjudicated.get(item, (None, None))
        if who in given:
            raise CertificateError(
                f"{item!r}: {who!r} adjudicates a disagreement of their own: the audit is void"
            )
        return label


def _check_items(plan: AuditPlan, labels: Mapping[str, str], gold: Mapping[str, str]) -> None:
    if len(labels) != plan.population or labels_digest(labels) != plan.labels:
        raise CertificateError(
            f"expected the {plan.population} items and labels of the plan (digest {plan.labels[:12]}...); got "
            f"{len(labels)} with digest {labels_digest(labels)[:12]}...: items or labels changed since, plan a new audit"
        )
    if plan.gold is not None and (len(gold) != plan.gold_items or labels_digest(gold) != plan.gold):
        raise CertificateError(
            f"expected the {plan.gold_items} gold items of the plan; got {len(gold)}, or others: give the planned ones"
        )
    if plan.gold is None and gold:
        raise CertificateError("the plan has no gold items, some were given: they cannot be added later")
    if not labels.keys().isdisjoint(gold):
        raise CertificateError(
            "expected gold items outside the data set; some are part of it: correct their labels and leave them out"
        )


def _number(name: str, text: str) -> Fraction:
    """A decimal number exactly, so that ``0.005 * 20000`` is 100."""
    if not _DECIMAL.fullmatch(text):
        raise InvalidInputError(
            f"audit plan: expected a decimal number such as 0.005 for {name}; got {text!r}"
        )
    return Fraction(text)
