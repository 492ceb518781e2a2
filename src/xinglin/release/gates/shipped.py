"""The gates of the models that come with the package, judged from the evidence that was recorded with them.

``shipped.toml`` says of each model what is asked; whatever a policy could ask and does not must be waived with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xinglin.errors import InvalidInputError
from xinglin.model.checkpoint import MANIFEST, verify_checkpoint
from xinglin.model.shipped import SHIPPED, shipped_folder
from xinglin.records.decode import decode_json, read_toml
from xinglin.release.gates.policy import MAX_BYTES, Policy
from xinglin.release.gates.verdict import Check, Verdict, judge
from xinglin.release.registry.contents import check_content
from xinglin.release.registry.version import Evidence, Version
from xinglin.store.keys import canonical_json, digest

FILE = Path(__file__).parent / "shipped.toml"
SECTIONS = tuple(name for name in Policy.model_fields if name not in ("name", "figures"))
SCOREBOARD = "scoreboard.json"
"""Beside the results: which checkpoint each was measured on."""


class Standing(BaseModel):
    """What is asked of one shipped model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Policy
    waived: dict[str, str] = Field(default_factory=dict)
    """Section of the policy -> why it is not asked."""
    results: tuple[tuple[str, str, str], ...] = ()
    """(data set, mode, arm) of the recorded results that are evidence of this model."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A shipped model before its gate."""

    verdict: Verdict
    waived: dict[str, str]


def read_standings(path: Path = FILE) -> dict[str, Standing]:
    """Read what is asked of each shipped model.

    Raises:
        InvalidInputError: a model that is not shipped or is left out; a section neither asked nor waived, or both; a
            waiver without a reason.
    """
    found = {}
    for name, told in read_toml(path, "gates", MAX_BYTES).items():
        try:
            found[name] = Standing.model_validate(told)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, (name, *first["loc"])))
            raise InvalidInputError(f"{path.name}: {place}: {first['msg']}") from None
    shipped = sorted(folder.parent.name for folder in SHIPPED.glob(f"*/{MANIFEST}"))
    if sorted(found) != shipped:
        raise InvalidInputError(f"{path.name}: expected {', '.join(shipped)}; got {', '.join(sorted(found))}")
    for name, standing in found.items():
        _complete(f"{path.name}: {name}", standing)
    return found


def judge_shipped(name: str, standing: Standing, results: Path) -> Judged:
    """Judge a shipped model.

    Args:
        name: of the model.
        standing: what is asked of it.
        results: folder of the recorded results, ``docs/results`` of the source tree.

    Raises:
        InvalidInputError: recorded results are of another checkpoint, or are not what they must be.
        MissingDataError: there are no such results.
        CheckpointError: the shipped folder is not whole.
    """
    manifest = verify_checkpoint(shipped_folder(name)).manifest
    checkpoint = str(manifest["id"])
    contents = [*_recorded(manifest), *_measured(checkpoint, standing, results)]
    evidence = tuple(
        Evidence("metric", content, digest(canonical_json(content)), place, "", "recorded")
        for place, content in enumerate(contents, start=1)
    )
    version = Version(name, "shipped", checkpoint, manifest, "released", "first", 0, "", "", evidence)
    verdict = judge(version, standing.policy, now="", last_promotion=None)
    return Judged(verdict, standing.waived)


def _complete(where: str, standing: Standing) -> None:
    unknown = sorted(set(standing.waived) - set(SECTIONS))
    if unknown:
        raise InvalidInputError(f"{where}: there is no section {', '.join(unknown)} to waive")
    for section in SECTIONS:
        asked = bool(getattr(standing.policy, section))
        reason = standing.waived.get(section)
        if asked and reason is not None:
            raise InvalidInputError(f"{where}: {section} is asked and waived")
        if not asked and len((reason or "").split()) < 3:
            raise InvalidInputError(f"{where}: {section} is neither asked nor waived with a reason")


def _recorded(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures of a manifest that have an interval and an n; others are no evidence."""
    weak = any(item.get("weak") for item in manifest["data"])
    return [
        _metric(name, figure, figure["n"], "held out at training", weak)
        for name, figure in manifest["metrics"].items()
        if isinstance(figure, Mapping) and {"value", "low", "high", "n"} <= figure.keys()
    ]


def _measured(checkpoint: str, standing: Standing, results: Path) -> list[dict[str, Any]]:
    """The figures of recorded results, which must be of this very checkpoint."""
    if not standing.results:
        return []
    board = decode_json((results / SCOREBOARD).read_bytes(), SCOREBOARD)
    found = []
    for data, mode, arm in standing.results:
        if board.get(data, {}).get("model") != checkpoint:
            raise InvalidInputError(f"{data}: its results were measured on another checkpoint")
        rows = decode_json((results / f"{data}.json").read_bytes(), data)
        row = next((row for row in rows if (row["mode"], row["arm"]) == (mode, arm)), None)
        if row is None:
            raise InvalidInputError(f"{data}: no results of {mode}, {arm}")
        for name, figure in row["metrics"].items():
            if name in ("accuracy", "ece", "coverage"):
                found.append(_metric(name, figure, row["n"], f"{data}, {mode}", False))
        wrong = row["metrics"]["accuracy"]
        error = {"value": 1 - wrong["value"], "low": 1 - wrong["high"], "high": 1 - wrong["low"]}
        found.append(_metric("error", error, row["n"], f"{data}, {mode}", False))
    return found


def _metric(name: str, figure: Mapping[str, Any], n: int, data: str, weak: bool) -> dict[str, Any]:
    content = {"name": name, **{key: figure[key] for key in ("value", "low", "high")}, "n": n, "data": data}
    content |= {"weak": True} if weak else {}
    check_content("metric", content)
    return content


def missed(judged: Judged) -> list[Check]:
    """Return the checks that did not pass."""
    return [check for check in judged.verdict.checks if not check.passed]
