"""Epsilon by Google's dp-accounting, which cannot share an environment with us: run by a Python that has it alone.

``PYTHON benchmarks/_privacy_reference.py > benchmarks/_privacy_reference.json`` makes the committed table anew. It
imports nothing of this project; ``tests/federate/privacy/test_accountant.py`` compares with the table, and with a run of
this file where ``XINGLIN_DP_ACCOUNTING`` names such a Python.
"""

from __future__ import annotations

import json
import math
import sys

ORDERS = [*(1 + tenth / 10 for tenth in range(1, 100)), *range(11, 65), 80, 96, 128, 192, 256, 384, 512]
ROUND = (32 / 4000, 1.0, 125)
CASES: list[tuple[str, list[tuple[float, float, int]], float]] = [
    ("one round", [ROUND], 1e-5),
    *((f"{count} rounds", [(32 / 4000, 1.0, 125 * count)], 1e-5) for count in (10, 50, 100, 200)),
    ("no sampling", [(1.0, 5.0, 20)], 1e-5),
    ("one step", [(0.01, 1.0, 1)], 1e-6),
    ("much noise", [(0.1, 20.0, 100)], 1e-5),
    ("little noise", [(0.05, 0.6, 40)], 1e-5),
    ("small hospital", [(4 / 30, 5.0, 1500)], 1 / 300),
    ("three jobs", [(0.008, 1.0, 1250), (0.1, 2.0, 100), (0.02, 1.5, 500)], 1e-5),
    ("jobs and hospital noise", [(0.01, 1.1, 300), (1.0, 3.0, 5), (0.2, 4.0, 60)], 1e-4),
    ("a drop in a sea", [(1e-4, 0.8, 10_000)], 1e-7),
]
GROUPS = [
    (0.01, 2.0, 100, 2, 1e-5),
    (0.01, 4.0, 50, 5, 1e-3),
    (0.1, 8.0, 20, 3, 1e-5),
    (0.3, 30.0, 10, 10, 1e-4),
]
"""Rate, noise, steps, examples of one patient, delta."""


def main() -> None:
    from dp_accounting import dp_event
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    rows = []
    for name, steps, delta in CASES:
        rdp, pld = RdpAccountant(orders=ORDERS), PLDAccountant(value_discretization_interval=1e-4)
        for rate, noise, count in steps:
            event = dp_event.PoissonSampledDpEvent(rate, dp_event.GaussianDpEvent(noise))
            rdp.compose(event, count)
            pld.compose(event, count)
        rows.append(
            {
                "name": name,
                "steps": steps,
                "group": 1,
                "delta": delta,
                "rdp": rdp.get_epsilon(delta),
                "pld": pld.get_epsilon(delta),
            }
        )
    for rate, noise, count, group, delta in GROUPS:
        # exact: as many of the group as a binomial draws, each moving the sum by one clipping norm
        chances = [math.comb(group, k) * rate**k * (1 - rate) ** (group - k) for k in range(group + 1)]
        pld = PLDAccountant(value_discretization_interval=1e-4)
        pld.compose(dp_event.MixtureOfGaussiansDpEvent(noise, list(range(group + 1)), chances), count)
        rows.append(
            {
                "name": f"a patient with {group} examples",
                "steps": [(rate, noise, count)],
                "group": group,
                "delta": delta,
                "rdp": None,
                "pld": pld.get_epsilon(delta),
            }
        )
    json.dump(rows, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
