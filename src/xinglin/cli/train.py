"""``xinglin train``: an encoder, a diagnosis or department classifier, graph embeddings, the shipped model, a sweep."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli import train_align, train_assistant, train_molecules
from xinglin.cli.options import AsJson, Seed
from xinglin.cli.train_graph import graph as graph_embeddings
from xinglin.cli.train_nodules import nodules
from xinglin.cli.train_sweep import sweep
from xinglin.errors import InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from xinglin.train.examples import Examples
    from xinglin.train.loop import Tick
    from xinglin.train.options import FineTuneOptions
    from xinglin.types import Checkpoint

app = typer.Typer(
    help="训练 Train: encoder, diagnosis, department, graph, open-model, nodules, align, molecules, assistant, sweep.",
    no_args_is_help=True,
)

Data = Annotated[Path, typer.Option(help="训练文件 JSONL(.gz) Training file.")]
Out = Annotated[Path, typer.Option(help="检查点文件夹 Folder of the new checkpoint.")]
Start = Annotated[
    Path | None,
    typer.Option(
        "--start",
        "--from",
        help="从此检查点继续 Checkpoint to go on from; empty: see help. Under torchrun: --from.",
    ),
]
Epochs = Annotated[float, typer.Option(help="遍数 Passes over the data.")]
Rate = Annotated[float, typer.Option(help="最高学习率 Peak learning rate.")]
Batch = Annotated[int, typer.Option(min=1, help="每步每份例数 Examples a step and shard.")]
Longest = Annotated[int, typer.Option(min=8, max=512, help="最长词元 Tokens an example is cut to.")]
Int8 = Annotated[bool, typer.Option(help="同时导出 ONNX 和 INT8 Export ONNX and INT8 too.")]
SaveEvery = Annotated[int, typer.Option(min=1, help="每多少步保存 Steps between saved states.")]
Shards = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="每步批次分几份,进程增减时不变 Parts of a batch, kept when workers change; empty: workers.",
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU 线程 CPU threads; empty: as torch chooses.")]


@app.command("encoder")
def encoder(
    data: Data,
    out: Out,
    size: Annotated[str, typer.Option(help="tiny | small | base")] = "small",
    steps: Annotated[int, typer.Option(min=1, help="优化步数 Optimiser steps.")] = 2000,
    batch_size: Annotated[int, typer.Option(min=1, help="每步每份行数 Rows a step and shard.")] = 32,
    length: Annotated[int, typer.Option(min=8, max=512, help="每行词元 Tokens a row.")] = 128,
    learning_rate: Annotated[
        float | None, typer.Option(help="最高学习率 Peak learning rate; empty: the size's.")
    ] = None,
    graph: Annotated[
        bool, typer.Option(help="编码知识图谱 Encode the starter graph beside the text.")
    ] = True,
    objective: Annotated[
        str, typer.Option(help="图谱目标 Objective of the graph: contrastive | kepler.")
    ] = "contrastive",
    vocabulary: Annotated[int, typer.Option(min=300, help="词表大小 Tokens of the vocabulary.")] = 16_000,
    start: Start = None,
    seed: Seed = 0,
    threads: Threads = None,
    save_every: SaveEvery = 200,
    shards: Shards = None,
    as_json: AsJson = False,
) -> None:
    """预训练文本编码器(自己的文本 + 知识图谱)。Pre-train a text encoder on your own text and the graph.

    --data: JSONL with a field text, or a text file with a document a line. The same command resumes a stopped run;
    `torchrun -m xinglin train encoder ...` and accelerate launch use several processes and survive a lost one.
    """
    needs_torch("xinglin train encoder")
    from xinglin.model.knowledge import entity_graph
    from xinglin.model.tokenizer import load_tokenizer
    from xinglin.train.corpus import read_own
    from xinglin.train.options import KnowledgeLoss, PretrainOptions
    from xinglin.train.pretrain import prepare_corpus, pretrain

    chosen: dict[str, KnowledgeLoss] = {"contrastive": "contrastive", "kepler": "kepler"}
    if objective not in chosen:
        raise InvalidInputError(f"--objective: expected {' or '.join(chosen)}, got {objective!r}")
    options = PretrainOptions(
        size=size,
        steps=steps,
        batch_size=batch_size,
        length=length,
        learning_rate=learning_rate,
        objective=chosen[objective],
        vocabulary=vocabulary,
        seed=seed,
        threads=threads,
        save_every=save_every,
        shards=shards,
    )
    passages, source = read_own(data)
    entities = entity_graph()
    corpus = prepare_corpus(
        [passage.text for passage in passages],
        [source],
        tokenizer=load_tokenizer(start) if start else None,
        vocabulary=vocabulary,
        entities=[name for names in entities.names for name in names],
    )
    with _progress(as_json) as report:
        checkpoint = pretrain(
            corpus,
            out,
            options,
            knowledge=entities if graph else None,
            start=start,
            name=out.resolve().name,
            report=report,
        )
    _done(checkpoint, as_json)


@app.command("diagnosis")
def diagnosis(
    data: Data,
    out: Out,
    start: Start = None,
    narratives: Annotated[
        int, typer.Option(min=0, help="图谱生成文本数 Texts rendered from the graph, counted apart.")
    ] = 0,
    epochs: Epochs = 4.0,
    learning_rate: Rate = 3e-4,
    batch_size: Batch = 32,
    max_length: Longest = 128,
    seed: Seed = 0,
    threads: Threads = None,
    save_every: SaveEvery = 200,
    shards: Shards = None,
    int8: Int8 = True,
    as_json: AsJson = False,
) -> None:
    """训练诊断分类器(图谱疾病)。Fine-tune a classifier over the graph's diseases on labelled texts.

    --data: JSONL with text and disease (a name, alias or code of the graph). --start: the shipped model when empty.
    """
    needs_torch("xinglin train diagnosis")
    from xinglin.train.examples import diagnosis_examples
    from xinglin.train.options import FineTuneOptions

    options = FineTuneOptions(
        epochs,
        batch_size,
        learning_rate,
        max_length=max_length,
        seed=seed,
        threads=threads,
        save_every=save_every,
        shards=shards,
    )
    _classifier(diagnosis_examples(data, narratives, seed), out, start, options, int8=int8, as_json=as_json)


@app.command("department")
def department(
    data: Data,
    out: Out,
    start: Start = None,
    epochs: Epochs = 4.0,
    learning_rate: Rate = 3e-4,
    batch_size: Batch = 32,
    max_length: Longest = 128,
    seed: Seed = 0,
    threads: Threads = None,
    save_every: SaveEvery = 200,
    shards: Shards = None,
    int8: Int8 = False,
    as_json: AsJson = False,
) -> None:
    """训练分诊科室分类器。Fine-tune a classifier over departments.

    --data: JSONL with text (or ask) and department. --start: the shipped model when empty.
    """
    needs_torch("xinglin train department")
    from xinglin.train.examples import department_examples
    from xinglin.train.options import FineTuneOptions

    options = FineTuneOptions(
        epochs,
        batch_size,
        learning_rate,
        max_length=max_length,
        seed=seed,
        threads=threads,
        save_every=save_every,
        shards=shards,
    )
    _classifier(department_examples(data), out, start, options, int8=int8, as_json=as_json)


@app.command("open-model")
def open_model(
    data: Annotated[Path, typer.Option(help="数据文件夹,内有 text Data folder with text below it.")],
    out: Annotated[Path, typer.Option(help="工作文件夹 Folder of the recipe's steps and result.")],
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """重做随包模型:一条命令。Rebuild the shipped model, start to end, from open data alone."""
    needs_torch("xinglin train open-model")
    from xinglin.train.recipe import build

    with _progress(as_json) as report:
        classifier = build(data, out, threads=threads, report=report)
    from xinglin.release.export import export_onnx, quantise_int8

    export_onnx(classifier)
    quantise_int8(classifier, keep_fp32=False)
    from xinglin.model.checkpoint import verify_checkpoint

    _done(verify_checkpoint(classifier), as_json)


app.command("graph")(graph_embeddings)
app.command("sweep")(sweep)
app.command("nodules")(nodules)
train_assistant.register(app)
train_align.register(app)
app.add_typer(train_molecules.app, name="molecules")


def _classifier(
    read: Examples, out: Path, start: Path | None, options: FineTuneOptions, *, int8: bool, as_json: bool
) -> None:
    """Fine-tune on what was read, save, export and enter it into the ledger."""
    from xinglin.model.shipped import shipped_folder
    from xinglin.train.finetune import fine_tune

    with _progress(as_json) as report:
        classifier = fine_tune(
            start or shipped_folder(),
            read.texts,
            read.targets,
            read.names,
            options,
            state=out.with_name(f".{out.name}.run"),
            report=report,
        )
    if not classifier.trained.main:
        return
    checkpoint = classifier.save(
        out,
        name=out.resolve().name,
        data=read.sources,
        metrics={"examples": len(read.texts), "classes": len(read.names)},
        limits="uncalibrated until xinglin calibrate; no abstention of its own",
    )
    if int8:
        from xinglin.model.checkpoint import verify_checkpoint
        from xinglin.release.export import export_onnx, quantise_int8

        export_onnx(out)
        quantise_int8(out, keep_fp32=False)
        checkpoint = verify_checkpoint(out)
    _done(checkpoint, as_json)


def needs_torch(door: str) -> None:
    """Raise ``MissingExtraError`` where torch or transformers is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("transformers") is None:
        raise MissingExtraError(door, "train")


def _done(checkpoint: Checkpoint, as_json: bool) -> None:
    """Enter the new checkpoint into the ledger and say where it is."""
    if not checkpoint.id:
        return  # another process writes
    from xinglin.ledger import append
    from xinglin.store import open_store

    metrics: Mapping[str, Any] = checkpoint.manifest["metrics"]
    detail = {
        "name": checkpoint.manifest["name"],
        "kind": checkpoint.manifest["kind"],
        "metrics": dict(metrics),
    }
    with open_store().write() as connection:
        append(connection, "train", actor="cli", subjects=(checkpoint.id,), detail=detail)
    if as_json:
        typer.echo(
            json.dumps(
                {"id": checkpoint.id, "folder": checkpoint.path, **detail}, ensure_ascii=False, indent=2
            )
        )
        return
    typer.echo(f"检查点 checkpoint {checkpoint.path}  id {checkpoint.id[:16]}")
    for name, value in metrics.items():
        typer.echo(f"  {name:18s} {value}")


class _progress:  # noqa: N801  (a context manager read like a function)
    """Progress in a terminal as a bar, elsewhere as a line every twentieth of the run."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._losses: dict[str, float] = {}

    def __enter__(self) -> Callable[[Tick], None]:
        return self._report

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _report(self, tick: Tick) -> None:
        self._losses |= tick.losses
        said = "  ".join(f"{name} {value:.3f}" for name, value in self._losses.items())
        if self._quiet:
            return
        if not sys.stderr.isatty():
            if tick.step % max(1, tick.steps // 20) == 0 or tick.step in (1, tick.steps):
                left = f"{tick.seconds_left / 60:.1f} min left"
                typer.echo(
                    f"{tick.step}/{tick.steps}  {said}  {tick.tokens_per_second:,.0f} tokens/s  {left}",
                    err=True,
                )
            return
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[said]}"),
                TextColumn("{task.fields[speed]:,.0f} tokens/s"),
                TextColumn("剩余 left"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=tick.steps, said="", speed=0.0, completed=tick.step - 1)
        self._bar.update(self._task, completed=tick.step, said=said, speed=tick.tokens_per_second)
