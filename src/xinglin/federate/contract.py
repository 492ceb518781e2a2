"""The data contract: before the first round a node checks that a job may have what it asks for, and says what is missing.

A data set takes part if all of this holds: the ledger's newest statements grant the node's reader the job's purpose and
a consent covers it; its files are those of its manifest, byte by byte; the manifest names a basis of consent and meets
what the job needs; and where the job wants a bound on wrong labels, a certificate of an issuer this node trusts, made
for this very manifest, proves one at most that large. Everything that is missing is named at once. The admission, and
a refusal, are entries of the node's ledger.

What a job may need (``[data] needs``): ``signed`` (the manifest, by the key this node trusts), ``consent=TEXT`` (its
basis), ``licence=TEXT``, ``step=NAME`` (a transformation, e.g. ``deidentify``), ``part=NAME`` (of its split),
``records=N`` and ``subjects=N`` (at least).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from xinglin.errors import (
    CertificateError,
    InvalidInputError,
    MissingDataError,
    NotPermittedError,
    UnknownNameError,
)
from xinglin.federate.job import Job
from xinglin.labels.certificate import verify_certificate
from xinglin.ledger import append, check
from xinglin.ledger.signature import check_signature
from xinglin.records.decode import decode_json
from xinglin.records.manifest import Manifest, manifest_digest, read_manifest, verify_manifest
from xinglin.store import Store

MOST_SIGNATURE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Site:
    """What a node holds for a job, and whom it trusts."""

    reader: str
    """Who reads on behalf of jobs; the steward grants to this name."""
    folder: Path | None = None
    """Folder of the data set with its ``manifest.json``; ``None``: the archive of the node's store."""
    manifest: Path | None = None
    """Where the manifest lies, if not in the folder."""
    issuers: tuple[str, ...] = ()
    """Public keys (hex) whose certificates of the annotation error are believed."""
    signer: str | None = None
    """Public key (hex) that signs this node's manifests."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A job that may run on a data set."""

    dataset: str
    purpose: str
    manifest: str | None
    """Digest of the manifest; ``None``: data of the archive, for which the job needed none."""
    consent: str | None
    """Basis of consent that the manifest names."""
    certified: float | None
    """Proven bound on the share of wrong labels, if there is a trusted certificate."""


def admit(store: Store, job: Job, *, node: Site) -> Admission:
    """Check a job against a node's data and ledger, before anything is read for it.

    Raises:
        NotPermittedError: something is missing; names all of it. Nothing was read.
        InvalidInputError: the job needs what is not known, or a manifest cannot be read as one.
    """
    _known(job.data.needs)
    missing: list[str] = []
    with store.read() as connection:
        try:
            check(connection, job.data.dataset, grantee=node.reader, purpose=job.purpose)
        except (NotPermittedError, UnknownNameError) as error:
            missing.append(str(error))
    manifest, digest = _manifest(node, missing)
    certified = None
    if manifest is not None and digest is not None:
        certified = _certificate(manifest, digest, node, job.data.certificate_bound, missing)
        for need in job.data.needs:
            if lacks := _lacks(need, manifest, digest, node):
                missing.append(lacks)
    elif node.folder is None and (job.data.needs or job.data.certificate_bound is not None):
        missing.append(
            "the job needs what only a manifest shows, and this archive has none: export it with one"
        )
    detail = {"job": job.name, "dataset": job.data.dataset, "purpose": job.purpose}
    subjects = (job.digest(), *((digest,) if digest else ()))
    with store.write() as connection:
        if missing:
            append(
                connection,
                "contract.refuse",
                actor=node.reader,
                subjects=subjects,
                detail=detail | {"missing": len(missing)},
            )
        else:
            # Stated again inside the transaction: a grant taken back meanwhile counts.
            check(connection, job.data.dataset, grantee=node.reader, purpose=job.purpose)
            basis = manifest.consent.basis if manifest is not None else None
            more = {"consent": basis, "certified": certified, "needs": list(job.data.needs)}
            append(connection, "contract.admit", actor=node.reader, subjects=subjects, detail=detail | more)
    if missing:
        raise NotPermittedError(f"{job.name} is not admitted to {job.data.dataset}: " + "; ".join(missing))
    consent = manifest.consent.basis if manifest is not None else None
    return Admission(job.data.dataset, job.purpose, digest, consent, certified)


def _manifest(node: Site, missing: list[str]) -> tuple[Manifest | None, str | None]:
    path = node.manifest or (node.folder / "manifest.json" if node.folder is not None else None)
    if path is None:
        return None, None
    try:
        manifest = read_manifest(path)
        digest = manifest_digest(manifest)
        if node.folder is not None:
            own = (path.name, f"{path.name}.sig") if path.parent == node.folder else ()
            found = verify_manifest(manifest, node.folder, own)
            if found:
                kinds = ", ".join(sorted({item.kind for item in found}))
                missing.append(f"the data are not those of the manifest: {len(found)} files are {kinds}")
    except MissingDataError:
        missing.append("there is no manifest: `xinglin records manifest` writes one")
        return None, None
    return manifest, digest


def _certificate(
    manifest: Manifest, digest: str, node: Site, bound: float | None, missing: list[str]
) -> float | None:
    """The bound that a trusted certificate proves; says what is missing if the job wants one."""
    if manifest.certificate is None:
        if bound is not None:
            missing.append(
                f"the job wants at most {bound:.4g} of the labels wrong, proven: there is no certificate"
            )
        return None
    signature = manifest.certificate.get("signature")
    key = signature.get("public_key") if isinstance(signature, dict) else None
    if key not in node.issuers:
        if bound is not None:
            missing.append(
                "the certificate is of an issuer whom this node does not trust: name the key in its issuers"
            )
        return None
    try:
        claim = float(verify_certificate(manifest.certificate, str(key), manifest=digest).claim)
    except (CertificateError, InvalidInputError) as error:
        missing.append(f"the certificate does not hold: {error}")
        return None
    if bound is not None and claim > bound:
        missing.append(f"the certificate proves at most {claim:.4g} wrong labels, the job wants {bound:.4g}")
    return claim


def _text(get: Callable[[Manifest], str]) -> Callable[[Manifest, str], bool]:
    return lambda manifest, wanted: get(manifest).strip().casefold() == wanted.casefold()


def _least(get: Callable[[Manifest], int | None]) -> Callable[[Manifest, str], bool]:
    return lambda manifest, wanted: (get(manifest) or 0) >= int(wanted)


_NEEDS: dict[str, Callable[[Manifest, str], bool]] = {
    "consent": _text(lambda manifest: manifest.consent.basis),
    "licence": _text(lambda manifest: manifest.licence),
    "step": lambda manifest, wanted: any(step.step == wanted for step in manifest.transformations),
    "part": lambda manifest, wanted: manifest.splits is not None and wanted in manifest.splits.parts,
    "records": _least(lambda manifest: manifest.counts.records),
    "subjects": _least(lambda manifest: manifest.counts.subjects),
}
_NUMBERS = ("records", "subjects")


def _known(needs: Iterable[str]) -> None:
    known = ("signed", *(f"{name}=" for name in _NEEDS))
    for need in needs:
        name, equals, wanted = need.partition("=")
        if need == "signed" or (
            equals
            and name in _NEEDS
            and wanted
            and (name not in _NUMBERS or (wanted.isdecimal() and len(wanted) < 16))
        ):
            continue
        near = get_close_matches(name, ("signed", *_NEEDS), n=1)
        raise InvalidInputError(
            f"data.needs: expected one of {', '.join(known)} with a value behind the sign, got {need[:80]!r}"
            + (f": did you mean {near[0]}?" if near and near[0] != name else "")
        )


def _lacks(need: str, manifest: Manifest, digest: str, node: Site) -> str | None:
    """What is missing of one need, in words; nothing if it is met."""
    if need == "signed":
        return _unsigned(digest, node)
    name, _, wanted = need.partition("=")
    return (
        None
        if _NEEDS[name](manifest, wanted)
        else f"the job needs {need!r}, which the manifest does not show"
    )


def _unsigned(digest: str, node: Site) -> str | None:
    path = node.manifest or (node.folder / "manifest.json" if node.folder is not None else None)
    signed = path.with_name(f"{path.name}.sig") if path is not None else None
    if (
        node.signer is None
        or signed is None
        or not signed.is_file()
        or signed.stat().st_size > MOST_SIGNATURE
    ):
        return "the job needs a signed manifest: `xinglin records manifest --sign`, and name the key as this node's signer"
    try:
        check_signature(decode_json(signed.read_bytes(), signed.name), digest, "manifest", node.signer)
    except InvalidInputError as error:
        return f"the manifest's signature does not hold: {error}"
    return None
