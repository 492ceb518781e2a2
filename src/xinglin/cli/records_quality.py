"""``xinglin records quality | split``: what a data set is worth, and how it is divided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import Seed
from xinglin.cli.records_source import Actor, Dataset, Format, MappingFile, Places, SiteByFile, Source, rows
from xinglin.cli.written import remember_file, write_whole

if TYPE_CHECKING:
    from xinglin.records.quality.tally import Outcome

JsonFile = Annotated[Path | None, typer.Option("--json", help="另写 JSON Also write JSON.")]
Near = Annotated[
    bool,
    typer.Option(
        " /--no-near-duplicates", help="不比较文本的近似重复 Do not compare the texts with each other."
    ),
]
Threshold = Annotated[
    float, typer.Option(min=0.3, max=1.0, help="近似重复的 Jaccard 界限 Jaccard index of a near-duplicate.")
]


def quality(
    source: Source = None,
    dataset: Dataset = None,
    out: Annotated[Path | None, typer.Option(help="报告 Report (HTML).")] = None,
    json_file: JsonFile = None,
    form: Format = None,
    mapping: MappingFile = None,
    places: Places = None,
    site_by_file: SiteByFile = False,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(help="规则=容许占比,可多次 RULE=SHARE from which a rule fails; repeatable."),
    ] = None,
    near_duplicates: Near = True,
    near_threshold: Threshold = 0.8,
    strict: Annotated[
        bool, typer.Option("--strict", help="有规则未通过则退出码为 1 Exit with 1 if a rule fails.")
    ] = False,
    seed: Seed = 0,
    actor: Actor = "cli",
) -> None:
    """数据质量报告:按 Kahn 框架逐条规则核查。The quality of a data set, rule by rule after the framework of Kahn et al."""
    from xinglin.errors import InvalidInputError
    from xinglin.records.quality.options import QualityOptions
    from xinglin.records.quality.report import assess
    from xinglin.records.quality.report_page import page

    tolerances = {}
    for item in tolerance or ():
        name, _, share = item.partition("=")
        try:
            tolerances[name] = float(share)
        except ValueError:
            tolerances[name] = -1.0
        if not 0 <= tolerances[name] < 1:
            raise InvalidInputError(f"--tolerance: expected RULE=SHARE with a share of 0 to 1, got {item!r}")
    options = QualityOptions(
        tolerances=tolerances, near_duplicates=near_duplicates, near_threshold=near_threshold, seed=seed
    )
    read = rows(
        source, dataset, form=form, mapping=mapping, places=places, site_by_file=site_by_file, purpose="quality",
        actor=actor,
    )  # fmt: skip
    named = dataset or (source.resolve().name if source else "")
    report = assess(read, name=named, options=options)
    if out is not None:
        write_whole(out, page(report))
    if json_file is not None:
        write_whole(
            json_file, json.dumps(report.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        )
    counted = report.by_status()
    for outcome in report.outcomes:
        if outcome.status == "fail":
            typer.echo(_line(outcome))
    typer.echo(
        f"{report.counts['records']:,} 条记录 records: {counted['fail']} 条规则未通过 rules failed, "
        f"{counted['note']} 待判断 to judge, {counted['pass']} 通过 passed, {counted['none']} 不适用 nothing to check"
    )
    if strict and counted["fail"]:
        raise typer.Exit(1)


def split(
    out: Annotated[Path, typer.Option(help="划分表 The table of parts (TSV).")],
    source: Source = None,
    dataset: Dataset = None,
    parts: Annotated[str, typer.Option(help="划分=占比 Parts and shares.")] = "train=0.8,valid=0.1,test=0.1",
    by: Annotated[str, typer.Option(help="subject 患者 | site 中心 | time 时间")] = "subject",
    balance: Annotated[str, typer.Option(help="hash 哈希 | label 按标签均衡 balanced by label")] = "hash",
    earlier: Annotated[
        Path | None, typer.Option(help="较早的划分表,保持不变 An earlier table, which is kept.")
    ] = None,
    json_file: JsonFile = None,
    form: Format = None,
    mapping: MappingFile = None,
    places: Places = None,
    site_by_file: SiteByFile = False,
    near_duplicates: Near = True,
    near_threshold: Threshold = 0.8,
    seed: Seed = 0,
    actor: Actor = "cli",
) -> None:
    """划分数据集:患者和近似重复的文本不跨划分。Divide a data set; no subject and no near-duplicate lies in two parts."""
    from xinglin.errors import InvalidInputError
    from xinglin.records.context import time_of
    from xinglin.records.near_duplicates import NearDuplicates
    from xinglin.records.placing import Place, read_places, write_places
    from xinglin.records.quality.duplicates import SHORTEST
    from xinglin.records.quality.row import Unreadable, case_of
    from xinglin.records.split import Member
    from xinglin.records.split import split as divide
    from xinglin.records.split_report import report as describe

    if by not in ("subject", "site", "time") or balance not in ("hash", "label"):
        raise InvalidInputError("expected --by subject, site or time and --balance hash or label")
    texts = NearDuplicates(threshold=near_threshold) if near_duplicates else None
    members: list[Member] = []
    for row in rows(
        source,
        dataset,
        form=form,
        mapping=mapping,
        places=places,
        site_by_file=site_by_file,
        purpose="training",
        actor=actor,
    ):
        if isinstance(row, Unreadable):
            raise InvalidInputError(
                f"{row.place} cannot be read: a split is made of whole data; mend or remove it"
            )
        case = case_of(row)
        time = time_of(row.record) or (case.day.isoformat() if case.day else None)
        members.append(Member(row.record.id, row.record.subject, case.site, row.label, time))
        if texts is not None:
            texts.add(row.record.text if len(row.record.text) >= SHORTEST else "")
    before = (
        {name: place.part for name, place in read_places(earlier).items() if place.part} if earlier else None
    )
    made = divide(
        members,
        _shares(parts),
        by=by,  # type: ignore[arg-type]
        balance=balance,  # type: ignore[arg-type]
        seed=seed,
        twins=texts.groups().tolist() if texts is not None else None,
        earlier=before,
    )
    found = describe(members, made)
    write_places({m.id: Place(m.site, m.label, made.part[m.id]) for m in members}, out)
    if json_file is not None:
        write_whole(
            json_file, json.dumps(found.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        )
    remember_file(
        "split.make",
        out,
        {"by": by, "balance": balance, "seed": seed, "parts": parts, "records": len(members)},
    )
    for name, part in found.parts.items():
        share = part.share
        typer.echo(
            f"{name}: {part.records:,} 条 records ({100 * share.value:.1f} %, 期望 asked {100 * part.asked:g} %), "
            f"{part.components:,} 组 components"
        )
    if found.label_gap is not None:
        typer.echo(
            f"标签占比最大偏差 largest gap of a label's share: {100 * found.label_gap:.2f} 个百分点 points"
        )
    typer.echo(
        f"跨划分的患者 subjects across parts: {found.crossing_subjects}; 改变划分的记录 records moved: {found.moved}"
    )


def register(app: typer.Typer) -> None:
    """Put the verbs of this file under ``xinglin records``."""
    for verb in (quality, split):
        app.command(verb.__name__)(verb)


def _shares(text: str) -> dict[str, float]:
    from xinglin.errors import InvalidInputError

    shares: dict[str, float] = {}
    for item in text.split(","):
        name, _, share = item.strip().partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise InvalidInputError(f"--parts: expected e.g. train=0.8,test=0.2, got {text!r}") from None
    return shares


def _line(outcome: Outcome) -> str:
    item = f"({outcome.item[0]} {outcome.item[1]})" if any(outcome.item) else ""
    share = outcome.share
    interval = f" {100 * share.value:.2g} % ({100 * share.low:.2g}–{100 * share.high:.2g})" if share else ""
    return f"✕ {outcome.rule.name[0]} {outcome.rule.name[1]}{item}: {outcome.failed:,} / {outcome.checked:,}{interval}"
