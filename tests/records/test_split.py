"""Splits: nothing crosses, nothing moves, the balance is what is asked for."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError
from xinglin.records.near_duplicates import near_duplicate_groups
from xinglin.records.split import Member, split
from xinglin.records.split_report import report

PARTS = {"train": 0.7, "valid": 0.1, "test": 0.2}


def crowd(n: int, seed: int = 0) -> list[Member]:
    """Subjects of one to five records, four sites, three labels of 60, 30 and 10 %."""
    generator = np.random.default_rng(seed)
    members: list[Member] = []
    subject = 0
    while len(members) < n:
        label = str(generator.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1]))
        for _ in range(int(generator.integers(1, 6))):
            day = int(generator.integers(0, 3000))
            members.append(
                Member(
                    f"r{len(members)}",
                    f"s{subject}",
                    f"site{subject % 4}",
                    label,
                    f"{2000 + day // 300}-01-01",
                )
            )
        subject += 1
    return members


member = st.builds(
    lambda subject, site, label, day: (subject, site, label, f"2024-01-{day:02d}"),
    st.one_of(st.none(), st.integers(0, 12).map(str)),
    st.sampled_from("xyz"),
    st.one_of(st.none(), st.sampled_from("ab")),
    st.integers(1, 28),
)
members = st.lists(member, min_size=1, max_size=40).map(
    lambda rows: [Member(f"r{i}", *row) for i, row in enumerate(rows)]
)


@settings(max_examples=80, deadline=None)
@given(
    members,
    st.sampled_from(["subject", "time"]),
    st.sampled_from(["hash", "label"]),
    st.integers(0, 5),
    st.data(),
)
def test_neither_a_subject_nor_a_twin_crosses(
    rows: list[Member], by: str, balance: str, seed: int, data: st.DataObject
) -> None:
    twins = data.draw(st.lists(st.integers(0, 30), min_size=len(rows), max_size=len(rows)))
    made = split(rows, PARTS, by=by, balance=balance, seed=seed, twins=twins)  # type: ignore[arg-type]
    assert list(made.part) == [row.id for row in rows]
    for key in ("subject", "twin"):
        where: dict[object, set[str]] = {}
        for row, twin in zip(rows, twins, strict=True):
            value = row.subject if key == "subject" else twin
            if value is not None:
                where.setdefault(value, set()).add(made.part[row.id])
        assert all(len(parts) == 1 for parts in where.values())
    found = report(rows, made)
    assert (found.crossing_subjects, found.crossing_components) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(
    members, st.sampled_from(["subject", "site", "time"]), st.sampled_from(["hash", "label"]), st.randoms()
)
def test_the_order_of_the_records_does_not_matter(
    rows: list[Member], by: str, balance: str, random: object
) -> None:
    parts = {"train": 1.0} if by == "site" else PARTS
    shuffled = rows.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = split(rows, parts, by=by, balance=balance)  # type: ignore[arg-type]
    again = split(shuffled, parts, by=by, balance=balance)  # type: ignore[arg-type]
    assert first.part == again.part


def test_what_is_added_moves_nothing() -> None:
    rows = crowd(3000)
    before = split(rows[:1500], PARTS, seed=3)
    after = split(rows, PARTS, seed=3)
    cut = {row.subject for row in rows[:1500]}
    assert len(cut) > 400
    assert {name: after.part[name] for name in before.part} == before.part
    kept = split(rows, PARTS, balance="label", earlier=before.part)
    assert {name: kept.part[name] for name in before.part} == before.part
    assert kept.moved == ()


def test_a_new_record_that_ties_two_components_moves_one_and_says_so() -> None:
    rows = [Member(f"r{i}", f"s{i}") for i in range(40)]
    before = split(rows, PARTS)
    a = next(row for row in rows if before.part[row.id] == "train")
    b = next(row for row in rows if before.part[row.id] == "test")
    twins = list(range(40))
    twins[rows.index(b)] = rows.index(a)
    after = split(rows, PARTS, twins=twins, earlier=before.part)
    assert after.part[a.id] == after.part[b.id]
    assert set(after.moved) in ({a.id}, {b.id})


def test_shares_and_labels_are_reached() -> None:
    rows = crowd(6000)
    by_hash, by_label = split(rows, PARTS), split(rows, PARTS, balance="label")
    for made, far, gap in ((by_hash, 0.03, 0.05), (by_label, 0.002, 0.005)):
        found = report(rows, made)
        for name, part in found.parts.items():
            assert part.share.value == pytest.approx(PARTS[name], abs=far)
            assert part.share.low <= part.share.value <= part.share.high
        assert found.label_gap is not None
        assert found.label_gap < gap
        assert found.label_p is not None
        assert found.label_p > 0.001
    assert split(rows, PARTS, seed=1).part != by_hash.part


def test_the_hash_is_uniform_over_seeds() -> None:
    """One subject lands in a part as often as the part is large."""
    landed = Counter(split([Member("r", "s")], PARTS, seed=seed).part["r"] for seed in range(3000))
    for part, share in PARTS.items():
        assert landed[part] / 3000 == pytest.approx(share, abs=0.03)


def test_by_time_no_part_looks_ahead() -> None:
    rows = crowd(2000)
    made = split(rows, PARTS, by="time")
    latest: dict[str, str] = {}
    for row in rows:
        latest[row.subject or ""] = max(latest.get(row.subject or "", ""), row.time or "")
    by_part = {
        part: [latest[row.subject or ""] for row in rows if made.part[row.id] == part] for part in PARTS
    }
    assert all(by_part.values())
    assert max(by_part["train"]) < min(by_part["valid"])
    assert max(by_part["valid"]) < min(by_part["test"])


def test_by_site_whole_hospitals(data: Path) -> None:
    rows: list[Member] = []
    for path in sorted((data / "text" / "fed-heart-disease").glob("*.csv")):
        with path.open(encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines)):
                label = "1" if row["num"] != "0" else "0"
                rows.append(Member(f"{path.stem}{number}", None, path.stem, label))
    assert len(rows) == 920
    made = split(rows, {"train": 0.7, "test": 0.3}, by="site", sites={"va": "test"})
    where = {
        site: {made.part[row.id] for row in rows if row.site == site} for site in {row.site for row in rows}
    }
    assert where["va"] == {"test"}
    assert all(len(parts) == 1 for parts in where.values())
    found = report(rows, made)
    assert found.crossing_sites == 0
    assert {part.records > 0 for part in found.parts.values()} == {True}


def test_near_duplicate_questions_stay_together(data: Path) -> None:
    path = data / "text" / "toyhom_internal_medicine_dialogue" / "dev.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(1500), strict=False)]
    twins = near_duplicate_groups((row["ask"] for row in rows), threshold=0.6).tolist()
    listed = [Member(str(i), None, None, row["department"]) for i, row in enumerate(rows)]
    assert len(set(twins)) < len(twins) - 10
    made = split(listed, PARTS, balance="label", twins=twins)
    where: dict[int, set[str]] = {}
    for row, twin in zip(listed, twins, strict=True):
        where.setdefault(twin, set()).add(made.part[row.id])
    assert all(len(parts) == 1 for parts in where.values())
    found = report(listed, made)
    assert found.largest_component >= 2
    assert found.label_gap is not None
    assert found.label_gap < 0.01


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([Member("a"), Member("a")], {}, "each record id once"),
        ([Member("a")], {"parts": {"train": 0.5}}, "add up to 1"),
        ([Member("a")], {"parts": {"train": 1.5, "test": -0.5}}, "above 0"),
        ([Member("a")], {"parts": {}}, "above 0"),
        ([Member("a")], {"twins": [1, 2]}, "one a record"),
        ([Member("a")], {"by": "site"}, "1 of 1 records have none"),
        ([Member("a")], {"by": "time"}, "1 of 1 records have none"),
        ([Member("a", site="x")], {"by": "site"}, "do not fill"),
        ([Member("a", site="x")], {"by": "site", "sites": {"y": "test"}}, "hold no record"),
        ([Member("a", site="x")], {"sites": {"x": "test"}}, "the split is by subject"),
        ([Member("a")], {"earlier": {"a": "dev"}}, "got dev"),
        ([Member("a", time="2024")], {"by": "time", "earlier": {"a": "train"}}, "times alone"),
        ([Member("a", "s", "x"), Member("b", "s", "y")],
         {"by": "site", "sites": {"x": "train", "y": "test"}}, "share a subject"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_refused(rows: list[Member], options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        split(rows, **options)  # type: ignore[arg-type]


def test_a_report_needs_the_records_of_the_split() -> None:
    made = split([Member("a")])
    with pytest.raises(InvalidInputError):
        report([Member("b")], made)
    with pytest.raises(InvalidInputError):
        report([], made)
    json.dumps(report([Member("a")], made).as_json())
