"""Which experts wake for which department: choices counted over real text, and whether they depend on the department.

A choice is one expert chosen for one token. How unevenly a layer works is told by the entropy of its choices and by the
busiest expert's share against an even one; how much its choices tell of the department, by their mutual information,
against the same figure after departments were dealt anew to the documents (a permutation test over documents: tokens of
one document are not independent, so they are never permuted apart).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.measure import holm
from xinglin.model.experts.families import number_of_experts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Counts = NDArray[np.int64]
LONGEST = 256
"""Tokens of a text that are read."""
PERMUTATIONS = 999


@dataclass(frozen=True, slots=True)
class LayerLoad:
    """Figures of one layer's choices."""

    entropy: float
    """Of the experts' shares, 0 (one does all) to 1 (all alike)."""
    peak: float
    """The busiest expert's share times the number of experts: 1 when all are alike."""
    information: float
    """Mutual information of expert and department, bits a choice."""
    chance: float
    """Its mean when departments are dealt anew: what so few documents show without any dependence."""
    p: float
    """Permutation p-value of ``information``, corrected over the layers (Holm 1979)."""


@dataclass(frozen=True, slots=True)
class ExpertLoad:
    """Choices counted over texts of several departments."""

    departments: tuple[str, ...]
    documents: tuple[int, ...]
    """Texts of each department."""
    choices: Counts
    """department x layer x expert."""
    layers: tuple[LayerLoad, ...]
    permutations: int

    def shares(self) -> NDArray[np.float64]:
        """Return department x layer x expert: each expert's share of its department's choices in a layer."""
        return self.choices / self.choices.sum(axis=2, keepdims=True)


def grouped_texts(path: Path, text: str, group: str, most: int = 200) -> list[tuple[str, str]]:
    """Read (department, text) pairs of a JSON-lines file, at most ``most`` a department in the file's order.

    Raises:
        MissingDataError: no such file.
        InvalidInputError: a line that is no object, or lacks one of the two fields; the message names the line.
    """
    from xinglin.graph.importers import read_lines

    found: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    for number, row in read_lines(path):
        for field in (group, text):
            if not isinstance(row.get(field), str) or not row[field].strip():
                raise InvalidInputError(
                    f"{path.name}:{number}: expected the field {field!r} with text; fields: {', '.join(map(str, row))}"
                )
        seen[row[group]] = seen.get(row[group], 0) + 1
        if seen[row[group]] <= most:
            found.append((row[group], row[text]))
    return found


def measure_load(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[tuple[str, str]],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> ExpertLoad:
    """Run texts through a mixture and count which experts each department's tokens choose.

    Args:
        model: a mixture of experts of a standard class.
        tokenizer: its own.
        texts: (department, text) pairs; of a text the first ``LONGEST`` tokens are read.
        permutations: of the test; the p-value is never below ``1 / (permutations + 1)``.
        seed: of the permutations.

    Raises:
        InvalidInputError: the model has no experts, or the texts are of fewer than two departments.
        MissingExtraError: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("专家负荷 expert load", "train") from error
    experts = number_of_experts(model.config)
    if not experts:
        raise InvalidInputError(
            f"{model.config.model_type}: a dense model, it has no experts: upcycle it first"
        )
    departments = tuple(dict.fromkeys(department for department, _ in texts))
    if len(departments) < 2:
        raise InvalidInputError(f"expected texts of two departments or more, got {len(departments)}")
    rows: list[Counts] = []
    with _listening(model) as heard, torch.inference_mode():
        for _, text in texts:
            ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=LONGEST)["input_ids"]
            heard.clear()
            if ids.shape[1]:
                model(ids.to(model.device), use_cache=False)
            counted = [np.bincount(index.cpu().numpy().ravel(), minlength=experts) for index in heard]
            rows.append(np.array(counted, dtype=np.int64).reshape(-1, experts))
    counts = np.stack([row if len(row) else np.zeros_like(max(rows, key=len)) for row in rows])
    group = np.array([departments.index(department) for department, _ in texts])
    choices = _by_group(counts, group, len(departments))
    if not choices.sum(axis=(1, 2)).all():
        raise InvalidInputError("a department's texts have no token at all: leave it out")
    made = np.random.default_rng(seed)
    observed = information(choices)
    dealt = np.stack(
        [
            information(_by_group(counts, made.permutation(group), len(departments)))
            for _ in range(permutations)
        ]
    )
    # Rounding must not make a tie with the observed table look smaller than it.
    p = (1 + (dealt >= observed - 1e-12).sum(axis=0)) / (1 + permutations)
    totals = choices.sum(axis=0)
    layers = tuple(
        LayerLoad(
            entropy(total), float(total.max() / total.mean()), float(observed[place]),
            float(dealt[:, place].mean()), float(corrected),
        )
        for place, (total, corrected) in enumerate(zip(totals, holm(p), strict=True))
    )  # fmt: skip
    documents = tuple(int((group == place).sum()) for place in range(len(departments)))
    return ExpertLoad(departments, documents, choices, layers, permutations)


def entropy(counts: Counts) -> float:
    """Return the entropy of counts as a share of the greatest possible."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum() / np.log(len(counts)))


def information(choices: Counts) -> NDArray[np.float64]:
    """Return each layer's mutual information of department and expert in bits.

    Args:
        choices: department x layer x expert.
    """
    joint = choices / choices.sum(axis=(0, 2), keepdims=True)
    apart = joint.sum(axis=0, keepdims=True) * joint.sum(axis=2, keepdims=True)
    ratio = np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0)
    return np.asarray((joint * np.log2(ratio)).sum(axis=(0, 2)))


def _by_group(counts: Counts, group: NDArray[np.int64], groups: int) -> Counts:
    """Sum document x layer x expert into group x layer x expert."""
    member = (np.arange(groups)[:, None] == group).astype(np.int64)
    return (member @ counts.reshape(len(counts), -1)).reshape(groups, *counts.shape[1:])


@contextmanager
def _listening(model: PreTrainedModel) -> Iterator[list[Any]]:
    """Collect the indices that every router chooses, one tensor (tokens x chosen) a layer, in order."""
    heard: list[Any] = []
    blocks = [block for block in model.modules() if hasattr(block, "experts") and hasattr(block, "gate")]
    hooks = [
        block.gate.register_forward_hook(lambda _module, _given, made: heard.append(made[2]))
        for block in blocks
    ]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()
