"""``xinglin imaging``: the verbs of imaging."""

from __future__ import annotations

import typer

from xinglin.cli import imaging_ask
from xinglin.cli.imaging_find import find
from xinglin.cli.imaging_node import node, web
from xinglin.cli.imaging_windows import predict_windows

app = typer.Typer(
    help="影像:CT 中的肺结节及其坐标 Imaging: lung nodules in CT, with coordinates.", no_args_is_help=True
)
app.command("find")(find)
app.command("node")(node)
app.command("web")(web)
app.command("predict-windows")(predict_windows)
imaging_ask.register(app)
