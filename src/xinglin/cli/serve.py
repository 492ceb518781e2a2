"""``xinglin serve``: the API and the workbench."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[
        str, typer.Option(help="监听地址 Address; beyond this machine a login is needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    model: Annotated[Path | None, typer.Option(help="模型文件夹 Model folder.")] = None,
    profile: Annotated[Path | None, typer.Option(help="本院条件 TOML Clinic profile.")] = None,
    workbench: Annotated[bool, typer.Option(help="网页工作台 The web workbench.")] = True,
    add_user: Annotated[str | None, typer.Option(help="添加用户后退出 Add a user and stop.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS 证书 TLS certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS 私钥 TLS private key (PEM).")] = None,
) -> None:
    """启动工作台和接口。Serve the workbench and the API; local by default."""
    from xinglin.store import open_store

    store = open_store()
    if add_user is not None:
        from xinglin.serve.access import add_user as add

        password = os.environ.get("XINGLIN_PASSWORD") or typer.prompt(
            "密码 Password (>= 10)", hide_input=True, confirmation_prompt=True
        )
        add(store, add_user, password)
        typer.echo(f"已添加 added {add_user}")
        return
    import uvicorn

    from xinglin.apps.diagnosis import load_differential
    from xinglin.serve.app import create_app

    app = create_app(load_differential(model, profile), store, host=host, workbench=workbench)
    scheme = "https" if certificate else "http"
    typer.echo(f"杏林 Xinglin: {scheme}://{host}:{port}  (Ctrl-C 停止 to stop)")
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
