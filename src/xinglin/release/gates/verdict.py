"""A version against the thresholds: every check with what was found, what was wanted, and the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from xinglin.errors import XinglinError
from xinglin.labels.certificate import verify_certificate
from xinglin.release.gates.policy import AtLeast, AtMost, Policy, Worst
from xinglin.release.registry.version import Evidence, Version
from xinglin.store.keys import canonical_json, digest


@dataclass(frozen=True, slots=True)
class Check:
    """One threshold and what became of it."""

    name: str
    passed: bool
    found: str
    wanted: str
    evidence: tuple[int, ...] = ()
    """Numbers of the ledger entries that it rests on."""

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "name": self.name,
            "passed": self.passed,
            "found": self.found,
            "wanted": self.wanted,
            "evidence": list(self.evidence),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a version."""

    model: str
    number: str
    checkpoint: str
    policy: str
    """Digest of the thresholds."""
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed; a gate without any is closed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "model": self.model,
            "number": self.number,
            "checkpoint": self.checkpoint,
            "policy": self.policy,
            "passed": self.passed,
            "checks": [check.as_json() for check in self.checks],
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the verdict: what is signed."""
        return digest(canonical_json(self.as_json()))


def judge(version: Version, policy: Policy, *, now: str, last_promotion: str | None) -> Verdict:
    """Check a version against the thresholds.

    Args:
        version: with its evidence.
        policy: the thresholds.
        now: UTC, ISO 8601.
        last_promotion: when this model was last promoted; ``None``: never.
    """
    metrics, robustness = version.of_kind("metric"), version.of_kind("robustness")
    overall = [item for item in metrics if item.content.get("group") is None]
    checks: list[Check] = []
    if policy.error:
        checks.append(_figure("error", policy.error, overall))
    for name, worst in (("worst_site", policy.worst_site), ("worst_subgroup", policy.worst_subgroup)):
        if worst:
            checks += _worst(name, worst, metrics)
    if policy.ece:
        checks.append(_figure("ece", policy.ece, overall))
    if policy.coverage:
        checks.append(_figure("coverage", policy.coverage, overall))
    if policy.faithfulness:
        checks.append(_figure("faithfulness", policy.faithfulness, version.of_kind("faithfulness")))
    if policy.typos:
        checks.append(_figure("typos", policy.typos, robustness))
    if policy.paraphrase:
        checks.append(_figure("paraphrase", policy.paraphrase, robustness))
    checks += [_figure(f"figure: {limit.name}", limit, overall) for limit in policy.figures]
    checks += _privacy(version, policy)
    checks += _certificate(version, policy)
    checks += _approvals(version, policy)
    if policy.interval:
        checks.append(_interval(policy.interval.days, now, last_promotion))
    checks += _alarms(version)
    return Verdict(version.name, version.number, version.checkpoint, policy.digest, tuple(checks))


def _figure(name: str, limit: AtMost | AtLeast, items: Iterable[Evidence]) -> Check:
    """Check the newest figure of each data set by the bad end of its interval."""
    most = isinstance(limit, AtMost)
    bound = limit.at_most if isinstance(limit, AtMost) else limit.at_least
    wanted = f"{limit.name} {'<=' if most else '>='} {bound:g}" + (f" on {limit.data}" if limit.data else "")
    newest: dict[str, Evidence] = {}
    for item in items:
        if item.content["name"] == limit.name and limit.data in (None, item.content["data"]):
            newest[item.content["data"]] = item
    if not newest:
        return Check(name, False, "missing", wanted)
    passed, said = True, []
    for data, item in sorted(newest.items()):
        content = item.content
        end = content["high"] if most else content["low"]
        why = ""
        if content["n"] < limit.min_n:
            why = f", n below {limit.min_n}"
        elif content.get("weak") and not limit.weak:
            why = ", weak labels"
        elif content.get("synthetic"):
            why = ", synthetic"
        passed &= not why and (end <= bound if most else end >= bound)
        said.append(f"{_shown(content)} on {data}{why}")
    return Check(name, passed, "; ".join(said), wanted, tuple(item.seq for item in newest.values()))


def _worst(name: str, worst: Worst, items: Sequence[Evidence]) -> list[Check]:
    checks = []
    for kind in worst.groups:
        newest: dict[tuple[str, str], Evidence] = {}
        for item in items:
            group = item.content.get("group")
            if group and group["kind"] == kind and item.content["name"] == worst.name:
                newest[(item.content["data"], group["value"])] = item
        wanted = f"{worst.name} of every {kind} >= {worst.at_least:g}"
        large = [item for item in newest.values() if item.content["n"] >= worst.min_n]
        small = sorted(
            item.content["group"]["value"] for item in newest.values() if item.content["n"] < worst.min_n
        )
        label = f"{name}: {kind}"
        if not large:
            found = f"missing: no {kind} with n >= {worst.min_n}"
            checks.append(Check(label, False, found, wanted, tuple(item.seq for item in newest.values())))
            continue
        lowest = min(large, key=lambda item: item.content["low"])
        found = f"{_shown(lowest.content)} of {lowest.content['group']['value']}"
        if small:
            found += f"; too few cases to judge: {', '.join(small)}"
        passed = lowest.content["low"] >= worst.at_least
        checks.append(Check(label, passed, found, wanted, tuple(item.seq for item in newest.values())))
    return checks


def _privacy(version: Version, policy: Policy) -> list[Check]:
    if policy.privacy is None:
        return []
    limit, units = policy.privacy.epsilon_at_most, policy.privacy.units
    wanted = f"epsilon <= {limit:g} by {' or '.join(units)} for each data set"
    newest = {item.content["dataset"]: item for item in version.of_kind("privacy")}
    if not newest:
        return [Check("privacy", False, "missing", wanted)]
    passed, said = True, []
    for name, item in sorted(newest.items()):
        spent, unit = item.content["epsilon"], item.content["unit"]
        passed &= spent <= limit and unit in units
        said.append(f"{name}: {spent:g} (delta {item.content['delta']:g}) by {unit}")
    return [Check("privacy", passed, "; ".join(said), wanted, tuple(item.seq for item in newest.values()))]


def _certificate(version: Version, policy: Policy) -> list[Check]:
    if policy.certificate is None:
        return []
    limit, issuers = policy.certificate.claim_at_most, policy.certificate.issuers
    wanted = (
        f"annotation error certified below {limit:g} by a trusted issuer, of data the model was trained on"
    )
    trained = {str(item.get("sha256")) for item in version.manifest["data"]}
    said = []
    for item in version.of_kind("certificate"):
        claim, manifest, why = _certified(item.content, issuers)
        if why is None and manifest not in trained:
            why = f"it is of the manifest {str(manifest)[:12]}..., which this model was not trained on"
        if why is None and claim is not None and claim <= limit:
            return [Check("certificate", True, f"below {claim:g}", wanted, (item.seq,))]
        said.append(why or f"it claims {claim:g}")
    return [Check("certificate", False, "; ".join(said) or "missing", wanted)]


def _certified(
    content: dict[str, Any], issuers: Sequence[str]
) -> tuple[float | None, str | None, str | None]:
    """Return claim and manifest of a certificate that holds, or why it does not."""
    why = "no trusted issuer"
    for issuer in issuers:
        try:
            plan = verify_certificate(content, issuer)
        except XinglinError as error:
            why = str(error)
        else:
            return float(plan.claim), plan.manifest, None
    return None, None, why


def _approvals(version: Version, policy: Policy) -> list[Check]:
    if policy.approvals is None:
        return []
    checks, people = [], set()
    latest = {(item.content["role"], item.content["person"]): item for item in version.of_kind("approval")}
    for role in policy.approvals.roles:
        mine = [item for (named, _), item in latest.items() if named == role]
        rejected = [item for item in mine if item.content["decision"] == "reject"]
        agreed = [
            item
            for item in mine
            if item.content["decision"] == "approve" and item.content["person"] not in people
        ]
        wanted = f"approved as {role} by somebody who approves in no other role"
        if rejected:
            found = f"rejected by {', '.join(item.content['person'] for item in rejected)}"
            checks.append(Check(f"approval: {role}", False, found, wanted, (rejected[0].seq,)))
        elif agreed:
            people.add(agreed[0].content["person"])
            found = f"by {agreed[0].content['person']}, {agreed[0].time[:10]}"
            checks.append(Check(f"approval: {role}", True, found, wanted, (agreed[0].seq,)))
        else:
            checks.append(Check(f"approval: {role}", False, "missing", wanted))
    return checks


def _interval(days: float, now: str, last: str | None) -> Check:
    wanted = f"{days:g} days since the last promotion"
    if last is None:
        return Check("interval", True, "never promoted before", wanted)
    passed = datetime.fromisoformat(now) - datetime.fromisoformat(last) >= timedelta(days=days)
    return Check("interval", passed, f"last promoted {last[:16]}", wanted)


def _alarms(version: Version) -> list[Check]:
    """An alarm closes the gate until a later report of the same name says that it is over."""
    newest = {item.content["name"]: item for item in version.of_kind("monitoring")}
    return [
        Check(
            f"monitoring: {name}",
            False,
            f"{item.content['value']:g} beyond {item.content['limit']:g} since {item.content['since'][:16]}",
            "no alarm open",
            (item.seq,),
        )
        for name, item in sorted(newest.items())
        if item.content["breached"]
    ]


def _shown(content: dict[str, Any]) -> str:
    return f"{content['value']:.4g} [{content['low']:.4g}, {content['high']:.4g}], n {content['n']}"
