"""Graphs in the store, on SQLite and PostgreSQL; other people's graphs and what happens when they are damaged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xinglin.errors import InvalidInputError, MissingDataError, UnknownNameError
from xinglin.graph.database import (
    index_graph,
    load_graph,
    neighbours,
    open_reports,
    report_error,
    save_graph,
)
from xinglin.graph.importers import FORMATS, read_graph, read_lines
from xinglin.graph.load import starter
from xinglin.graph.view import edges_of
from xinglin.ledger import entries, verify
from xinglin.store import Store, open_store
from xinglin.types import Code, Triple

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store on either database; graphs that a test leaves behind are of its own names."""
    if request.param == "sqlite":
        opened = open_store(f"sqlite:///{tmp_path / 'graph.db'}")
    else:
        opened = open_store(request.getfixturevalue("postgres_url"))
    yield opened
    opened.close()


def triple(head: str, relation: str, tail: str, **more: Any) -> Triple:
    return Triple(Code("t", head, f"{head}名"), relation, Code("t", tail, f"{tail}名"), "set.jsonl:1", **more)


ROWS = [
    triple("a", "has_finding", "x", qualifier="frequent", verified=True, reviewed_by="李医生"),
    triple("a", "exam", "y"),
    triple("b", "has_finding", "x"),
]


def actions(store: Store) -> list[str]:
    with store.read() as connection:
        verify(connection)
        return [entry.action for entry in entries(connection)]


def test_save_and_load_are_inverse(kept: Store) -> None:
    assert save_graph(kept, "small", iter(ROWS), source="set.jsonl", actor="test") == 3
    assert list(load_graph(kept, "small")) == ROWS
    displays = [(row.head.display, row.tail.display) for row in load_graph(kept, "small")]
    assert displays[0] == ("a名", "x名")
    assert actions(kept)[-1] == "graph.save"


def test_saving_again_replaces_one_graph_only(kept: Store) -> None:
    save_graph(kept, "one", ROWS, source="s", actor="test")
    save_graph(kept, "two", ROWS[:1], source="s", actor="test")
    save_graph(kept, "one", ROWS[1:], source="s", actor="test")
    assert list(load_graph(kept, "one")) == ROWS[1:]
    assert list(load_graph(kept, "two")) == ROWS[:1]


def test_a_failure_half_way_keeps_the_old_graph(kept: Store) -> None:
    save_graph(kept, "whole", ROWS, source="s", actor="test")
    before = actions(kept)

    def broken() -> Iterator[Triple]:
        yield from [triple("c", "exam", str(number)) for number in range(6000)]
        raise InvalidInputError("line 6001")

    with pytest.raises(InvalidInputError, match="line 6001"):
        save_graph(kept, "whole", broken(), source="s", actor="test")
    assert list(load_graph(kept, "whole")) == ROWS
    assert actions(kept) == before


def test_the_index_and_the_neighbours_agree(kept: Store) -> None:
    save_graph(kept, "small", ROWS, source="s", actor="test")
    index = index_graph(kept, "small")
    assert len(index) == 3
    assert sorted(index.out_of("a名")) == [("exam", "y名"), ("has_finding", "x名")]
    assert sorted(index.into("x名")) == [("has_finding", "a名"), ("has_finding", "b名")]
    for name in ("x", "x名"):
        assert {item.head.value for item in neighbours(kept, "small", name)} == {"a", "b"}
    assert neighbours(kept, "small", "z") == []


def test_an_unknown_graph_names_those_saved(kept: Store) -> None:
    save_graph(kept, "small", ROWS, source="s", actor="test")
    for look in (
        lambda: next(load_graph(kept, "large")),
        lambda: index_graph(kept, "large"),
        lambda: neighbours(kept, "large", "x"),
    ):
        with pytest.raises(UnknownNameError, match=r"saved: .*small"):
            look()


def test_the_starter_graph_survives_the_store(kept: Store) -> None:
    triples = starter().triples()
    assert len(triples) > 4000
    assert save_graph(kept, "starter", triples, source="starter", actor="test") == len(triples)
    assert tuple(load_graph(kept, "starter")) == triples
    found = neighbours(kept, "starter", "急性心肌梗死")
    assert len(found) == len(edges_of("急性心肌梗死"))


def test_reports_are_kept_and_entered(kept: Store) -> None:
    before = len(open_reports(kept))
    report_error(kept, subject="急性心肌梗死 has_finding 胸痛", message="频度偏低" * 3000, actor="wang")
    report_error(kept, subject="x" * 5000, message="", actor="wang")
    found = open_reports(kept)
    assert len(found) == before + 2
    assert len(found[0]["subject"]) == 2000
    assert found[1]["subject"].startswith("急性心肌梗死")
    assert len(found[1]["message"]) == 5000
    assert actions(kept)[-2:] == ["graph.report"] * 2


OPEN_SETS = {
    "chatdoctor": (
        "chatdoctor/disease_db_en.jsonl.gz",
        5_000,
        ("panic disorder", "has_finding", "palpitations"),
    ),
    "baidu_acl2020": ("baidu_acl2020_disease_findings/relations.jsonl.gz", 1_000, None),
    "disease_ontology": ("disease_ontology/terms.jsonl.gz", 20_000, None),
}


@pytest.mark.parametrize("name", OPEN_SETS)
def test_open_sets_come_in_whole(kept: Store, data: Path, name: str) -> None:
    file, least, fact = OPEN_SETS[name]
    path = data / "text" / file
    if not path.is_file():
        pytest.skip(f"no {name} at {path}")
    rows = list(read_graph(name, path))
    assert len(rows) >= least
    assert all(row.source.startswith(f"{path.parent.name}/{path.name}:") for row in rows)
    assert not any(row.verified or row.reviewed_by for row in rows)
    if fact:
        assert fact in {(row.head.display, row.relation, row.tail.display) for row in rows}
    assert save_graph(kept, name, rows, source=path.name, actor="test") == len(rows)
    assert sum(1 for _ in load_graph(kept, name)) == len(rows)


@pytest.mark.parametrize("name", ["xywy", "39"])
def test_restricted_sets_are_read_where_they_lie(data: Path, name: str) -> None:
    path = data / "restricted" / f"zh_disease_kg_{name}" / "kg.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {name} graph at {path}")
    count = sum(1 for _ in read_graph(name, path))
    assert count > 10_000
    assert "do not redistribute" in FORMATS[name].licence


def lines(path: Path, *rows: str) -> Path:
    content = "".join(row + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


GOOD = json.dumps({"disease": "Flu", "symptoms": ["Fever"], "exams_and_procedures": [], "medications": []})


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"disease": ', ":3: not JSON"),
        ("[1]", ":3: expected a JSON object"),
        ("[" * 100_000, ":3: nested too deeply"),
        ('{"n": ' + "9" * 5000 + "}", ":3: not JSON"),
        ('{"disease": 5}', ":3: disease: expected a name"),
        ('{"disease": "x", "symptoms": "Fever"}', ":3: symptoms: expected a list of strings"),
        ('{"disease": "x", "symptoms": [5]}', ":3: symptoms: expected a list of strings"),
        ('{"disease": "' + "x" * 4_100_000 + '"}', ":3: a line may hold at most"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, suffix: str, bad: str, message: str) -> None:
    path = lines(tmp_path / f"g.{suffix}", GOOD, "", bad, GOOD)
    with pytest.raises(InvalidInputError, match=f"^g.{suffix}{message}"):
        list(read_graph("chatdoctor", path))


def test_a_wrong_ontology_line_is_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "g.jsonl", '{"label": "x", "xrefs": ["a"]}')
    with pytest.raises(InvalidInputError, match=r"g\.jsonl:1: xrefs: expected an object"):
        list(read_graph("disease_ontology", path))


def test_a_damaged_gzip_is_named(tmp_path: Path) -> None:
    rows = [json.dumps({"disease": f"d{n}", "symptoms": [f"s{n * 7919 % 1000}"]}) for n in range(20_000)]
    whole = lines(tmp_path / "g.jsonl.gz", *rows).read_bytes()
    assert sum(1 for _ in read_lines(tmp_path / "g.jsonl.gz")) == 20_000
    middle = len(whole) // 2
    for name, content in {
        "cut": whole[:middle],
        "flipped": whole[:middle]
        + bytes(b ^ 0xFF for b in whole[middle : middle + 50])
        + whole[middle + 50 :],
        "plain": b"{}\n",
        "empty header": b"\x1f\x8b",
    }.items():
        path = tmp_path / f"{name}.jsonl.gz"
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=r"damaged after line \d+|:\d+: "):
            list(read_graph("chatdoctor", path))


def test_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_bytes(GOOD.encode() + b"\n" + "感冒".encode("gb18030") + b"\n")
    with pytest.raises(InvalidInputError, match=r"g\.jsonl: damaged after line"):
        list(read_lines(path))


def test_an_unknown_format_and_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="known: xywy"):
        list(read_graph("wikidata", tmp_path / "x"))
    with pytest.raises(MissingDataError, match="no file"):
        list(read_graph("39", tmp_path / "x"))
