"""Fitted panels as a sealed folder: compressed arrays, JSON, no pickle.

``model.npz`` holds counts, dual weights and LightGBM's text as arrays; ``config.json`` the numbers beside them;
the folder is sealed as every checkpoint is (:mod:`xinglin.model.checkpoint`, kind ``molecules``). Descriptors of the
training molecules are kept in steps of 1/31 standard deviation, which moves a probability in the third digit at most.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xinglin.errors import CheckpointError
from xinglin.measure.normalised import NormalisedInterval
from xinglin.measure.venn_abers import VennAbers
from xinglin.model.checkpoint import Kind, seal_checkpoint, verify_checkpoint
from xinglin.model.molecule.activity import ActivityModel, Panel
from xinglin.model.molecule.domain import Domain
from xinglin.model.molecule.features import FAMILIES, WIDTH, Features
from xinglin.model.molecule.fingerprints import descriptor_names
from xinglin.model.molecule.kernel import CLIP, DescriptorScale
from xinglin.model.parts import ARRAYS, CONFIG, read_json
from xinglin.model.saving import saving
from xinglin.types import Checkpoint

CARD = "README.md"
KIND: Kind = "molecules"
FORMAT = 1
"""Of the arrays."""
MAX_BYTES = 512 * 2**20
"""Of all arrays, unpacked."""
_STEPS = 31.0
"""Of a descriptor, to a standard deviation: within int8 up to four deviations."""


def save_panels(
    folder: Path,
    panels: Sequence[Panel],
    *,
    name: str,
    card: str,
    data: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    seeds: Sequence[int],
    metrics: Mapping[str, Any],
    limits: str,
) -> Checkpoint:
    """Write panels, whole or not at all, sealed.

    Args:
        folder: replaced if there.
        panels: the models.
        name: of the whole.
        card: the model card, Markdown.
        data: one object a data set: name, sha256, records, licence.
        settings: every setting of the fit.
        seeds: every seed it drew from.
        metrics: figures, each with what it was measured on.
        limits: what it must not be used for.

    Raises:
        TrainingError: the disk is full.
    """
    arrays: dict[str, NDArray[Any]] = {}
    told = [_packed(panel, f"{at}", arrays) for at, panel in enumerate(panels)]
    config = {
        "format": FORMAT,
        "families": list(FAMILIES),
        "width": WIDTH,
        "descriptors": list(descriptor_names()),
        "panels": told,
    }
    with saving(folder) as new:
        np.savez_compressed(new / ARRAYS, **arrays)  # type: ignore[arg-type]
        (new / CONFIG).write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        (new / CARD).write_text(card, encoding="utf-8")
        sealed = seal_checkpoint(
            new,
            name=name,
            kind=KIND,
            data=data,
            settings=settings,
            seeds=seeds,
            metrics=metrics,
            limits=limits,
        )
    return replace(sealed, path=str(folder))


def load_panels(folder: Path) -> tuple[list[Panel], dict[str, Any]]:
    """Return the panels of a folder and its manifest.

    Raises:
        CheckpointError: the folder does not verify, its model is of another kind or format, or was made with other
            descriptors than this version of RDKit has.
    """
    manifest = verify_checkpoint(folder).manifest
    if manifest["kind"] != KIND:
        raise CheckpointError(
            f"{folder}: expected fingerprint models of molecules, got {manifest['kind']}: another model"
        )
    config = read_json(folder / CONFIG)
    ours = {
        "format": FORMAT,
        "families": list(FAMILIES),
        "width": WIDTH,
        "descriptors": list(descriptor_names()),
    }
    for key, expected in ours.items():
        if config.get(key) != expected:
            raise CheckpointError(
                f"{folder.name}: {key} differs from this version's: train it anew (xinglin train molecules toxicity)"
            )
    try:
        arrays = _arrays(folder / ARRAYS)
        panels = [_unpacked(told, f"{at}", arrays) for at, told in enumerate(config["panels"])]
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise CheckpointError(f"{folder.name}: arrays and {CONFIG} do not fit together: {error}") from error
    return panels, manifest


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise CheckpointError(
            f"{path.name}: expected at most {MAX_BYTES:,} bytes unpacked, it states {size:,}"
        )
    with np.load(path, allow_pickle=False) as opened:
        return {name: opened[name] for name in opened.files}


def _packed(panel: Panel, at: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    scale, reference = panel.scale, panel.reference
    for family, counts in enumerate(reference.counts):
        ordered = counts.sorted_indices()
        # Gaps within a row instead of places: smaller numbers, which the compression likes.
        gaps = np.diff(ordered.indices, prepend=0)
        starts = ordered.indptr[:-1][np.diff(ordered.indptr) > 0]
        gaps[starts] = ordered.indices[starts]
        arrays[f"{at}.{family}.gaps"] = gaps.astype(np.uint16)
        arrays[f"{at}.{family}.counts"] = ordered.data.astype(np.uint8)
        arrays[f"{at}.{family}.lengths"] = np.diff(ordered.indptr).astype(np.uint16)
    # Columns one after another: neighbours are alike.
    scaled = np.rint(scale.apply(reference.descriptors) * _STEPS)
    arrays[f"{at}.descriptors"] = scaled.T.astype(np.int8)
    arrays[f"{at}.mean"], arrays[f"{at}.deviation"] = scale.mean, scale.deviation
    models = []
    for number, model in enumerate(panel.models):
        key = f"{at}.{number}"
        arrays[f"{key}.rows"] = np.diff(model.rows, prepend=0).astype(np.int32)
        arrays[f"{key}.dual"] = model.dual.astype(np.float32)
        arrays[f"{key}.trees"] = np.frombuffer(model.trees.encode(), np.uint8)
        for side in ("inside", "outside"):
            table: VennAbers | None = getattr(model, side)
            if table is not None:
                arrays[f"{key}.{side}"] = np.array([table.scores, table.low, table.high])
        if model.interval is not None:
            arrays[f"{key}.interval"] = np.array(
                [model.interval.floor, model.interval.quantile, *model.interval.weights]
            )
        models.append(
            {"task": model.task, "kind": model.kind, "offset": model.offset, "stack": list(model.stack)}
            | {"domain": asdict(model.domain)}
        )
    return {"name": panel.name, "length": scale.length, "models": models}


def _unpacked(told: Mapping[str, Any], at: str, arrays: Mapping[str, NDArray[Any]]) -> Panel:
    scale = DescriptorScale(arrays[f"{at}.mean"], arrays[f"{at}.deviation"], float(told["length"]))
    scaled = arrays[f"{at}.descriptors"].T.astype(np.float32) / np.float32(_STEPS)
    if np.abs(scaled).max(initial=0.0) > CLIP + 0.1:
        raise ValueError("descriptors beyond their bounds")
    described = (scaled * scale.deviation + scale.mean).astype(np.float32)
    counts = tuple(_family(f"{at}.{family}", arrays) for family in range(len(FAMILIES)))
    if len({len(described), *(family.shape[0] for family in counts)}) != 1:
        raise ValueError("families of different lengths")
    models = tuple(
        _model(one, f"{at}.{number}", arrays, len(described)) for number, one in enumerate(told["models"])
    )
    return Panel(str(told["name"]), Features(counts, described), scale, models)


def _family(key: str, arrays: Mapping[str, NDArray[Any]]) -> csr_matrix:
    gaps, lengths = arrays[f"{key}.gaps"].astype(np.int64), arrays[f"{key}.lengths"].astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    total = np.concatenate([[0], np.cumsum(gaps)])
    # Of a running sum over everything, what lay before a row's start is taken off again.
    places = total[1:] - np.repeat(total[ends[:-1]], lengths)
    if len(places) and (places.min() < 0 or places.max() >= WIDTH):
        raise ValueError("fragments beyond the width")
    values = arrays[f"{key}.counts"].astype(np.float32)
    return csr_matrix((values, places.astype(np.int32), ends), shape=(len(lengths), WIDTH))


def _model(one: Mapping[str, Any], key: str, arrays: Mapping[str, NDArray[Any]], size: int) -> ActivityModel:
    rows = np.cumsum(arrays[f"{key}.rows"], dtype=np.int64)
    dual = arrays[f"{key}.dual"].astype(np.float64)
    if len(rows) != len(dual) or (len(rows) and (rows.min() < 0 or rows.max() >= size)):
        raise ValueError("rows beyond the molecules")
    tables = {
        side: VennAbers(*arrays[f"{key}.{side}"])
        for side in ("inside", "outside")
        if f"{key}.{side}" in arrays
    }
    numbers = arrays.get(f"{key}.interval")
    interval = (
        None if numbers is None else NormalisedInterval(numbers[2:], float(numbers[0]), float(numbers[1]))
    )
    constant, machine, trees = (float(weight) for weight in one["stack"])
    return ActivityModel(
        str(one["task"]),
        one["kind"],
        rows,
        dual,
        float(one["offset"]),
        bytes(arrays[f"{key}.trees"]).decode(),
        (constant, machine, trees),
        Domain(float(one["domain"]["threshold"])),
        interval,
        **tables,
    )
