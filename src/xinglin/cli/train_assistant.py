"""``xinglin train assistant``: any causal model of ``transformers``, a stage at a time, each a sealed checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from xinglin.cli.options import AsJson, Seed
from xinglin.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xinglin.train.decoder.options import StageOptions
    from xinglin.types import Checkpoint

Adapter = Annotated[str, typer.Option(help="none 全量 whole | lora | qlora (4 比特 bits)")]


def register(app: typer.Typer) -> None:
    """Add the verb to ``xinglin train``."""
    app.command("assistant")(assistant)


def assistant(
    stage: Annotated[
        str,
        typer.Option(help="pretrain | sft | prefer | reinforce | distil | merge | check 只查数据 check only"),
    ],
    out: Annotated[Path | None, typer.Option(help="新检查点文件夹 Folder of the new checkpoint.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="起始模型文件夹 Model folder to start from; safetensors, no code.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="JSONL(.gz) 文件,或公开数据文件夹 A file, or the folder of open data.")
    ] = None,
    fresh: Annotated[
        int | None,
        typer.Option(min=0, help="不用 --model,从零开始:专家数,0 为稠密 A new model: experts, 0 is dense."),
    ] = None,
    rows_for: Annotated[str, typer.Option("--for", help="check:为哪一步 the stage the rows are for")] = "sft",
    steps: Annotated[int, typer.Option(min=1, help="优化步数 Optimiser steps.")] = 200,
    batch_size: Annotated[
        int, typer.Option(min=1, help="每批行数;内存不足则减半 Rows a batch; halved if memory is full.")
    ] = 8,
    accumulate: Annotated[int, typer.Option(min=1, help="每步累积批数 Batches a step.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="最高学习率 Peak learning rate.")] = 3e-4,
    length: Annotated[int, typer.Option(min=8, help="每行词元 Tokens a row.")] = 256,
    adapter: Adapter = "none",
    rank: Annotated[int, typer.Option(min=1, help="LoRA 秩 Rank of the adapters.")] = 8,
    beta: Annotated[float, typer.Option(min=0, help="DPO/GRPO 与起点的约束 Hold to the start.")] = 0.1,
    temperature: Annotated[
        float, typer.Option(help="GRPO 采样、蒸馏温度 Of sampling, of distillation.")
    ] = 1.0,
    generations: Annotated[int, typer.Option(min=2, help="GRPO 每题回答数 Answers a prompt.")] = 8,
    answer: Annotated[int, typer.Option(min=1, help="GRPO 回答词元 Tokens an answer.")] = 32,
    teacher: Annotated[Path | None, typer.Option(help="distil:教师模型 Folder of the teacher.")] = None,
    adapter_folder: Annotated[
        Path | None, typer.Option("--adapter-folder", help="merge:并入此适配器 Fold this adapter in.")
    ] = None,
    others: Annotated[
        list[Path] | None, typer.Option("--with", help="merge:同架构检查点,可重复 Checkpoints; may repeat.")
    ] = None,
    method: Annotated[str, typer.Option(help="merge: linear | slerp | ties")] = "linear",
    base: Annotated[Path | None, typer.Option(help="merge ties:共同起点 The common base.")] = None,
    dtype: Annotated[str, typer.Option(help="保存精度 Saved as float32 | bfloat16 | float16")] = "float32",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="跳过有误的行 Pass over bad rows.")] = False,
    save_every: Annotated[int, typer.Option(min=1, help="每多少步保存 Steps between saved states.")] = 100,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU 线程 CPU threads.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """训练语言模型,一次一步;中断后用同一命令续训。Train a language model, a stage at a time; the same command resumes.

    例 Example: xinglin train assistant --stage sft --model qwen3-0.6b --data chats.jsonl --adapter lora --out tuned
    """
    from xinglin.train.decoder.options import STAGES, StageOptions

    if stage == "check":
        _check(data, rows_for, model, length, as_json)
        return
    if stage not in STAGES:
        raise InvalidInputError(f"--stage: expected {', '.join(STAGES)} or check, got {stage!r}")
    if out is None:
        raise InvalidInputError("--out: 需要输出文件夹 expected the folder of the new checkpoint")
    options = StageOptions(
        steps=steps, batch_size=batch_size, accumulate=accumulate, learning_rate=learning_rate, length=length,
        adapter=adapter,  # type: ignore[arg-type]
        rank=rank, alpha=2 * rank, beta=beta, temperature=temperature, generations=generations,
        answer=answer, save_every=save_every, seed=seed, threads=threads,
    )  # fmt: skip
    if stage == "merge":
        made = _merged(_start(model), out, others or (), method, adapter_folder, base, dtype)
    else:
        made = _trained(stage, model, fresh, data, out, options, teacher, dtype, skip_bad, as_json)
    _done(made, as_json)


def _start(model: Path | None) -> Path:
    if model is None:
        raise InvalidInputError("--model: 需要起始模型 expected the folder of a model to start from")
    return model


def _trained(
    stage: str,
    model: Path | None,
    fresh: int | None,
    data: Path | None,
    out: Path,
    options: StageOptions,
    teacher: Path | None,
    dtype: str,
    skip_bad: bool,
    quiet: bool,
) -> Checkpoint:
    from xinglin.cli.train import _progress, needs_torch

    needs_torch("xinglin train assistant")
    from xinglin.train.decoder.stages import train_stage

    if data is None:
        raise InvalidInputError("--data: 需要数据 expected a file of rows, or the folder of open data")
    if fresh is not None:
        if model is not None or stage != "pretrain":
            raise InvalidInputError(
                "--fresh: 只用于 pretrain,且不与 --model 同用 for pretrain, without --model"
            )
        model = _fresh(data, out, fresh, options.seed)
    with _progress(quiet) as report:
        return train_stage(
            stage,  # type: ignore[arg-type]
            _start(model),
            data,
            out,
            options,
            teacher=teacher,
            read=_reader() if stage == "reinforce" else None,
            dtype=dtype,
            skip_bad=skip_bad,
            report=report,
        )


def _fresh(data: Path, out: Path, experts: int, seed: int) -> Path:
    """Make the new model beside the result, once: an interrupted run finds it there."""
    from xinglin.train.decoder.check import check_rows, require_good
    from xinglin.train.decoder.corpus import documents
    from xinglin.train.decoder.fresh import FreshOptions, fresh_decoder

    folder = out.with_name(f"{out.name}.fresh")
    if (folder / "config.json").is_file():
        return folder
    if data.is_dir():
        texts = list(documents(data))
    else:
        texts = [row["text"] for row in require_good(check_rows(data, "pretrain"), data.name)]
    options = FreshOptions(inner=256, experts=experts, seed=seed) if experts else FreshOptions(seed=seed)
    return fresh_decoder(folder, texts, options)


def _reader() -> Any:
    """The strict reader of exam answers, as a reward uses it."""
    from xinglin.apps.assistant.exams.answers import read_answer

    def read(text: str, options: Sequence[str]) -> str | None:
        return read_answer(text, options).letters

    return read


def _merged(
    model: Path,
    out: Path,
    others: Sequence[Path],
    method: str,
    adapter: Path | None,
    base: Path | None,
    dtype: str,
) -> Checkpoint:
    from xinglin.cli.train import needs_torch

    needs_torch("xinglin train assistant --stage merge")
    from xinglin.train.decoder.stages import merge_stage

    return merge_stage(
        model,
        others,
        out,
        method=method,  # type: ignore[arg-type]
        adapter=adapter,
        base=base,
        dtype=dtype,
    )


def _check(data: Path | None, stage: str, model: Path | None, length: int, as_json: bool) -> None:
    """Name the bad rows by line; status 1 where there are any."""
    from xinglin.train.decoder.check import check_rows
    from xinglin.train.decoder.options import Stage

    known = [name for name in get_args(Stage) if name != "merge"]
    if stage not in known:
        raise InvalidInputError(f"--for: expected {', '.join(known)}, got {stage!r}")
    if data is None or data.is_dir():
        raise InvalidInputError("--data: 需要一个文件 expected a file of rows")
    tokenizer = None
    if model is not None:
        from xinglin.model.decoder import open_decoder

        tokenizer = open_decoder(model).tokenizer
    found = check_rows(data, stage, tokenizer=tokenizer, length=length if tokenizer else None)  # type: ignore[arg-type]
    if as_json:
        problems = [{"line": one.line, "what": one.what} for one in found.problems]
        typer.echo(json.dumps({"good": len(found.rows), "problems": problems}, ensure_ascii=False, indent=2))
    else:
        for problem in found.problems:
            typer.echo(f"{data.name}:{problem}")
        typer.echo(f"可用 good {len(found.rows)} 行 rows,有误 bad {len(found.problems)}")
    if found.problems:
        raise typer.Exit(1)


def _done(checkpoint: Checkpoint, as_json: bool) -> None:
    """Enter the new checkpoint into the ledger and say what it is, and what it is not."""
    from xinglin.cli.train import _done as enter

    enter(checkpoint, as_json)
    if checkpoint.id and not as_json:
        typer.echo(str(checkpoint.manifest["limits"]))
