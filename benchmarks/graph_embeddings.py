"""TransE, RotatE and ComplEx on the starter graph: filtered MRR and Hits@10 on held-out triples, in one run.

The same split for the three; the reference is the floor that knows no structure: how often an entity is the answer
for the relation in training. No triple between two entities is scored while another one joins them in training.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks._line import Line

NAMES = {"mrr": "filtered MRR", "hits_at_10": "filtered Hits@10"}
FLOOR = "popularity of the entity for the relation"


def run(quick: bool) -> list[Line]:
    import torch

    from xinglin.model.knowledge import entity_graph, split
    from xinglin.train.embed import RECIPES, embed_graph

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    graph = entity_graph(with_options=not quick)
    dim, epochs = (16, 1) if quick else (128, 20)
    if quick:
        graph, _ = split(graph, 0.9, 0)
    lines = []
    for model in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            found = embed_graph(graph, model, dim, epochs, 0, Path(folder) / model).description
        metrics = found["metrics"]
        for key, name in NAMES.items():
            figure, gain = metrics[key], metrics[f"gain_{key}"]
            note = (
                f"gain over the floor {gain['value']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]; "
                f"{dim} numbers a vector, epoch {found['best_epoch']} of at most {epochs}"
            )
            floor = metrics[f"floor_{key}"]["value"]
            lines.append(
                Line(f"{model}, starter graph", name, figure["value"], "", metrics["n"], figure["low"], figure["high"],
                     floor, FLOOR, note)
            )  # fmt: skip
    return lines
