"""Versions of the shipped models, with evidence of every kind made here; the manifests are the real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xinglin.model.shipped import SHIPPED
from xinglin.release.dossier.answers import digest_of
from xinglin.release.registry.version import KINDS, Evidence, Kind, Version

NODULES, TEXT = "lung-nodules", "medical-open-model"
HOSTILE = "<script>alert(1)</script> | [x](javascript:y) `z` **b**\n# 伪标题\u202e _i_ <a id='e1'> &amp;"
"""Markup of every kind, and a mark that turns the reading direction."""
CONTENTS: list[tuple[Kind, dict[str, Any]]] = [
    (
        "use",
        {
            "purpose_zh": "提示 CT 上可疑的肺结节,供放射科医生复核",
            "purpose_en": "Points out possible lung nodules on CT for a radiologist to check",
            "users": ["放射科医生 radiologists"],
            "setting": "医院 hospital",
            "contraindications": "18 岁以下 under 18",
            "not_for": "单独作出诊断 a diagnosis on its own",
        },
    ),
    (
        "consent",
        {
            "dataset": "luna16",
            "basis": "公开数据 public data",
            "purposes": ["research"],
            "grants": ["ab" * 32],
            "subjects": 888,
            "withdrawn": 0,
        },
    ),
    ("certificate", {"statement": {"predicate": {"statement": {"zh": "错误占比低于 2 %"}}}, "signature": "cd" * 32}),
    ("curves", {"name": "loss", "points": [[step, 1 / (1 + step)] for step in range(100)]}),
    (
        "environment",
        {
            "python": "3.11.2",
            "platform": "linux",
            "lock": {"sha256": "ef" * 32, "packages": ["numpy==2.4.0", "onnxruntime==1.32.0"]},
            "hardware": "2 cores",
        },
    ),
    (
        "metric",
        {
            "name": "auroc",
            "value": 0.9905,
            "low": 0.9782,
            "high": 0.9986,
            "n": 231,
            "data": "held-out windows",
            "group": None,
            "weak": False,
        },
    ),
    (
        "metric",
        {
            "name": "auroc",
            "value": 0.93,
            "low": None,
            "high": None,
            "n": None,
            "data": "simulated site",
            "group": {"kind": "site", "value": "甲院"},
            "weak": True,
        },
    ),
    (
        "metric",
        {
            "name": "auroc",
            "value": 0.95,
            "low": 0.91,
            "high": 0.98,
            "n": 90,
            "data": "held-out windows",
            "group": {"kind": "sex", "value": "female"},
            "weak": False,
        },
    ),
    ("robustness", {"name": "thick slices", "value": 0.96, "low": 0.93, "high": 0.98, "n": 231, "data": "windows"}),
    ("faithfulness", {"name": "deletion", "value": 0.71, "low": 0.65, "high": 0.77, "n": 120, "data": "windows"}),
    ("privacy", {"dataset": "luna16", "unit": "patient", "epsilon": 3.0, "delta": 1e-5, "rounds": 20, "report": "aa" * 32}),
    ("probabilities", {"data": "held-out windows", "sha256": "bb" * 32, "cases": 231}),
    (
        "risk",
        {
            "hazard": "漏检 a missed nodule",
            "situation": "医生依赖提示 reliance on the marks",
            "harm": "延误诊断 late diagnosis",
            "severity": "serious",
            "probability": "occasional",
            "control": "先读片再看提示 read first, then look at the marks",
            "residual": "acceptable to the committee",
        },
    ),
    ("gate", {"passed": True, "thresholds": "cc" * 32, "checks": [{"name": "auroc", "passed": True}]}),
    ("monitoring", {"name": "psi", "value": 0.04, "limit": 0.2, "since": "2026-11-01", "breached": False}),
    ("approval", {"person": "王主任", "role": "医务处", "decision": "candidate", "statement": "可进入试用"}),
    (
        "statement",
        {
            "requirement": "nmpa-8-05",
            "zh": "数据来自公开的 LUNA16",
            "en": "The data are the public LUNA16",
            "person": "李医生",
        },
    ),
    (
        "statement",
        {"requirement": "fda-cds-01", "zh": "分析医学影像", "en": "It analyses a medical image", "person": "Dr Lee"},
    ),
]  # fmt: skip


def recorded(kind: Kind, content: dict[str, Any], seq: int) -> Evidence:
    """Return evidence as the registry would hand it out."""
    time = f"2026-11-28T10:{seq // 60:02d}:{seq % 60:02d}+00:00"
    return Evidence(kind, content, digest_of(content), seq, time, "tester")


def everything() -> tuple[Evidence, ...]:
    """Return evidence of every kind."""
    return tuple(recorded(kind, content, 11 + place) for place, (kind, content) in enumerate(CONTENTS))


def manifest(model: str) -> dict[str, Any]:
    """Return the manifest of a shipped model."""
    found: dict[str, Any] = json.loads((SHIPPED / model / "manifest.json").read_text(encoding="utf-8"))
    return found


def version(model: str = NODULES, evidence: Sequence[Evidence] | None = None, **changes: Any) -> Version:
    """Return a registered version of a shipped model; with evidence of every kind unless told otherwise."""
    body = manifest(model)
    made = Version(
        name=model,
        number="1.0.0",
        checkpoint=body["id"],
        manifest=body,
        stage="candidate",
        change="first",
        seq=10,
        time="2026-11-28T09:59:00+00:00",
        actor="tester",
        evidence=everything() if evidence is None else tuple(evidence),
    )
    return replace(made, **changes)


if {kind for kind, _ in CONTENTS} != set(KINDS):
    raise ValueError("made.py: evidence of every kind is needed, or the tests below prove less than they say")
