"""A retrosynthesis model as a folder: templates, precedents, counts and the ranker, with their digests.

Only JSON, TSV and safetensors are read, nothing that can run. ``manifest.json`` holds the SHA-256 of every file, the
data, the settings, and the surroundings of one known molecule: where another RDKit numbers them differently, the
counts would silently find nothing, so such a model is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.routes.precedents import FEATURES, Library, Precedent
from xinglin.apps.drugs.routes.sites import RADII, Product, Site, reference
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.saving import saving
from xinglin.terms.tsv import rows

SHIPPED = Path(__file__).parent / "shipped"
MANIFEST = "manifest.json"
FILES = ("templates.tsv", "precedents.tsv", "counts.safetensors", "ranker.json")
FORMAT = 1
MAX_BYTES = 200 << 20


def keep(folder: Path, library: Library, ranker: str, manifest: Mapping[str, Any]) -> None:
    """Write a model, whole or not at all.

    Args:
        folder: replaced if it is there.
        ranker: LightGBM's model text.
        manifest: data, settings and metrics; digests and format are added.
    """
    from safetensors.numpy import save_file

    with saving(folder) as new:
        templates = ["pattern\tpattern_smarts\tsmarts"]
        for template, pattern in enumerate(library.pattern_of):
            templates.append(f"{pattern}\t{library.patterns[pattern]}\t{library.templates[template]}")
        (new / "templates.tsv").write_text("\n".join(templates) + "\n", encoding="utf-8")
        known = ["product\treactants\ttemplate"]
        known += [f"{one.product}\t{one.reactants}\t{one.template}" for one in library.precedents]
        (new / "precedents.tsv").write_text("\n".join(known) + "\n", encoding="utf-8")
        save_file(_arrays(library), new / "counts.safetensors")
        (new / "ranker.json").write_text(
            json.dumps({"features": FEATURES, "model": ranker}), encoding="utf-8"
        )
        body = {
            "format": FORMAT,
            "reference": list(reference()),
            **manifest,
            "files": {name: _digest(new / name) for name in FILES},
        }
        (new / MANIFEST).write_text(json.dumps(body, ensure_ascii=False, indent=1), encoding="utf-8")


def load(folder: Path = SHIPPED) -> tuple[Library, str, dict[str, Any]]:
    """Return library, ranker text and manifest of a model.

    Raises:
        CheckpointError: a file is absent, changed, too large, or made with another RDKit.
        MissingExtraError: RDKit is not installed.
    """
    from safetensors.numpy import load_file

    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT or set(manifest["files"]) != set(FILES):
            raise CheckpointError(f"{folder.name}: expected a retrosynthesis model of format {FORMAT}")
        for name, digest in manifest["files"].items():
            path = folder / name
            if path.stat().st_size > MAX_BYTES or _digest(path) != digest:
                raise CheckpointError(
                    f"{folder.name}/{name} is not the file that the manifest names: get it anew"
                )
        if tuple(manifest["reference"]) != reference():
            raise CheckpointError(
                f"{folder.name} was made with an RDKit that numbers atom environments differently: make it anew "
                "with xinglin train molecules templates"
            )
        ranker = json.loads((folder / "ranker.json").read_text(encoding="utf-8"))
        if ranker["features"] != list(FEATURES):
            raise CheckpointError(f"{folder.name}: the ranker was made for other features: make it anew")
        library = _read(folder, load_file(folder / "counts.safetensors"))
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise CheckpointError(
            f"{folder.name}: expected a retrosynthesis model, {type(error).__name__} on reading it"
        ) from error
    return library, str(ranker["model"]), manifest


def _arrays(library: Library) -> dict[str, NDArray[np.int64]]:
    arrays = {
        "around": np.array([one.site.around for one in library.precedents], dtype=np.int64),
        "size": np.array([len(one.site.atoms) for one in library.precedents], dtype=np.int64),
        "each": np.concatenate(
            [np.array(one.site.each, dtype=np.int64) for one in library.precedents], axis=1
        ),
    }
    for radius in range(RADII):
        for name, counts in (("seen", library.seen[radius]), ("atom_seen", library.atom_seen[radius])):
            keys = sorted(counts)
            arrays[f"{name}_{radius}"] = np.array(
                [(*key, counts[key]) for key in keys], dtype=np.int64
            ).reshape(-1, 3)
    return arrays


def _read(folder: Path, arrays: Mapping[str, NDArray[np.int64]]) -> Library:
    templates, pattern_of, patterns = [], [], {}
    for row in rows(folder / "templates.tsv", ("pattern", "pattern_smarts", "smarts")):
        number = int(row["pattern"])
        patterns[number] = row["pattern_smarts"]
        pattern_of.append(number)
        templates.append(row["smarts"])
    ends = np.cumsum(arrays["size"])
    precedents = []
    for place, row in enumerate(rows(folder / "precedents.tsv", ("product", "reactants", "template"))):
        template = int(row["template"])
        start = ends[place] - arrays["size"][place]
        each = tuple(tuple(map(int, line[start : ends[place]])) for line in arrays["each"])
        around = tuple(map(int, arrays["around"][place]))
        site = Site(pattern_of[template], tuple(range(len(each[0]))), (), around, each)
        fingerprint = Product.read(row["product"]).fingerprint
        precedents.append(Precedent(row["product"], row["reactants"], template, site, fingerprint))
    library = Library(
        templates, pattern_of, [patterns[number] for number in range(len(patterns))], precedents
    )
    library.count(())
    for radius in range(RADII):
        library.seen[radius] = _counter(arrays[f"seen_{radius}"])
        library.atom_seen[radius] = _counter(arrays[f"atom_seen_{radius}"])
    return library


def _counter(table: NDArray[np.int64]) -> Counter[tuple[int, int]]:
    return Counter({(int(a), int(b)): int(count) for a, b, count in table})


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
