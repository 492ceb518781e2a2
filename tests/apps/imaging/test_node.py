"""The DICOM node against a real PACS (Orthanc) and against everything that goes wrong."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.apps.imaging.orthanc import free_port, running
from tests.apps.imaging.synthetic import Geometry, Sphere, brightest, write_series
from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.node.options import NodeOptions, Peer, Tls
from xinglin.apps.imaging.node.run import Node
from xinglin.errors import ConfigurationError
from xinglin.ledger import entries, verify
from xinglin.store import Store

SMALL = Geometry(shape=(16, 32, 32))
SPHERES = [Sphere((22.0, -129.0, 311.0), 8.0)]
ALGORITHM = Algorithm("blob", "1.0")
CT = "1.2.840.10008.5.1.4.1.1.2"


def options(tmp_path: Path, **more: Any) -> NodeOptions:
    told: dict[str, Any] = {"port": free_port(), "idle": 0.5, "retry": 0.5, "timeout": 5.0} | more
    return NodeOptions(tmp_path / "spool", told.pop("callers", ("SCANNER", "ORTHANC")), **told)


@pytest.fixture
def start(store: Store) -> Any:
    made: list[Node] = []

    def begin(told: NodeOptions, detect: Any = brightest) -> Node:
        node = Node(store, detect, ALGORITHM, told)
        node.start()
        made.append(node)
        return node

    yield begin
    for node in made:
        node.stop()


def until(done: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def actions(store: Store) -> list[str]:
    with store.read() as connection:
        return [entry.action for entry in entries(connection)]


def reasons(store: Store) -> list[str]:
    with store.read() as connection:
        return [e.detail["reason"] for e in entries(connection) if e.action == "imaging.node.failed"]


def by_number(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda path: pydicom.dcmread(path).InstanceNumber)


def push(
    port: int, files: list[Path], *, caller: str = "SCANNER", called: str = "XINGLIN"
) -> list[int | None]:
    from pydicom.uid import ExplicitVRLittleEndian
    from pynetdicom import AE

    entity = AE(ae_title=caller)
    entity.add_requested_context(CT, ExplicitVRLittleEndian)
    entity.add_requested_context("1.2.840.10008.1.1")
    link = entity.associate("127.0.0.1", port, ae_title=called)
    if not link.is_established:
        return [None]
    statuses = [link.send_c_echo().get("Status")]
    for path in files:
        status: Dataset = link.send_c_store(pydicom.dcmread(path)) if link.is_established else Dataset()
        statuses.append(status.get("Status"))
    if link.is_established:
        link.release()
    return statuses[1:]


def test_a_pacs_sends_a_series_and_gets_results(start: Any, store: Store, tmp_path: Path) -> None:
    port = free_port()
    folder = write_series(tmp_path / "ct", SPHERES, SMALL)
    with running(tmp_path / "orthanc", port) as pacs:
        pacs.upload(folder)
        start(options(tmp_path, port=port, peer=Peer("ORTHANC", "127.0.0.1", pacs.dicom)))
        header = pydicom.dcmread(next(folder.iterdir()))
        pacs.send("node", header.SeriesInstanceUID)
        until(lambda: "imaging.node.sent" in actions(store))
        assert pacs.modalities() == ["CT", "OT", "SEG", "SR"]
        # All hang on the patient's own study.
        assert len(pacs.get("/studies")) == 1
        assert len(pacs.get("/patients")) == 1
    assert actions(store) == ["imaging.node.received", "imaging.node.result", "imaging.node.sent"]
    with store.read() as connection:
        verify(connection)
        noted = list(entries(connection))
    assert len({entry.subjects for entry in noted}) == 1
    assert sorted(noted[1].detail["files"]) == ["key-001.dcm", "seg.dcm", "sr.dcm"]
    for secret in (header.PatientID, header.SeriesInstanceUID, header.StudyInstanceUID):
        assert secret not in str(noted)
    assert list((tmp_path / "spool").rglob("*.dcm")) == [], "images and results are deleted once sent"


def test_series_by_dicomweb_and_results_back(tmp_path: Path) -> None:
    from xinglin.apps.imaging.node.web import Web, WebError
    from xinglin.apps.imaging.products import write_dicom
    from xinglin.apps.imaging.report import make_report
    from xinglin.apps.imaging.sr import structured_report
    from xinglin.records.volumes import read_scan

    folder = write_series(tmp_path / "ct", SPHERES, SMALL)
    header = pydicom.dcmread(next(folder.iterdir()))
    with running(tmp_path / "orthanc", free_port()) as pacs:
        pacs.upload(folder)
        web = Web(pacs.web)
        (series,) = web.series(header.StudyInstanceUID)
        assert series == header.SeriesInstanceUID
        fetched = tmp_path / "fetched"
        fetched.mkdir()
        assert web.fetch(header.StudyInstanceUID, series, fetched) == SMALL.shape[0]
        scan, original = read_scan(fetched), read_scan(folder)
        assert (scan.array == original.array).all()
        assert (scan.affine == original.affine).all()
        report = make_report(scan, brightest, ALGORITHM)
        write_dicom(structured_report(report), tmp_path / "sr.dcm")
        web.store([tmp_path / "sr.dcm"])
        assert pacs.modalities() == ["CT", "SR"]
        assert web.series("1.2.3") == []
        with pytest.raises(WebError):
            web.fetch("1.2.3", "1.2.3.4", fetched)
    with pytest.raises(WebError, match="cannot be reached"):
        web.series(header.StudyInstanceUID)


def test_what_cannot_be_used_is_said_and_the_next_series_is_served(
    start: Any, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "xinglin.imaging.node")
    node = start(options(tmp_path))
    port = node.options.port
    first = write_series(tmp_path / "a", SPHERES, SMALL, patient="SYNTHETIC-1")
    uid = pydicom.dcmread(next(first.iterdir())).SeriesInstanceUID
    mixed = write_series(tmp_path / "b", SPHERES, SMALL, patient="SYNTHETIC-2", SeriesInstanceUID=uid)
    both = [*sorted(first.iterdir())[:8], *sorted(mixed.iterdir())[:8]]
    scouts = write_series(tmp_path / "c", [], SMALL, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    other = write_series(tmp_path / "d", [], SMALL, Modality="MR")
    gap = by_number(write_series(tmp_path / "e", [], SMALL))
    for files in (both, list(scouts.iterdir()), list(other.iterdir()), gap[:5] + gap[6:]):
        assert set(push(port, files)) == {0}
    until(lambda: len(reasons(store)) == 4)
    told = "\n".join(reasons(store))
    for word in ("different patients", "LOCALIZER", "expected CT, got MR", "not evenly spaced"):
        assert word in told
    assert "SYNTHETIC" not in told
    assert "SYNTHETIC" not in caplog.text
    assert uid not in caplog.text
    # Two series of two patients in one association are two series.
    good = [write_series(tmp_path / f"g{n}", SPHERES, SMALL, patient=f"P{n}") for n in (1, 2)]
    assert set(push(port, [path for folder in good for path in folder.iterdir()])) == {0}
    until(lambda: actions(store).count("imaging.node.spooled") == 2)
    results = sorted((tmp_path / "spool" / "outbox").glob("*/sr.dcm"))
    assert sorted(pydicom.dcmread(path).PatientID for path in results) == ["P1", "P2"]
    assert "no peer is configured" in caplog.text


def test_a_detector_that_breaks_does_not_break_the_node(start: Any, store: Store, tmp_path: Path) -> None:
    def broken(_: Any) -> Any:
        raise ZeroDivisionError("Zhang San")

    node = start(options(tmp_path), broken)
    push(node.options.port, list(write_series(tmp_path / "ct", SPHERES, SMALL).iterdir()))
    until(lambda: reasons(store) == ["ZeroDivisionError"])
    assert push(node.options.port, []) == []


def test_only_known_titles_may_connect(start: Any, tmp_path: Path) -> None:
    node = start(options(tmp_path))
    assert push(node.options.port, [], caller="STRANGER") == [None]
    assert push(node.options.port, [], called="OTHER") == [None]
    assert push(node.options.port, []) == []


def test_bounds(start: Any, store: Store, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", SPHERES, SMALL)
    files = sorted(folder.iterdir())
    size = files[0].stat().st_size
    node = start(options(tmp_path, max_images=3, max_series=1, idle=60.0, max_file=size + 1000))
    assert push(node.options.port, files[:4]) == [0, 0, 0, 0xA700]
    other = sorted(write_series(tmp_path / "other", SPHERES, SMALL).iterdir())
    assert push(node.options.port, other[:1]) == [0xA700]
    big = pydicom.dcmread(files[0])
    big.ImageComments = "x" * 2000
    big.save_as(tmp_path / "big.dcm")
    assert push(node.options.port, [tmp_path / "big.dcm"]) == [0xA700]
    flood = pydicom.dcmread(files[0])
    flood.ImageComments = "x" * 8_000_000
    flood.save_as(tmp_path / "flood.dcm")
    assert push(node.options.port, [tmp_path / "flood.dcm"])[0] != 0
    cut = pydicom.dcmread(files[0])
    cut.PixelData = cut.PixelData[:100]
    cut.save_as(tmp_path / "cut.dcm")
    assert push(node.options.port, [tmp_path / "cut.dcm"]) == [0xC000]
    assert push(node.options.port, []) == [], "it still answers"
    full = start(options(tmp_path / "full", quota=3 * size))
    assert push(full.options.port, files[:4])[-1] == 0xA700


def test_a_peer_that_is_down_gets_results_when_it_is_back(start: Any, store: Store, tmp_path: Path) -> None:
    from pynetdicom import AE, evt
    from pynetdicom.presentation import StoragePresentationContexts

    peer = Peer("PACS", "127.0.0.1", free_port())
    told = options(tmp_path, peer=peer)
    node = start(told)
    push(told.port, list(write_series(tmp_path / "ct", SPHERES, SMALL).iterdir()))
    until(lambda: "imaging.node.spooled" in actions(store))
    node.stop()  # and the node is restarted before the peer is
    again = start(told)
    got: list[str] = []
    entity = AE(ae_title="PACS")
    entity.supported_contexts = StoragePresentationContexts
    server = entity.start_server(
        ("127.0.0.1", peer.port),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, lambda e: got.append(str(e.dataset.Modality)) or 0)],
    )
    until(lambda: actions(store)[-1] == "imaging.node.sent")
    server.shutdown()
    assert sorted(got) == ["OT", "SEG", "SR"]
    assert list(again.inbox.outbox.iterdir()) == []


def test_a_restart_goes_on_with_what_was_received(store: Store, tmp_path: Path) -> None:
    told = options(tmp_path, idle=60.0)
    node = Node(store, brightest, ALGORITHM, told)
    node.start()
    files = list(write_series(tmp_path / "ct", SPHERES, SMALL).iterdir())
    push(told.port, files)
    node.stop()
    assert actions(store) == []
    # One was killed in the middle of its work: its images lie in the working folder.
    key = next(iter(node.inbox.folder.iterdir())).name
    node.inbox.take(key)
    after = Node(store, brightest, ALGORITHM, NodeOptions(told.spool, told.callers, port=told.port, idle=0.1))
    time.sleep(0.2)
    after.step()
    assert actions(store) == ["imaging.node.received", "imaging.node.result", "imaging.node.spooled"]
    assert not list(after.inbox.folder.iterdir())
    assert not list(after.inbox.work.iterdir())


def test_images_that_come_late_are_no_series_of_their_own(store: Store, tmp_path: Path) -> None:
    node = Node(store, brightest, ALGORITHM, options(tmp_path, idle=0.01))
    ordered = by_number(write_series(tmp_path / "ct", SPHERES, SMALL))
    for path in ordered[:12]:
        node.inbox.keep(path.read_bytes())
    time.sleep(0.05)
    node.step()
    for path in ordered[12:]:
        node.inbox.keep(path.read_bytes())
    time.sleep(0.05)
    node.step()
    assert len(reasons(store)) == 1
    assert "send the whole series again" in reasons(store)[0]
    for path in ordered:
        node.inbox.keep(path.read_bytes())
    time.sleep(0.05)
    node.step()
    assert actions(store).count("imaging.node.result") == 2


def test_options_refuse_what_is_unsafe(tmp_path: Path) -> None:
    for wrong in ({"callers": ()}, {"aet": "A" * 17}, {"aet": "A\\B"}, {"idle": 0.0}, {"quota": -1}):
        with pytest.raises(ConfigurationError):
            options(tmp_path, **wrong)
    assert Peer.parse("PACS@10.0.0.5:104") == Peer("PACS", "10.0.0.5", 104)
    for text in ("PACS", "PACS@host", "PACS@host:0", "@host:104", "PACS@host:x"):
        with pytest.raises(ConfigurationError):
            Peer.parse(text)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate that it signed for 127.0.0.1, and one that signed itself."""
    folder = tmp_path_factory.mktemp("tls")
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    for name in ("ca", "stranger"):
        made = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"]
        subprocess.run([*new, *made], cwd=folder, check=True, capture_output=True)
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
    signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
    made = ["-keyout", "node.key", "-out", "node.pem", "-subj", "/CN=node"]
    subprocess.run([*new, *signed, *made], cwd=folder, check=True, capture_output=True)
    return folder


def test_tls_lets_in_only_whom_the_authority_signed(start: Any, tmp_path: Path, certificates: Path) -> None:
    from pynetdicom import AE

    mine = Tls(certificates / "node.pem", certificates / "node.key", certificates / "ca.pem")
    stranger = Tls(certificates / "stranger.pem", certificates / "stranger.key", certificates / "ca.pem")
    node = start(options(tmp_path, tls=mine))

    def echo(tls: Tls | None) -> bool:
        entity = AE(ae_title="SCANNER")
        entity.acse_timeout = entity.network_timeout = 3
        entity.add_requested_context("1.2.840.10008.1.1")
        context = None if tls is None else (tls.client(), "127.0.0.1")
        link = entity.associate("127.0.0.1", node.options.port, ae_title="XINGLIN", tls_args=context)
        answered = link.is_established and link.send_c_echo().get("Status") == 0
        if link.is_established:
            link.release()
        return answered

    assert echo(mine)
    assert not echo(stranger)
    assert not echo(None)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Tls(certificates / "node.pem", certificates / "ca.key", certificates / "none").server()
