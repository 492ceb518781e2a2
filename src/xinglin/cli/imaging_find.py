"""``xinglin imaging find``: the nodules of a CT as a table, text, JSON, DICOM and FHIR."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.apps.imaging.report import Report

SCANS = "DICOM 文件夹、.nii(.gz)、.nrrd 或 .mha A DICOM folder, .nii(.gz), .nrrd or .mha."
Detector = Annotated[
    Path | None, typer.Option("--model", help="检测模型文件夹 Folder of a detector; empty: the shipped one.")
]
Most = Annotated[int, typer.Option(min=1, max=200, help="至多列出几个结节 Nodules at most.")]
Threads = Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")]
Screening = Annotated[
    bool,
    typer.Option(
        help="确认为低剂量肺癌筛查 CT(首次),才给出 Lung-RADS A first low-dose screening CT: gives Lung-RADS."
    ),
]


def find(
    path: Annotated[Path, typer.Argument(help=SCANS)],
    as_json: AsJson = False,
    sr: Annotated[
        Path | None, typer.Option(help="写 DICOM 结构化报告 Write a DICOM structured report.")
    ] = None,
    seg: Annotated[Path | None, typer.Option(help="写 DICOM 分割 Write a DICOM segmentation.")] = None,
    key_images: Annotated[
        Path | None, typer.Option(help="关键图像文件夹 Folder for key images (Secondary Capture).")
    ] = None,
    fhir: Annotated[Path | None, typer.Option(help="写 FHIR R4 Bundle Write a FHIR R4 Bundle.")] = None,
    prior: Annotated[
        Path | None, typer.Option(help="同一患者的既往检查 An earlier scan of the patient.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="多序列时的 Series Instance UID Where there are several.")
    ] = None,
    stated: Annotated[
        str | None, typer.Option(help="格式不注明时由您声明,如 CT The modality, where the format names none.")
    ] = None,
    screening: Screening = False,
    model: Detector = None,
    most: Most = 50,
    threads: Threads = 1,
) -> None:
    """在胸部 CT 中查找肺结节候选。Find candidate lung nodules in a chest CT.

    分数仅供排序,不是概率;未检出不等于阴性。未经注册,仅供研究。Scores are an order, no probabilities; nothing found is not
    a negative study. Not a medical device.
    """
    from xinglin.apps.imaging.report import as_json as told
    from xinglin.apps.imaging.report import make_report
    from xinglin.apps.imaging.source import required, source_of
    from xinglin.cli.imaging_detector import load_detector
    from xinglin.records.volumes import read_scan

    scan = read_scan(path, series=series, expected="CT", stated=stated)
    if any(wanted is not None for wanted in (sr, seg, key_images)):
        # Said before the search, not after it.
        required(source_of(scan), "A DICOM object", ("FrameOfReferenceUID",))
    before = None if prior is None else read_scan(prior, expected="CT", stated=stated)
    shown = sys.stderr.isatty()
    detect, algorithm = load_detector(
        model, most=most, threads=threads, progress=_progress if shown else None
    )
    report = make_report(scan, detect, algorithm, prior=before, screening=screening)
    written = write_products(report, sr=sr, seg=seg, key_images=key_images, fhir=fhir)
    remember_report(report, written)
    if seg is not None and seg not in written:
        none = "没有可分割的结节,未写分割。No nodule has a border to cut out: no segmentation written."
        typer.echo(none, err=as_json)
    if as_json:
        typer.echo(json.dumps(told(report), ensure_ascii=False, indent=2, allow_nan=False))
        return
    show(report)
    for made in written:
        typer.echo(f"已写 written: {made}")


def write_products(
    report: Report,
    *,
    sr: Path | None = None,
    seg: Path | None = None,
    key_images: Path | None = None,
    fhir: Path | None = None,
) -> list[Path]:
    """Write what is asked for; returns the files written."""
    from xinglin.apps.imaging.fhir import bundle
    from xinglin.apps.imaging.key_images import key_image
    from xinglin.apps.imaging.products import write_dicom
    from xinglin.apps.imaging.seg import segmentation
    from xinglin.apps.imaging.sr import structured_report
    from xinglin.cli.written import write_whole

    made: list[Path] = []
    if sr is not None:
        write_dicom(structured_report(report), sr)
        made.append(sr)
    if seg is not None and (cut := segmentation(report)) is not None:
        write_dicom(cut, seg)
        made.append(seg)
    if key_images is not None:
        for one in report.nodules:
            made.append(key_images / f"nodule-{one.number:03d}.dcm")
            write_dicom(key_image(report, one), made[-1])
    if fhir is not None:
        fhir.parent.mkdir(parents=True, exist_ok=True)
        write_whole(fhir, json.dumps(bundle(report), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        made.append(fhir)
    return made


def show(report: Report) -> None:
    """Print the table, then the text to paste."""
    from rich.console import Console
    from rich.table import Table

    from xinglin.apps.imaging.wording import findings_text, rows

    # A pipe or a file has no width; 80 columns would break every cell.
    console = Console() if sys.stdout.isatty() else Console(width=160)
    heads, lines = rows(report)
    if lines:
        table = Table(*heads, box=None, pad_edge=False)
        for cells in lines:
            table.add_row(*cells)
        console.print(table)
        console.print()
    typer.echo(findings_text(report))


def remember_report(report: Report, written: list[Path]) -> None:
    """Note in the ledger that a scan was searched, and what was written of it."""
    from xinglin.apps.imaging.remember import first, keyed, told_of
    from xinglin.ledger import append
    from xinglin.store import open_store

    with open_store().write() as connection:
        name = report.scan.series or report.scan.frame
        subject = first(connection, "imaging.find", name, actor="cli", detail=told_of(report))
        if written:
            contents = {f"{at}{path.suffix}": path.read_bytes() for at, path in enumerate(written, 1)}
            digests = keyed(connection, subject, contents)
            append(connection, "imaging.write", actor="cli", subjects=(subject,), detail={"files": digests})


def _progress(done: int, total: int) -> None:
    typer.echo(f"\r{done}/{total} 窗 windows", err=True, nl=done == total)
