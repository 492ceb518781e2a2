from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xinglin.errors import CheckpointError, ConfigurationError, MissingDataError, UnknownNameError
from xinglin.model.knowledge import EntityGraph, split
from xinglin.train.embed import (
    RECIPES,
    Embeddings,
    disease_head,
    embed_graph,
    read_embeddings,
)
from xinglin.train.link_ranks import filtered_ranks


@pytest.fixture(scope="module")
def graph() -> EntityGraph:
    """Diseases in five families of ten; a family shares its findings and its examination."""
    keys = (
        [f"disease:病{i}" for i in range(50)]
        + [f"finding:征{i}" for i in range(60)]
        + [f"exam:查{i}" for i in range(5)]
    )
    kinds = tuple(key.partition(":")[0] for key in keys)
    generator = np.random.default_rng(0)
    rows = []
    for disease in range(50):
        family = disease // 10
        rows += [(disease, 0, 50 + 12 * family + int(j)) for j in generator.choice(12, 8, replace=False)]
        rows.append((disease, 1, 110 + family))
    names = tuple((key.partition(":")[2],) for key in keys)
    return EntityGraph(tuple(keys), names, kinds, ("has_finding", "exam"), np.array(rows, np.int64))


@pytest.fixture(scope="module")
def made(graph: EntityGraph, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Embeddings, Path]]:
    folder = tmp_path_factory.mktemp("embeddings")
    epochs = {"transe": 10, "rotate": 2, "complex": 10}
    return {
        name: (
            embed_graph(graph, name, 16, epochs[name], 0, folder / name, test=0.1, valid=0.1),
            folder / name,
        )
        for name in RECIPES
    }


def test_structure_beats_popularity(made: dict[str, tuple[Embeddings, Path]]) -> None:
    assert set(made) == {"transe", "rotate", "complex"}
    for name, (found, _) in made.items():
        metrics = found.description["metrics"]
        assert metrics["n"] == 45, name
        assert metrics["hits_at_10"]["low"] <= metrics["hits_at_10"]["value"] <= metrics["hits_at_10"]["high"]
        if name != "rotate":  # which wants more epochs than a test has
            assert metrics["gain_mrr"]["low"] > 0.1, (name, metrics)


def test_what_is_saved_is_read_without_torch_and_holds_no_pickle(
    made: dict[str, tuple[Embeddings, Path]], graph: EntityGraph
) -> None:
    for name, (found, folder) in made.items():
        assert sorted(path.name for path in folder.iterdir()) == ["embeddings.json", "embeddings.safetensors"]
        again = read_embeddings(folder)
        assert np.array_equal(again.entity, found.entity)
        assert again.entity.shape == (len(graph.keys), 16), name
        assert again.relation.shape[0] == 2
        assert again.keys == graph.keys
        assert again.description["graph"] == graph.digest
    code = (
        "import sys; from pathlib import Path; from xinglin.train.embed import read_embeddings, disease_head\n"
        "head = disease_head(read_embeddings(Path(sys.argv[1])), 32, ['病1', '病2'], 0)\n"
        "sys.exit(head.shape != (2, 32) or 'torch' in sys.modules or 'pykeen' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 0


def test_the_saved_vectors_are_the_ones_that_were_scored(
    made: dict[str, tuple[Embeddings, Path]], graph: EntityGraph
) -> None:
    """A reader's own RotatE, from the file alone, finds the metrics of the file."""
    found, _ = made["rotate"]
    _, held = split(graph, 0.1, 0)
    entity = found.entity.reshape(len(found.entity), -1, 2) @ np.array([1, 1j])
    relation = found.relation.reshape(len(found.relation), -1, 2) @ np.array([1, 1j])
    assert np.abs(np.abs(relation) - 1).max() < 1e-4

    def score(rows: np.ndarray, tails: bool) -> np.ndarray:
        turned = relation[rows[:, 1]]
        if tails:
            gap = (entity[rows[:, 0]] * turned)[:, None] - entity
        else:
            gap = entity[None] * turned[:, None] - entity[rows[:, 2]][:, None]
        return -np.linalg.norm(gap, axis=2)

    ranks = filtered_ranks(score, held.triples, graph.triples)
    assert (1 / ranks).mean() == pytest.approx(found.description["metrics"]["mrr"]["value"], abs=0.01)


def test_the_same_seed_gives_the_same_vectors(graph: EntityGraph, tmp_path: Path) -> None:
    one, two, other = (
        embed_graph(graph, "transe", 8, 1, seed, tmp_path / f"{i}") for i, seed in enumerate((0, 0, 1))
    )
    assert np.array_equal(one.entity, two.entity)
    assert not np.array_equal(one.entity, other.entity)


def test_pykeen_writes_nothing_into_the_home(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from pathlib import Path; from xinglin.model.knowledge import entity_graph, EntityGraph\n"
        "from xinglin.train.embed import _pykeen\n"
        "with _pykeen():\n    import pykeen.models\n"
    )
    import os

    env = {key: value for key, value in os.environ.items() if not key.startswith("PYSTOW")} | {
        "HOME": str(tmp_path)
    }
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
    assert not [path for path in tmp_path.rglob("*") if "pykeen" in path.name or path.name == ".data"]


def test_heads_keep_neighbours_and_the_usual_size(made: dict[str, tuple[Embeddings, Path]]) -> None:
    found, _ = made["transe"]
    names = [f"病{i}" for i in range(50)]
    for width in (8, 64):
        head = disease_head(found, width, names, seed=1)
        assert head.shape == (50, width)
        assert head.dtype == np.float32
        assert head.std() == pytest.approx(0.02, rel=1e-3)
        assert np.abs(head.mean(axis=0)).max() < 1e-3
        assert np.array_equal(head, disease_head(found, width, names, seed=1))
    wide = disease_head(found, 64, names, seed=1)
    assert not np.allclose(wide, disease_head(found, 64, names, seed=2))
    rows = found.entity[:50] - found.entity[:50].mean(0)
    kept = np.linalg.matrix_rank(rows, tol=1e-6 * np.linalg.norm(rows, 2))
    spread = np.linalg.svd(wide, compute_uv=False)
    assert spread[:kept] == pytest.approx(np.full(kept, spread[0]), rel=1e-3)  # whitened
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    near = unit @ unit.T
    family = np.arange(50) // 10
    same = (family[:, None] == family) & ~np.eye(50, dtype=bool)
    assert near[same].mean() > near[family[:, None] != family].mean() + 0.05


def test_bad_input_is_named(
    made: dict[str, tuple[Embeddings, Path]], graph: EntityGraph, tmp_path: Path
) -> None:
    found, folder = made["complex"]
    with pytest.raises(UnknownNameError, match="rotate"):
        embed_graph(graph, "distmult", 8, 1, 0, tmp_path / "x")
    with pytest.raises(ConfigurationError, match="even dim"):
        embed_graph(graph, "transe", 7, 1, 0, tmp_path / "x")
    with pytest.raises(UnknownNameError, match="病1"):
        disease_head(found, 8, ["病1", "病1x"], 0)
    with pytest.raises(MissingDataError, match="train graph"):
        read_embeddings(tmp_path)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "embeddings.json").write_bytes((folder / "embeddings.json").read_bytes())
    (damaged / "embeddings.safetensors").write_bytes(
        (folder / "embeddings.safetensors").read_bytes()[:-4] + b"\0\0\0\1"
    )
    with pytest.raises(CheckpointError, match="SHA-256"):
        read_embeddings(damaged)
    body = json.loads((folder / "embeddings.json").read_text(encoding="utf-8"))
    del body["sha256"]
    (damaged / "embeddings.json").write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_embeddings(damaged)
