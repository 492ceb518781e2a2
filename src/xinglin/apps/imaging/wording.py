"""A report in words: a table for the terminal, and 影像所见 ready to paste."""

from __future__ import annotations

from xinglin.apps.imaging.growth import Change
from xinglin.apps.imaging.lung_rads import NAME
from xinglin.apps.imaging.measured import Nodule
from xinglin.apps.imaging.report import Report, ordered
from xinglin.types import DISCLAIMER

KINDS = {
    "solid": ("实性", "solid"),
    "part-solid": ("部分实性", "part-solid"),
    "non-solid": ("磨玻璃", "ground-glass"),
    "calcified": ("钙化", "calcified"),
    None: ("密度类型未定", "type not told"),
}


def findings_text(report: Report) -> str:
    """Return 影像所见: each nodule under its number, from head to foot, with series and slice; Chinese, then English."""
    zh, en = [], []
    for one in ordered(report.nodules):
        chinese, english = _nodule(report, one)
        zh.append(f"结节 {one.number}:{chinese}")
        en.append(f"Nodule {one.number}: {english}")
    zh += [note for note, _ in report.notes if note]
    en += [note for _, note in report.notes if note]
    told = f"{report.algorithm.name} {report.algorithm.version}"
    return "\n".join(
        [
            "影像所见(计算机辅助,待医师核实):",
            *zh,
            f"算法:{told}。{DISCLAIMER['zh']}",
            "",
            "Findings (computer-aided, to be verified by a physician):",
            *en,
            f"Algorithm: {told}. {DISCLAIMER['en']}",
        ]
    )


def rows(report: Report) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the table's heads and its rows, best score first."""
    heads: tuple[str, ...] = (
        "#",
        "序列/图像\nseries/image",
        "LPS mm",
        "体素 voxel\nz, y, x",
        "直径 diameter\nmm",
    )
    heads += ("体积 volume\nmm3", "类型 type", "分数 score")
    heads += (NAME,) if report.screening else ()
    heads += ("倍增 doubling\n天 days",) if report.comparison is not None else ()
    changes = (
        {} if report.comparison is None else {one.nodule.number: one for one in report.comparison.changes}
    )
    lines = []
    for one in report.nodules:
        point = f"{one.point.x:.1f}, {one.point.y:.1f}, {one.point.z:.1f}"
        cells: tuple[str, ...] = (
            str(one.number),
            place(report, one),
            point,
            ", ".join(f"{v:.1f}" for v in one.voxel),
        )
        cells += (f"{one.diameter:.1f}", "—" if one.volume is None else f"{one.volume:.0f}")
        cells += (" ".join(KINDS[one.kind]), f"{one.score:.3f}")
        cells += (report.category(one) or "—",) if report.screening else ()
        if one.number in changes:
            cells += (_days(changes[one.number]),)
        lines.append(cells)
    return heads, lines


def place(report: Report, one: Nodule) -> str:
    """Series Number and Instance Number of the nearest slice; of a file without them, the slice counted from 1."""
    series, image = report.source.text("SeriesNumber"), report.source.instance(one.slice)
    return f"{series or '?'}/{image}" if image is not None else f"z{one.slice + 1}"


def _nodule(report: Report, one: Nodule) -> tuple[str, str]:
    series, image = report.source.text("SeriesNumber"), report.source.instance(one.slice)
    if image is not None:
        zh, en = (
            f"序列 {series or '未编号'} 图像 {image}",
            f"series {series or 'without number'}, image {image}",
        )
    else:
        zh = f"第 {one.slice + 1} 层(自体素 z=0 起数)"
        en = f"slice {one.slice + 1} (counted from voxel z = 0)"
    at = f"{one.point.x:.1f}, {one.point.y:.1f}, {one.point.z:.1f}"
    chinese, english = KINDS[one.kind]
    zh += f",肺内{chinese}结节候选,直径约 {one.diameter:.1f} mm"
    en += f", candidate nodule, {english}, diameter about {one.diameter:.1f} mm"
    if one.volume is not None:
        zh += f",体积约 {one.volume:.0f} mm³"
        en += f", volume about {one.volume:.0f} mm3"
    else:
        zh += "(检测器估计;边界不可分割,未测体积)"
        en += " (as the detector guesses; no border to cut out, no volume)"
    zh += f",坐标 LPS ({at}) mm"
    en += f", at LPS ({at}) mm"
    found = report.category(one)
    if found is not None:
        zh += f",按大小 {NAME}:{found} 类"
        en += f", {NAME} category {found} by size"
    change = None
    if report.comparison is not None:
        change = next(each for each in report.comparison.changes if each.nodule is one)
    told = ("", "") if change is None else _change(report, change)
    return zh + told[0] + "。", en + told[1] + "."


def _change(report: Report, change: Change) -> tuple[str, str]:
    comparison = report.comparison
    day = None if comparison is None or comparison.earlier_day is None else comparison.earlier_day.isoformat()
    if change.earlier is None:
        return f";既往({day or '日期不详'})未检出对应结节,不等于新发", (
            f"; not found in the prior ({day or 'date not stated'}), which does not prove it new"
        )
    zh = f";既往({day or '日期不详'})直径约 {change.earlier.diameter:.1f} mm"
    en = f"; in the prior ({day or 'date not stated'}) about {change.earlier.diameter:.1f} mm"
    if change.doubling is None:
        return zh + ",体积倍增时间无法计算", en + ", doubling time not computable"
    if change.doubling < 0:
        return zh + f",体积减小(约 {-change.doubling:.0f} 天减半)", (
            en + f", shrinking (halves in about {-change.doubling:.0f} days)"
        )
    return zh + f",体积倍增时间约 {change.doubling:.0f} 天", (
        en + f", volume doubles in about {change.doubling:.0f} days"
    )


def _days(change: Change) -> str:
    if change.earlier is None:
        return "未见于既往 not in prior"
    return "—" if change.doubling is None else f"{change.doubling:.0f}"
