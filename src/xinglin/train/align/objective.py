"""The contrastive losses: is a sentence true of what is here; is it true of anything elsewhere; whose is it.

- Sigmoid loss over pairs (SigLIP, Zhai et al. 2023). Where we differ: a pair counts as true wherever the ratings make
  the sentence true, not only on the diagonal; pairs that are neither true nor false are left out; every sentence weighs
  the same, and its true pairs as much as its false ones, so that what is rare is learnt as well. Pairs are judged by the
  places at the nodule, and away from it no sentence about a nodule is true: else the map peaks at the nodule's rim.
- InfoNCE over whole reports (CLIP, Radford et al. 2021, arXiv 2103.00020), both ways, with every report that is true of
  a nodule counted as its own (the log of the summed probability of all of them).
- InfoNCE over short queries alone: two wordings of one statement belong together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xinglin.model.align.networks import Aligned

Losses = dict[str, Tensor]
OWN = 0.5
"""Weight of InfoNCE beside the sigmoid loss."""
SAME = 0.3
"""Weight of the contrast between queries."""


class AlignObjective(nn.Module):
    """A batch of windows and sentences in, scalar losses out."""

    def __init__(self, model: Aligned) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        features: Tensor,
        near: Tensor,
        far: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        truth: Tensor,
        meant: Tensor,
    ) -> Losses:
        """Return ``loss`` and its parts.

        Args:
            features: (n, features, places, 1, 1) of some places of windows; the first k windows hold the nodules that
                the first k sentences are reports of.
            near: (n, places): those at the nodule; none in a window without one.
            far: likewise, places away from it; all of a window without one.
            input_ids: (m, tokens).
            attention_mask: likewise.
            truth: (k, m): 1 true, 0 false, -1 neither.
            meant: (m,): number of the statement of a short query, -1 of any other sentence.
        """
        places = self.model.places.vectors(features)
        sentences = self.model.sentences(input_ids, attention_mask)
        here, elsewhere = self.model.fit(places, sentences, near, far)
        count = len(truth)
        here = here[:count]
        yes, no = (truth == 1).float(), (truth == 0).float()
        pairs = nn.functional.binary_cross_entropy_with_logits(here, yes, reduction="none")
        judged = _balanced(pairs, yes) + _balanced(pairs, no)
        away = nn.functional.softplus(elsewhere).mean()
        known = truth[:, :count] == 1
        own = here[:, :count]
        whose = -own_share(own, known).mean() - own_share(own.T, known.T).mean()
        same = _same(self.model.scale.exp() * sentences @ sentences.T, meant)
        return {
            "loss": judged + away + OWN * whose + SAME * same,
            "pairs": judged.detach(),
            "away": away.detach(),
            "whose": whose.detach(),
            "same": same.detach(),
        }


def _balanced(losses: Tensor, chosen: Tensor) -> Tensor:
    """Mean over sentences of the mean over the chosen windows; sentences without one are left out."""
    many = chosen.sum(0)
    means = (losses * chosen).sum(0) / many.clamp_min(1)
    return means[many > 0].mean()


def own_share(fit: Tensor, known: Tensor) -> Tensor:
    """Log of the probability that the softmax over a row gives to all that is true of it."""
    mine = torch.logsumexp(fit.masked_fill(~known, -torch.inf), 1)
    return mine - torch.logsumexp(fit, 1)


def _same(alike: Tensor, meant: Tensor) -> Tensor:
    """InfoNCE among queries: those of the same statement belong together."""
    asked = meant >= 0
    alike = alike[asked][:, asked].fill_diagonal_(-torch.inf)
    together = meant[asked][:, None] == meant[asked][None]
    together.fill_diagonal_(False)
    return -own_share(alike, together).mean()
