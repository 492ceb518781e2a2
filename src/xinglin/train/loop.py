"""The training loop: steps that can be interrupted, resumed to the step, spread over processes, and repeated.

A batch depends on the seed, the step and the shard alone (``elastic``), never on what was drawn before nor on how
many processes there are; so a run that was stopped and resumed, or lost a worker, gives the weights of one that was
not. Processes and precision are ``accelerate``'s: ``accelerate launch`` and ``torchrun`` work, bf16 is used where an
accelerator has it. Only the main process writes. The resumable state is safetensors and JSON, no pickle.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor, nn

from xinglin.errors import TrainingError
from xinglin.model.saving import heal, saving
from xinglin.train.elastic import (
    STATE,
    lost_worker_named,
    own_shards,
    require_same,
    require_turn,
    writer_of,
)

Batch = Mapping[str, Tensor]
WEIGHTS, MOMENTS = "module.safetensors", "optimiser.safetensors"
CLIP = 1.0
"""Largest norm of the gradient."""
PATIENCE = timedelta(minutes=10)
"""How long a process waits for another: for one that is lost while all start, nothing else ends the wait."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast."""

    steps: int
    learning_rate: float
    warmup: float
    weight_decay: float
    seed: int
    save_every: int
    digest: str
    """Of everything that decides the weights: settings and data. A state with another digest is not resumed."""
    threads: int | None = None
    shards: int = 1
    """Parts of the batch of one step, whatever the number of processes; see ``elastic``."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What is reported of one step."""

    step: int
    steps: int
    losses: Mapping[str, float]
    tokens_per_second: float
    """Of all processes, since the run was started or resumed."""
    seconds_left: float


@dataclass
class Trained:
    """What a run leaves behind beside the module's weights."""

    history: list[dict[str, float]] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    resumed_at: int = 0
    processes: int = 1
    main: bool = True
    """Whether this process is the one that writes."""


Report = Callable[[Tick], None]
Draw = Callable[[int, int, int], Batch]
"""(step, shard, shards) -> batch."""


def open_accelerator(threads: int | None) -> Accelerator:
    """Return the accelerator: CUDA in bf16 where it has it, else the CPU in float32."""
    if threads is not None:
        torch.set_num_threads(threads)
    cuda = torch.cuda.is_available()
    bf16 = cuda and torch.cuda.is_bf16_supported()
    return Accelerator(
        cpu=not cuda,
        mixed_precision="bf16" if bf16 else "no",
        kwargs_handlers=[
            DistributedDataParallelKwargs(find_unused_parameters=True),
            InitProcessGroupKwargs(timeout=PATIENCE),
        ],
    )


def train(
    module: nn.Module,
    draw: Draw,
    plan: Plan,
    state: Path,
    *,
    rates: Callable[[str], float] = lambda name: 1.0,
    report: Report | None = None,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
) -> Trained:
    """Train a module in place.

    Args:
        module: ``module(**batch)`` returns scalar losses by name, ``loss`` among them, and may return ``tokens``.
        draw: makes a shard of (step, shard, shards).
        plan: steps, rates, seed.
        state: folder of the resumable state; read if it holds a state of the same plan, removed by the caller.
        rates: factor on the learning rate by parameter name.
        report: called after every step on the main process.
        validate: figures at every saved state, on the main process.

    Raises:
        TrainingError: the loss is not finite, the disk is full, ``state`` is of another run, or a worker was lost.
        KeyboardInterrupt: Ctrl-C; the state has been saved before it is raised.
    """
    accelerator = open_accelerator(plan.threads)
    torch.manual_seed(plan.seed)
    groups = _groups(module, plan, rates)
    # On one device this is AdamW with its loop fused; the arithmetic is the same.
    optimiser = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.98), fused=True)
    trained = Trained(processes=accelerator.num_processes, main=accelerator.is_main_process)
    if accelerator.is_main_process:
        heal(state)
    accelerator.wait_for_everyone()
    first = _resume(state, plan, module, optimiser, trained) if (state / STATE).is_file() else 0
    trained.resumed_at = first
    writer = secrets.token_hex(8)
    known = (writer_of(state), writer)
    prepared, optimiser = accelerator.prepare(module, optimiser)
    prepared.train()
    started = time.perf_counter()
    seen = 0
    with interruptible() as interrupted, lost_worker_named(state):
        require_same(accelerator, first, plan.digest, state)
        for step in range(first, plan.steps):
            rate = schedule(step, plan.steps, plan.warmup)
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * rate * group["factor"]
            values = _accumulate(accelerator, prepared, draw, plan, step, interrupted.is_set())
            stop = values.pop("stop") > 0
            if not math.isfinite(values["loss"]):
                raise TrainingError(
                    f"step {step}: the loss is {values['loss']}; expected a finite number. The state of step "
                    f"{trained.history[-1]['step'] if trained.history else 0:.0f} is intact in {state}: "
                    "resume with a lower learning rate, or look at the data"
                )
            accelerator.clip_grad_norm_(prepared.parameters(), CLIP)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            seen += round(values.pop("tokens"))
            seconds = time.perf_counter() - started
            if report is not None and accelerator.is_main_process:
                left = seconds / (step + 1 - first) * (plan.steps - step - 1)
                report(Tick(step + 1, plan.steps, values, seen / max(seconds, 1e-9), left))
            trained.history.append({"step": step + 1, "rate": plan.learning_rate * rate, **values})
            last = step + 1 == plan.steps
            stop = stop or (accelerator.num_processes == 1 and interrupted.is_set())
            if (step + 1) % plan.save_every == 0 or last or stop:
                trained.tokens += seen
                trained.seconds += seconds
                seen, started = 0, time.perf_counter()
                if accelerator.is_main_process:
                    if validate is not None:
                        module.eval()
                        trained.history[-1] |= validate(accelerator.unwrap_model(prepared))
                        module.train()
                    require_turn(state, known)
                    _save(
                        state, plan, step + 1, accelerator.unwrap_model(prepared), optimiser, trained, writer
                    )
                accelerator.wait_for_everyone()
                first, started = step + 1, time.perf_counter()
            if stop and not last:
                raise KeyboardInterrupt(f"stopped at step {step + 1}; the same command resumes from {state}")
    module.eval()
    return trained


def _accumulate(
    accelerator: Accelerator, prepared: nn.Module, draw: Draw, plan: Plan, step: int, stop: bool
) -> dict[str, float]:
    """Leave the gradient of a step's whole batch; return its mean losses, ``tokens``, and whether any was to ``stop``.

    A process without a shard of its own runs the first one at weight 0, since it must meet the others.
    """
    index, processes = accelerator.process_index, accelerator.num_processes
    own = own_shards(plan.shards, index, processes)
    figures: dict[str, float] = {"stop": float(stop), "tokens": 0.0}
    for shard in own or [0]:
        torch.manual_seed(_step_seed(plan.seed, step, shard))
        batch = {
            name: tensor.to(accelerator.device) for name, tensor in draw(step, shard, plan.shards).items()
        }
        waiting = bool(own) and shard != own[-1]
        with accelerator.no_sync(prepared) if waiting else nullcontext():
            with accelerator.autocast():
                losses = dict(prepared(**batch))
            tokens = int(losses.pop("tokens", torch.tensor(0)))
            # Processes are averaged over, shards are to be: hence their ratio.
            weight = processes / plan.shards if own else 0.0
            accelerator.backward(losses["loss"] * weight)
        share = 1.0 / plan.shards if own else 0.0
        for name, value in losses.items():
            figures[name] = figures.get(name, 0.0) + share * float(value.detach())
        figures["tokens"] += tokens if own else 0
    if processes == 1:
        return figures
    names = sorted(figures)
    sums = torch.tensor([figures[name] for name in names], dtype=torch.float64, device=accelerator.device)
    return dict(zip(names, accelerator.reduce(sums, "sum").tolist(), strict=True))


def schedule(step: int, steps: int, warmup: float) -> float:
    """Return the factor on the learning rate: a linear rise, then a linear fall to a hundredth."""
    rise = max(1, round(steps * warmup))
    if step < rise:
        return (step + 1) / rise
    return max(0.01, 1.0 - (step - rise) / max(1, steps - rise))


def _step_seed(seed: int, step: int, shard: int) -> int:
    return (seed * 1_000_003 + step) * 1_009 + shard


def _groups(module: nn.Module, plan: Plan, rates: Callable[[str], float]) -> list[dict[str, Any]]:
    """Parameters by decay and rate: vectors (norms, biases) do not decay."""
    groups: dict[tuple[bool, float], dict[str, Any]] = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        key = (parameter.ndim >= 2, rates(name))
        group = groups.setdefault(
            key, {"params": [], "weight_decay": plan.weight_decay if key[0] else 0.0, "factor": key[1]}
        )
        group["params"].append(parameter)
    return list(groups.values())


def _moments(optimiser: Any) -> dict[str, Tensor]:
    """AdamW's state as named tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": value.detach().cpu().contiguous()
        if value.ndim
        else value.detach().cpu().reshape(1)
        for index, values in state.items()
        for name, value in values.items()
    }


def _save(
    folder: Path, plan: Plan, step: int, module: nn.Module, optimiser: Any, trained: Trained, writer: str
) -> None:
    with saving(folder) as new:
        save_model(module, str(new / WEIGHTS))
        save_file(_moments(optimiser), str(new / MOMENTS))
        body = {
            "format": 1,
            "step": step,
            "digest": plan.digest,
            "shards": plan.shards,
            "writer": writer,
            "tokens": trained.tokens,
            "seconds": trained.seconds,
            "history": trained.history,
        }
        (new / STATE).write_text(json.dumps(body), encoding="utf-8")


def _resume(folder: Path, plan: Plan, module: nn.Module, optimiser: Any, trained: Trained) -> int:
    try:
        body = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if body["digest"] != plan.digest:
            raise TrainingError(
                f"{folder} holds a run of other settings or data (digest {body['digest'][:12]}, expected "
                f"{plan.digest[:12]}): remove it to start anew, or repeat the settings to resume"
            )
        load_model(module, str(folder / WEIGHTS))
        saved = load_file(str(folder / MOMENTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if isinstance(error, TrainingError):
            raise
        raise TrainingError(
            f"{folder}: the saved state cannot be read ({error}); remove it to start anew"
        ) from None
    described = optimiser.state_dict()
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in saved.items():
        index, _, key = name.partition(".")
        states.setdefault(int(index), {})[key] = tensor.reshape(()) if key == "step" else tensor
    _require_fit(folder, states, [one for group in optimiser.param_groups for one in group["params"]])
    described["state"] = states
    optimiser.load_state_dict(described)
    trained.history = list(body["history"])
    trained.tokens, trained.seconds = int(body["tokens"]), float(body["seconds"])
    return int(body["step"])


def _require_fit(folder: Path, states: Mapping[int, Mapping[str, Tensor]], parameters: list[Tensor]) -> None:
    """Check that the saved moments are those of these parameters: torch itself would only notice later."""
    for index, values in states.items():
        for key, value in values.items():
            if key == "step":
                continue
            expected = tuple(parameters[index].shape) if index < len(parameters) else None
            if tuple(value.shape) != expected:
                raise TrainingError(
                    f"{folder}: the saved state does not fit the model: parameter {index} ({key}) has shape "
                    f"{tuple(value.shape)}, expected {expected}; remove it to start anew"
                )


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn Ctrl-C and TERM into a flag read between steps; a second Ctrl-C interrupts at once.

    Not under torchrun: there a signal comes twice, to the whole group and once more from the launcher.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set() and number == signal.SIGINT and "TORCHELASTIC_RUN_ID" not in os.environ:
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
