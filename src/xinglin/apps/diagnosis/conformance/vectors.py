"""Compute, write and read the conformance vectors.

``pack.json`` is a frozen excerpt of the starter graph; a line of ``vectors.jsonl`` is an input and its output.
Numbers are rounded to six decimals. A second runtime reads both files and must agree; a change of the
engine's arithmetic shows here first. ``python -m xinglin.apps.diagnosis.conformance.vectors`` rewrites them.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.apps.diagnosis.ask import advise_exams, information_gain, next_question
from xinglin.apps.diagnosis.expression import Facts, matched, parse
from xinglin.apps.diagnosis.pack import Pack, pack_from_json, plain, read_pack, seal, write_pack
from xinglin.apps.diagnosis.posterior import Engine, contributions, informative, scores, softmax
from xinglin.measure.conformal import aps_set
from xinglin.types import State

FOLDER = Path(__file__).parent
PACK, VECTORS = FOLDER / "pack.json", FOLDER / "vectors.jsonl"
DISEASES, CASES = 60, 150
RULES = (
    "胸痛 & (大汗 | 呼吸困难)",
    "收缩压<90 | 血氧饱和度<92",
    "2 of (发热, 头痛, 颈项强直)",
    "年龄>=60 & 晕厥",
)


def output(engine: Engine, given: dict[str, Any]) -> dict[str, Any]:
    """Return what an engine answers to one input.

    Args:
        engine: over the frozen pack.
        given: ``states`` (finding id -> state), ``age``, ``sex``, ``named`` (disease id -> state),
            ``urgent``, and for the rules ``holds`` and ``values``.
    """
    index = engine.finding_index
    states: dict[int, State] = {index[key]: state for key, state in given["states"].items()}
    named: dict[int, State] = {engine.disease_index[key]: state for key, state in given["named"].items()}
    logits = scores(engine, states, age=given["age"], sex=given["sex"], suspected=named)
    posterior = softmax(logits)
    gains = information_gain(engine, posterior)
    order = np.argsort(-posterior, kind="stable")[:5].tolist()
    asked = next_question(engine, gains, states)
    exams = advise_exams(engine, posterior, gains, states, given["urgent"], top=5)
    facts = Facts(frozenset(given["holds"]), given["values"])
    findings, diseases = engine.pack.findings, engine.pack.diseases
    return {
        "informative": {findings[f].key: state for f, state in informative(engine, states).items()},
        "logits": [round(float(value), 6) for value in logits],
        "top": [[diseases[d].key, round(float(posterior[d]), 6)] for d in order],
        "evidence": [
            [findings[f].key, s, round(w, 6)] for f, s, w in contributions(engine, states, order[0])
        ],
        "set90": [diseases[d].key for d in aps_set(posterior, 0.9)],
        "question": [findings[asked.finding].key, asked.gain] if asked else None,
        "exams": [[engine.pack.exams[item.exam].key, item.gain, item.later] for item in exams],
        "rules": [matched(parse(rule), facts) is not None for rule in RULES],
    }


def read_vectors() -> tuple[Pack, list[dict[str, Any]]]:
    """Return the frozen pack and the vectors (``{"input", "output"}``)."""
    lines = VECTORS.read_text(encoding="utf-8").splitlines()
    return read_pack(PACK), [json.loads(line) for line in lines]


def _excerpt(pack: Pack) -> Pack:
    """The first diseases of a shuffled order, with what touches them."""
    chosen = sorted(random.Random(20261123).sample(range(len(pack.diseases)), DISEASES))
    place = {old: new for new, old in enumerate(chosen)}
    body = json.loads(json.dumps(plain(pack)))
    keep = [
        i for i, finding in enumerate(pack.findings) if any(edge.disease in place for edge in finding.edges)
    ]
    keep = sorted(set(keep) | {parent for i in keep for parent in pack.findings[i].parents})
    at = {old: new for new, old in enumerate(keep)}
    for item in body["findings"]:
        item["edges"] = [[place[e[0]], *e[1:]] for e in item["edges"] if e[0] in place]
        item["parents"] = [at[p] for p in item["parents"] if p in at]
    exams = []
    for item in body["exams"]:
        item["roles"] = [[place[d], role, note] for d, role, note in item["roles"] if d in place]
        item["reveals"] = [at[f] for f in item["reveals"] if f in at]
        if item["roles"]:
            exams.append(item)
    body |= {
        "name": "conformance",
        "findings": [body["findings"][i] for i in keep],
        "diseases": [body["diseases"][i] for i in chosen],
        "exams": exams,
        "exclude_before": [[place[a], place[b]] for a, b in pack.exclude_before if a in place and b in place],
    }
    return seal(pack_from_json(body))


def _cases(pack: Pack) -> list[dict[str, Any]]:
    generator = random.Random(7)
    keys = [finding.key for finding in pack.findings]
    names = ["胸痛", "大汗", "呼吸困难", "发热", "头痛", "颈项强直", "晕厥"]
    cases = []
    for _ in range(CASES):
        disease = generator.randrange(len(pack.diseases))
        touching = [f.key for f in pack.findings if any(e.disease == disease for e in f.edges)]
        chosen = generator.sample(touching, min(len(touching), generator.randint(0, 6)))
        chosen += generator.sample(keys, generator.randint(0, 3))
        states = {key: generator.choice(["present", "present", "absent"]) for key in chosen}
        named = {pack.diseases[disease].key: generator.choice(["present", "unknown", "absent"])}
        cases.append(
            {
                "states": states,
                "age": generator.choice([None, 0.1, 3.0, 25.0, 58.0, 81.5]),
                "sex": generator.choice([None, "male", "female"]),
                "named": named if generator.random() < 0.2 else {},
                "urgent": generator.random() < 0.5,
                "holds": generator.sample(names, generator.randint(0, 5)),
                "values": {
                    "年龄": generator.choice([20.0, 60.0, 70.0]),
                    "收缩压": generator.choice([80.0, 120.0]),
                },
            }
        )
    return cases


def write_vectors(source: Pack) -> None:
    """Rewrite both files from a compiled starter pack."""
    pack = _excerpt(source)
    write_pack(pack, PACK)
    engine = Engine.build(pack)
    lines = [
        json.dumps({"input": case, "output": output(engine, case)}, ensure_ascii=False)
        for case in _cases(pack)
    ]
    VECTORS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from xinglin.apps.diagnosis.differential import load_differential

    write_vectors(load_differential(engine="graph").pack)
