"""Mirroring versions to an MLflow server, so that people find them where they are used to look.

One experiment and one registered model a model, one run and one model version a version; figures become metrics,
settings parameters, digests and ledger entries tags. MLflow holds a copy: what counts is the registry here. Nothing of a
patient is in a manifest or in evidence, and nothing else is sent; the weights stay here unless ``weights`` is set.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xinglin.errors import ConfigurationError, InvalidInputError, MissingExtraError
from xinglin.release.registry.version import Evidence, Version

TAG = "xinglin.checkpoint"
MAX_PARAMETER = 500
"""Characters of a parameter's value; MLflow takes more, but shows no more."""


def mirror(version: Version, url: str, *, weights: Path | None = None) -> str:
    """Copy a version to an MLflow server; done again, it only adds what is new.

    Args:
        version: with its evidence.
        url: of the tracking server, ``http://host:port``.
        weights: folder of the checkpoint to upload as well; ``None``: no file leaves.

    Returns:
        The id of the run.

    Raises:
        ConfigurationError: the server does not answer or refuses.
        InvalidInputError: not an http address.
        MissingExtraError: the client is not installed.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidInputError(f"MLflow: expected an address such as http://host:5000, got {url[:60]!r}")
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise MissingExtraError("the mirror to MLflow", "mlflow") from None
    client = MlflowClient(tracking_uri=url, registry_uri=url)
    try:
        run = _run(client, version)
        _figures(client, run, version)
        if weights is not None:
            client.log_artifacts(run, str(weights), artifact_path="model")
        _register(client, run, version)
    except MlflowException as error:
        raise ConfigurationError(f"MLflow at {url} refused: {str(error).splitlines()[0][:200]}") from None
    return run


def _run(client: Any, version: Version) -> str:
    found = client.get_experiment_by_name(version.name)
    experiment = found.experiment_id if found else client.create_experiment(version.name)
    there = client.search_runs([experiment], f"tags.`xinglin.entry` = '{version.seq}'", max_results=1)
    tags = _tags(version)
    if there:
        run = str(there[0].info.run_id)
        for key, value in tags.items():
            client.set_tag(run, key, value)
        return run
    run = str(
        client.create_run(experiment, tags=tags, run_name=f"{version.name} {version.number}").info.run_id
    )
    for key, value in version.manifest["settings"].items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        client.log_param(run, key, text[:MAX_PARAMETER])
    return run


def _tags(version: Version) -> dict[str, str]:
    manifest = version.manifest
    tags = {
        TAG: version.checkpoint,
        "xinglin.number": version.number,
        "xinglin.stage": version.stage,
        "xinglin.change": version.change,
        "xinglin.entry": str(version.seq),
        "xinglin.commit": str(manifest["code"].get("commit")),
        "xinglin.seeds": json.dumps(manifest["seeds"]),
        "xinglin.parents": json.dumps(manifest["parents"]),
        "xinglin.limits": manifest["limits"],
    }
    for item in manifest["data"]:
        tags[f"xinglin.data.{_key(str(item.get('name')))}"] = str(item.get("sha256"))
    for kind in ("certificate", "approval", "gate", "privacy", "consent"):
        entries = [str(item.seq) for item in version.evidence if item.kind == kind]
        if entries:
            tags[f"xinglin.{kind}.entries"] = ", ".join(entries)
    return tags


def _figures(client: Any, run: str, version: Version) -> None:
    for name, figure in version.manifest["metrics"].items():
        value = figure.get("value") if isinstance(figure, dict) else figure
        if isinstance(value, int | float) and not isinstance(value, bool):
            client.log_metric(run, _key(name), float(value), step=0)
    for item in version.evidence:
        if item.kind in ("metric", "robustness", "faithfulness", "monitoring"):
            client.log_metric(run, _name(item), float(item.content["value"]), step=item.seq)
        elif item.kind == "privacy":
            client.log_metric(
                run, _key(f"epsilon {item.content['dataset']}"), item.content["epsilon"], step=item.seq
            )
        elif item.kind == "curves":
            for step, value in item.content["points"]:
                client.log_metric(run, _key(item.content["name"]), float(value), step=int(step))


def _register(client: Any, run: str, version: Version) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(version.name)
    except MlflowException:
        client.create_registered_model(version.name)
    tagged = client.search_model_versions(f"name = '{version.name}'")
    mine = next((one for one in tagged if one.tags.get("xinglin.entry") == str(version.seq)), None)
    if mine is None:
        tags = {"xinglin.entry": str(version.seq), "xinglin.number": version.number, TAG: version.checkpoint}
        source = f"runs:/{run}/model"
        mine = client.create_model_version(version.name, source, run_id=run, tags=tags)
    client.set_model_version_tag(version.name, mine.version, "xinglin.stage", version.stage)
    if version.stage == "released":
        client.set_registered_model_alias(version.name, "released", mine.version)


def _name(item: Evidence) -> str:
    content = item.content
    group = content.get("group")
    parts = [content["name"], *([group["kind"], group["value"]] if group else []), content.get("data") or ""]
    return _key(" ".join(part for part in parts if part))


def _key(text: str) -> str:
    """Return a name that MLflow takes: letters, digits and ``_-. /``."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "_-. /") else "_" for char in text)
    return kept[:250].strip() or "unnamed"
