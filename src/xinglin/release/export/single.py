"""A text classifier for one unpadded text: token ids alone go in. Needs torch; only the phone's export opens this file.

Without padding, full attention needs no mask, and that of the sliding window follows from the length. What is gained: no
arithmetic on the mask's whole numbers, which the quantiser of XNNPACK would turn into floats.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Single(nn.Module):
    """Token ids (1, length) -> logits (1, labels), as the classifier says them with a mask of ones."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole = whole
        self.window = int(whole.config.sliding_window)
        """Tokens to either side that a layer of local attention sees."""

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return the logits."""
        place = torch.arange(input_ids.shape[1])
        far = (place[None] - place[:, None]).abs() > self.window
        local = torch.zeros(far.shape).masked_fill(far, torch.finfo(torch.float32).min)[None, None]
        masks = {"full_attention": None, "sliding_attention": local}
        states = self.whole.model(input_ids=input_ids, attention_mask=masks).last_hidden_state
        logits: Tensor = self.whole.classifier(self.whole.head(states.mean(1)))
        return logits
