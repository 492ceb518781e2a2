"""Plans and certificates in the ledger: a plan is noted before the audit, and only one for the same labels.

The bound holds at every moment of an audit, so a second plan is never needed; a choice among several would be a
choice among results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from xinglin.errors import CertificateError
from xinglin.labels.evidence import AuditPlan
from xinglin.ledger.chain import append
from xinglin.records.manifest import canonical
from xinglin.store.keys import digest
from xinglin.store.tables_ledger import ledger
from xinglin.types import Entry

PLANNED, CERTIFIED = "annotation.plan_audit", "annotation.certify"


def register_plan(connection: Connection, plan: AuditPlan, *, actor: str) -> Entry | None:
    """Note a plan in the ledger; ``None`` if the very same is noted already.

    Raises:
        CertificateError: another plan for these labels is noted.
    """
    earlier = _plans(connection, plan)
    if plan.sha256 in earlier:
        return None
    if earlier:
        raise CertificateError(
            f"an audit of these labels is planned already (plan {earlier[0][:12]}...): go on with that one, its bound "
            "holds however long it takes"
        )
    return append(
        connection, PLANNED, actor=actor, subjects=(plan.sha256, plan.labels, plan.manifest),
        detail={"claim": plan.claim, "confidence": plan.confidence, "population": plan.population},
    )  # fmt: skip


def need_plan(connection: Connection, plan: AuditPlan) -> None:
    """Check that the plan was noted, as the only one for these labels.

    Raises:
        CertificateError: it was not.
    """
    if _plans(connection, plan) != [plan.sha256]:
        raise CertificateError(
            f"the plan {plan.sha256[:12]}... is not in the ledger: an audit is planned before it is read, run "
            "`xinglin labels audit-plan`"
        )


def register_certificate(connection: Connection, certificate: Mapping[str, Any], *, actor: str) -> Entry:
    """Note a certificate in the ledger."""
    said = certificate["statement"]["predicate"]
    return append(
        connection, CERTIFIED, actor=actor,
        subjects=(digest(canonical(certificate)), said["plan_digest"], said["plan"]["manifest"]),
        detail={"claim": said["plan"]["claim"], "confidence": said["plan"]["confidence"], "read": said["tally"]["read"],
                "wrong": said["tally"]["wrong"]},
    )  # fmt: skip


def _plans(connection: Connection, plan: AuditPlan) -> list[str]:
    """Digests of the plans noted for these labels, in order."""
    rows = connection.execute(
        select(ledger.c.subjects).where(ledger.c.action == PLANNED).order_by(ledger.c.seq)
    )
    noted: list[list[str]] = [row.subjects for row in rows]
    return [subjects[0] for subjects in noted if subjects[1] == plan.labels]
