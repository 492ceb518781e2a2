"""Data quality: planted defects against the rules, near-duplicates against brute force, 100,000 records in one pass.

    python -m benchmarks data_quality [--only PART]

``rules``: one defect a rule, as people and programs make it, in copies of Synthea encounters with real questions; what
the rule found before is not counted for or against it. ``drift``: the records of four hospitals dealt at random to
four sites, without and with one site changed. ``copies``: pairs of real questions and retold ones, every pair compared
by brute force. ``speed``: records a second and peak memory of a process of its own.
"""

from __future__ import annotations

import csv
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from benchmarks._line import Line, aim
from benchmarks._quality_sets import DEFECTS, SHARED, encounters, questions, retold
from xinglin.measure import proportion
from xinglin.types import Code, Event, Patient, Record

PARTS = ("rules", "drift", "copies", "speed")
TODAY = date(2022, 1, 1)


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    parts: dict[str, Callable[[bool], list[Line]]] = {
        "rules": _rules, "drift": _drift, "copies": _copies, "speed": _speed,
    }  # fmt: skip
    return [line for name in only or PARTS for line in parts[name](quick)]


def _broken(records: Sequence[Record], rule: str) -> set[str]:
    """Every record that a rule names."""
    from xinglin.records.quality import QualityOptions, Row, assess

    options = QualityOptions(today=TODAY, near_duplicates=False, read_texts=0, examples=10**6)
    report = assess((Row(record) for record in records), name="planted", options=options)
    return {name for outcome in report.outcomes if outcome.rule.id == rule for name in outcome.examples}


def _rules(quick: bool) -> list[Line]:
    base = encounters()[: 300 if quick else None]
    before = {rule: _broken(base, rule) for rule in DEFECTS}
    lines = []
    for rule, defect in DEFECTS.items():
        random = np.random.default_rng(1)
        planted: dict[str, Record] = {}
        for place in random.permutation(len(base)):
            changed = defect(base[place], random) if base[place].id not in before[rule] else None
            if changed is not None and changed != base[place]:
                planted[base[place].id] = changed
            if len(planted) == (20 if quick else 100):
                break
        # A fact of a subject is told by the record that disagrees with the one before it: count subjects then.
        by_subject = rule == "age-and-dates"
        found = _broken([planted.get(record.id, record) for record in base], rule) - before[rule]
        key = (lambda name: name[:5]) if by_subject else (lambda name: name)
        truth, told = {key(name) for name in planted}, {key(name) for name in found}
        told -= {key(name) for name in before[rule]} if by_subject else set()
        hits = len(truth & told)
        note = (defect.__doc__ or "").strip().split("\n")[0]
        recall = proportion(hits, len(truth)) if truth else None
        lines.append(_figure(f"rule {rule}", "recall", recall, len(truth), note))
        precision = proportion(hits, len(told)) if told else None
        lines.append(
            _figure(
                f"rule {rule}", "precision", precision, len(told), "of what it found beyond the unplanted set"
            )
        )
    return lines


def _figure(name: str, figure: str, value: Any, n: int, note: str) -> Line:
    if value is None:
        return Line(name, figure, None, "", n, note=note or "nothing found")
    return Line(name, figure, value.value, "", n, value.low, value.high, note=note)


def _heart() -> list[Record]:
    found = []
    for path in sorted((SHARED / "text" / "fed-heart-disease").glob("*.csv")):
        with path.open(encoding="utf-8") as stream:
            for number, row in enumerate(csv.DictReader(stream)):
                events = () if row["thalach"] == "?" else (
                    Event(Code("text", "心率", "心率"), float(row["thalach"]), "/min"),)  # fmt: skip
                patient = Patient(age=float(row["age"]), sex="male" if float(row["sex"]) == 1 else "female")
                found.append(Record(f"{path.stem}-{number}", None, "", patient, events))
    return found


def _drift(quick: bool) -> list[Line]:
    """One false alarm over all tests of a report is what alpha allows; power for changes of a plausible size."""
    from xinglin.records.quality import QualityOptions, Row, assess

    records = _heart()
    options = QualityOptions(today=TODAY, near_duplicates=False, read_texts=0)

    def older(record: Record) -> Record:
        return replace(record, patient=replace(record.patient, age=float(record.patient.age or 0) + 7))

    def slower(record: Record) -> Record:
        return replace(
            record, events=tuple(replace(e, value=float(e.value or 0) - 15) for e in record.events)
        )

    def men(record: Record) -> Record:
        return replace(record, patient=replace(record.patient, sex="male"))

    changes = {
        "none": (lambda record: record, ""),
        "7 years older": (older, "age"),
        "pulse 15 lower": (slower, "heart rate"),
        "men only": (men, "sex"),
    }
    lines = []
    for name, (change, field) in changes.items():
        hits = 0
        repetitions = 5 if quick else 40
        for seed in range(repetitions):
            sites = np.random.default_rng(seed).integers(0, 4, len(records))
            rows = (
                Row(change(record) if site == 0 else record, f"s{site}")
                for record, site in zip(records, sites, strict=True)
            )
            drifts = assess(rows, name="dealt", options=options).drifts
            if field:
                hits += any(d.found and d.site == "s0" and d.field[1] == field for d in drifts)
            else:
                hits += any(d.adjusted < options.alpha for d in drifts)
        figure = proportion(hits, repetitions)
        what = "power (p and effect)" if field else "any false alarm (p alone)"
        note = (
            f"920 patients dealt to four sites; site of about 230 changed: {name}"
            if field
            else "aim <= 0.05 on average"
        )
        lines.append(
            Line(f"drift: {name}", what, figure.value, "", repetitions, figure.low, figure.high, note=note)
        )
    return lines


def _copies(quick: bool) -> list[Line]:
    from datasketch import MinHash, MinHashLSH
    from scipy.sparse import csr_array

    from xinglin.records.near_duplicates import NearDuplicates, jaccard, ngrams, plain_text

    random = np.random.default_rng(2)
    texts = questions()[: 300 if quick else 3000]
    texts += [retold(text, float(random.uniform(0.01, 0.12)), random) for text in texts[: len(texts) // 2]]
    texts = list(dict.fromkeys(plain_text(text) for text in texts))
    sets = [{text[i : i + 3] for i in range(max(len(text) - 2, 1))} for text in texts]
    names: dict[str, int] = {}
    columns = [names.setdefault(gram, len(names)) for grams in sets for gram in grams]
    starts = np.cumsum([0, *(len(grams) for grams in sets)])
    matrix = csr_array((np.ones(len(columns), np.int32), columns, starts), shape=(len(sets), len(names)))
    shared = (matrix @ matrix.T).tocoo()
    sizes = np.diff(starts)
    index = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    lines = []
    for threshold in (0.6, 0.8):
        near = (index >= threshold) & (shared.row < shared.col)
        truth = set(zip(shared.row[near].tolist(), shared.col[near].tolist(), strict=True))
        collected = NearDuplicates(threshold=threshold)
        started = time.perf_counter()
        for text in texts:
            collected.add(text)
        found = set(collected.pairs())
        ours = time.perf_counter() - started
        hits = len(found & truth)
        recall, precision = proportion(hits, len(truth)), proportion(hits, len(found))
        note = f"{len(texts)} texts, every pair by brute force, Jaccard >= {threshold}"
        lines += [
            Line("near-duplicate pairs", f"recall at {threshold}", recall.value, "", len(truth), recall.low, recall.high,
                 note=f"{note}; {aim(recall.value, 0.99, '', at_most=False)}"),
            Line("near-duplicate pairs", f"precision at {threshold}", precision.value, "", len(found), precision.low,
                 precision.high, note=note),
        ]  # fmt: skip
        gc.collect()
        started = time.perf_counter()
        peer = MinHashLSH(num_perm=128, params=(collected.bands, collected.rows))
        grams = [ngrams(text) for text in texts]
        pairs = set()
        for place, own in enumerate(grams):
            signature = MinHash(num_perm=128, seed=1, hashfunc=int, scheme="affine32")
            signature.update_batch(own)
            pairs |= {(o, place) for o in peer.query(signature) if jaccard(grams[o], own) >= threshold}
            peer.insert(place, signature)
        theirs = time.perf_counter() - started
        lines.append(
            Line(
                "near-duplicate pairs",
                f"wall at {threshold}",
                ours,
                "s",
                len(texts),
                reference=theirs,
                reference_name="datasketch.MinHashLSH, same bands and check, same run",
                note=f"same pairs: {pairs == found}",
            )
        )
    return lines


def _speed(quick: bool) -> list[Line]:
    """Each size in a process of its own, so that its peak memory is its own."""
    lines = []
    for n in (1000, 2000) if quick else (20_000, 100_000):
        command = [sys.executable, "-c", f"from benchmarks.data_quality import one_pass; one_pass({n})"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        note = f"{told['events']:,} events, {told['characters']:,} characters; all rules, near-duplicates on; CPU seconds"
        lines += [
            Line(f"report on {n:,} records", "records a CPU second", n / told["cpu"], "1/s", n, note=note),
            Line(f"report on {n:,} records", "peak memory above start", told["memory"], "MB", n,
                 note="of the process, over what it held once the vocabulary was loaded"),
        ]  # fmt: skip
    return lines


def one_pass(n: int) -> None:
    """Assess n records that differ from each other; print what it took as JSON."""
    import resource

    from xinglin.records.quality import QualityOptions, Row, assess

    base = encounters()
    random = np.random.default_rng(3)
    assess([Row(base[0])], name="warm", options=QualityOptions(today=TODAY))
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    making = 0.0

    def rows() -> Any:
        nonlocal making
        for number in range(n):
            began = time.process_time()
            record = base[number % len(base)]
            text = retold(record.text, 0.3, random)
            subject = f"{record.subject}-{number // len(base)}"
            row = Row(
                replace(record, id=f"{record.id}-{number}", subject=subject, text=text), f"site{number % 4}"
            )
            making += time.process_time() - began
            yield row

    began = time.process_time()
    report = assess(rows(), name="speed", options=QualityOptions(today=TODAY))
    spent = time.process_time() - began - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"cpu": spent, "memory": (peak - start) / 1024, **report.counts}))
