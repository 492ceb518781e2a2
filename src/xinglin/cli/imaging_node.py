"""``xinglin imaging node`` and ``xinglin imaging web``: results to a PACS by DICOM and by DICOMweb."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.imaging_find import Detector, Most, Screening, Threads, show, write_products

if TYPE_CHECKING:
    from xinglin.apps.imaging.node.options import Tls

AUTHORIZATION = "XINGLIN_DICOMWEB_AUTHORIZATION"


def node(
    caller: Annotated[
        list[str],
        typer.Option(help="允许连接的 AE 标题,可多次给出 AE title that may connect; repeat for several."),
    ],
    peer: Annotated[
        str | None, typer.Option(help="结果发往 AET@HOST:PORT Where results go; without: kept in the spool.")
    ] = None,
    aet: Annotated[str, typer.Option(help="本节点 AE 标题 AE title of this node.")] = "XINGLIN",
    host: Annotated[str, typer.Option(help="监听地址 Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="监听端口 Port to listen at.")] = 11112,
    spool: Annotated[Path | None, typer.Option(help="暂存文件夹 Spool; empty: in XINGLIN_HOME.")] = None,
    idle: Annotated[
        float,
        typer.Option(min=1.0, help="多少秒无新图像即视为序列完整 Seconds until a series counts as complete."),
    ] = 15.0,
    max_file: Annotated[int, typer.Option(min=1, help="单幅图像上限 MB Megabytes of one image.")] = 64,
    max_images: Annotated[int, typer.Option(min=1, help="单序列图像上限 Images of one series.")] = 5000,
    max_series: Annotated[
        int, typer.Option(min=1, help="同时等待的序列上限 Series waiting at one time.")
    ] = 100,
    quota: Annotated[float, typer.Option(min=0.1, help="暂存上限 GB Gigabytes of the spool.")] = 20.0,
    tls_certificate: Annotated[Path | None, typer.Option(help="TLS 证书 PEM Certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="TLS 私钥 PEM Private key.")] = None,
    tls_authority: Annotated[
        Path | None, typer.Option(help="签发双方证书的 CA,PEM Authority of both sides' certificates.")
    ] = None,
    model: Detector = None,
    most: Most = 50,
    threads: Threads = 1,
) -> None:
    """DICOM 节点:收到 CT 序列,自动返回 SR、SEG 与关键图像。A DICOM node: CT series in; SR, SEG and key images out.

    结果未经医师核实。未经注册,仅供研究。Results are unverified. Not a medical device.
    """
    import logging
    import signal
    import threading

    from xinglin.apps.imaging.node.options import NodeOptions, Peer
    from xinglin.apps.imaging.node.run import Node
    from xinglin.cli.imaging_detector import load_detector
    from xinglin.store import open_store
    from xinglin.store.home import home_folder

    options = NodeOptions(
        spool or home_folder() / "imaging-node",
        tuple(caller),
        peer=None if peer is None else Peer.parse(peer),
        aet=aet,
        host=host,
        port=port,
        idle=idle,
        max_file=max_file * 1024**2,
        max_images=max_images,
        max_series=max_series,
        quota=int(quota * 1024**3),
        tls=_tls(tls_certificate, tls_key, tls_authority),
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for loud in ("pynetdicom", "pydicom"):  # theirs may quote what came in
        logging.getLogger(loud).setLevel(logging.CRITICAL)
    detect, algorithm = load_detector(model, most=most, threads=threads)
    running = Node(open_store(), detect, algorithm, options)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    running.start()
    typer.echo(f"节点已启动 listening: {options.aet}@{host}:{port}  (Ctrl-C 停止 to stop)")
    stop.wait()
    typer.echo("正在停止 stopping")
    running.stop()


def web(
    url: Annotated[str, typer.Argument(help="DICOMweb 根地址 Root, e.g. https://pacs.example/dicom-web")],
    study: Annotated[str, typer.Argument(help="Study Instance UID")],
    series: Annotated[
        str | None,
        typer.Option(help="Series Instance UID; 不填则须仅有一个 CT 序列 without: the only CT series."),
    ] = None,
    store: Annotated[bool, typer.Option(help="存回结果(STOW-RS) Store the results back.")] = False,
    screening: Screening = False,
    model: Detector = None,
    most: Most = 50,
    threads: Threads = 1,
) -> None:
    """经 DICOMweb 取序列、查找结节、存回结果。Fetch a series by DICOMweb, find nodules, store results back.

    授权头由环境变量 XINGLIN_DICOMWEB_AUTHORIZATION 给出。The Authorization header comes from that variable.
    未经注册,仅供研究。Not a medical device.
    """
    import tempfile

    from xinglin.apps.imaging.node.web import Web
    from xinglin.apps.imaging.remember import first, keyed, told_of
    from xinglin.apps.imaging.report import make_report
    from xinglin.cli.imaging_detector import load_detector
    from xinglin.errors import InvalidInputError
    from xinglin.ledger import append
    from xinglin.records.volumes import read_scan
    from xinglin.store import open_store

    server = Web(url, os.environ.get(AUTHORIZATION))
    detect, algorithm = load_detector(model, most=most, threads=threads)
    if series is None:
        found = server.series(study)
        if len(found) != 1:
            raise InvalidInputError(
                f"--series: the study has {len(found)} CT series; name one: {' '.join(found[:10])}"
            )
        series = found[0]
    with tempfile.TemporaryDirectory(prefix="xinglin-web-") as held:
        images, results = Path(held) / "in", Path(held) / "out"
        images.mkdir()
        results.mkdir()
        count = server.fetch(study, series, images)
        report = make_report(read_scan(images, expected="CT"), detect, algorithm, screening=screening)
        made = []
        if store:
            made = write_products(
                report, sr=results / "sr.dcm", seg=results / "seg.dcm", key_images=results / "key"
            )
            server.store(made)
        with open_store().write() as connection:
            detail = told_of(report) | {"images": count}
            subject = first(connection, "imaging.web", series, actor="cli", detail=detail)
            if made:
                digests = keyed(connection, subject, {path.name: path.read_bytes() for path in made})
                append(
                    connection,
                    "imaging.web.store",
                    actor="cli",
                    subjects=(subject,),
                    detail={"files": digests},
                )
    show(report)
    if store:
        typer.echo(f"已存回 stored: {len(made)}")


def _tls(certificate: Path | None, key: Path | None, authority: Path | None) -> Tls | None:
    from xinglin.apps.imaging.node.options import Tls
    from xinglin.errors import ConfigurationError

    if certificate is None and key is None and authority is None:
        return None
    if certificate is None or key is None or authority is None:
        raise ConfigurationError("TLS: expected --tls-certificate, --tls-key and --tls-authority together")
    return Tls(certificate, key, authority)
