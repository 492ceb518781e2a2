"""The CT of the patient in ``xinglin diagnose --volume``: found, measured, and told to the diagnosis."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.differential import Differential
    from xinglin.apps.diagnosis.wording import Lang
    from xinglin.apps.imaging.report import Report
    from xinglin.records.volumes.scan import Scan
    from xinglin.serve.fusing import Seen
    from xinglin.types import Record


def with_volume(
    differential: Differential,
    record: Record | None,
    path: Path,
    *,
    stated: str | None,
    confirm: Collection[int],
    model: Path | None = None,
) -> tuple[Record, Report]:
    """Return the record with what its CT shows, and the imaging report.

    Args:
        differential: the loaded diagnosis model.
        record: the patient's, if there is one.
        path: a DICOM folder or a volume file.
        stated: modality that the caller vouches for where the format names none.
        confirm: numbers of the nodules that the reader has looked at and agrees with.
        model: folder of a detector; ``None``: the shipped one.
    """
    from xinglin.records.volumes import read_scan
    from xinglin.serve.fusing import confirmed_numbers, with_image

    report = examine(read_scan(path, expected="CT", stated=stated), model)
    agreed = confirmed_numbers(confirm, len(report.nodules))
    day = report.source.day
    seen = seen_in(report, agreed)
    return with_image(differential, record, seen, day=None if day is None else day.isoformat()), report


def examine(scan: Scan, model: Path | None = None) -> Report:
    """Find and measure the nodules of a CT, or of a scan of one window."""
    from xinglin.apps.imaging.measured import Algorithm
    from xinglin.apps.imaging.report import make_report
    from xinglin.apps.imaging.window_scan import find_in_window, is_window
    from xinglin.cli.imaging_detector import load_detector
    from xinglin.cli.imaging_windows import NODULES
    from xinglin.model.shipped import shipped_folder
    from xinglin.model.vision.runtime import InstanceMaps

    if is_window(scan):
        network = InstanceMaps.load(model or shipped_folder(NODULES))
        named = Algorithm(f"xinglin {NODULES}", network.id[:16])
        return make_report(scan, lambda one: find_in_window(network, one), named)
    detect, algorithm = load_detector(model, most=20, threads=1)
    return make_report(scan, detect, algorithm)


def seen_in(report: Report, agreed: Collection[int]) -> list[Seen]:
    """Return the nodules of a report as the diagnosis takes them; a ratio only where one was measured for them."""
    from xinglin.apps.imaging.window_scan import is_window, read_ratio
    from xinglin.serve.fusing import Seen

    ratio = read_ratio() if is_window(report.scan) else None
    fits = ratio is not None and ratio.detector.startswith(report.algorithm.version)
    return [
        Seen(
            one.number,
            one.diameter,
            one.number in agreed,
            ratio.of(one.score) if ratio is not None and fits else None,
        )
        for one in report.nodules
    ]


HEADS = {
    "title": ("图像的份额(对数几率)", "The image's share (log-odds)"),
    "disease": ("疾病", "Disease"),
    "base": ("基线", "base"),
    "without": ("不计图像", "Without the image"),
    "confirmed": ("医师确认后", "If a reader confirms"),
}


def show_image(image: dict[str, Any], lang: Lang, console: Console | None = None) -> None:
    """Print the image's part in an answer."""
    out, at = console or Console(), 0 if lang == "zh" else 1
    for item in image["findings"]:
        size = "" if item["largest_mm"] is None else f" {item['largest_mm']:g} mm"
        ratio = item["likelihood_ratio"]
        told = (
            "" if ratio is None else ("  似然比 " if lang == "zh" else "  likelihood ratio ") + f"{ratio:.1f}"
        )
        out.print(f"[bold]{item['code']['display']}[/]{size}{told}")
    out.print(image["counted_display"])
    if image["shares"]:
        names = image["origins"]
        table = Table(title=HEADS["title"][at], title_justify="left", title_style="bold")
        table.add_column(HEADS["disease"][at])
        table.add_column(HEADS["base"][at], justify="right")
        for name in names.values():
            table.add_column(name, justify="right")
        for row in image["shares"]:
            cells = [_signed(row["by_origin"].get(name)) for name in names]
            table.add_row(row["display"], _signed(row["base"]), *cells)
        out.print(table)
    out.print(f"{HEADS['without'][at]}: {_ranked(image['without_image'], lang)}")
    if image["if_confirmed"] is not None and image["counted"] != "confirmed":
        out.print(f"{HEADS['confirmed'][at]}: {_ranked(image['if_confirmed'], lang)}")
    if image["note"]:
        out.print(f"[yellow]! {image['note']}[/]")


def _signed(value: float | None) -> str:
    return "—" if value is None else f"{value:+.1f}".replace("-", "−")


def _ranked(rows: Sequence[dict[str, Any]], lang: Lang) -> str:
    levels = {"high": ("高", "high"), "medium": ("中", "medium"), "low": ("低", "low")}
    shown = [f"{row['display']}({levels[row['level']][0 if lang == 'zh' else 1]})" for row in rows[:5]]
    return ("、" if lang == "zh" else ", ").join(shown)
