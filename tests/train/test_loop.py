from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from xinglin.errors import TrainingError
from xinglin.train.loop import Plan, schedule, train

PLAN = Plan(12, 1e-2, 0.1, 0.01, seed=3, save_every=5, digest="d" * 64, threads=1)


class Line(nn.Module):
    """Fits y = 2x + 1 with dropout, so that randomness between steps would show."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 1)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = (self.linear(self.drop(x)) - y).square().mean()
        return {"loss": loss, "tokens": torch.tensor(x.numel())}


def _line() -> Line:
    torch.manual_seed(0)
    return Line()


def _draw(step: int, process: int, processes: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step * processes + process)
    x = torch.randn(8, 4, generator=generator)
    return {"x": x, "y": 2 * x.sum(1, keepdim=True) + 1}


def _weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()])


def test_a_stopped_run_ends_where_an_unstopped_one_does(tmp_path: Path) -> None:
    whole = _line()
    train(whole, _draw, PLAN, tmp_path / "whole")
    stopped = _line()

    def stop(tick) -> None:
        if tick.step == 7:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="step 7"):
        train(stopped, _draw, PLAN, tmp_path / "part", report=stop)
    resumed = _line()
    trained = train(resumed, _draw, PLAN, tmp_path / "part")
    assert trained.resumed_at == 7
    assert [row["step"] for row in trained.history] == list(range(1, 13))
    assert torch.equal(_weights(resumed), _weights(whole))
    assert not torch.equal(_weights(whole), _weights(_line()))


@pytest.mark.parametrize(
    ("signals", "launched"),
    [((signal.SIGTERM, signal.SIGTERM), False), ((signal.SIGINT, signal.SIGINT), True)],
)
def test_a_signal_that_comes_twice_still_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signals: tuple[signal.Signals, ...], launched: bool
) -> None:
    """A scheduler tells the whole group, and the launcher tells its workers once more."""
    if launched:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")

    def stop(tick) -> None:
        if tick.step == 7:
            for number in signals:
                os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt, match="step 7"):
        train(_line(), _draw, PLAN, tmp_path / "run", report=stop)
    assert json.loads((tmp_path / "run" / "state.json").read_text())["step"] == 7


def test_a_second_ctrl_c_interrupts_at_once(tmp_path: Path) -> None:
    def stop(tick) -> None:
        if tick.step == 7:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(_line(), _draw, PLAN, tmp_path / "run", report=stop)
    assert json.loads((tmp_path / "run" / "state.json").read_text())["step"] == 5


def test_an_infinite_loss_stops_with_the_last_state_intact(tmp_path: Path) -> None:
    def broken(step: int, process: int, processes: int) -> dict[str, torch.Tensor]:
        batch = _draw(step, process, processes)
        return batch | {"y": batch["y"] * float("nan")} if step == 8 else batch

    with pytest.raises(TrainingError, match=r"step 8.*nan.*intact"):
        train(_line(), broken, PLAN, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "state.json").read_text())["step"] == 5
    resumed = _line()
    assert train(resumed, _draw, PLAN, tmp_path / "run").resumed_at == 5


def test_another_run_s_state_is_refused(tmp_path: Path) -> None:
    train(_line(), _draw, PLAN, tmp_path / "run")
    other = Plan(12, 1e-2, 0.1, 0.01, seed=3, save_every=5, digest="e" * 64, threads=1)
    with pytest.raises(TrainingError, match="other settings"):
        train(_line(), _draw, other, tmp_path / "run")


@pytest.mark.parametrize("name", ["module.safetensors", "optimiser.safetensors", "state.json"])
def test_a_damaged_state_is_named(tmp_path: Path, name: str) -> None:
    train(_line(), _draw, PLAN, tmp_path / "run")
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(TrainingError, match="cannot be read"):
        train(_line(), _draw, PLAN, tmp_path / "run")


def test_the_rate_rises_then_falls() -> None:
    rates = [schedule(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates) >= 0.01


def test_ticks_count_tokens_and_time(tmp_path: Path) -> None:
    ticks = []
    trained = train(_line(), _draw, PLAN, tmp_path / "run", report=ticks.append)
    assert [tick.step for tick in ticks] == list(range(1, 13))
    assert trained.tokens == 12 * 32
    assert all(tick.tokens_per_second > 0 for tick in ticks)
    assert ticks[-1].seconds_left == 0
