"""The same life as a careful user logs it in MLflow by hand: its own SQL store and artifacts, through its own client.

What MLflow offers is used for what it is for: dataset inputs with digests, parameters, metrics, artifacts, the code's commit
as ``mlflow.source.git.commit``, registered versions with an alias. What it has no place for is a tag. The certificate is
logged as signed by its issuer, the model's folder with its OpenSSF signature beside it: both carry their own proof.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._trace_world import CHILD, DATA, MODEL, World, evidence


@dataclass(frozen=True)
class Logged:
    """MLflow's store, and the runs in it."""

    client: Any
    database: Path
    artifacts: Path
    first: str
    second: str
    child: str

    def tag(self, name: str, run: str | None = None) -> str:
        """Return a run's tag."""
        return str(self.client.get_run(run or self.first).data.tags.get(name, ""))

    def forge(self, statement: str, *values: object) -> None:
        """Write into the database, as whoever keeps the server can."""
        with sqlite3.connect(self.database) as raw:
            if raw.execute(statement, values).rowcount < 1:
                raise RuntimeError(f"nothing was forged: {statement}")


def log(world: World, folder: Path) -> Logged:
    """Log everything that is known."""
    from mlflow.entities import Dataset, DatasetInput
    from mlflow.tracking import MlflowClient

    folder.mkdir()
    database, artifacts = folder / "mlflow.db", folder / "artifacts"
    client = MlflowClient(tracking_uri=f"sqlite:///{database}", registry_uri=f"sqlite:///{database}")
    experiment = client.create_experiment(MODEL, artifact_location=artifacts.as_uri())
    runs = []
    known = evidence(world.certificate)
    for place in (1, 2):
        tags = {
            "mlflow.source.git.commit": world.commit,
            "consent.basis": known["consent"]["basis"],
            "data.read": "lab for training, 39 read, 1 withheld",
            "approval.clinical": "chen",
            "privacy.unit": "patient",
            "change": "first" if place == 1 else "algorithm or data: data, major",
            "parents": "",
        }
        run = client.create_run(experiment, tags=tags, run_name=f"{MODEL} {place}.0.0").info.run_id
        inputs = [DatasetInput(Dataset(DATA, world.data[:36], "local", "data"))]
        client.log_inputs(run, inputs)
        for key, value in (("learning_rate", 0.0003), ("epochs", 12), ("seed", 41)):
            client.log_param(run, key, value)
        client.log_metric(run, "error", known["metric"][0]["value"])
        for item in known["metric"][1:]:
            sex = "female" if item["group"]["value"] == "女" else "male"
            client.log_metric(run, f"accuracy {sex}", item["value"])
        client.log_metric(run, "epsilon", known["privacy"]["epsilon"])
        client.log_artifacts(run, str(world.folder / f"model-{place}"), artifact_path="model")
        client.log_artifact(run, str(world.folder / f"model-{place}.sig"))
        client.log_text(run, json.dumps(world.certificate), "certificate.json")
        runs.append(run)
    first, second = runs
    client.set_tag(first, "gate.refused", "approval: clinical missing")
    client.set_tag(second, "released", f"2.0.0 in use at {world.moment}")
    client.set_tag(second, "rollback.reason", "worse at site B")
    client.set_tag(first, f"prediction.{world.predicted[:40]}", f"{MODEL} 1.0.0")
    client.set_tag(first, "withdrawn", f"training withdrawn {world.moment[:10]}")
    child = client.create_run(experiment, tags={"parents": first}, run_name=CHILD).info.run_id
    client.create_registered_model(MODEL)
    for run in runs:
        made = client.create_model_version(MODEL, f"runs:/{run}/model", run_id=run)
        client.set_registered_model_alias(MODEL, "released", made.version)
    client.set_registered_model_alias(MODEL, "released", "1")
    return Logged(client, database, artifacts, first, second, child)


def signed_folder_holds(world: World, logged: Logged) -> bool:
    """Check the OpenSSF signature over the logged model."""
    from xinglin.errors import CheckpointError
    from xinglin.release.registry.signing import verify_folder

    folder = logged.artifacts / logged.first / "artifacts"
    try:
        verify_folder(folder / "model", world.folder / "model.pem.pub", folder / f"{world.model.name}.sig")
    except CheckpointError:
        return False
    return True


def certificate_holds(world: World, logged: Logged) -> bool:
    """Check the logged certificate under its issuer's public key."""
    from xinglin.errors import XinglinError
    from xinglin.labels.certificate import verify_certificate

    path = logged.artifacts / logged.first / "artifacts" / "certificate.json"
    try:
        verify_certificate(json.loads(path.read_text(encoding="utf-8")), world.issuer)
    except XinglinError:
        return False
    return True


def copied(logged: Logged, to: Path) -> Logged:
    """Return the same on a copy of its files, to be tampered with."""
    from mlflow.tracking import MlflowClient

    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(logged.database.parent, to)
    database = to / logged.database.name
    client = MlflowClient(tracking_uri=f"sqlite:///{database}", registry_uri=f"sqlite:///{database}")
    return Logged(client, database, to / logged.artifacts.name, logged.first, logged.second, logged.child)
