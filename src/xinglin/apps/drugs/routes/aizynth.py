"""AiZynthFinder as another engine for the search, where somebody has installed and configured it.

AiZynthFinder (Genheden et al. 2020, doi 10.1186/s13321-020-00472-1) brings its own policy and stock, named in its YAML
configuration, which also holds its bounds. It needs NumPy 1 and we need NumPy 2, so it runs as a program from an
environment of its own. Its routes come back in our form and go through our screen like our own.
"""

from __future__ import annotations

import gzip
import json
import math
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xinglin.apps.drugs.routes.reactions import canonical
from xinglin.apps.drugs.routes.retro import Step
from xinglin.apps.drugs.routes.search import Found, Route, SearchOptions
from xinglin.apps.drugs.safety import Refusal, refuse, screen
from xinglin.errors import InvalidInputError, MissingDataError, MissingProgramError, XinglinError

PROGRAM = "aizynthcli"
MAX_OUTPUT = 500 << 20
"""Bytes, unpacked."""
STARTING = 120.0
"""Seconds that loading the policy may take, beside the bound of every target."""


class EngineError(XinglinError):
    """AiZynthFinder ran and failed."""

    title = "the other engine failed"
    status = 500


def run_aizynthfinder(
    targets: Sequence[str], config: Path, options: SearchOptions | None = None, *, program: str = PROGRAM
) -> list[Found]:
    """Search routes to some molecules with one run of AiZynthFinder.

    Args:
        targets: canonical SMILES.
        config: AiZynthFinder's YAML: policy, stock, bounds.
        options: how many routes are wanted, what a step costs, and how long a target may take before the run is
            given up (twice the seconds, since the program has bounds of its own).
        program: ``aizynthcli``, or its path.

    Raises:
        ControlledSubstanceError: a target is scheduled; nothing is started.
        MissingProgramError: there is no such program.
        MissingDataError: there is no such configuration.
        EngineError: it failed, took too long, or wrote something else than expected.
    """
    chosen = options or SearchOptions()
    refuse(targets)
    if not config.is_file():
        raise MissingDataError(f"expected AiZynthFinder's configuration, there is none at {config.name}")
    found = shutil.which(program)
    if found is None:
        raise MissingProgramError(
            f"{program} is not on the path. AiZynthFinder needs an environment of its own (NumPy 1): "
            'python -m venv aizynth && aizynth/bin/pip install aizynthfinder "pyarrow<20"; then give --aizynthcli '
            "aizynth/bin/aizynthcli"
        )
    with tempfile.TemporaryDirectory(prefix="xinglin-aizynth-") as folder:
        inputs, output = Path(folder) / "targets.txt", Path(folder) / "routes.json.gz"
        inputs.write_text("\n".join(targets) + "\n", encoding="utf-8")
        command = [found, "--smiles", str(inputs), "--config", str(config.resolve()), "--output", str(output)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=STARTING + 2 * chosen.seconds * len(targets),
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"AiZynthFinder did not end within {error.timeout:.0f} s: lower time_limit in its configuration"
            ) from error
        if done.returncode != 0 or not output.is_file():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise EngineError(f"AiZynthFinder ended with code {done.returncode}: {last[:200]}")
        rows = _rows(output)
    if len(rows) != len(targets):
        raise EngineError(f"expected {len(targets)} results of AiZynthFinder, got {len(rows)}")
    return [read_result(target, row, chosen) for target, row in zip(targets, rows, strict=True)]


def _rows(output: Path) -> list[Mapping[str, Any]]:
    try:
        with gzip.open(output, "rb") as file:
            body = file.read(MAX_OUTPUT + 1)
        if len(body) > MAX_OUTPUT:
            raise EngineError(f"expected at most {MAX_OUTPUT >> 20} MiB from AiZynthFinder")
        return list(json.loads(body)["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"expected AiZynthFinder's JSON table, {type(error).__name__} on reading it"
        ) from error


def read_result(target: str, row: Mapping[str, Any], options: SearchOptions) -> Found:
    """Return one row of AiZynthFinder's table in our form; routes with a scheduled molecule are left out.

    Raises:
        InvalidInputError: it is no such row.
    """
    routes: list[Route] = []
    refused: dict[str, Refusal] = {}
    for tree in row.get("trees") or ():
        route = read_route(tree, options.step_cost)
        if route is None or route.step is None:
            continue
        found = _refusals(route)
        refused |= {refusal.digest: refusal for refusal in found}
        if not found:
            routes.append(route)
    routes.sort(key=lambda route: route.cost)
    return Found(
        target,
        tuple(routes[: options.routes]),
        int(row.get("number_of_nodes") or 0),
        float(row.get("search_time") or 0.0),
        "AiZynthFinder",
        tuple(refused.values()),
    )


def read_route(tree: Mapping[str, Any], step_cost: float) -> Route | None:
    """Return a route from AiZynthFinder's nested dictionary; None where a leaf is not in stock.

    Raises:
        InvalidInputError: it is not that dictionary.
    """
    if tree.get("type") != "mol" or "smiles" not in tree:
        raise InvalidInputError("expected a route of AiZynthFinder: a molecule with its reactions below")
    smiles = canonical(str(tree["smiles"]))
    reactions = tree.get("children") or []
    if not reactions:
        return Route(smiles, None, (), 0.0) if tree.get("in_stock") else None
    below = []
    for child in reactions[0].get("children") or ():
        made = read_route(child, step_cost)
        if made is None:
            return None
        below.append(made)
    told = reactions[0].get("metadata") or {}
    score = float(told.get("policy_probability", math.nan))
    if not below or not score >= 0:
        raise InvalidInputError(
            "expected a reaction of AiZynthFinder with precursors and a policy_probability"
        )
    template = int(told.get("template_code", -1))
    step = Step(tuple(child.smiles for child in below), template, str(told.get("template", "")), score, "")
    cost = step_cost - math.log(max(score, 1e-9)) + sum(child.cost for child in below)
    return Route(smiles, step, tuple(below), cost)


def _refusals(route: Route) -> list[Refusal]:
    found = (screen(node.smiles, reagent=node.step is None) for node in route.nodes())
    return [refusal for refusal in found if refusal is not None]
