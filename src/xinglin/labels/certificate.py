"""The certificate: the share of wrong labels in a data set lies below a claim, stated, signed and checkable.

An in-toto Statement (v1) whose subject is the data set's manifest, signed with Ed25519. It holds the whole plan and
tally, so that whoever has it can compute every bound again; with the labels and the readings, the audit too. The
mathematics is in ``docs/certificate.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

import xinglin
from xinglin.errors import CertificateError, InvalidInputError
from xinglin.labels.bounds import (
    boundary,
    hypergeometric_upper,
    missed_upper,
    passes_at,
    sequential_upper,
    stopping,
)
from xinglin.labels.evidence import (
    AuditPlan,
    Reading,
    Tally,
    found_limit,
    plan_from_json,
    reference_errors_upper,
    tally,
)
from xinglin.ledger.signature import check_signature, sign
from xinglin.records.manifest import canonical
from xinglin.store.keys import digest
from xinglin.types import DISCLAIMER

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:xinglin:annotation-error-certificate:1"
CONTEXT = "annotation error certificate"
LONGEST = 20_000
"""Longest audit, in items, whose power is shown: beyond it the exact computation takes long."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What plan and tally bound, as counts of items of the data set unless said otherwise."""

    reference: int
    """Labels that differ from the adjudicated reference, at ``1 - alpha[0]``, at every moment of the audit."""
    total: int
    """Wrong labels, the auditors' own error included, at the plan's confidence."""
    limit: int
    """Largest count below the claim."""
    auditors: float
    """Share of items whose adjudicated reference is wrong, at ``1 - alpha[1]``."""
    disagreements: int
    """Items on which the two auditors would disagree, at ``1 - alpha[1]``."""
    fixed: int
    """As ``reference``, had the number of items read been fixed beforehand: for comparison only."""


@dataclass(frozen=True, slots=True)
class Power:
    """How likely an audit passes, and how long it is, if it would find ``share`` of all labels wrong."""

    share: float
    wrong: int
    passes: tuple[float, ...]
    """Chance to have passed by each size."""
    expected: float
    """Expected items read; an audit that does not pass counts with the longest size."""


def bounds(plan: AuditPlan, result: Tally) -> Bounds:
    """Return all bounds of an audit as it stands."""
    alpha, reserve = plan.alpha
    n, read = plan.population, result.read
    reference = sequential_upper(result.wrong, read, n, alpha)
    disagreements = sequential_upper(result.disagreements, read, n, reserve)
    if plan.gold is not None:
        unknown = n if result.gold_missing else reference_errors_upper(plan, result.gold_wrong)
        auditors, total = unknown / n, min(reference + unknown, n)
    else:
        hardest = float(plan.hardest or 0.0)
        # both wrong alike: at most h / (2 (1 - h)) of the disagreements; a disagreement settled wrongly: at most h
        auditors = min((hardest / (2 * (1 - hardest)) + hardest) * disagreements / n, 1.0)
        total = missed_upper(reference, plan.miss, n, reserve)
    fixed = hypergeometric_upper(result.wrong, read, n, alpha)
    return Bounds(reference, total, plan.limit, auditors, disagreements, fixed)


def stops(plan: AuditPlan, gold_wrong: int = 0, most: int | None = None) -> list[int]:
    """Return for 0, 1, ... wrong labels found the number of items after which the audit passes.

    Empty when no audit of at most ``most`` items (default: all) can pass.
    """
    allowed = found_limit(plan, gold_wrong)
    if allowed < 0:
        return []
    count = min(allowed + 1, plan.population)
    return [int(n) for n in boundary(count, plan.population, plan.alpha[0], most)]


def power(plan: AuditPlan, shares: Sequence[float], sizes: Sequence[int]) -> list[Power]:
    """Return the exact chances of passing.

    Args:
        plan: the plan; its gold items are taken to be read without error.
        shares: true shares of labels that the audit would find wrong.
        sizes: numbers of items read, ascending.
    """
    limits = np.asarray(stops(plan, most=max(sizes)), np.int64)
    rows = []
    for share in shares:
        wrong = round(share * plan.population)
        chance = stopping(limits, plan.population, wrong) if len(limits) else np.empty(0)
        passes = tuple(float(chance[limits <= size].sum()) for size in sizes)
        rows.append(
            Power(share, wrong, passes, float((chance * limits).sum() + (1 - passes[-1]) * max(sizes)))
        )
    return rows


def certify(plan: AuditPlan, result: Tally, *, issued: str) -> dict[str, Any]:
    """Return the statement that the claim holds.

    Args:
        plan: fixed before the audit.
        result: from :func:`~xinglin.labels.evidence.tally`.
        issued: date, ISO 8601.

    Raises:
        CertificateError: it does not hold by this audit; says why and what is missing.
    """
    found = bounds(plan, result)
    _refuse(plan, result, found)
    return {
        "_type": STATEMENT,
        "subject": [{"name": plan.dataset, "digest": {"sha256": plan.manifest}}],
        "predicateType": PREDICATE,
        "predicate": {
            "statement": sentence(plan, found),
            "plan": plan.as_json(),
            "plan_digest": plan.sha256,
            "tally": asdict(result),
            "bounds": asdict(found),
            "issued": issued,
            "software": f"xinglin {xinglin.__version__}",
            "disclaimer": DISCLAIMER,
        },
    }


def sentence(plan: AuditPlan, found: Bounds) -> dict[str, str]:
    """Return what is certified, in one sentence of each language."""
    confidence, claim = (f"{100 * float(share):.4g} %" for share in (plan.confidence, plan.claim))
    return {
        "zh": f"以 {confidence} 的置信度,数据集 {plan.dataset} 的 {plan.population} 条标注中,错误标注占比低于 {claim}"
        f"(上界 {found.total} 条)。{_assumption(plan)[0]}",
        "en": f"With {confidence} confidence, of the {plan.population} labels of the data set {plan.dataset}, less than "
        f"{claim} are wrong (at most {found.total}). {_assumption(plan)[1]}",
    }


def _assumption(plan: AuditPlan) -> tuple[str, str]:
    if plan.gold is not None:
        return (
            f"前提:{plan.gold_items} 条已知真值的金标准条目与数据集的条目一样难。",
            f"Provided that the {plan.gold_items} gold items of known truth are as hard as the items of the data set.",
        )
    hardest = f"{100 * float(plan.hardest or 0):.4g} %"
    return (
        f"前提:给定条目时各审核者独立出错,且任何条目上单名审核者出错的概率不超过 {hardest}。",
        f"Provided that readers err independently given the item, each with a chance of at most {hardest} on any item.",
    )


def _refuse(plan: AuditPlan, result: Tally, found: Bounds) -> None:
    """Raise if the audit does not carry the claim."""
    claim, reserve = float(plan.claim), plan.alpha[1]
    if result.gold_missing:
        raise CertificateError(f"{result.gold_missing} gold items are not read and settled yet: finish them")
    # with few items read the bound from disagreements says nothing yet: then the audit simply goes on
    if found.auditors >= claim and (plan.gold is not None or found.total <= found.limit):
        raise CertificateError(
            f"the auditors' own error is bounded by {found.auditors:.3%} only, the claim is {claim:.3%}: a reference "
            "that may be as wrong as the labels cannot certify them. Train the auditors, add gold items or more readings"
        )
    if plan.hardest is not None:
        most = 1 - (1 - float(plan.hardest)) ** 2
        if result.disagreements and binom.sf(result.disagreements - 1, result.read, most) <= reserve:
            raise CertificateError(
                f"the auditors disagreed on {result.disagreements} of {result.read} items; with a chance of error of "
                f"at most {plan.hardest} a reader that should be below {most:.3%}: the assumption is contradicted"
            )
    if found_limit(plan, result.gold_wrong) < 0:
        raise CertificateError(
            f"the auditors' own error leaves nothing of the claim: of {plan.population} items, {plan.limit} wrong labels "
            "would still be below it. Use better auditors, more gold items or a larger claim"
        )
    if found.total > found.limit:
        allowed = found_limit(plan, result.gold_wrong)
        more = passes_at(allowed + 1, result.wrong, result.read, plan.population, plan.alpha[0])
        raise CertificateError(
            f"{result.wrong} wrong labels in {result.read} items bound the wrong ones by {found.total} "
            f"({found.total / plan.population:.3%}), the claim allows {found.limit}: "
            + (
                f"go on; with no further error it passes at {more} items"
                if more is not None
                else "too many errors were found; mend the labels and plan a new audit"
            )
        )


def sign_certificate(statement: Mapping[str, Any], key: Path) -> dict[str, Any]:
    """Return the certificate: the statement and its Ed25519 signature.

    Raises:
        As :func:`~xinglin.ledger.signature.sign`.
    """
    return {"statement": dict(statement), "signature": sign(digest(canonical(statement)), key, CONTEXT)}


def verify_certificate(
    certificate: Any,
    public_key: str,
    *,
    manifest: str | None = None,
    labels: Mapping[str, str] | None = None,
    readings: Sequence[Reading] | None = None,
    gold: Mapping[str, str] | None = None,
) -> AuditPlan:
    """Check a certificate: signature, arithmetic, and whatever evidence is given.

    Args:
        certificate: as read from JSON.
        public_key: of the issuer that the reader trusts, 64 hexadecimal digits.
        manifest: digest of the manifest that the reader holds.
        labels: the labels of the data set; with ``readings`` the audit is gone through again.
        readings: of the audit.
        gold: the gold items, if the plan has any.

    Returns:
        The plan, whose claim holds.

    Raises:
        InvalidInputError: not a certificate, or the signature is false or of another key.
        CertificateError: it does not follow from its numbers, or the evidence is another one.
    """
    statement = certificate.get("statement") if isinstance(certificate, dict) else None
    if not isinstance(statement, dict) or set(certificate) != {"statement", "signature"}:
        raise InvalidInputError("certificate: expected an object of a statement and its signature")
    check_signature(certificate["signature"], digest(canonical(statement)), CONTEXT, public_key)
    plan, result = _contents(statement)
    issued = statement["predicate"].get("issued")
    again = certify(plan, result, issued=issued)
    for name in ("software", "disclaimer"):
        again["predicate"][name] = statement["predicate"].get(name)
    if again != statement:
        raise CertificateError(
            "the certificate does not follow from its own plan and tally: do not rely on it"
        )
    if manifest is not None and manifest != plan.manifest:
        raise CertificateError(
            f"the certificate is of the manifest {plan.manifest[:12]}..., yours is {manifest[:12]}...: the data set is "
            "another one or was changed since"
        )
    if (labels is None) != (readings is None):
        raise InvalidInputError("to go through the audit again, give both the labels and the readings")
    if labels is not None and readings is not None and tally(plan, labels, readings, gold=gold) != result:
        raise CertificateError("these readings are not those that the certificate counts: do not rely on it")
    return plan


def _contents(statement: dict[str, Any]) -> tuple[AuditPlan, Tally]:
    predicate = statement.get("predicate")
    if statement.get("predicateType") != PREDICATE or not isinstance(predicate, dict):
        raise InvalidInputError(f"certificate: expected the predicate type {PREDICATE}")
    plan, given = plan_from_json(predicate.get("plan")), predicate.get("tally")
    kinds = {field.name: str if field.name == "readings" else int for field in fields(Tally)}
    if not isinstance(given, dict) or {name: type(cell) for name, cell in given.items()} != kinds:
        raise InvalidInputError(f"certificate: expected a tally of {', '.join(kinds)}")
    result = Tally(**given)
    counts = (result.wrong, result.disagreements, result.gold_wrong, result.gold_missing)
    sound = max(counts[:2]) <= result.read <= plan.population and max(counts[2:]) <= plan.gold_items
    if min(counts) < 0 or not sound:
        raise InvalidInputError("certificate: the counts of the tally contradict each other")
    return plan, result
