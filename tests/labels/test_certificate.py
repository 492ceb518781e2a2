"""The certificate: what it says, when it is refused, and that a changed one is found."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.labels.audited import MANIFEST, data_set, planned, readings, void
from xinglin.errors import CertificateError, InvalidInputError, XinglinError
from xinglin.labels.bounds import missed_upper, sequential_upper
from xinglin.labels.certificate import bounds, certify, power, sign_certificate, stops, verify_certificate
from xinglin.labels.evidence import Tally, labels_digest, tally
from xinglin.ledger.signature import new_key
from xinglin.types import DISCLAIMER

TRUTH, RELEASED = data_set(2000, wrong=4)
PLAN = planned(RELEASED)
MADE = readings(PLAN, TRUTH, 700, disagree=3)
TALLY = tally(PLAN, RELEASED, MADE)
ISSUED = "2026-11-28"


def counted(read: int, wrong: int = 0, disagreements: int = 0, **more: Any) -> Tally:
    return Tally(
        read, wrong, disagreements, **({"gold_wrong": 0, "gold_missing": 0, "readings": "0" * 64} | more)
    )


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    return tmp_path / "issuer", new_key(tmp_path / "issuer")


def test_it_states_the_claim_the_bounds_and_the_manifest() -> None:
    statement = certify(PLAN, TALLY, issued=ISSUED)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "胸痛", "digest": {"sha256": MANIFEST}}]
    said = statement["predicate"]
    assert said["bounds"]["reference"] == sequential_upper(TALLY.wrong, 700, 2000, PLAN.alpha[0])
    assert said["bounds"]["reference"] <= said["bounds"]["total"] <= said["bounds"]["limit"] == 39
    assert "低于 2 %" in said["statement"]["zh"]
    assert "less than 2 % are wrong" in said["statement"]["en"]
    assert "at most 10 % on any item" in said["statement"]["en"]
    assert said["disclaimer"] == DISCLAIMER
    assert json.loads(json.dumps(statement)) == statement


def test_it_is_refused_while_the_bound_is_above_the_claim_and_says_how_far_to_go() -> None:
    limits = stops(PLAN)
    with pytest.raises(CertificateError, match=f"passes at {limits[0]} items"):
        certify(PLAN, counted(limits[0] - 1), issued=ISSUED)
    certify(PLAN, counted(limits[0]), issued=ISSUED)
    certify(PLAN, counted(limits[3], wrong=3), issued=ISSUED)
    with pytest.raises(CertificateError, match=f"passes at {limits[4]} items"):
        certify(PLAN, counted(limits[3], wrong=4), issued=ISSUED)
    with pytest.raises(CertificateError, match="too many errors"):
        certify(PLAN, counted(1500, wrong=60), issued=ISSUED)
    with pytest.raises(CertificateError, match="go on"):
        certify(PLAN, counted(0), issued=ISSUED)


def test_auditors_worse_than_the_claim_are_refused() -> None:
    with pytest.raises(CertificateError, match="auditors' own error is bounded by"):
        certify(PLAN, counted(1000, disagreements=130), issued=ISSUED)
    with pytest.raises(CertificateError, match="assumption is contradicted"):
        certify(replace(PLAN, hardest="0.001"), counted(1000, disagreements=20), issued=ISSUED)
    careless = replace(PLAN, hardest="0.499", claim="0.0009")
    with pytest.raises(CertificateError, match="leaves nothing"):
        certify(careless, counted(2000), issued=ISSUED)


def test_gold_items_measure_the_auditors() -> None:
    gold, _ = data_set(500, prefix="g")
    plan = planned(RELEASED, hardest=None, gold=labels_digest(gold), gold_items=500)
    result = tally(plan, RELEASED, readings(plan, TRUTH, 900, gold=gold), gold=gold)
    statement = certify(plan, result, issued=ISSUED)
    found = statement["predicate"]["bounds"]
    assert found["total"] - found["reference"] == round(found["auditors"] * 2000) > 0
    assert "500 gold items" in statement["predicate"]["statement"]["en"]
    with pytest.raises(CertificateError, match="not read and settled"):
        certify(plan, replace(result, gold_missing=1), issued=ISSUED)
    with pytest.raises(CertificateError, match="own error is bounded"):
        certify(plan, replace(result, gold_wrong=6), issued=ISSUED)


def test_the_gold_bound_covers() -> None:
    """Gold and data set alike, wrong references anywhere among both: their number in the data set is bounded."""
    n, gold, alpha_kept = 300, 80, 0.01
    plan = planned(data_set(n)[0], hardest=None, gold="0" * 64, gold_items=gold)
    assert plan.alpha[1] == pytest.approx(alpha_kept)
    generator = np.random.default_rng(0)
    for wrong in (3, 12, 40):
        drawn = generator.hypergeometric(wrong, n + gold - wrong, gold, size=4000)
        uppers = {g: bounds(plan, counted(n, gold_wrong=g)).auditors * n for g in set(drawn.tolist())}
        failed = np.mean([uppers[g] < wrong - g for g in drawn.tolist()])
        assert failed <= alpha_kept + 3 * (alpha_kept / 4000) ** 0.5


def test_the_total_bound_is_the_reference_bound_and_what_may_be_overlooked() -> None:
    found = bounds(PLAN, TALLY)
    assert found.total == missed_upper(found.reference, PLAN.miss, 2000, PLAN.alpha[1])
    assert found.fixed < found.reference  # the price of looking at every item


def test_power_is_the_share_of_simulated_audits_that_pass() -> None:
    plan = planned(RELEASED, claim="0.02")
    (row,) = power(plan, [0.005], [300, 900, 2000])
    assert row.wrong == 10
    limits, generator = stops(plan), np.random.default_rng(0)
    sizes = []
    for _ in range(2000):
        places = np.append(np.sort(generator.choice(2000, 10, replace=False)) + 1, 2001)
        passed = [limit for limit, place in zip(limits, places, strict=False) if limit < place]
        sizes.append(passed[0] if passed else 2001)
    for size, chance in zip((300, 900, 2000), row.passes, strict=True):
        assert np.mean(np.array(sizes) <= size) == pytest.approx(chance, abs=0.05)
    assert np.mean(np.minimum(sizes, 2000)) == pytest.approx(row.expected, rel=0.05)
    assert power(replace(plan, claim="0.0001"), [0.0], [2000])[0].passes == (0.0,)


def test_signed_and_verified_with_and_without_the_evidence(key: tuple[Path, str]) -> None:
    certificate = json.loads(json.dumps(sign_certificate(certify(PLAN, TALLY, issued=ISSUED), key[0])))
    assert verify_certificate(certificate, key[1]) == PLAN
    assert verify_certificate(certificate, key[1], manifest=MANIFEST, labels=RELEASED, readings=MADE) == PLAN
    with pytest.raises(CertificateError, match="changed since"):
        verify_certificate(certificate, key[1], manifest="cd" * 32)
    with pytest.raises(CertificateError, match="changed since"):
        verify_certificate(certificate, key[1], labels=RELEASED | {"r00001": "?"}, readings=MADE)
    with pytest.raises(CertificateError, match="not those"):
        verify_certificate(certificate, key[1], labels=RELEASED, readings=MADE[:-2])
    with pytest.raises(CertificateError, match="saw label"):
        verify_certificate(certificate, key[1], labels=RELEASED, readings=void(MADE, 9, saw=("label",)))
    with pytest.raises(InvalidInputError, match="both"):
        verify_certificate(certificate, key[1], labels=RELEASED)


def test_any_change_of_a_certificate_is_found(key: tuple[Path, str]) -> None:
    certificate = sign_certificate(certify(PLAN, TALLY, issued=ISSUED), key[0])
    leaves: list[tuple[Any, ...]] = []

    def walk(value: Any, path: tuple[Any, ...]) -> None:
        for at, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, dict | list):
                walk(inner, (*path, at))
            else:
                leaves.append((*path, at))

    walk(certificate, ())
    assert len(leaves) > 35
    for *path, last in leaves:
        changed = copy.deepcopy(certificate)
        place: Any = changed
        for at in path:
            place = place[at]
        place[last] = place[last] + 1 if isinstance(place[last], int | float) else "0"
        with pytest.raises(XinglinError):
            verify_certificate(changed, key[1])


def test_a_signed_lie_is_found_by_its_arithmetic(key: tuple[Path, str]) -> None:
    """The holder of a key cannot certify what does not follow from the numbers inside."""
    good = certify(PLAN, TALLY, issued=ISSUED)

    def forged(**changes: Any) -> dict[str, Any]:
        return sign_certificate(good | {"predicate": good["predicate"] | changes}, key[0])

    said = good["predicate"]
    for changes, why in (
        ({"bounds": said["bounds"] | {"total": 1}}, "does not follow"),
        ({"statement": {"zh": "错误为零", "en": "no label is wrong"}}, "does not follow"),
        ({"plan": said["plan"] | {"claim": "0.01"}}, "bound the wrong ones"),
        ({"tally": said["tally"] | {"wrong": 30}}, "bound the wrong ones"),
        ({"extra": "approved by a ministry"}, "does not follow"),
    ):
        with pytest.raises(CertificateError, match=why):
            verify_certificate(forged(**changes), key[1])
    for changes in (
        {"tally": said["tally"] | {"wrong": -1}}, {"tally": said["tally"] | {"read": 99_999}},
        {"tally": said["tally"] | {"read": 0}}, {"tally": {}}, {"tally": None}, {"plan": None},
        {"tally": said["tally"] | {"read": "700"}}, {"tally": said["tally"] | {"gold_wrong": 3}},
    ):  # fmt: skip
        with pytest.raises(InvalidInputError):
            verify_certificate(forged(**changes), key[1])


def test_another_key_and_no_certificate_at_all(key: tuple[Path, str], tmp_path: Path) -> None:
    certificate = sign_certificate(certify(PLAN, TALLY, issued=ISSUED), key[0])
    with pytest.raises(InvalidInputError):
        verify_certificate(certificate, new_key(tmp_path / "other"))
    for nothing in (None, [], {}, {"statement": 1, "signature": 1}, {"statement": {}, "signature": {}}):
        with pytest.raises(InvalidInputError):
            verify_certificate(nothing, key[1])
