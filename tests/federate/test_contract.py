"""The data contract: each thing that is missing is named, and both answers stand in the node's ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.labels.audited import data_set, planned, readings
from tests.stores import both, name
from xinglin.errors import InvalidInputError, NotPermittedError
from xinglin.federate.contract import Site, admit
from xinglin.federate.job import Job, job_from
from xinglin.labels.certificate import certify, sign_certificate
from xinglin.labels.evidence import tally
from xinglin.ledger import entries, give_consent, grant, revoke, verify, withdraw_consent
from xinglin.ledger.signature import new_key, sign
from xinglin.records import create_dataset
from xinglin.records.manifest import (
    Consent,
    Counts,
    Manifest,
    Part,
    Splits,
    Transformation,
    build_manifest,
    manifest_digest,
    write_manifest,
)
from xinglin.store import Store

__all__ = ["both", "name"]
READER = "federation"


def job(dataset: str, **data: Any) -> Job:
    return job_from(
        {"job": {"name": "heart", "task": "tabular", "rounds": 2}, "data": {"dataset": dataset, **data}}
    )


def allowed(store: Store, dataset: str) -> None:
    with store.write() as connection:
        create_dataset(connection, dataset, by="steward")
        grant(connection, dataset, grantee=READER, purpose="training", by="steward")
        give_consent(connection, dataset, subject=None, purpose="training", basis="board 2026-41", by="board")


def described(folder: Path, **more: Any) -> Manifest:
    folder.mkdir(exist_ok=True)
    (folder / "train.csv").write_text("age,target\n63,1\n41,0\n", encoding="utf-8")
    made = build_manifest(
        folder, name="胸痛", licence="CC-BY-4.0", consent=Consent(basis="informed consent"), **more,
        leave_out=["manifest.json", "manifest.json.sig"],
    )  # fmt: skip
    write_manifest(made, folder / "manifest.json")
    return made


def acts(store: Store) -> list[str]:
    with store.read() as connection:
        verify(connection)
        return [entry.action for entry in entries(connection) if entry.action.startswith("contract.")]


def refused(store: Store, wanted: Job, site: Site, *reasons: str) -> None:
    before = len(acts(store))
    with pytest.raises(NotPermittedError) as caught:
        admit(store, wanted, node=site)
    for reason in reasons:
        assert reason in str(caught.value)
    assert acts(store)[before:] == ["contract.refuse"]


def test_a_job_is_admitted_and_what_is_missing_is_named(both: Store, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    site = Site(READER, folder)
    refused(both, job(name), site, f"there is no data set {name!r}", "there is no manifest")
    made = described(folder)
    allowed(both, name)
    before = len(acts(both))
    admission = admit(both, job(name), node=site)
    assert (admission.manifest, admission.consent) == (manifest_digest(made), "informed consent")
    assert admission.certified is None
    assert acts(both)[before:] == ["contract.admit"]
    # one changed byte; then a file too many, and a job that wants what is not there
    (folder / "train.csv").write_text("age,target\n63,1\n41,1\n", encoding="utf-8")
    refused(both, job(name), site, "1 files are changed")
    (folder / "more.csv").write_text("", encoding="utf-8")
    refused(
        both,
        job(name, certificate_bound=0.02, needs=["signed", "step=deidentify", "subjects=10"]),
        site,
        *("2 files are added, changed", "there is no certificate", "a signed manifest"),
        *("'step=deidentify'", "'subjects=10'"),
    )


def test_a_grant_or_a_consent_taken_back_ends_it(both: Store, name: str, tmp_path: Path) -> None:
    described(tmp_path / "data")
    allowed(both, name)
    site = Site(READER, tmp_path / "data")
    admit(both, job(name), node=site)
    refused(both, job(name), Site("somebody", tmp_path / "data"), "none was given")
    with both.write() as connection:
        withdraw_consent(connection, name, subject=None, purpose="training", by="board")
    refused(both, job(name), site, "no consent in force")
    with both.write() as connection:
        revoke(connection, name, grantee=READER, purpose="training", by="steward")
    refused(both, job(name), site, "it was revoked")


def test_needs_are_read_from_the_manifest(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = described(
        folder,
        counts=Counts(records=20, subjects=10),
        transformations=[Transformation(step="deidentify", code="xinglin 0.1.0")],
        splits=Splits(by="subject", parts={"train": Part(records=16), "test": Part(records=4)}),
    )
    allowed(store, "heart")
    public = new_key(tmp_path / "key")
    site = Site(READER, folder, signer=public)
    needs = ["consent=Informed consent", "licence=cc-by-4.0", "step=deidentify", "part=test", "records=20"]
    admit(store, job("heart", needs=[*needs, "subjects=10"]), node=site)
    for need in (
        "consent=open licence",
        "licence=MIT",
        "step=other",
        "part=valid",
        "records=21",
        "subjects=11",
    ):
        refused(store, job("heart", needs=[*needs, need]), site, f"the job needs {need!r}")
    refused(store, job("heart", needs=["signed"]), site, "a signed manifest")
    signature = folder / "manifest.json.sig"
    signature.write_text(json.dumps(sign(manifest_digest(made), tmp_path / "key", "manifest")))
    admit(store, job("heart", needs=["signed"]), node=site)
    other = new_key(tmp_path / "other")
    refused(store, job("heart", needs=["signed"]), Site(READER, folder, signer=other), "does not hold")
    for wrong in ("sgned", "colour=blue", "records=many", "consent", "records=", "", "signed=1"):
        with pytest.raises(InvalidInputError, match=r"data\.needs"):
            admit(store, job("heart", needs=[wrong]), node=site)


def test_a_certificate_must_hold_for_this_manifest(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = described(folder)
    allowed(store, "heart")
    issuer = new_key(tmp_path / "issuer")
    truth, released = data_set(2000, wrong=4)
    plan = planned(released, manifest=manifest_digest(made))
    result = tally(plan, released, readings(plan, truth, 700, disagree=3))
    signed = sign_certificate(certify(plan, result, issued="2026-11-28"), tmp_path / "issuer")
    write_manifest(made.model_copy(update={"certificate": signed}), folder / "manifest.json")
    site = Site(READER, folder, issuers=(issuer,))
    assert admit(store, job("heart", certificate_bound=0.02), node=site).certified == 0.02
    refused(
        store, job("heart", certificate_bound=0.01), site, "at most 0.02 wrong labels, the job wants 0.01"
    )
    refused(
        store,
        job("heart", certificate_bound=0.02),
        Site(READER, folder),
        "issuer whom this node does not trust",
    )
    # the certificate of one data set does not carry another
    (folder / "train.csv").write_text("age,target\n1,1\n", encoding="utf-8")
    again = described(folder, counts=Counts(records=1))
    write_manifest(again.model_copy(update={"certificate": signed}), folder / "manifest.json")
    refused(store, job("heart", certificate_bound=0.02), site, "certificate does not hold", "yours is")


def test_the_archive_needs_a_manifest_only_for_what_it_shows(store: Store) -> None:
    allowed(store, "heart")
    admission = admit(store, job("heart"), node=Site(READER))
    assert (admission.manifest, admission.consent) == (None, None)
    refused(store, job("heart", needs=["records=1"]), Site(READER), "what only a manifest shows")
    refused(store, job("heart", certificate_bound=0.1), Site(READER), "what only a manifest shows")
