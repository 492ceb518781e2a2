"""The contrastive losses: of every pair of window and sentence, is the sentence true of it; and which is whose.

- Sigmoid loss over pairs (SigLIP, Zhai et al. 2023). Where we differ: a pair counts as true wherever the ratings make
  the sentence true, not only on the diagonal; pairs that are neither true nor false are left out; true and false pairs
  weigh the same in sum.
- InfoNCE over whole reports (CLIP, Radford et al. 2021, arXiv 2103.00020), both ways, with every report that is true of
  a nodule counted as its own (the log of the summed probability of all of them).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xinglin.model.align.networks import Aligned

Losses = dict[str, Tensor]
OWN = 0.5
"""Weight of InfoNCE beside the sigmoid loss."""


class AlignObjective(nn.Module):
    """A batch of windows and sentences in, scalar losses out."""

    def __init__(self, model: Aligned) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, images: Tensor, input_ids: Tensor, attention_mask: Tensor, truth: Tensor, reports: Tensor
    ) -> Losses:
        """Return ``loss`` and its parts.

        Args:
            images: (n, 1, z, y, x); the first of them are the nodules that reports were written for.
            input_ids: (m, tokens).
            attention_mask: likewise.
            truth: (n, m): 1 true, 0 false, -1 neither.
            reports: (m,) bool: whole reports, in the order of their nodules.
        """
        places = self.model.places(images)
        sentences = self.model.sentences(input_ids, attention_mask)
        fit = self.model.fit(places, sentences)
        yes, no = (truth == 1).float(), (truth == 0).float()
        pairs = nn.functional.binary_cross_entropy_with_logits(fit, yes, reduction="none")
        sigmoid = (pairs * yes).sum() / yes.sum().clamp_min(1) + (pairs * no).sum() / no.sum().clamp_min(1)
        count = int(reports.sum())
        own = fit[:count][:, reports]
        known = truth[:count][:, reports] == 1
        whose = -own_share(own, known).mean() - own_share(own.T, known.T).mean()
        return {"loss": sigmoid + OWN * whose, "pairs": sigmoid.detach(), "whose": whose.detach()}


def own_share(fit: Tensor, known: Tensor) -> Tensor:
    """Log of the probability that the softmax over a row gives to all that is true of it."""
    mine = torch.logsumexp(fit.masked_fill(~known, -torch.inf), 1)
    return mine - torch.logsumexp(fit, 1)
