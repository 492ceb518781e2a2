"""The bill of materials of a model: CycloneDX 1.6 JSON, an ML-BOM.

The model is a component ``machine-learning-model`` with its model card, every data set one of type ``data``, every
file of the checkpoint one of type ``file``, and every locked package, where the evidence lists them, one of type
``library``. What the evidence does not say is left out. The standard's model card has no place for epsilon, for an
annotation's error rate, or for the ledger: those are ``properties`` named ``xinglin:...``.

Source: the CycloneDX v1.6 JSON reference (cyclonedx.org) and its schema, bom-1.6.schema.json.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from xinglin.records.manifest import canonical
from xinglin.release.dossier.answers import digest_of, registered
from xinglin.release.dossier.dossier import check_version, last_time
from xinglin.release.dossier.figures import FIGURES, is_number, warnings, weak_sets
from xinglin.release.dossier.values import MISSING, line, shown
from xinglin.release.registry.version import Evidence, Version
from xinglin.types import DISCLAIMER

_SHA256 = re.compile("[0-9a-f]{64}")
_TASKS = {"classifier": "classification", "detector": "object detection", "encoder": "representation"}


def as_bom(version: Version) -> dict[str, Any]:
    """Return the ML-BOM of a version; the same evidence gives the same document, serial number included.

    Raises:
        InvalidInputError, ChainBrokenError: as :func:`.dossier.build`.
    """
    check_version(version)
    manifest = version.manifest
    data = [_data(item, place) for place, item in enumerate(_objects(manifest.get("data")))]
    seed = digest_of(
        {"version": registered(version)[0].content, "evidence": [e.digest for e in version.evidence]}
    )
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(seed[:32], version=5)}",
        "version": 1,
        "metadata": {"timestamp": last_time(version), "component": _model(version, data)},
        "components": [*data, *_files(manifest), *_packages(version)],
        "dependencies": [{"ref": "model", "dependsOn": [item["bom-ref"] for item in data]}],
    }


def _model(version: Version, data: list[dict[str, Any]]) -> dict[str, Any]:
    card = {
        "modelParameters": {
            **_some("task", _TASKS.get(str(version.manifest.get("kind")))),
            **_some("datasets", [{"ref": item["bom-ref"]} for item in data]),
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(version))},
        "considerations": _considerations(version),
        "properties": list(_properties(version)),
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": version.name,
        "version": version.number,
        "description": f"{DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "pedigree": {
            "ancestors": [
                {"type": "machine-learning-model", "bom-ref": f"parent-{place}", "name": shown(parent)}
                for place, parent in enumerate(version.manifest.get("parents") or (), 1)
            ]
        },
        "modelCard": card,
    }


def _data(item: Mapping[str, Any], place: int) -> dict[str, Any]:
    known = {key: value for key, value in item.items() if key not in ("name", "sha256", "licence")}
    digest, licence = item.get("sha256"), item.get("licence")
    return {
        "type": "data",
        "bom-ref": f"data-{place}",
        "name": shown(item.get("name")),
        **_some("hashes", [{"alg": "SHA-256", "content": digest}] if _is_digest(digest) else None),
        # free text, not an SPDX expression: a data set often carries several licences, in words
        **_some("licenses", [{"license": {"name": shown(licence)}}] if licence else None),
        "properties": [
            {"name": f"xinglin:{key}", "value": _plain(value)} for key, value in sorted(known.items())
        ],
    }


def _files(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, digest in sorted((manifest.get("files") or {}).items()):
        if _is_digest(digest):
            hashes = [{"alg": "SHA-256", "content": digest}]
            yield {"type": "file", "bom-ref": f"file-{name}", "name": name, "hashes": hashes}


def _packages(version: Version) -> Iterator[dict[str, Any]]:
    """Yield the packages of the last environment that lists them, as ``name==version`` or by name."""
    environments = version.of_kind("environment")
    lock = environments[-1].content.get("lock") if environments else None
    listed = lock.get("packages") if isinstance(lock, Mapping) else None
    if isinstance(listed, Mapping):
        listed = [f"{name}=={number}" for name, number in listed.items()]
    pinned = {item for item in listed if isinstance(item, str)} if isinstance(listed, list) else set()
    for item in sorted(pinned):
        name, _, number = item.partition("==")
        yield {"type": "library", "bom-ref": f"package-{item}", "name": name, **_some("version", number)}


def _metrics(version: Version) -> Iterator[dict[str, Any]]:
    weak = weak_sets(version.manifest)
    for item in version.evidence:
        if item.kind not in FIGURES:
            continue
        content = item.content
        low, high, group = content.get("low"), content.get("high"), content.get("group")
        slices = [f"{group.get('kind')}={group.get('value')}"] if isinstance(group, Mapping) else []
        slices += [f"{key}={_plain(content[key])}" for key in ("data", "n") if content.get(key) is not None]
        slices += warnings(content, weak, says_weak=item.kind == "metric")
        bounds = {"lowerBound": _plain(low), "upperBound": _plain(high)}
        yield {
            **_some("type", _plain(content.get("name"))),
            **_some("value", _plain(content.get("value"))),
            "slice": "; ".join([*slices, f"ledger #{item.seq}"]),
            **_some("confidenceInterval", bounds if is_number(low) and is_number(high) else None),
        }


def _considerations(version: Version) -> dict[str, Any]:
    uses = [item.content for item in version.of_kind("use")]
    return {
        **_some("users", _texts(uses, "users")),
        **_some("useCases", _texts(uses, "purpose_zh") + _texts(uses, "purpose_en")),
        **_some("technicalLimitations", _texts([version.manifest], "limits") + _texts(uses, "not_for")),
        **_some("ethicalConsiderations", [_risk(item.content) for item in version.of_kind("risk")]),
    }


def _risk(content: Mapping[str, Any]) -> dict[str, str]:
    return {"name": shown(content.get("hazard")), "mitigationStrategy": shown(content.get("control"))}


def _properties(version: Version) -> Iterator[dict[str, str]]:
    yield {"name": "xinglin:checkpoint", "value": version.checkpoint}
    for item in (*registered(version), *version.evidence):
        yield _property(item, f"ledger #{item.seq} sha256 {item.digest}")
        if item.kind == "privacy":
            yield _property(item, _plain(item.content))
        if item.kind == "certificate":
            statement = item.content.get("statement")
            predicate = statement.get("predicate") if isinstance(statement, Mapping) else None
            yield _property(
                item, shown(predicate.get("statement") if isinstance(predicate, Mapping) else None)
            )


def _property(item: Evidence, value: str) -> dict[str, str]:
    return {"name": f"xinglin:{item.kind}", "value": value}


def _texts(contents: list[Mapping[str, Any]] | list[dict[str, Any]], field: str) -> list[str]:
    found = [shown(content.get(field)) for content in contents]
    return [text for text in found if text != MISSING]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _plain(value: Any) -> str:
    """Return a value for a program: text as it is, anything else as JSON; nothing for null."""
    if value is None:
        return ""
    return line(value) if isinstance(value, str) else canonical(value).decode()


def _some(key: str, value: Any) -> dict[str, Any]:
    """Return the pair, or nothing where there is nothing to say."""
    return {key: value} if value else {}
