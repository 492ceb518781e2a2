"""The policy: a copy of the prior that learns to write what scores well, without forgetting how molecules are written.

Trajectory balance (Malkin et al. 2022, arXiv 2201.13259) on molecules drawn from the memory, as in Genetic-GFN (Kim et
al. 2024, arXiv 2402.05961): (log Z + log p(x) - beta R(x))^2, whose optimum draws x in proportion to exp(beta R(x)), and
a pull of weight ``kl`` towards the prior, mean(log p(x) - log prior(x)). Where we differ: a Transformer over substructure
tokens, and the replay of Augmented Memory (Guo and Schwaller 2024, arXiv 2305.16160): a share of the draws is respelt.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xinglin.errors import TrainingError
from xinglin.model.molecule.decoder import padded
from xinglin.model.molecule.sampling import Prior, sample
from xinglin.model.molecule.tokens import UNK
from xinglin.train.molecules.smiles import respelt
from xinglin.train.reinforce.memory import Entry

FILE = "policy.safetensors"
CLIP = 1.0


class Policy:
    """The policy with its optimiser.

    Args:
        prior: where it starts from and is pulled back to.
        learning_rate: of the weights.
        flow_rate: learning rate of log Z.
        flow: log Z at the start.
    """

    def __init__(self, prior: Prior, *, learning_rate: float, flow_rate: float, flow: float) -> None:
        self.prior = prior
        self.decoder = copy.deepcopy(prior.decoder)
        self.flow = nn.Parameter(torch.tensor(flow))
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(self.decoder.parameters()), "lr": learning_rate},
                {"params": [self.flow], "lr": flow_rate},
            ],
            weight_decay=0.0,
            fused=True,
        )
        self._prior_log_likelihoods: dict[str, float] = {}

    def sample(self, count: int, *, seed: int, temperature: float = 1.0) -> list[str]:
        """Return SMILES as the policy writes them now."""
        drawn = sample(self.decoder, count, seed=seed, temperature=temperature)
        return [self.prior.tokens.decode(ids) for ids in drawn]

    def spelt(
        self, entries: Sequence[Entry], share: float, generator: np.random.Generator
    ) -> list[tuple[str, float]]:
        """Return (SMILES, reward) of entries, a share of them in a random spelling."""
        chosen = generator.random(len(entries)) < share
        seeds = generator.integers(2**31 - 1, size=len(entries))
        return [
            (respelt(entry.smiles, int(seed)) if again else entry.smiles, entry.reward)
            for entry, again, seed in zip(entries, chosen, seeds, strict=True)
        ]

    def learn(self, batches: Sequence[Sequence[tuple[str, float]]], *, beta: float, kl: float) -> list[float]:
        """Take one step a batch of (SMILES, reward) and return the losses.

        What cannot be written in tokens, or is too long, is left out; a batch of nothing else is none.

        Raises:
            TrainingError: the loss is not finite.
        """
        unique = list(dict.fromkeys(smiles for batch in batches for smiles, _ in batch))
        longest = self.decoder.size.positions
        written = zip(unique, self.prior.tokens.encode(unique), strict=True)
        ids = {smiles: one for smiles, one in written if UNK not in one and len(one) <= longest}
        usual = self._prior_of([smiles for smiles in unique if smiles in ids])
        losses = []
        self.decoder.train()
        for batch in batches:
            known = [(smiles, reward) for smiles, reward in batch if smiles in ids]
            if known:
                rows = padded([ids[smiles] for smiles, _ in known])
                rewards = torch.tensor([reward for _, reward in known])
                prior = torch.tensor([usual[smiles] for smiles, _ in known])
                losses.append(self._step(rows, rewards, prior, beta, kl))
        self.decoder.eval()
        return losses

    def _step(self, rows: Tensor, rewards: Tensor, prior: Tensor, beta: float, kl: float) -> float:
        likelihood = self.decoder.log_likelihoods(rows).sum(-1)
        loss = (self.flow + likelihood - beta * rewards).square().mean() + kl * (likelihood - prior).mean()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(
                f"policy: the loss is {value}; expected a finite number: lower the learning rate"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return value

    def _prior_of(self, smiles: Sequence[str]) -> dict[str, float]:
        """The prior's log-likelihoods; kept, since the same molecules come again and the prior does not change."""
        kept = self._prior_log_likelihoods
        new = [one for one in smiles if one not in kept]
        kept.update(zip(new, self.prior.log_likelihood(new).tolist(), strict=True))
        return kept

    def save(self, folder: Path) -> None:
        """Write weights, log Z and the optimiser's moments."""
        tensors = {f"decoder.{name}": tensor for name, tensor in self.decoder.state_dict().items()}
        tensors["flow"] = self.flow.detach().reshape(1)
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"moments.{index}.{name}": value.reshape(-1) for name, value in values.items()}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(folder / FILE))

    def restore(self, folder: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            TrainingError: absent, damaged, or of another model.
        """
        try:
            tensors = load_file(str(folder / FILE))
            weights = {name[8:]: tensor for name, tensor in tensors.items() if name.startswith("decoder.")}
            self.decoder.load_state_dict(weights)
            self.flow.data = tensors["flow"].reshape(())
            state: dict[int, dict[str, Tensor]] = {}
            parameters = [one for group in self.optimiser.param_groups for one in group["params"]]
            for name, tensor in tensors.items():
                if name.startswith("moments."):
                    _, index, key = name.split(".")
                    shape = () if key == "step" else parameters[int(index)].shape
                    state.setdefault(int(index), {})[key] = tensor.reshape(shape)
        except (OSError, SafetensorError, KeyError, ValueError, IndexError, RuntimeError) as error:
            raise TrainingError(
                f"{folder / FILE}: the saved policy cannot be read ({error}); remove the folder to start anew"
            ) from None
        described = self.optimiser.state_dict()
        described["state"] = state
        self.optimiser.load_state_dict(described)
