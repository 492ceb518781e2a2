"""The beeswarm of an overview, as SVG or PNG: a line a unit, a dot a case, to the right what speaks for the answer."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingDataError, MissingExtraError
from xinglin.explain.overview import Overview
from xinglin.explain.units import Kind

Lang = Literal["zh", "en"]
FONTS = (
    "Noto Sans CJK",
    "Source Han Sans",
    "WenQuanYi",
    "Microsoft YaHei",
    "SimHei",
    "PingFang",
    "Hiragino Sans GB",
)
"""Fonts with Chinese characters, by preference: how their names begin."""
FILES = ("notosanscjk", "sourcehansans", "wqy", "msyh", "simhei", "pingfang", "hiragino")
"""How their files begin, for fonts that were installed after matplotlib made its list."""
COLOURS: dict[Kind, str] = {"finding": "#0f766e", "value": "#1d4ed8", "word": "#a16207"}
KINDS: dict[Lang, dict[Kind, str]] = {
    "zh": {"finding": "表现", "value": "检查数值", "word": "词语"},
    "en": {"finding": "finding", "value": "value", "word": "word"},
}
AXIS: dict[Lang, str] = {
    "zh": "← 反对该诊断        对数几率的贡献        支持该诊断 →",
    "en": "← against the answer        contribution to its log-odds        for the answer →",
}
MOST = 0.38
"""Half of the height of a line that dots may fill."""


def draw_beeswarm(
    seen: Overview,
    path: Path,
    *,
    lang: Lang = "zh",
    title: str = "",
    names: Mapping[str, str] | None = None,
) -> Path:
    """Draw the strongest units of an overview into a file.

    Args:
        seen: what :func:`xinglin.explain.summarise` returned.
        path: ends in ``.svg`` (text stays text) or ``.png`` (needs a font with Chinese characters here).
        lang: of axis and legend.
        title: above the picture.
        names: what to write for a unit, where it is not its own name.

    Raises:
        InvalidInputError: nothing to draw, or another ending.
        MissingExtraError: matplotlib is not installed.
        MissingDataError: a PNG, and no font with Chinese characters.
    """
    if path.suffix not in (".svg", ".png"):
        raise InvalidInputError(f"beeswarm: expected a file .svg or .png, got {path.name}")
    kind: Literal["svg", "png"] = "svg" if path.suffix == ".svg" else "png"
    path.write_bytes(_drawn(seen, kind, lang, title, names or {}))
    return path


def beeswarm_svg(seen: Overview, *, lang: Lang = "zh", names: Mapping[str, str] | None = None) -> str:
    """Return the picture as one SVG element, to stand inside a page; as :func:`draw_beeswarm` otherwise."""
    drawn = _drawn(seen, "svg", lang, "", names or {}).decode()
    return drawn[drawn.index("<svg") :]


def _drawn(
    seen: Overview, kind: Literal["svg", "png"], lang: Lang, title: str, names: Mapping[str, str]
) -> bytes:
    if not seen.drivers:
        raise InvalidInputError(
            f"beeswarm: expected a unit that occurs in several of the {seen.cases} cases, got none: give more cases"
        )
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("the beeswarm", "explain") from error
    fonts = _fonts()
    if not fonts and kind == "png":
        raise MissingDataError(
            "beeswarm: expected a font with Chinese characters for a PNG, got none: install one (fonts-noto-cjk), or "
            "draw an SVG, which the reader's own font completes"
        )
    rows = len(seen.drivers)
    # hashsalt: the same picture twice is the same file.
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "xinglin",
        "font.family": [*fonts[:1], "DejaVu Sans"],
        "font.size": 11,
        "axes.unicode_minus": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(8.4, 1.5 + 0.34 * rows), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        widest = max(abs(value) for values in seen.points.values() for value in values) or 1.0
        for row, driver in enumerate(reversed(seen.drivers)):
            values = np.array(seen.points[driver.name])
            axes.axhline(row, color="#e7e5e4", linewidth=0.8, zorder=0)
            axes.scatter(
                values,
                row + _spread(values, widest),
                s=16,
                color=COLOURS[driver.kind],
                alpha=0.75,
                linewidths=0,
            )
        axes.axvline(0, color="#78716c", linewidth=1)
        axes.set_yticks(
            range(rows),
            [f"{names.get(d.name, d.name)}  n={d.strength.n}" for d in reversed(seen.drivers)],
        )
        axes.set_ylim(-0.6, rows - 0.4)
        axes.set_xlim(-1.08 * widest, 1.08 * widest)
        axes.set_xlabel(AXIS[lang])
        axes.set_title(title, loc="left")
        axes.tick_params(length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        for told in dict.fromkeys(driver.kind for driver in seen.drivers):
            axes.scatter([], [], s=24, color=COLOURS[told], label=KINDS[lang][told])
        figure.legend(loc="outside lower right", ncols=3, frameon=False, fontsize=10)
        with warnings.catch_warnings():
            # Without a font the glyphs of an SVG cannot be measured here; they are drawn where it is read.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            file = io.BytesIO()
            figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def _spread(values: NDArray[np.float64], widest: float) -> NDArray[np.float64]:
    """Vertical places of dots, so that dots of nearly one value stand side by side; shape of ``values``."""
    bins = np.round(values / widest * 60).astype(int)
    places = np.zeros(len(values))
    for number in np.unique(bins):
        here = np.flatnonzero(bins == number)
        rank = np.arange(len(here))
        step = min(0.11, MOST / max(1, len(here) // 2))
        places[here] = step * ((rank + 1) // 2) * np.where(rank % 2, 1, -1)
    return places


def _fonts() -> list[str]:
    """Fonts of this machine with Chinese characters, the preferred one first."""
    from matplotlib import font_manager

    def known() -> list[str]:
        names = font_manager.get_font_names()
        return [name for start in FONTS for name in sorted(names) if name.startswith(start)]

    if not known():
        for file in map(Path, font_manager.findSystemFonts()):
            if file.name.lower().startswith(FILES):
                font_manager.fontManager.addfont(str(file))
    return known()
