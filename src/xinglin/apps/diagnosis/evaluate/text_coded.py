"""What the fitted engine says of coded cases, beside the text that was written from the same symptoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xinglin.apps.diagnosis.evaluate.text_sets import Question
from xinglin.apps.diagnosis.evaluate.text_stack import Array, Ids
from xinglin.apps.diagnosis.learn.encode import encode, gram_matrix, gram_table, merge
from xinglin.apps.diagnosis.learn.loglinear import fit_head, head_scores
from xinglin.apps.diagnosis.learn.mixture import by_disease, component_scores, fit_mixture, mixture_view
from xinglin.apps.diagnosis.learn.model import Settings

ARM = "A"
"""Every name counts, and what a full record does not mention is evidence, as in published scores."""
HEADS = {"self-report": "self", "full": "full"}


class CodedScorer:
    """The engine's two halves (log-linear head, latent-class mixture) over the symptoms of coded cases."""

    def __init__(self, cases: Sequence[Question], y: Ids, labels: int, mode: str, seed: int) -> None:
        """Read the states; ``y`` is the label index of the first cases, the rest are to be scored.

        In mode ``self-report`` a scored case shows its explicit symptoms alone. The answers of *learnt* cases
        shape the mixture in either mode, as in ``learn``.
        """
        known = cases[: len(y)]
        names = sorted(
            {name for case in known for part in ("explicit", "implicit") for name in case.row[part]}
        )
        index = {name: place for place, name in enumerate(names)}
        self.explicit = encode((_part(case, "explicit") for case in cases), index)
        self.full = merge(self.explicit, encode((_part(case, "implicit") for case in cases), index))
        self.gram = gram_matrix(names, gram_table(names))
        self.y, self.labels, self.seed = y, labels, seed
        self.kind = HEADS[mode]
        self.states = self.explicit if self.kind == "self" else self.full

    def __call__(self, rest: Ids, asked: Ids) -> Mapping[str, Array]:
        """Return normalised log scores of both halves."""
        options = Settings()
        head = fit_head(
            self.kind,
            self.states[rest],
            self.explicit[rest],
            self.y[rest],
            self.gram,
            self.labels,
            options.ridge[self.kind],
            options.cell_count,
        )
        mixture = fit_mixture(
            self.full[rest],
            self.y[rest],
            self.labels,
            options.components,
            options.cases_per_component,
            options.shrink,
            self.seed,
        )
        view = mixture_view(self.kind, ARM, self.states[asked])
        return {
            "engine, log-linear": head_scores(head, self.states[asked], self.explicit[asked]),
            "engine, mixture": np.maximum(
                by_disease(mixture, component_scores(mixture, view), self.labels), -30.0
            ),
        }


def _part(case: Question, name: str) -> Mapping[str, object]:
    part: Mapping[str, object] = case.row[name]
    return part
