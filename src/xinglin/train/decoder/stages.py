"""One stage of a language model's training, from a checkpoint and data to the next sealed checkpoint.

Data are a file of rows (:mod:`.check`) or the folder of open data, of which each stage takes what it may learn from. The
state of an interrupted run lies beside the result in ``.NAME.training``; the same call goes on from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.model.decoder import Decoder, open_decoder
from xinglin.model.quiet import quiet_transformers
from xinglin.train.corpus import file_digest
from xinglin.train.decoder.adapters import CONFIG, WEIGHTS, fold, keep_adapter
from xinglin.train.decoder.check import check_rows, require_good
from xinglin.train.decoder.corpus import dialogues, documents, sources
from xinglin.train.decoder.merge import Method, merge_checkpoints
from xinglin.train.decoder.options import STAGES, Stage, StageOptions
from xinglin.train.decoder.run import Ran
from xinglin.train.decoder.ship import write_checkpoint
from xinglin.train.loop import Report
from xinglin.train.reinforce.text_rewards import ReadAnswer
from xinglin.types import Checkpoint

AVERAGED = 20
"""Steps at either end whose mean a curve is summed up by."""
KEPT = ("loss", "reward", "rewards/margins", "rewards/accuracies", "kl", "mean_token_accuracy")
"""Figures of a step that are summed up, where a trainer reports them."""


@dataclass(frozen=True)
class Learnt:
    """What a stage learns from."""

    rows: Sequence[Any]
    data: list[dict[str, Any]]
    """Entries of the manifest."""
    left_out: int = 0
    """Bad rows that were passed over."""


def learnt(
    stage: Stage, data: Path, opened: Decoder, options: StageOptions, *, skip_bad: bool = False
) -> Learnt:
    """Read what a stage learns from: a file of rows, or a folder of open data.

    Raises:
        InvalidInputError: bad rows, by line; or the folder holds nothing for this stage.
        MissingDataError: no such file.
    """
    if data.is_dir():
        rows = _open_rows(stage, data, options.seed)
        if not rows:
            raise InvalidInputError(
                f"{data}: no open data for {stage}: expected the folder that has text below it"
            )
        return Learnt(rows, [one.as_json() for one in sources(data)])
    found = check_rows(data, stage, tokenizer=opened.tokenizer, length=options.length)
    good = require_good(found, data.name, skip=skip_bad)
    entry = {
        "name": data.name, "sha256": found.sha256, "records": len(good), "licence": "as stated by its owner", "weak": False,
    }  # fmt: skip
    return Learnt(good, [entry], len(found.problems))


def train_stage(
    stage: Stage,
    model: Path,
    data: Path,
    out: Path,
    options: StageOptions | None = None,
    *,
    teacher: Path | None = None,
    read: ReadAnswer | None = None,
    dtype: str = "float32",
    skip_bad: bool = False,
    report: Report | None = None,
) -> Checkpoint:
    """Run a stage and seal its result, whole or not at all.

    With adapters the result holds the merged weights, and PEFT's own files lie in ``NAME.adapter`` beside it.

    Args:
        stage: pretrain, sft, prefer, reinforce or distil.
        model: folder to start from.
        data: a file of rows, or the folder of open data.
        out: folder of the result; one that is there is replaced.
        options: settings.
        teacher: folder of the teacher, for ``distil``.
        read: strict reader of exam answers, for ``reinforce``.
        dtype: what the weights are saved in.
        skip_bad: pass over bad rows instead of stopping.
        report: called after every step.

    Returns:
        The checkpoint; in a process that is not the first of several, one without id.

    Raises:
        InvalidInputError: settings or rows that do not fit; names them.
        InputTooLargeError: rows longer than the model sees.
        CheckpointError, MissingDataError: the model folder cannot be opened.
        TrainingError: see :func:`xinglin.train.decoder.run.run`.
        KeyboardInterrupt: stopped; the same call goes on.
    """
    if stage not in STAGES or stage == "merge":
        raise InvalidInputError(f"stage: expected {', '.join(STAGES[:-1])}, got {stage!r}")
    chosen = (options or StageOptions()).checked()
    from xinglin.train.decoder.supervised import require_context

    opened = open_decoder(model)
    require_context(chosen.length, opened.max_context)
    given = learnt(stage, data, opened, chosen, skip_bad=skip_bad)
    parents = [opened.id, *([open_decoder(teacher).id] if teacher else [])]
    digest = chosen.digest(stage, "+".join(parents), given.data)
    state = out.parent / f".{out.name}.training"
    with quiet_transformers():
        ran, counts = _run(stage, model, opened, given, chosen, state, digest, teacher, read, report)
        accelerator = ran.trainer.accelerator
        alone = accelerator.num_processes == 1
        weights = None if alone else accelerator.get_state_dict(ran.trainer.model_wrapped)
        if not accelerator.is_main_process:
            return Checkpoint("", str(out), {})
        made = accelerator.unwrap_model(ran.trainer.model)
        adapter = out.with_name(f"{out.name}.adapter") if chosen.adapter != "none" else None
        if adapter is not None:
            keep_adapter(made, adapter, weights)
            made, weights = fold(model, adapter), None
    settings: dict[str, Any] = {**asdict(chosen), **counts, "bad_rows_passed_over": given.left_out}
    if ran.notes:
        settings["notes"] = ran.notes
    if adapter is not None:
        settings["adapter_files"] = {name: file_digest(adapter / name) for name in (CONFIG, WEIGHTS)}
    checkpoint = write_checkpoint(
        made, opened.tokenizer, out, stage=stage, data=given.data, settings=settings, seeds=[chosen.seed],
        metrics=summed(ran), parents=parents, dtype=dtype, weights=weights,
    )  # fmt: skip
    shutil.rmtree(state, ignore_errors=True)
    return checkpoint


def merge_stage(
    model: Path,
    others: Sequence[Path],
    out: Path,
    *,
    method: Method = "linear",
    adapter: Path | None = None,
    weights: Sequence[float] | None = None,
    base: Path | None = None,
    density: float = 0.2,
    dtype: str = "float32",
) -> Checkpoint:
    """Fold an adapter into a model, or merge checkpoints, and seal the result.

    Raises:
        InvalidInputError: neither or both were given.
        As :func:`xinglin.train.decoder.adapters.fold` and :func:`xinglin.train.decoder.merge.merge_checkpoints`.
    """
    if (adapter is None) == (not others):
        raise InvalidInputError("merge: expected --adapter, or --with checkpoints; one of the two")
    opened = open_decoder(model)
    settings: dict[str, Any]
    if adapter is not None:
        made = fold(model, adapter)
        parents = [opened.id]
        settings = {"adapter": {name: file_digest(adapter / name) for name in (CONFIG, WEIGHTS)}}
    else:
        made = merge_checkpoints([model, *others], method, weights=weights, base=base, density=density)
        parents = [opened.id, *(open_decoder(one).id for one in (*others, *([base] if base else [])))]
        settings = {"method": method, "weights": list(weights or []), "density": density}
    return write_checkpoint(
        made, opened.tokenizer, out, stage="merge", data=[], settings=settings, seeds=[], metrics={}, parents=parents,
        dtype=dtype,
    )  # fmt: skip


def summed(ran: Ran) -> dict[str, Any]:
    """Return the first and last mean of every curve of a run, and its seconds."""
    found: dict[str, Any] = {}
    for name in KEPT:
        curve = [float(entry[name]) for entry in ran.history if name in entry]
        if curve:
            few = min(AVERAGED, max(1, len(curve) // 2))
            first, last = sum(curve[:few]) / few, sum(curve[-few:]) / few
            found[name.replace("/", "_")] = {
                "first": round(first, 4),
                "last": round(last, 4),
                "steps": len(curve),
            }
    return found | {"seconds": round(ran.seconds)}


def _open_rows(stage: Stage, data: Path, seed: int) -> list[Any]:
    match stage:
        case "pretrain":
            return [{"text": text} for text in documents(data)]
        case "prefer":
            from xinglin.train.prefer.pairs import pairs

            return [pair.as_json() for pair in pairs(data, seed=seed)]
        case "reinforce":
            from xinglin.train.reinforce.text import tasks

            return list(tasks(data, seed=seed))
        case _:
            return [{"messages": messages} for messages in dialogues(data)]


def _run(
    stage: Stage,
    model: Path,
    opened: Decoder,
    given: Learnt,
    options: StageOptions,
    state: Path,
    digest: str,
    teacher: Path | None,
    read: ReadAnswer | None,
    report: Report | None,
) -> tuple[Ran, Mapping[str, Any]]:
    from xinglin.train.decoder.supervised import answer_rows, packed_rows, supervise

    match stage:
        case "pretrain":
            rows = packed_rows((row["text"] for row in given.rows), opened.tokenizer, options.length)
            return supervise(model, rows, options, state, digest, report), rows.as_json()
        case "sft":
            rows = answer_rows([row["messages"] for row in given.rows], opened.tokenizer, options.length)
            return supervise(model, rows, options, state, digest, report), rows.as_json()
        case "distil":
            from xinglin.train.decoder.distil import distil

            if teacher is None:
                raise InvalidInputError("distil: expected a teacher (--teacher)")
            rows = answer_rows([row["messages"] for row in given.rows], opened.tokenizer, options.length)
            return distil(model, teacher, rows, options, state, digest, report), rows.as_json()
        case "prefer":
            from xinglin.train.prefer.dpo import prefer

            return prefer(model, given.rows, options, state, digest, report), {"rows": len(given.rows)}
        case _:
            from xinglin.train.reinforce.text import reinforce

            if read is None:
                raise InvalidInputError("reinforce: expected a reader of exam answers")
            ran = reinforce(model, given.rows, read, options, state, digest, report)
            return ran, {"rows": len(given.rows)}
