"""Annotation: schemes, rounds, truth from many annotators, selection, and the certificate of an error rate."""

from importlib import import_module
from typing import Any

_DOORS: dict[str, str] = {
    "audit_order": "xinglin.labels.evidence",
    "AuditPlan": "xinglin.labels.evidence",
    "certify": "xinglin.labels.certificate",
    "cohen_kappa": "xinglin.labels.agreement",
    "fleiss_kappa": "xinglin.labels.agreement",
    "infer_truth": "xinglin.labels.truth",
    "krippendorff_alpha": "xinglin.labels.agreement",
    "label_noise": "xinglin.labels.noise",
    "Mix": "xinglin.labels.select",
    "read_votes": "xinglin.labels.crowd_files",
    "Reading": "xinglin.labels.evidence",
    "Scheme": "xinglin.labels.scheme",
    "claim": "xinglin.labels.assign",
    "draw_audit": "xinglin.labels.audit",
    "open_campaign": "xinglin.labels.campaign",
    "read_campaign": "xinglin.labels.campaign",
    "scheme_from_json": "xinglin.labels.scheme",
    "scheme_from_refset": "xinglin.labels.scheme",
    "scheme_from_snomed": "xinglin.labels.scheme",
    "scheme_from_tsv": "xinglin.labels.scheme",
    "scheme_to_json": "xinglin.labels.scheme",
    "sign_certificate": "xinglin.labels.certificate",
    "tally": "xinglin.labels.evidence",
    "Truth": "xinglin.labels.votes",
    "verify_certificate": "xinglin.labels.certificate",
    "Votes": "xinglin.labels.votes",
}
__all__ = list(_DOORS)


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return getattr(import_module(_DOORS[name]), name)
    raise AttributeError(f"{__name__} has no door {name!r}; doors: {', '.join(_DOORS)}")
