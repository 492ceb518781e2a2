"""A device answers the suite; the report that its vendor sends back, with the digest of what was asked, and signed."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, NotPlacedError
from xinglin.ledger.signature import check_signature, sign
from xinglin.release.conformance.backends import Backend
from xinglin.release.conformance.vectors import FORMAT, Case, Suite
from xinglin.store.keys import canonical_json, digest
from xinglin.types import DISCLAIMER

Verdict = Literal["right", "wrong", "refused", "declined"]
CONTEXT = "conformance"
"""What a signature is of."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case."""

    case: str
    operator: str
    verdict: Verdict
    """``refused``: the runtime raised an error. ``declined``: the device left the only node to the CPU, which fails a
    whole model but not an operator: some take an operator only among others."""
    difference: float | None
    """Largest difference of any answer; ``None``: there was nothing to compare."""
    allowed: float | None
    left: int | None
    """Nodes left to the CPU; ``None``: not known."""
    reason: str = ""


def conform(device: Backend, asked: Suite, *, name: str, versions: Mapping[str, str]) -> dict[str, Any]:
    """Put every case to a device and return the report; no case stops the others.

    Args:
        device: what answers.
        asked: the suite.
        name: of the device, for the report.
        versions: what it runs with.
    """
    results = [_asked(device, case) for case in asked.cases]
    failed = [item for item in results if not _good(item.verdict, item.operator)]
    return {
        "format": FORMAT,
        "suite": asked.digest,
        "precision": asked.precision,
        "device": name,
        "versions": dict(sorted(versions.items())),
        "machine": {"system": platform.system(), "processor": platform.machine()},
        "passed": not failed,
        "failed_operators": sorted({item.operator for item in failed if item.operator != "model"}),
        "failed_models": sorted(item.case for item in failed if item.operator == "model"),
        "declined_operators": sorted({item.operator for item in results if item.verdict == "declined"}),
        "nodes_on_cpu": {item.case: item.left for item in results if item.operator == "model"},
        "results": [asdict(item) for item in results],
        "disclaimer": DISCLAIMER,
    }


def signed(report: Mapping[str, Any], key: Path) -> dict[str, Any]:
    """Return the report with the vendor's signature over all of it.

    Raises:
        MissingExtraError, MissingDataError, ConfigurationError: as :func:`xinglin.ledger.signature.sign`.
    """
    body = {name: value for name, value in report.items() if name != "signature"}
    return body | {"signature": sign(digest(canonical_json(body)), key, CONTEXT)}


def check_report(report: Any, asked: Suite, public_key: str) -> bool:
    """Check a report that came back: its form, that it answers this very suite, the signature, its own sums.

    Returns:
        Whether the device passed. That the figures were measured and not written by hand only a test of one's own can
        say.

    Raises:
        InvalidInputError: no such report, one of another suite, an edited one, or sums that do not follow from the results.
    """
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise InvalidInputError(f"report: expected {FORMAT}, got another file")
    if report.get("suite") != asked.digest:
        raise InvalidInputError(
            "report: it answers another suite (other models, version or precision): let the vendor run this version"
        )
    body = {name: value for name, value in report.items() if name != "signature"}
    check_signature(report.get("signature"), digest(canonical_json(body)), CONTEXT, public_key)
    results = report.get("results")
    expected = [case.name for case in asked.cases]
    if (
        not isinstance(results, list)
        or not all(isinstance(item, dict) for item in results)
        or [item.get("case") for item in results] != expected
    ):
        raise InvalidInputError(f"report: expected results of the {len(expected)} cases in order")
    passed = all(_holds(item, case) for item, case in zip(results, asked.cases, strict=True))
    if report.get("passed") is not passed:
        raise InvalidInputError("report: what it says of itself does not follow from its results")
    return passed


def _good(verdict: Any, operator: str) -> bool:
    return verdict == "right" or (verdict == "declined" and operator != "model")


def _holds(item: Mapping[str, Any], case: Case) -> bool:
    """Whether a result is good by its own figures."""
    if item.get("verdict") != "right":
        return _good(item.get("verdict"), case.operator)
    difference, allowed = item.get("difference"), item.get("allowed")
    if not isinstance(difference, (int, float)) or not isinstance(allowed, (int, float)):
        return False
    most = max(case.allowed(name) for name in case.answers)
    return difference <= allowed <= 1.01 * most + 1e-9


def _asked(device: Backend, case: Case) -> Result:
    try:
        answer = device(case.model, case.inputs)
    except NotPlacedError as error:
        return Result(case.name, case.operator, "declined", None, None, None, str(error))
    except Exception as error:  # whatever a device's runtime raises is its answer to this case
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        return Result(case.name, case.operator, "refused", None, None, None, reason)
    worst, allowed, reason = 0.0, 0.0, ""
    for name, right in case.answers.items():
        limit = case.allowed(name)
        found = answer.values.get(name)
        if found is None or found.shape != right.shape:
            shape = "nothing" if found is None else f"shape {found.shape}"
            return Result(
                case.name, case.operator, "wrong", None, None, answer.left, f"{shape} for {right.shape}"
            )
        difference = _difference(found, right)
        if not difference <= limit:
            reason = reason or f"differs by {difference:.3g}, allowed {limit:.3g}"
            return Result(case.name, case.operator, "wrong", difference, limit, answer.left, reason)
        if difference >= worst:
            worst, allowed = difference, limit
    return Result(case.name, case.operator, "right", worst, allowed, answer.left)


def _difference(found: NDArray[Any], right: NDArray[Any]) -> float:
    """Largest absolute difference; infinite where the kinds of number, or infinities and NaN, do not agree."""
    if (found.dtype.kind in "biu") != (right.dtype.kind in "biu"):
        return float("inf")
    if not right.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        same = (found == right) | (np.isnan(found.astype(float)) & np.isnan(right.astype(float)))
        delta = np.where(same, 0.0, np.abs(found.astype(np.float64) - right.astype(np.float64)))
    return float("inf") if np.isnan(delta).any() else float(delta.max())
