"""``xinglin serve``: the API and the workbench."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.chat import AllowRemote, LanguageModel
from xinglin.cli.options import Engine, Model, Profile

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.differential import EngineName
    from xinglin.apps.imaging.search import Searcher


def serve(
    host: Annotated[
        str, typer.Option(help="监听地址 Address; beyond this machine a login is needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    model: Model = None,
    engine: Engine = None,
    profile: Profile = None,
    workbench: Annotated[bool, typer.Option(help="网页工作台 The web workbench.")] = True,
    edge: Annotated[
        bool,
        typer.Option(
            "--edge",
            help="在 /edge/ 提供离线网页:在浏览器内诊断 The offline page that diagnoses in the browser.",
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="进程数,仅接口 Processes; more than one serves the API only.")
    ] = 1,
    batch: Annotated[
        int,
        typer.Option(min=1, max=256, help="文本模型一次最多几条 Most texts in one run of the text model."),
    ] = 16,
    nodule_model: Annotated[
        Path | None,
        typer.Option(help="结节检测模型文件夹 Folder of a nodule detector; empty: the shipped one."),
    ] = None,
    language_model: LanguageModel = None,
    allow_remote: AllowRemote = False,
    add_user: Annotated[str | None, typer.Option(help="添加用户后退出 Add a user and stop.")] = None,
    role: Annotated[
        str,
        typer.Option(help="所添加用户的角色 Role of the added user: clinician, organiser (of challenges)."),
    ] = "clinician",
    certificate: Annotated[Path | None, typer.Option(help="TLS 证书 TLS certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS 私钥 TLS private key (PEM).")] = None,
) -> None:
    """启动工作台和接口。Serve the workbench and the API; local by default."""
    if add_user is not None:
        from xinglin.errors import InvalidInputError
        from xinglin.serve.access import add_user as add
        from xinglin.store import open_store

        if role not in ("clinician", "organiser"):
            raise InvalidInputError(f"--role: expected clinician or organiser, got {role!r}")
        password = os.environ.get("XINGLIN_PASSWORD") or typer.prompt(
            "密码 Password (>= 10)", hide_input=True, confirmation_prompt=True
        )
        add(open_store(), add_user, password, role)
        typer.echo(f"已添加 added {add_user}")
        return
    from functools import partial

    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from xinglin.cli.input import engine as known_engine
    from xinglin.errors import ConfigurationError
    from xinglin.serve.app import open_app

    if workers > 1 and workbench:
        raise ConfigurationError(
            "--workers: a page of the workbench lives in one process: add --no-workbench"
        )
    build = partial(
        open_app,
        model,
        profile,
        known_engine(engine),
        host=host,
        workbench=workbench,
        batch=batch,
        searcher=_searcher(nodule_model) if workbench else None,
        language_model=language_model,
        allow_remote=allow_remote,
        edge=_edge_folder(model, profile, known_engine(engine)) if edge else None,
    )
    config = uvicorn.Config(
        # Each process builds its own; one alone is built here, so that its errors are ours.
        build if workers > 1 else build(),
        factory=workers > 1,
        host=host,
        port=port,
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    scheme = "https" if certificate else "http"
    typer.echo(f"杏林 Xinglin: {scheme}://{host}:{port}  (Ctrl-C 停止 to stop)")
    if edge:
        typer.echo(f"浏览器内诊断 in the browser: {scheme}://{host}:{port}/edge/")
    server = uvicorn.Server(config)
    if workers > 1:
        build()  # what is wrong with the model, the store or the address is said once, before they start
        Multiprocess(config, target=server.run, sockets=[config.bind_socket()]).run()
        return
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:  # uvicorn has said why: the address is taken
        raise typer.Exit(3)


def _edge_folder(model: Path | None, profile: Path | None, engine: EngineName | None) -> Path:
    """Write the folder of the browser beside the store; an earlier one is replaced."""
    from xinglin.serve.edge import write_edge
    from xinglin.store import home_folder

    return write_edge(home_folder() / "edge", model=model, profile=profile, engine=engine).path


def _searcher(folder: Path | None) -> Searcher | None:
    """The nodule detector of the image viewer; where it is not there, that is said, and images are shown without."""
    from importlib.util import find_spec

    from xinglin.cli.imaging_detector import load_searcher
    from xinglin.errors import MissingExtraError, UnknownNameError

    try:
        if find_spec("pydicom") is None:
            raise MissingExtraError("影像 imaging", "imaging")
        return load_searcher(folder)
    except (MissingExtraError, UnknownNameError) as error:
        typer.echo(f"工作台不检测结节 the workbench finds no nodules: {error}", err=True)
        return None
