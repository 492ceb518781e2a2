"""The checkpoint that comes with the package, and copies of it for other tools.

``get`` writes a folder that plain ``transformers`` loads by the model's name from where it lies. With a list of
labels the copy's head is cut down to those classes, in that order: a demonstration of a closed question, not a
diagnosis, since the head was never trained or calibrated to choose among just these.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.graph.load import starter
from xinglin.model.checkpoint import MANIFEST, saving, seal_checkpoint, verify_checkpoint
from xinglin.model.parts import CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, check_parts, read_json
from xinglin.terms.characters import normalise
from xinglin.types import DISCLAIMER, Checkpoint

NAME = "medical-open-model"
SHIPPED = Path(__file__).parent / "shipped"
CARD = "README.md"
HEAD = ("classifier.weight", "classifier.bias")
MAX_LABELS = 2000
LIMITS_ZH = "封闭标签的演示副本:只在所列疾病中选择,未经校准,不会弃权;仅供演示,不得用于诊断。"
LIMITS_EN = (
    "A copy restricted to a closed list of labels: it always chooses one of them, is uncalibrated and never "
    "abstains. For demonstration only, not for diagnosis."
)


def shipped_folder(name: str = NAME) -> Path:
    """Return the folder of a checkpoint that comes with the package.

    Raises:
        UnknownNameError: none of that name comes with this package; the message lists those that do.
    """
    known = sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST}"))
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.4) or known
        raise UnknownNameError(
            f"no model {name!r} comes with this package; nearest: {', '.join(near) or 'none at all'}"
        )
    return SHIPPED / name


def get(name: str, into: Path, labels: Sequence[str] | None = None) -> Checkpoint:
    """Copy a shipped checkpoint to ``into/name``, whole or not at all, and verify the copy.

    Args:
        name: a shipped model.
        into: the folder to put it in; made if absent. An earlier copy of the same name is replaced.
        labels: a closed list of diseases for a restricted copy, each a name or alias of the starter graph. They
            become the classes in this order, by the words given here. ONNX files and the calibration are left out.

    Raises:
        UnknownNameError: no such model, or a label that is no disease of the graph or no class of the model.
        InvalidInputError: fewer than two labels, one twice, or ``into/name`` holds something else.
        CheckpointError: the shipped checkpoint is damaged.
        TrainingError: the disk is full.
    """
    source = shipped_folder(name)
    target = into / name
    original = verify_checkpoint(source)
    chosen = None if labels is None else chosen_classes(labels, check_parts(source).labels)
    _may_replace(target, source, name)
    with saving(target) as new:
        if chosen is None:
            for file in (*original.manifest["files"], MANIFEST):
                shutil.copyfile(source / file, new / file)
            made = verify_checkpoint(new)
        else:
            made = _restricted(original, source, new, chosen)
    return Checkpoint(made.id, str(target), made.manifest)


def chosen_classes(labels: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Return the class that each label means, by label.

    A word that also names a finding (心绞痛) means the disease here; a wide word means the disease that the starter
    graph lists it under (心肌梗死 is 急性心肌梗死).

    Raises:
        UnknownNameError: a label that is no disease of the graph, or none of the classes.
        InvalidInputError: fewer than two labels, too many, an empty one, or two that mean the same disease.
    """
    words = [label.strip() for label in labels]
    if not 2 <= len(words) <= MAX_LABELS or not all(words):
        raise InvalidInputError(
            f"labels: expected 2 to {MAX_LABELS} names, none empty, got {len(words)}: 疾病名以逗号或顿号分隔"
        )
    known = set(classes)
    chosen: dict[str, str] = {}
    meant: dict[str, str] = {}
    for word in words:
        disease = _diseases().get(normalise(word))
        if disease is None or disease not in known:
            near = get_close_matches(word, sorted(known | set(_spellings())), n=5, cutoff=0.4)
            why = "is no disease of the starter graph" if disease is None else "is no class of this model"
            raise UnknownNameError(f"labels: {word[:60]!r} {why}; nearest: {', '.join(near) or 'none'}")
        if disease in meant:
            raise InvalidInputError(
                f"labels: {meant[disease]!r} and {word!r} both mean {disease}: keep one of them 请去掉其一"
            )
        meant[disease] = word
        chosen[word] = disease
    return chosen


@cache
def _spellings() -> dict[str, str]:
    """Every name and alias of the graph's diseases; names come first, so that a name always means its own row."""
    diseases = starter().diseases.values()
    spellings = {item.name: item.name for item in diseases}
    for item in diseases:
        for spelling in (item.en, *item.aliases, *item.aliases_en):
            spellings.setdefault(spelling, item.name)
    return spellings


@cache
def _diseases() -> dict[str, str]:
    found: dict[str, str] = {}
    for spelling, name in _spellings().items():
        found.setdefault(normalise(spelling), name)
    return found


def _may_replace(target: Path, source: Path, name: str) -> None:
    """Only an earlier copy of the same model is replaced, never a folder of somebody's own."""
    if target.resolve() == source.resolve():
        raise InvalidInputError(f"{target} is the package's own copy: choose another folder with --into")
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    manifest = target / MANIFEST
    if not target.is_dir() or not manifest.is_file() or read_json(manifest).get("name") != name:
        raise InvalidInputError(
            f"{target} is there already and is no copy of {name}: move it away, or choose another folder (--into)"
        )


def _restricted(original: Checkpoint, source: Path, new: Path, chosen: Mapping[str, str]) -> Checkpoint:
    """Write a copy whose head has only the chosen classes."""
    from safetensors.numpy import load_file, save_file

    config = read_json(source / CONFIG)
    places = {name: int(place) for place, name in config["id2label"].items()}
    rows = [places[disease] for disease in chosen.values()]
    tensors = load_file(source / WEIGHTS)
    for part in HEAD:
        if part in tensors:
            tensors[part] = tensors[part][rows]
    save_file(tensors, new / WEIGHTS, metadata={"format": "pt"})
    words = list(chosen)
    config |= {
        "id2label": {str(place): word for place, word in enumerate(words)},
        "label2id": {word: place for place, word in enumerate(words)},
    }
    (new / CONFIG).write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for file in (TOKENIZER, TOKENIZER_CONFIG):
        shutil.copyfile(source / file, new / file)
    manifest = original.manifest
    (new / CARD).write_text(_card(manifest, original.id, chosen), encoding="utf-8")
    return seal_checkpoint(
        new,
        name=manifest["name"],
        kind="classifier",
        data=manifest["data"],
        settings={"restricted": True, "calibrated": False, "abstains": False, "labels": dict(chosen)},
        seeds=manifest["seeds"],
        metrics={},
        parents=(original.id,),
        limits=f"{LIMITS_ZH} {LIMITS_EN}",
    )


def _card(manifest: Mapping[str, Any], identity: str, chosen: Mapping[str, str]) -> str:
    lines = [
        f"# {manifest['name']}: 封闭标签演示副本 restricted copy for demonstration",
        "",
        f"> {LIMITS_ZH} {LIMITS_EN}",
        "",
        f"> {DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "",
        f"Cut from checkpoint `{identity}`; the encoder is the same, of the head only these rows were kept:",
        "",
        "| 序号 id | 标签 label | 图谱疾病 disease of the graph |",
        "|---|---|---|",
        *(f"| {place} | {word} | {disease} |" for place, (word, disease) in enumerate(chosen.items())),
        "",
        "What the original was made of, with licences, is in `manifest.json`. For a diagnosis with evidence, red",
        "flags, calibration and abstention use `xinglin diagnose`.",
    ]
    return "\n".join(lines) + "\n"
