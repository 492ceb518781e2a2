"""What can be said of a nodule, when it is true by the radiologists' ratings, and the words for it.

The ratings are those of LIDC-IDRI (Armato et al. 2011): whole numbers, here the median of the readers. Which numbers
get which word follows the ``templated_report`` column of luna16-nodule-cubes; a rating between two opposites counts for
neither (``minimal`` spiculation is no example of a spiculated nodule and no counterexample). The words are our own,
written for this purpose, authored and unreviewed: no radiologist wrote these sentences. Every statement has words that
training uses and words that it never sees, kept for testing.
"""

from __future__ import annotations

from dataclasses import dataclass

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surface:
    """The words of one statement in one language: before the noun, or after it."""

    before: Words
    after: Words
    held_before: Words
    held_after: Words


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that can be said."""

    key: str
    rating: str
    """Column of ``nodules.csv`` without ``lidc_``."""
    true: frozenset[int]
    """Ratings for which it holds."""
    false: frozenset[int]
    """Ratings for which it does not; any other counts for neither."""
    zh: Surface
    en: Surface

    def holds(self, rating: float | None) -> bool | None:
        """Whether it holds; ``None``: not rated, or between the two."""
        if rating is None:
            return None
        level = round(rating)
        return True if level in self.true else False if level in self.false else None


def _of(
    key: str, rating: str, true: tuple[int, ...], false: tuple[int, ...], zh: Surface, en: Surface
) -> Statement:
    return Statement(key, rating, frozenset(true), frozenset(false), zh, en)


STATEMENTS: tuple[Statement, ...] = (
    _of(
        "spiculated", "spiculation", (3, 4, 5), (1,),
        Surface(("毛刺", "毛刺状", "有毛刺的"), ("边缘可见毛刺", "毛刺征阳性", "见毛刺", "伴短毛刺"), ("带毛刺的", "毛刺样"), ("周边有毛刺征", "边缘毛刺明显")),
        Surface(("spiculated", "spiculate"), ("with spiculation", "with spiculated margins", "spicules present", "some spiculation"), ("spicular",), ("having spicules at its border", "marked spiculation")),
    ),
    _of(
        "not spiculated", "spiculation", (1,), (3, 4, 5),
        Surface(("无毛刺", "无毛刺的"), ("未见毛刺", "无毛刺征", "边缘没有毛刺"), ("不带毛刺的",), ("毛刺征阴性", "不见毛刺")),
        Surface(("non-spiculated",), ("no spiculation", "without spiculation", "without spicules"), ("unspiculated",), ("spiculation absent", "free of spicules")),
    ),
    _of(
        "lobulated", "lobulation", (3, 4, 5), (1,),
        Surface(("分叶", "分叶状", "有分叶的"), ("边缘分叶", "分叶征阳性", "可见分叶", "呈分叶状"), ("多分叶的",), ("轮廓分叶明显", "有分叶征")),
        Surface(("lobulated", "lobular"), ("with lobulation", "with lobulated contours", "some lobulation"), ("multilobulated",), ("having a lobulated outline", "marked lobulation")),
    ),
    _of(
        "not lobulated", "lobulation", (1,), (3, 4, 5),
        Surface(("无分叶", "无分叶的"), ("未见分叶", "无分叶征", "没有分叶"), ("不分叶的",), ("分叶征阴性", "不见分叶")),
        Surface(("non-lobulated",), ("no lobulation", "without lobulation"), ("unlobulated",), ("lobulation absent", "free of lobulation")),
    ),
    _of(
        "calcified", "calcification", (1, 2, 3, 4, 5), (6,),
        Surface(("钙化", "钙化性", "有钙化的"), ("内见钙化", "伴钙化", "可见钙化灶"), ("含钙化的", "钙化的"), ("内部有钙化", "见高密度钙化")),
        Surface(("calcified",), ("with calcification", "containing calcium", "calcification present"), ("calcific",), ("having calcifications inside", "with internal calcification")),
    ),
    _of(
        "not calcified", "calcification", (6,), (1, 2, 3, 4, 5),
        Surface(("无钙化", "未钙化"), ("未见钙化", "没有钙化", "无钙化灶"), ("不含钙化的",), ("不见钙化", "钙化阴性")),
        Surface(("non-calcified", "noncalcified"), ("no calcification", "without calcification"), ("uncalcified",), ("calcification absent", "free of calcium")),
    ),
    _of(
        "ground glass", "texture", (1, 2), (4, 5),
        Surface(("磨玻璃", "纯磨玻璃", "非实性"), ("呈磨玻璃密度", "为磨玻璃影", "密度淡薄"), ("毛玻璃", "磨玻璃样"), ("呈磨玻璃改变", "磨玻璃密度为主")),
        Surface(("ground-glass", "ground glass", "non-solid", "nonsolid"), ("of ground-glass density", "ground-glass opacity"), ("pure ground-glass",), ("showing ground-glass attenuation", "not solid")),
    ),
    _of(
        "part-solid", "texture", (3,), (1, 5),
        Surface(("部分实性", "混合磨玻璃", "混杂密度"), ("含实性成分的磨玻璃影", "呈混合密度"), ("部分实性的", "半实性"), ("为混合磨玻璃密度",)),
        Surface(("part-solid", "partly solid", "mixed", "subsolid"), ("with solid and ground-glass parts", "of mixed density"), ("semi-solid",), ("ground-glass with a solid part",)),
    ),
    _of(
        "solid", "texture", (5,), (1, 2, 3),
        Surface(("实性", "完全实性", "软组织密度"), ("呈实性", "为实性密度", "密度均匀实性"), ("实性的", "实心"), ("呈软组织实性密度",)),
        Surface(("solid", "entirely solid"), ("of solid texture", "of soft-tissue density", "solid throughout"), ("wholly solid",), ("having solid attenuation",)),
    ),
    _of(
        "well defined", "margin", (4, 5), (1, 2),
        Surface(("边界清楚", "边界清晰"), ("边缘清晰", "边界清楚", "边缘光整"), ("境界清楚的",), ("边界锐利清晰", "与周围分界清楚")),
        Surface(("well-defined", "sharply marginated", "well defined"), ("with well defined margins", "with sharp margins"), ("sharply defined",), ("having clear-cut sharp borders", "margins are well defined")),
    ),
    _of(
        "poorly defined", "margin", (1, 2), (4, 5),
        Surface(("边界不清", "边界模糊"), ("边缘模糊", "边界不清楚", "边缘欠清"), ("境界不清的",), ("与周围分界模糊", "边界不清晰")),
        Surface(("ill-defined", "poorly defined", "poorly-defined"), ("with poorly defined margins", "with blurred margins"), ("ill defined",), ("having indistinct blurred borders", "margins are poorly defined")),
    ),
    _of(
        "malignant", "malignancy", (4, 5), (1, 2),
        Surface(("恶性", "可疑恶性", "疑似恶性"), ("考虑恶性可能大", "倾向恶性", "恶性可疑"), ("高度可疑恶性的",), ("恶性的可能性大", "疑为恶性")),
        Surface(("malignant", "suspicious", "suspicious malignant"), ("suspicious for malignancy", "likely malignant", "suspected cancer"), ("probably malignant",), ("malignancy is suspected", "worrying for malignancy")),
    ),
    _of(
        "benign", "malignancy", (1, 2), (4, 5),
        Surface(("良性", "考虑良性"), ("倾向良性", "恶性可能小", "考虑良性可能大"), ("良性的",), ("良性的可能性大", "不像恶性")),
        Surface(("benign", "probably benign"), ("unlikely to be malignant", "likely benign", "benign in appearance"), ("benign-looking",), ("malignancy is unlikely", "not suspicious for malignancy")),
    ),
)  # fmt: skip
BY_KEY = {one.key: one for one in STATEMENTS}
RATINGS = tuple(dict.fromkeys(one.rating for one in STATEMENTS))
CONTRASTS: tuple[tuple[str, str], ...] = (
    ("spiculated", "not spiculated"),
    ("lobulated", "not lobulated"),
    ("calcified", "not calcified"),
    ("ground glass", "solid"),
    ("part-solid", "solid"),
    ("well defined", "poorly defined"),
    ("malignant", "benign"),
)
"""Attributes asked without training on them as classes: the statement, and what it is told from."""
