"""What a model goes by over many cases, and its picture."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError, MissingDataError, MissingExtraError
from xinglin.explain import Attribution, Overview, Unit, draw_beeswarm, summarise
from xinglin.explain.units import Kind


def case(target: str, **values: float) -> Attribution:
    """One explanation; a name that starts with v is a value, with w a word, else a finding."""
    units = []
    for i, name in enumerate(values):
        kind: Kind = "value" if name.startswith("v") else "word" if name.startswith("w") else "finding"
        units.append(Unit(name, ((i, i + 1),), kind, None if kind == "word" else name))
    return Attribution(
        "shap", tuple(units), tuple(values.values()), 0.0, sum(values.values()), target, 1, 0.0
    )


CASES = [
    case("心绞痛", 胸痛=2.0, vBP=0.5, w=0.1),
    case("心绞痛", 胸痛=1.0, vBP=-0.5, w=0.1),
    case("心绞痛", 胸痛=3.0, w=-0.1),
    case("肺炎", 胸痛=-1.0, 发热=1.5, vBP=0.5),
    case("肺炎", 发热=2.5, w=0.1),
    case("肺炎", 发热=2.0, rare=9.0),
]
GROUPS = {"性别": ["女", "男", "女", "男", "女", None], "年龄段": ["老"] * 3 + ["青"] * 3}


def test_the_strongest_units_of_all_cases() -> None:
    seen = summarise(CASES)
    assert seen.cases == 6
    # In sum: 7, 6, 1.5, 0.4; the mean of 发热 is the higher one, but chest pain moves more cases.
    assert [driver.name for driver in seen.drivers] == ["胸痛", "发热", "vBP", "w"]
    pain = seen.drivers[0]
    assert (pain.strength.value, pain.strength.n) == (pytest.approx(7 / 4), 4)
    assert pain.direction == pytest.approx(5 / 4)
    assert pain.strength.low <= pain.strength.value <= pain.strength.high
    assert seen.points["胸痛"] == (2.0, 1.0, 3.0, -1.0)
    assert [driver.kind for driver in seen.drivers] == ["finding", "finding", "value", "word"]


def test_a_unit_of_one_case_is_listed_only_on_request() -> None:
    assert "rare" not in summarise(CASES).points
    assert summarise(CASES, min_cases=1).drivers[0].name == "rare"
    assert len(summarise(CASES, min_cases=1, length=2).drivers) == 2


def test_the_drivers_of_a_class() -> None:
    seen = summarise(CASES, min_cases=2)
    assert list(seen.by_class) == ["心绞痛", "肺炎"]
    angina = seen.by_class["心绞痛"]
    assert (angina[0].name, angina[0].strength.value, angina[0].direction) == ("胸痛", 2.0, 2.0)


def test_subgroups_leave_out_what_is_not_known() -> None:
    seen = summarise(CASES, GROUPS, min_cases=2)
    found = {(group.grouping, group.value): group for group in seen.subgroups}
    assert {key: group.cases for key, group in found.items()} == {
        **{("性别", "女"): 3, ("性别", "男"): 2},
        **{("年龄段", "老"): 3, ("年龄段", "青"): 3},
    }
    assert found["性别", "女"].drivers[0].strength.value == pytest.approx(2.5)
    assert found["年龄段", "青"].drivers[0].name == "发热"


def test_the_same_input_gives_the_same_intervals() -> None:
    assert summarise(CASES) == summarise(CASES)


def test_a_word_told_twice_in_one_case_counts_once_with_its_sum() -> None:
    units = (Unit("Fever", ((0, 5),), "word"), Unit("fever", ((6, 11),), "word"))
    twice = Attribution("shap", units, (1.0, 0.5), 0.0, 1.5, "x", 1, 0.0)
    assert summarise([twice] * 3).points == {"fever": (1.5, 1.5, 1.5)}


def test_bad_input_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="got none"):
        summarise([])
    other = Attribution("lime", CASES[0].units, CASES[0].values, 0.0, 1.0, "x", 1, 0.0)
    with pytest.raises(InvalidInputError, match="lime, shap"):
        summarise([CASES[0], other])
    with pytest.raises(InvalidInputError, match="性别 for each of 6 cases, got 1"):
        summarise(CASES, {"性别": ["女"]})


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_svg_names_every_unit_and_is_the_same_twice(tmp_path: Path, lang: str) -> None:
    pytest.importorskip("matplotlib")
    seen = summarise(CASES)
    first, second = (draw_beeswarm(seen, tmp_path / f"{i}.svg", lang=lang, title="全局") for i in (1, 2))
    assert first.read_bytes() == second.read_bytes()
    text = " ".join(ElementTree.parse(first).getroot().itertext())
    for word in ("发热", "胸痛", "n=4", {"zh": "检查数值", "en": "finding"}[lang], "全局"):
        assert word in text


def test_the_png_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = draw_beeswarm(summarise(CASES), tmp_path / "seen.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000


def test_nothing_to_draw_and_another_ending_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"\.svg or \.png"):
        draw_beeswarm(summarise(CASES), tmp_path / "seen.pdf")
    with pytest.raises(InvalidInputError, match="occurs in several of the 1 cases"):
        draw_beeswarm(summarise(CASES[:1]), tmp_path / "seen.svg")


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"xinglin\[explain\]"):
        draw_beeswarm(
            Overview(6, summarise(CASES).drivers, {}, (), summarise(CASES).points), tmp_path / "seen.svg"
        )


def test_without_a_chinese_font_an_svg_is_drawn_and_a_png_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("xinglin.explain.beeswarm._fonts", list)
    assert "胸痛" in draw_beeswarm(summarise(CASES), tmp_path / "seen.svg").read_text(encoding="utf-8")
    with pytest.raises(MissingDataError, match="fonts-noto-cjk"):
        draw_beeswarm(summarise(CASES), tmp_path / "seen.png")
