"""``xinglin federate``: a federation of hospitals, its jobs, and what one hospital runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli import federate_budget
from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.federate.job import Job
    from xinglin.store import Store

app = typer.Typer(
    help="联邦训练:病历不出院 Hospitals train together; records stay home.", no_args_is_help=True
)
app.add_typer(federate_budget.app, name="budget")

Place = Annotated[
    Path | None, typer.Option("--dir", help="联邦的文件夹 Folder of the federation; default in XINGLIN_HOME.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="其中每个子文件夹是一家医院的数据 A folder with one folder of data a hospital."),
]
Sites = Annotated[
    int | None,
    typer.Option(min=0, max=64, help="几家医院,数据在各自档案 How many, each with its own archive."),
]
Basis = Annotated[
    str | None,
    typer.Option(
        help="代各院声明同意依据并授权(仅限本机演示)States, for every hospital on this machine, what consent "
        "rests on, and grants the reading."
    ),
]
Epsilon = Annotated[
    float | None, typer.Option(min=0.0, help="每位患者一生的 ε 上限 Lifetime ε of a patient.")
]
Delta = Annotated[float, typer.Option(min=0.0, max=1.0, help="δ")]


@app.command()
def up(
    folder: Place = None,
    sites: Sites = None,
    data: Data = None,
    dataset: Annotated[
        str | None, typer.Option(help="数据集名称 Name of the data set, with --consent.")
    ] = None,
    consent: Basis = None,
    epsilon: Epsilon = None,
    delta: Delta = 1e-5,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="回环端口 Port on loopback.")] = None,
    stays: Annotated[
        bool, typer.Option("--stay", help="留在前台,收到信号即停止 Stay until asked to end, then stop it.")
    ] = False,
) -> None:
    """在本机启动联邦:证书、密钥、协调端、每院一个节点。Start a federation on loopback: keys, SuperLink, nodes."""
    from xinglin.cli.federate_shown import show_up
    from xinglin.errors import InvalidInputError
    from xinglin.federate.processes import start, stay
    from xinglin.store import open_store

    place = _place(folder)
    hospitals = _hospitals(sites, data)
    if consent is not None:
        if dataset is None:
            raise InvalidInputError("--consent needs --dataset, the name that jobs ask for")
        for site, own in hospitals.items():
            home = place / "nodes" / site / "home"
            _permit(home, own, dataset, "training", consent, epsilon, delta)
    show_up(start(place, hospitals, open_store(), port=port), place)
    if stays:
        stay(place)


@app.command()
def run(
    job: Annotated[Path, typer.Argument(help="任务 JOB.toml The job.")],
    folder: Place = None,
    local: Annotated[bool, typer.Option("--local", help="在一个进程里模拟 Simulate in one process.")] = False,
    data: Data = None,
    consent: Basis = None,
    epsilon: Epsilon = None,
    delta: Delta = 1e-5,
) -> None:
    """提交任务,逐轮、逐院显示进度。Submit a job and show it round by round, site by site."""
    from xinglin.federate.job import read_job
    from xinglin.store import open_store

    asked, store, place = read_job(job), open_store(), _place(folder)
    done = (
        _simulate(asked, data, place, store, consent, epsilon, delta) if local else _submit(job, place, store)
    )
    raise typer.Exit(0 if done else 1)


@app.command()
def node(
    site: Annotated[str, typer.Option(help="本院名称 This hospital's name, as registered.")],
    superlink: Annotated[str, typer.Option(help="协调端地址 The coordinator's HOST:PORT.")],
    certificate: Annotated[Path, typer.Option(help="联邦的 ca.pem The federation's ca.pem.")],
    key: Annotated[Path, typer.Option(help="本院私钥 This hospital's private key.")],
    data: Annotated[
        Path | None, typer.Option(help="数据文件夹;不填用本院档案 Folder of data; without: the archive.")
    ] = None,
    issuer: Annotated[
        list[str] | None, typer.Option(help="信任的证书签发公钥 Trusted key of an error certificate.")
    ] = None,
    signer: Annotated[str | None, typer.Option(help="清单的签名公钥 Key that signs our manifests.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="本机回环端口 Port on loopback.")] = 9094,
) -> None:
    """一家医院运行的节点;只运行本机安装的程序。What one hospital runs; it runs only the code installed here."""
    from xinglin.federate.node import NodeOptions, run_node
    from xinglin.store import home_folder

    options = NodeOptions(site, superlink, certificate, key, data, port, tuple(issuer or ()), signer)
    run_node(options, home_folder())


@app.command()
def key(path: Annotated[Path, typer.Argument(help="私钥文件 Where the private key goes.")]) -> None:
    """为本院生成密钥;公钥交给协调者。Make this hospital's key; its public half goes to the coordinator."""
    from xinglin.federate.certificates import new_node_key

    public = new_node_key(path)
    typer.echo(f"{path}  (0600, 不外传 never leaves)\n{path}.pub\n{public}")


@app.command()
def join(
    site: Annotated[str, typer.Argument(help="医院名称 Name of the hospital.")],
    public: Annotated[Path, typer.Argument(help="公钥文件 Its public key.")],
    folder: Place = None,
) -> None:
    """登记一家医院的公钥。Register a hospital by its public key."""
    from xinglin.errors import MissingDataError
    from xinglin.federate.processes import join as enter
    from xinglin.store import open_store

    if not public.is_file():
        raise MissingDataError(f"there is no file {public}")
    enter(_place(folder), site, open_store(), key=public.read_text(encoding="utf-8").strip())
    typer.echo(f"已登记 registered: {site}")


@app.command()
def permit(
    dataset: Annotated[str, typer.Argument(help="数据集 Data set.")],
    basis: Annotated[str, typer.Option(help="同意的依据 What consent rests on.")],
    purpose: Annotated[str, typer.Option(help="用途 Purpose.")] = "training",
    by: Annotated[str, typer.Option("--as", help="声明人 Who states it.")] = "cli",
) -> None:
    """本院声明:同意依据与授权,供联邦任务使用。State, at a hospital, consent and grant for federated jobs."""
    from xinglin.federate.permit import permit as state
    from xinglin.store import open_store

    state(open_store(), dataset, purpose=purpose, basis=basis, by=by)
    typer.echo(f"已授权 granted: {dataset} / {purpose}")


@app.command()
def status(folder: Place = None, as_json: AsJson = False) -> None:
    """医院、任务与隐私预算。Hospitals, jobs, privacy budgets."""
    from dataclasses import asdict

    from xinglin.cli.federate_shown import show_status
    from xinglin.federate.overview import overview
    from xinglin.federate.processes import FILE, read_federation, running
    from xinglin.store import open_store

    place, found = _place(folder), overview(open_store())
    alive = running(read_federation(place)) if (place / FILE).is_file() else []
    if as_json:
        typer.echo(json.dumps({**asdict(found), "running": alive}, ensure_ascii=False, indent=2))
        return
    show_status(found, alive)


@app.command()
def down(folder: Place = None) -> None:
    """停止联邦;密钥与记录保留。Stop the federation; keys and stores stay."""
    from xinglin.federate.processes import stop

    stopped = stop(_place(folder))
    typer.echo("已停止 stopped: " + (", ".join(stopped) or "— (没有在运行 nothing ran)"))


def _place(folder: Path | None) -> Path:
    from xinglin.store import home_folder

    return (folder or home_folder() / "coordinator").resolve()


def _hospitals(sites: int | None, data: Path | None) -> dict[str, Path | None]:
    """The hospitals by name: one for each folder of data, or so many with archives of their own."""
    from xinglin.errors import InvalidInputError, MissingDataError

    if (sites is None) == (data is None):
        raise InvalidInputError("give either --sites N or --data FOLDER")
    if data is None:
        return {f"site-{number + 1}": None for number in range(sites or 0)}
    if not data.is_dir():
        raise MissingDataError(f"there is no folder {data}")
    found: dict[str, Path | None] = {path.name: path for path in sorted(data.iterdir()) if path.is_dir()}
    if not found:
        raise MissingDataError(f"{data}: expected one folder of data a hospital, found none")
    return found


def _permit(
    home: Path, data: Path | None, dataset: str, purpose: str, basis: str, epsilon: float | None, delta: float
) -> None:
    from xinglin.federate.permit import describe
    from xinglin.federate.permit import permit as state
    from xinglin.store import open_store

    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = open_store(f"sqlite:///{home / 'xinglin.db'}")
    state(store, dataset, purpose=purpose, basis=basis, by="cli", epsilon=epsilon, delta=delta)
    store.close()
    if data is not None and describe(data, data.name, licence="unstated", basis=basis):
        typer.echo(f"已写清单 manifest written: {data / 'manifest.json'}")


def _submit(job: Path, place: Path, store: Store) -> bool:
    from xinglin.cli.federate_shown import show_job
    from xinglin.errors import ConfigurationError
    from xinglin.federate.follow import follow
    from xinglin.federate.processes import run_ended, submit

    number, flower = submit(place, job)
    last = show_job(follow(store, number, lambda: run_ended(place, flower)))
    if last is None:
        raise ConfigurationError(
            f"the coordinator's process ended before the job began: see {place / 'logs'}"
        )
    return last.state == "done"


def _simulate(
    job: Job,
    data: Path | None,
    place: Path,
    store: Store,
    consent: str | None,
    epsilon: float | None,
    delta: float,
) -> bool:
    """Run the simulation here, with a thread beside it that shows what the store learns."""
    import threading
    import uuid

    from xinglin.cli.federate_shown import show_job
    from xinglin.errors import TrainingError
    from xinglin.federate.follow import follow
    from xinglin.federate.local import run_local

    hospitals = _hospitals(None, data)
    if consent is not None:
        for site, own in hospitals.items():
            _permit(place / "sites" / site, own, job.data.dataset, job.purpose, consent, epsilon, delta)
    number, over = uuid.uuid4().hex, threading.Event()
    shown = threading.Thread(target=lambda: show_job(follow(store, number, over.is_set)))
    shown.start()
    try:
        run_local(job, hospitals, place, store, number=number)
    except TrainingError:  # the thread shows the reason, which the store has
        return False
    finally:
        over.set()
        shown.join()
    return True
