"""What ``torchrun`` starts in the tests: fits a line with dropout, and dies where it is told to.

    line_worker.py FOLDER SHARDS [SECONDS_A_STEP [RANK:STEP]]

RANK in FOLDER stands for the worker's own. SECONDS_A_STEP pass in vain at every shard until FOLDER/fast is there.
The worker of RANK kills itself with SIGKILL at STEP in the first life of the group: nothing is tidied up.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import nn

from xinglin.errors import TrainingError
from xinglin.train.loop import Plan, train


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 1)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = (self.linear(self.drop(x)) - y).square().mean()
        return {"loss": loss, "tokens": torch.tensor(x.numel())}


def draw(step: int, shard: int, shards: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step * shards + shard)
    x = torch.randn(8, 4, generator=generator)
    return {"x": x, "y": 2 * x.sum(1, keepdim=True) + 1}


def main(folder: Path, shards: int, seconds: float = 0.0, dies: str = "") -> None:
    rank = os.environ.get("RANK", "0")
    folder = Path(str(folder).replace("RANK", rank))
    folder.mkdir(exist_ok=True)
    first_life = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"

    def drawn(step: int, shard: int, of: int) -> dict[str, torch.Tensor]:
        if not (folder / "fast").exists():
            time.sleep(seconds)
        if first_life and dies == f"{rank}:{step}":
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(step, shard, of)

    torch.manual_seed(0)
    module = Line()
    plan = Plan(40, 1e-2, 0.1, 0.01, seed=3, save_every=5, digest="d" * 64, threads=1, shards=shards)
    try:
        trained = train(module, drawn, plan, folder / "run")
    except TrainingError as error:
        (folder / f"error-{rank}.txt").write_text(str(error), encoding="utf-8")
        raise
    if trained.main:
        said = {
            "weights": torch.cat([p.detach().reshape(-1) for p in module.parameters()]).tolist(),
            "losses": [row["loss"] for row in trained.history],
            "steps": [row["step"] for row in trained.history],
            "resumed_at": trained.resumed_at,
            "processes": trained.processes,
            "tokens": trained.tokens,
        }
        (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *(map(float, sys.argv[3:4])), *sys.argv[4:5])
