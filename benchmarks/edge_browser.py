"""The diagnosis in a browser's tab beside the server's: the same cases, whole JSON compared, time and size.

Cases: records of ai-hospital with their results (Chinese), questions of toyhom (Chinese, as people wrote them), coded
symptoms of DXY written as a sentence (templated), and vignettes of agentclinic (English); every file at a fixed
stride. The server is the real application; the tab is headless Chromium without a network.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._edge_browser import TOLD, Told, available, opened
from benchmarks._line import Line, aim, quantile
from xinglin.measure import proportion

ROOT = Path(__file__).resolve().parents[1]
WARM = 20
REPEATS = 2
"""Further passes: the quickest of a case's answers waited least for a processor that others use."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """One file of cases."""

    name: str
    path: str
    text: Callable[[Row], str]
    lang: str
    cases: int


def _hospital(row: Row) -> str:
    from xinglin.apps.diagnosis.evaluate.hospital import case_text

    return case_text(row, "statement+exams")


def _dxy(row: Row) -> str:
    told = row["explicit"] | row["implicit"]
    there = [name for name, state in told.items() if state == "1"]
    denied = [f"无{name}" for name, state in told.items() if state == "0"]
    return ",".join(["、".join(there), *denied]) + "。"


def _vignette(row: Row) -> str:
    patient = row["patient"]
    said = patient["Symptoms"]
    second = ", ".join(said.get("Secondary_Symptoms") or ())
    return f"{patient['Demographics']}. {patient['History']} {said['Primary_Symptom']}, {second}."


SOURCES = (
    Source("ai-hospital", "ai_hospital_cases/dev.jsonl.gz", _hospital, "zh", 100),
    Source(
        "toyhom", "toyhom_internal_medicine_dialogue/dev.jsonl.gz", lambda row: str(row["ask"]), "zh", 100
    ),
    Source("dxy, templated", "mz_dxy_diagnosis/dxy_train.jsonl.gz", _dxy, "zh", 60),
    Source("agentclinic", "agentclinic/dev.jsonl.gz", _vignette, "en", 40),
)


def cases(quick: bool = False) -> Iterator[tuple[str, Row]]:
    """Yield (source, request body) of every case."""
    from xinglin.errors import MissingDataError
    from xinglin.graph.importers import read_lines
    from xinglin.terms.reading import MAX_CHARACTERS

    folder = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "text"
    for source in SOURCES:
        path = folder / source.path
        if not path.is_file():
            raise MissingDataError(f"no {source.path} below the data folder: set XINGLIN_DATA")
        rows = [row for _, row in read_lines(path)]
        wanted = 2 if quick else source.cases
        for row in rows[:: max(1, len(rows) // wanted)][:wanted]:
            yield source.name, {"text": source.text(row)[:MAX_CHARACTERS], "lang": source.lang}


def run(quick: bool) -> list[Line]:
    why = available()
    if why is not None:
        return [Line("edge browser", "not measured", None, "", 0, note=why)]
    from fastapi.testclient import TestClient

    from xinglin.apps.diagnosis import load_differential
    from xinglin.serve.app import create_app
    from xinglin.serve.edge import write_edge
    from xinglin.store import open_store

    chosen = list(cases(quick))
    with tempfile.TemporaryDirectory() as home:
        written = write_edge(Path(home) / "edge")
        with opened(written.path) as tab:
            for _, body in chosen[: 2 if quick else WARM]:
                tab.diagnose(body)
            before = tab.spent()
            told = [tab.diagnose(body) for _, body in chosen]
            after = tab.spent()
            again = [[tab.diagnose(body).ms for _, body in chosen] for _ in range(REPEATS)]
            plain = [tab.diagnose({**body, "engine": "graph"}).body for _, body in chosen]
            vectors, load, sent = tab.vectors(), tab.load_ms, list(tab.requests)
        store = open_store(f"sqlite:///{Path(home) / 'server.db'}")
        app = create_app(load_differential(), store, workbench=False)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            server = [client.post("/api/diagnose", json=body).json() for _, body in chosen]
            alone = [
                client.post("/api/diagnose", json={**body, "engine": "graph"}).json() for _, body in chosen
            ]
        store.close()
    return [
        *_agreement(chosen, told, server),
        _share("whole JSON, every digit, engine graph", [a == b for a, b in zip(alone, plain, strict=True)]),
        *_conformance(*vectors),
        *_time(told, load, None if before is None or after is None else after - before, again),
        *_rest(written.size, sent),
    ]


def _first(answer: Row) -> str | None:
    listed = answer.get("candidates") or ()
    return listed[0]["code"]["id"] if listed else None


def _agreement(chosen: list[tuple[str, Row]], told: list[Told], server: list[Row]) -> list[Line]:
    ranked = [i for i, answer in enumerate(server) if _first(answer) is not None]
    same = [_first(server[i]) == _first(told[i].body) for i in range(len(server))]
    rows = [
        _share("first candidate, all sets", [same[i] for i in ranked], aimed=0.99),
        _share(
            "abstains or answers alike",
            [(_first(a) is None) == (_first(b.body) is None) for a, b in _pairs(server, told)],
        ),
        _share(
            "triage level", [a["triage_level"] == b.body["triage_level"] for a, b in _pairs(server, told)]
        ),
        _share("red flags", [a["red_flags"] == b.body["red_flags"] for a, b in _pairs(server, told)]),
        _share("findings read", [a["findings"] == b.body["findings"] for a, b in _pairs(server, told)]),
        _share("five candidates in order", [_order(server[i]) == _order(told[i].body) for i in ranked]),
        _share(
            "whole JSON, every digit, with the text model", [a == b.body for a, b in _pairs(server, told)]
        ),
    ]
    for source in SOURCES:
        mine = [i for i in ranked if chosen[i][0] == source.name]
        rows.append(_share(f"first candidate, {source.name}", [same[i] for i in mine]))
    gaps = [
        abs(a["score"] - b["score"])
        for i in ranked
        for a, b in zip(server[i]["candidates"], told[i].body.get("candidates", ()), strict=False)
        if a["code"] == b["code"]
    ]
    if gaps:
        note = "share of the posterior; the text model's INT8 kernels differ in the last digits"
        rows.append(
            Line(
                "candidates' shares, tab and server",
                "largest difference",
                max(gaps),
                "",
                len(gaps),
                note=note,
            )
        )
    return rows


def _pairs(server: list[Row], told: list[Told]) -> list[tuple[Row, Told]]:
    return list(zip(server, told, strict=True))


def _order(answer: Row) -> list[str]:
    return [item["code"]["id"] for item in answer.get("candidates", ())]


def _share(name: str, agreed: list[bool], aimed: float | None = None) -> Line:
    if not agreed:
        return Line(f"agreement with the server: {name}", "share", None, "", 0, note="no case")
    figure = proportion(sum(agreed), len(agreed))
    note = f"{sum(agreed)} of {len(agreed)}"
    if aimed is not None:
        note += f"; {aim(figure.value, aimed, '', at_most=False)}"
    return Line(
        *(f"agreement with the server: {name}", "share", figure.value, "", figure.n, figure.low, figure.high),
        note=note,
    )


def _conformance(agreed: int, of: int) -> list[Line]:
    return [
        Line("conformance vectors in the tab", "agree exactly", agreed / of, "", of, note=f"{agreed} of {of}")
    ]


def _time(told: list[Told], load: float, spent: float | None, again: list[list[float]]) -> list[Line]:
    mean = None if spent is None else 1000 * spent / len(told)
    rows = [
        Line(
            *("whole diagnosis", "processor time, mean", mean, "ms", len(told)),
            note=f"of the engine's thread alone; waiting for a processor is not in it; {TOLD}",
        ),
        Line(
            "ready from the first byte",
            "load",
            load / 1000,
            "s",
            1,
            note=f"loopback, digests checked; {TOLD}",
        ),
    ]
    for name, samples in (
        ("whole diagnosis", [item.ms for item in told]),
        (
            f"whole diagnosis, quickest of {1 + REPEATS}",
            [min(row) for row in zip((t.ms for t in told), *again, strict=True)],
        ),
        ("text model alone", [item.model_ms for item in told]),
        ("reading, graph, rules", [item.engine_ms for item in told]),
    ):
        for q in (0.5, 0.99):
            found = quantile(samples, q)
            note = aim(found.value, 60, "ms") if q == 0.5 and name.startswith("whole") else ""
            head = (name, f"p{q * 100:.0f}", found.value, "ms", found.n, found.low, found.high)
            rows.append(Line(*head, note="; ".join(filter(None, (note, TOLD)))))
    return rows


def _rest(size: int, sent: list[str]) -> list[Line]:
    return [
        Line("folder for one clinic", "size", size / 1e6, "MB", 1, note=aim(size / 1e6, 60, "MB")),
        Line(
            "requests after it was open", "count", float(len(sent)), "", 1, note=aim(len(sent), 0, "requests")
        ),
    ]
