"""``xinglin explain``: why an answer reads as it does, on the terminal or as a report."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.explain_bar import progress_bar
from xinglin.cli.options import AsJson, CaseRecord, CaseText, Engine, Ledger, Model, Profile, Seed
from xinglin.errors import InvalidInputError, MissingDataError

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.explain_words import Method
    from xinglin.explain.phrases import Lang


def explain(
    text: CaseText = "",
    out: Annotated[
        Path | None,
        typer.Option(help="报告文件 .html 或 .pdf Report file; without it a summary is printed here."),
    ] = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="另存 PDF(需要 Chromium) Print a PDF beside it; needs Chromium.")
    ] = False,
    record: CaseRecord = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="整个数据集:每行一例的 JSONL(text,可有 patient) A whole data set: JSONL, a case a line "
            "(text, maybe patient)."
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="数据集中最多解释几例 Cases of --data at most.")] = 200,
    check: Annotated[
        int,
        typer.Option(min=0, help="其中随机抽查几例的忠实度 Cases of --data whose explanation is checked."),
    ] = 20,
    as_json: AsJson = False,
    method: Annotated[
        str,
        typer.Option(
            help="auto 自动, exact 精确 Shapley, permutation 抽样 Shapley sampled, shap 分区 Partition, lime, "
            "gradients 积分梯度."
        ),
    ] = "auto",
    target: Annotated[
        str | None, typer.Option(help="解释哪个疾病(默认首位) Disease to explain; default: the first.")
    ] = None,
    lang: Annotated[str, typer.Option(help="zh, en or both 中英对照")] = "both",
    model: Model = None,
    engine: Engine = None,
    profile: Profile = None,
    seed: Seed = 0,
    ledger: Ledger = True,
) -> None:
    """为什么是这个诊断:每处文字的作用、可信度、图谱路径、什么会改变答案。Why this diagnosis, and can it be trusted."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.explain import explain as explained
    from xinglin.cli.input import engine as known_engine
    from xinglin.cli.input import read_text
    from xinglin.explain.basis import as_json as render
    from xinglin.records import read_record

    language, chosen = _language(lang), _method(method)
    _check_out(out, pdf)
    differential = load_differential(model, profile, known_engine(engine))
    if data is not None:
        if text or record:
            raise InvalidInputError("--data: expected a data set alone: leave out the text and --record")
        from xinglin.cli.explain_cases import explain_data

        cohort = explain_data(
            differential, data, most, method=chosen, target=target, check=check, seed=seed, ledger=ledger
        )
        _give(cohort.page, cohort.json, cohort.show, out, pdf, as_json, language)
        return
    words = read_text(text)
    patient_record = read_record(record) if record else None
    with progress_bar() as report:
        found = explained(
            differential, words, record=patient_record, method=chosen, target=target, seed=seed, report=report
        )
    if ledger:
        from xinglin.apps.diagnosis.remember import remember_explanation
        from xinglin.store import open_store

        remember_explanation(open_store(), found, actor="cli")
    from xinglin.cli.explained import show
    from xinglin.explain.report import page

    _give(partial(page, found), partial(render, found), partial(show, found), out, pdf, as_json, language)


def _give(
    page: Callable[[Lang], str],
    data: Callable[[], dict[str, Any]],
    show: Callable[[Lang], None],
    out: Path | None,
    pdf: bool,
    as_json: bool,
    lang: Lang,
) -> None:
    """Write the report, print the data, or show a summary where neither is asked for."""
    if out is not None:
        for path in _write(out, pdf, page(lang)):
            typer.echo(f"已写入 written {path}", err=as_json)
    if as_json:
        typer.echo(json.dumps(data(), ensure_ascii=False, indent=2))
    elif out is None:
        show(lang)


def _language(name: str) -> Lang:
    if name == "both":
        return "both"
    from xinglin.cli.input import language

    try:
        return language(name)
    except InvalidInputError:
        raise InvalidInputError(f"lang: expected zh, en or both, got {name!r}") from None


def _method(name: str) -> Method:
    from xinglin.apps.diagnosis.explain_words import METHODS

    for known in METHODS:
        if name == known:
            return known
    raise InvalidInputError(f"method: expected {', '.join(METHODS)}; got {name!r}")


def _check_out(out: Path | None, pdf: bool) -> None:
    """Say what is wrong with the file before the work, not after it."""
    if out is None:
        if pdf:
            raise InvalidInputError("--pdf: expected a file to write: give --out report.html")
        return
    if out.suffix.lower() not in (".html", ".htm", ".pdf"):
        raise InvalidInputError(f"--out: expected a file name that ends in .html or .pdf, got {out.name!r}")
    if not out.absolute().parent.is_dir():
        raise MissingDataError(f"--out: there is no folder {out.absolute().parent}: make it first")


def _write(out: Path, pdf: bool, html: str) -> list[Path]:
    written = []
    if out.suffix.lower() != ".pdf":
        out.write_text(html, encoding="utf-8")
        written.append(out)
    if pdf or not written:
        from xinglin.explain.pdf import as_pdf

        printed = out.with_suffix(".pdf")
        printed.write_bytes(as_pdf(html))
        written.append(printed)
    return written
