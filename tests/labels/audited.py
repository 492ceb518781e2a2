"""A small audited data set for tests: labels, readers who err by plan, and the plan itself."""

from __future__ import annotations

from dataclasses import replace

from xinglin.labels.evidence import AuditPlan, Reading, audit_order, labels_digest

CODES = ("icd10-who:I21", "icd10-who:I20.0", "icd10-who:J93.9")
MANIFEST = "ab" * 32


def data_set(n: int, wrong: int = 0, prefix: str = "r") -> tuple[dict[str, str], dict[str, str]]:
    """Truth and released labels of ``n`` items, the last ``wrong`` of which (by id) are released wrongly."""
    truth = {f"{prefix}{i:05d}": CODES[i % 3] for i in range(n)}
    released = {
        item: CODES[(CODES.index(label) + (place >= n - wrong)) % 3]
        for place, (item, label) in enumerate(truth.items())
    }
    return truth, released


def planned(released: dict[str, str], **changes: object) -> AuditPlan:
    """A plan of these labels: below 2 %, readers wrong on no item more than one time in ten."""
    given = {
        "dataset": "胸痛", "manifest": MANIFEST, "labels": labels_digest(released), "population": len(released),
        "claim": "0.02", "seed": "骰子 3 1 4 1 5 9", "auditors": ("甲", "乙"), "adjudicators": ("丙",),
        "hardest": "0.1",
    }  # fmt: skip
    return AuditPlan(**(given | changes))  # type: ignore[arg-type]


def readings(
    plan: AuditPlan, truth: dict[str, str], read: int, disagree: int = 0, gold: dict[str, str] | None = None
) -> list[Reading]:
    """The first ``read`` items of the order, read rightly; on the first ``disagree`` of them one auditor errs."""
    made = []
    for place, item in enumerate([*audit_order(truth, plan.seed)[:read], *(gold or {})]):
        label = (truth | (gold or {}))[item]
        other = CODES[(CODES.index(label) + 1) % 3]
        differ = place < disagree
        made += [Reading(item, "甲", label), Reading(item, "乙", other if differ else label)]
        if differ:
            made.append(Reading(item, "丙", label, "adjudicator", ("auditors",)))
    return made


def void(made: list[Reading], at: int, **changes: object) -> list[Reading]:
    """The same readings with one of them changed."""
    return [replace(one, **changes) if place == at else one for place, one in enumerate(made)]  # type: ignore[arg-type]
