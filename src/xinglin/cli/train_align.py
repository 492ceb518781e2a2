"""``xinglin train align``, ``xinglin train nodule-ratio`` and ``xinglin train vqa-rad``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson, Seed


def register(app: typer.Typer) -> None:
    """Add the verbs to ``xinglin train``."""
    app.command("align")(align)
    app.command("nodule-ratio")(nodule_ratio)
    app.command("vqa-rad")(vqa_rad)


def align(
    data: Annotated[Path, typer.Option(help="结节块文件夹 Folder luna16-nodule-cubes, with ratings.")],
    out: Annotated[Path, typer.Option(help="输出检查点文件夹 Folder of the checkpoint.")],
    epochs: Annotated[int, typer.Option(min=1, help="轮数 Epochs.")] = 12,
    detector: Annotated[
        Path | None,
        typer.Option(help="起始检测模型 Detector whose trunk it begins with; empty: the shipped one."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """图像与文字对齐:肺结节与模板报告;可中断,同一命令续训。Align nodules with templated reports; the same command resumes.

    报告由模板按医师评分生成,并非医师所写。The reports are made by templates from radiologists' ratings.
    """
    from xinglin.errors import MissingExtraError

    try:
        from xinglin.train.align.recipe import AlignOptions
        from xinglin.train.align.ship import train_align
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin train align", "train") from error
    from xinglin.ledger import append
    from xinglin.store import open_store
    from xinglin.train.loop import Tick

    def report(tick: Tick) -> None:
        if tick.step % 10 == 0 or tick.step == tick.steps:
            text = f"对齐 align  {tick.step}/{tick.steps}  loss {tick.losses['loss']:.3f}  "
            typer.echo(
                f"\r{text}剩余 left {tick.seconds_left:.0f} s   ", err=True, nl=tick.step == tick.steps
            )

    shown = report if sys.stderr.isatty() and not as_json else None
    options = AlignOptions(epochs=epochs, seed=seed)
    made = train_align(data, out, options, detector=detector, threads=threads, report=shown)
    metrics = made.manifest["metrics"]
    with open_store().write() as connection:
        detail = {"kind": "aligned", "metrics": metrics}
        append(connection, "train", actor="cli", subjects=(made.id,), detail=detail)
    if as_json:
        typer.echo(json.dumps({"id": made.id, "out": str(out), "metrics": metrics}, indent=2))
        return
    for name, figure in metrics.items():
        chance = f", 机会水平 chance {figure.get('chance', 0.5):.3f}"
        typer.echo(
            f"{name} {figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}], n = {figure['n']}{chance}"
        )
    typer.echo(str(out))


def nodule_ratio(
    data: Annotated[Path, typer.Option(help="结节块文件夹 Folder luna16-nodule-cubes.")],
    out: Annotated[
        Path, typer.Option(help="输出 JSON To write: likelihood ratios of the score on one window.")
    ],
    detector: Annotated[
        Path | None, typer.Option(help="检测模型文件夹 Folder of a detector; empty: the shipped one.")
    ] = None,
) -> None:
    """测量检测得分在单个窗口上的似然比(验证窗口)。Measure the score's likelihood ratio on the validation windows."""
    from xinglin.errors import MissingExtraError

    try:
        from xinglin.train.nodules.ratio import measure_ratio, write_ratio
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin train nodule-ratio", "train") from error
    from xinglin.cli.imaging_windows import NODULES
    from xinglin.model.shipped import shipped_folder

    body = measure_ratio(data, detector or shipped_folder(NODULES))
    write_ratio(body, out)
    typer.echo(json.dumps(body, indent=2))


def vqa_rad(
    data: Annotated[
        Path, typer.Option(help="文件夹 vqa-rad:train.jsonl、test_questions.jsonl、images Folder vqa-rad.")
    ],
    out: Annotated[Path, typer.Option(help="输出 JSONL To write: row_id, answer, without_image.")],
    seed: Seed = 0,
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
) -> None:
    """在 VQA-RAD 训练集上拟合,回答官方测试问题。Fit on VQA-RAD's training part and answer its official test questions.

    同时写出不看图像的回答。The answers of a model that does not look at the image are written beside.
    """
    import tempfile

    from xinglin.cli.written import write_whole
    from xinglin.errors import MissingExtraError

    try:
        from xinglin.train.align import answering
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin train vqa-rad", "train") from error
    from xinglin.train.align.questions import IMAGES, TEST, TRAIN, read_pictures, read_questions

    asked, test = read_questions(data / TRAIN), read_questions(data / TEST)
    names = sorted({one.image for one in (*asked, *test)})
    pictures = read_pictures(data / IMAGES, names)
    with tempfile.TemporaryDirectory() as state:
        options = answering.PictureOptions(seed=seed)
        model, _ = answering.train_pictures(
            asked, pictures, names, options, Path(state) / "state", threads=threads
        )
    vectors = dict(zip(names, answering.picture_vectors(model, pictures), strict=True))
    seeing, blind = answering.answerer(asked, vectors)(test), answering.answerer(asked, None)(test)
    rows = [
        json.dumps({"row_id": one.row, "answer": answer, "without_image": other}, ensure_ascii=False)
        for one, answer, other in zip(test, seeing, blind, strict=True)
    ]
    write_whole(out, "\n".join(rows) + "\n")
    typer.echo(str(out))
