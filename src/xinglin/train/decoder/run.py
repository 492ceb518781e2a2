"""Run a Trainer of ``transformers`` or TRL: resumed where it stopped, halved when the memory is full, stopped by Ctrl-C.

The resumable state is the Trainer's own (``checkpoint-N`` folders, of which ``transformers`` reads the optimiser with
``weights_only``); it lies beside the result, is never shipped and is removed by the caller. The processes are
``accelerate``'s: under ``accelerate launch`` with a configuration of ``deploy/accelerate`` the same code trains with FSDP or
DeepSpeed.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from xinglin.errors import TrainingError
from xinglin.model.decoder.opening import out_of_memory
from xinglin.train.decoder.options import StageOptions
from xinglin.train.loop import Report, Tick, interruptible

log = logging.getLogger("xinglin.train")
PLAN = "plan.json"
SMALLER = (
    "内存不足,批量减为{size},每步行数不变 Out of memory: {size} rows at a time now, as many a step as before."
)


@dataclass
class Ran:
    """What a run leaves behind beside the model."""

    trainer: Trainer
    history: list[dict[str, float]]
    options: StageOptions
    """As asked, or smaller batches where the memory was full."""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


def arguments(options: StageOptions, state: Path) -> dict[str, Any]:
    """Return the arguments that every Trainer is given: nothing is sent anywhere, nothing is drawn without a seed."""
    cuda = torch.cuda.is_available()
    return {
        "output_dir": str(state),
        "max_steps": options.steps,
        "per_device_train_batch_size": options.batch_size,
        "gradient_accumulation_steps": options.accumulate,
        "learning_rate": options.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": math.ceil(options.warmup * options.steps),
        "weight_decay": options.weight_decay,
        "logging_steps": 1,
        "save_steps": options.save_every,
        "save_total_limit": 2,
        "seed": options.seed,
        "data_seed": options.seed,
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": not cuda,
        "bf16": cuda and torch.cuda.is_bf16_supported(),
        "fp16": False,
        "dataloader_pin_memory": cuda,
        "activation_checkpointing": cuda,
    }


def run(
    make: Callable[[StageOptions], Trainer],
    options: StageOptions,
    state: Path,
    digest: str,
    report: Report | None = None,
) -> Ran:
    """Train to the last step.

    Args:
        make: builds the Trainer anew from settings; called again with smaller batches when the memory is full.
        options: settings.
        state: folder of the resumable state.
        digest: of all that decides the weights.
        report: called after every step.

    Raises:
        TrainingError: the loss is not finite, a single row does not fit the memory, or ``state`` is of another run.
        KeyboardInterrupt: Ctrl-C or TERM; the state was saved, the same call goes on from it.
    """
    _claim(state, digest)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    notes: list[str] = []
    started = time.perf_counter()
    while True:
        trainer = None
        try:
            trainer = make(options)
            trainer.remove_callback(PrinterCallback)  # it prints every step to standard output
            with interruptible() as asked:
                watch = _Watch(options.steps, report, asked)
                trainer.add_callback(watch)
                last = get_last_checkpoint(str(state))  # type: ignore[no-untyped-call]
                trainer.train(resume_from_checkpoint=last)
            break
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if options.batch_size == 1:
                raise TrainingError(
                    "out of memory with a single row: shorten it (--length), take --adapter qlora or a smaller model"
                ) from error
            options = options.smaller()
            notes.append(SMALLER.format(size=options.batch_size))
            log.warning(notes[-1])
            del trainer
    if watch.stopped and trainer.state.global_step < options.steps:
        raise KeyboardInterrupt(
            f"stopped at step {trainer.state.global_step}; the same command resumes from {state}"
        )
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    if trainer.model is not None:
        trainer.model.eval()
    return Ran(trainer, history, options, notes, time.perf_counter() - started)


def _claim(state: Path, digest: str) -> None:
    """Mark a state folder as this run's, or refuse it as another's."""
    state.mkdir(parents=True, exist_ok=True)
    plan = state / PLAN
    try:
        found = json.loads(plan.read_text("utf-8"))["digest"] if plan.is_file() else digest
    except (ValueError, KeyError, TypeError):
        found = "unreadable"
    if found != digest:
        raise TrainingError(
            f"{state} holds a run of other settings or data (digest {str(found)[:12]}, expected {digest[:12]}): remove it "
            "to start anew, or repeat the settings to resume"
        )
    plan.write_text(json.dumps({"digest": digest}), encoding="utf-8")


class _Watch(TrainerCallback):
    """Reports steps, stops at a loss that is no number, and turns a signal into a saved stop."""

    def __init__(self, steps: int, report: Report | None, asked: Event) -> None:
        self._steps, self._report, self._asked = steps, report, asked
        self._started, self._first = time.perf_counter(), -1
        self._tokens: float | None = None
        self.stopped = False

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self._first < 0:
            self._first, self._started = state.global_step, time.perf_counter()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(float(loss)):
            raise TrainingError(
                f"step {state.global_step}: the loss is {loss}; expected a finite number: a lower learning rate, or look "
                "at the data"
            )
        if self._report is not None and state.is_world_process_zero:
            done = max(1, state.global_step - self._first)
            seconds = time.perf_counter() - self._started
            left = seconds / done * (self._steps - state.global_step)
            tokens = float((logs or {}).get("num_tokens", 0.0))
            self._tokens = tokens if self._tokens is None else self._tokens
            speed = (tokens - self._tokens) / seconds if done > 1 else 0.0
            self._report(Tick(state.global_step, self._steps, {"loss": float(loss)}, speed, left))

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if self._asked.is_set() and state.global_step < self._steps:
            self.stopped = True
            control.should_save = control.should_training_stop = True
        return control
