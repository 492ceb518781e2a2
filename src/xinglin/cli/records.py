"""``xinglin records``: take sources in, read records for a purpose, state grants and consents, erase a subject."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin import __version__
from xinglin.cli.records_deidentify import KeyFile, VaultFile, open_vault
from xinglin.cli.records_key import archive_key, rotate_key, seal
from xinglin.errors import InvalidInputError

if TYPE_CHECKING:
    from xinglin.records.run import Run
    from xinglin.types import Record

app = typer.Typer(help="病历数据集 Data sets of patient records.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="数据集 Name of the data set.")]
As = Annotated[str, typer.Option("--as", help="操作者 Who acts; stands in the ledger.")]
Purpose = Annotated[
    str, typer.Option(help="用途 care | annotation | training | evaluation | research | quality | release")
]
Until = Annotated[
    str | None, typer.Option(help="有效期至(含当日) Last day, 2027-12-31, or a moment with its zone.")
]
Subject = Annotated[
    str | None, typer.Option(help="患者标识;不填即整个数据集 Subject; without: the whole data set.")
]


@app.command()
def intake(
    source: Annotated[
        str, typer.Argument(help="文件、文件夹或数据库 URL A file, a folder, or a database's URL.")
    ],
    dataset: Annotated[str, typer.Option(help="数据集,没有则新建 Data set; created if there is none.")],
    form: Annotated[
        str | None, typer.Option("--format", help="格式;不填则自动识别 Format; without: detected.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="列映射 TOML Which column is what.")] = None,
    query: Annotated[
        str | None, typer.Option(help="sql: 视图名或 SELECT Name of a view, or a SELECT.")
    ] = None,
    pixels: Annotated[bool, typer.Option(help="dicom: 读取像素 Read the pixels too.")] = True,
    deidentify: Annotated[
        bool,
        typer.Option(
            "--deidentify", help="入库前去标识;须给 --vault 或 --key-file Remove identifiers first."
        ),
    ] = False,
    vault: VaultFile = None,
    key_file: KeyFile = None,
    actor: As = "cli",
) -> None:
    """把一个来源收入数据集;可随时中断,再次运行即继续。Take a source in; stop at any time, run it again to go on."""
    from xinglin.records.mapping import read_mapping
    from xinglin.records.readers.detect import FORMATS, detect_format, open_reader, passed_over
    from xinglin.records.run import intake as take_in
    from xinglin.store import home_folder, open_store

    if form is None and query is None:
        detected = detect_format(Path(source))
        form = detected.form
        typer.echo(f"格式 format: {form},{FORMATS[form]}(依据 by {detected.why})")
    reader = open_reader(
        form or "sql",
        source,
        mapping=read_mapping(mapping) if mapping else None,
        query=query,
        # A picture is de-identified by a door of its own, and no path of the source is kept.
        volumes=home_folder() / "volumes" / dataset if pixels and not deidentify else None,
    )
    try:
        with _Progress() as progress, _cleaning(deidentify, vault, key_file) as (transform, told):
            run = take_in(
                open_store(), reader, dataset=dataset, form=form or "sql", actor=actor,
                transform=transform, transformation=told, progress=progress.show,
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("已停止,已提交的部分都在;再次运行同一命令即继续。Stopped; what was committed is kept. "
                   "Run the same command to go on.", err=True)  # fmt: skip
        raise
    _summary(run)
    if others := passed_over(reader, Path(source)):
        shown = ", ".join(_plain(name) for name in others[:5]) + (" ..." if len(others) > 5 else "")
        typer.echo(f"{len(others):10,}  个文件不是该格式,未读 files of other names, passed over: {shown}")


@contextmanager
def _cleaning(
    wanted: bool, vault: Path | None, key_file: Path | None
) -> Iterator[tuple[Callable[[Record], Record] | None, str]]:
    """What de-identifies each record before it is stored, and its name for the ledger; nothing unless wanted."""
    if not wanted:
        if vault is not None or key_file is not None:
            raise InvalidInputError("--vault, --key-file: expected --deidentify beside them, or neither")
        yield None, ""
        return
    if vault is None and key_file is None:
        raise InvalidInputError(
            "--deidentify: expected --vault (keeps the way back) or --key-file (does not): without one of them the "
            "next run would give every subject another pseudonym"
        )
    from xinglin.records.deidentify import deidentifier

    told = f"de-identified, xinglin {__version__}"
    if vault is not None:
        with open_vault(vault, key_file, create=True) as opened:
            yield deidentifier(opened), told
    elif key_file is not None:
        from xinglin.store.key_files import read_key_file

        yield deidentifier(read_key_file(key_file)), told


class _Progress:
    """A line with the counts while the intake runs; nothing where there is no terminal."""

    def __enter__(self) -> _Progress:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True),
            transient=True, disable=not sys.stderr.isatty(),
        )  # fmt: skip
        self._task = self._bar.add_task("读取 reading ...")
        self._bar.start()
        return self

    def show(self, run: Run) -> None:
        """Show how far a run has come."""
        unit = (run.unit or "").rpartition("/")[2][-40:]
        said = f"{run.items:,} 条 items  新 new {run.stored:,}  隔离 quarantined {run.quarantined:,}  "
        self._bar.update(self._task, description=said + _safe(unit))

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _summary(run: Run) -> None:
    """Print what became of the items: the new ones, and each other kind that occurred."""
    rows = (
        ("新增 new", run.stored),
        ("更新为新版本 new versions", run.changed),
        ("已有,未变 already there", run.known),
        ("已删除的患者,未收入 of erased subjects, left out", run.erased),
        ("无法读取,已隔离 unreadable, quarantined", run.quarantined),
    )
    resumed = "(接续上次 resumed)" if run.resumed else ""
    typer.echo(f"数据集 data set {run.dataset},收入编号 run {run.id}{resumed}")
    for name, count in [*rows[:1], *(row for row in rows[1:] if row[1])]:
        typer.echo(f"{count:10,}  {name}")
    if run.encodings:
        typer.echo(
            "编码 encodings: " + ", ".join(f"{name} {count}" for name, count in sorted(run.encodings.items()))
        )
    if run.repeated:
        typer.secho(
            f"注意:{run.repeated:,} 条与本次中同编号的另一条内容不同,旧的成为旧版本。一行应是一份完整记录。\n"
            f"Note: {run.repeated:,} replaced another record of this very run under the same id. "
            "A row has to be a whole record.",
            fg="yellow",
        )
    if run.quarantined:
        typer.echo(f"隔离清单 list them: xinglin records quarantine {run.dataset}")


@app.command("list")
def listing(
    name: Annotated[
        str | None, typer.Argument(help="数据集;给出则列出其各次收入 Data set: lists its runs.")
    ] = None,
) -> None:
    """列出数据集,或一个数据集的各次收入。List the data sets, or the runs of one."""
    from rich.table import Table

    from xinglin.records.archive import list_datasets
    from xinglin.records.run import list_runs
    from xinglin.store import open_store

    if name is None:
        table = Table(
            "数据集 data set", "记录 records", "患者 subjects", "收入 runs", "建立 created", box=None
        )
        for row in list_datasets(open_store()):
            table.add_row(
                row["name"], *(f"{row[key]:,}" for key in ("records", "subjects", "runs")), row["created"]
            )
    else:
        states = {"open": "未完成 unfinished", "finished": "完成 finished", "replaced": "已另起 replaced"}
        heads = (
            "编号 run",
            "状态 state",
            "格式 format",
            "新 new",
            "新版本 changed",
            "已有 known",
            "隔离 quarantined",
        )
        table = Table(*heads, "来源 source", box=None)
        for row in list_runs(open_store(), name):
            counts = (f"{row[key]:,}" for key in ("stored", "changed", "known", "quarantined"))
            table.add_row(str(row["id"]), states[row["state"]], row["form"], *counts, _safe(row["source"]))
    _print(table)


@app.command()
def quarantine(
    name: Name,
    run: Annotated[int | None, typer.Option(help="收入编号;不填取最近 Run; without: the newest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON 行 Print JSON lines.")] = False,
) -> None:
    """列出无法读取的条目:位置和原因。List what could not be read: where it stands and why."""
    from rich.table import Table

    from xinglin.records.run import list_quarantine
    from xinglin.store import open_store

    rows = list_quarantine(open_store(), name, run=run)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        typer.echo("没有隔离的条目 nothing is quarantined")
        return
    table = Table("文件 file", "位置 place", "原因 reason", box=None)
    for row in rows:
        table.add_row(_safe(row["unit"]), _safe(row["place"]), _safe(row["reason"]))
    _print(table)


@app.command()
def read(
    name: Name,
    purpose: Purpose,
    record: Annotated[str | None, typer.Option("--id", help="只读一条 Only the record of this id.")] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="与 --id 同用:第几版 With --id: which version.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="从此编号之后开始 Begin behind this id.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="至多几条 At most so many.")] = None,
    actor: As = "cli",
) -> None:
    """为一种用途读取,输出 JSON 行;每次读取都核对授权和同意并入账本。Read for a purpose, as JSON lines."""
    from xinglin.errors import InvalidInputError
    from xinglin.records.archive import read as read_all
    from xinglin.records.archive import read_one
    from xinglin.records.codec import record_to_json
    from xinglin.store import open_store

    if version is not None and record is None:
        raise InvalidInputError("--version belongs to --id: name the record")
    if record is not None and (after is not None or limit is not None):
        raise InvalidInputError("--id reads one record: leave --after and --limit out")
    store = open_store()
    if record is not None:
        found = read_one(store, name, record, purpose=purpose, actor=actor, version=version)
        typer.echo(json.dumps(record_to_json(found), ensure_ascii=False))
        return
    reading = read_all(store, name, purpose=purpose, actor=actor, after=after, limit=limit)
    for item in reading:
        sys.stdout.write(json.dumps(record_to_json(item), ensure_ascii=False) + "\n")
    if reading.withheld:
        typer.echo(f"{reading.withheld} 条未获同意,未输出 records withheld: no consent covers them", err=True)


@app.command()
def grant(
    name: Name,
    to: Annotated[str, typer.Option(help="被授权者 Who may read.")],
    purpose: Purpose,
    until: Until = None,
    actor: As = "cli",
) -> None:
    """授权某人为一种用途读取。Let someone read for a purpose, as far as consent goes."""
    from xinglin.ledger.grants import grant as state
    from xinglin.store import open_store

    with open_store().write() as connection:
        state(connection, name, grantee=to, purpose=purpose, by=actor, expires=until)
    typer.echo(f"已授权 granted: {to} / {name} / {purpose}" + (f" 至 until {until}" if until else ""))


@app.command()
def revoke(
    name: Name,
    to: Annotated[str, typer.Option(help="被授权者 Whose grant.")],
    purpose: Purpose,
    actor: As = "cli",
) -> None:
    """收回授权。Take a grant back."""
    from xinglin.ledger.grants import revoke as state
    from xinglin.store import open_store

    with open_store().write() as connection:
        state(connection, name, grantee=to, purpose=purpose, by=actor)
    typer.echo(f"已收回 revoked: {to} / {name} / {purpose}")


@app.command()
def consent(
    name: Name,
    purpose: Purpose,
    basis: Annotated[str, typer.Option(help="依据,如知情同意书版本、伦理批件 What it rests on; no names.")],
    subject: Subject = None,
    until: Until = None,
    actor: As = "cli",
) -> None:
    """记录同意或数据集的合法依据。State a subject's consent, or the basis of the whole data set."""
    from xinglin.ledger.grants import give_consent
    from xinglin.store import open_store

    with open_store().write() as connection:
        give_consent(connection, name, subject=subject, purpose=purpose, basis=basis, by=actor, expires=until)
    typer.echo(f"已记录同意 consent stated: {name} / {purpose} / {_whose(subject)}")


@app.command()
def withdraw(
    name: Name,
    purpose: Annotated[
        str | None,
        typer.Option(help="用途;与 --subject 同用时不填即全部 Purpose; with --subject: all if left out."),
    ] = None,
    subject: Subject = None,
    actor: As = "cli",
) -> None:
    """撤回同意;此后的读取不再包括。Withdraw a consent; later reads leave the subject out."""
    from xinglin.errors import InvalidInputError
    from xinglin.ledger.grants import PURPOSES, withdraw_consent
    from xinglin.store import open_store

    if purpose is None and subject is None:
        raise InvalidInputError("withdraw: name --purpose, or --subject to withdraw all of one subject")
    purposes = PURPOSES if purpose is None else (purpose,)
    with open_store().write() as connection:
        for each in purposes:
            withdraw_consent(connection, name, subject=subject, purpose=each, by=actor)
    typer.echo(f"已撤回 withdrawn: {name} / {', '.join(purposes)} / {_whose(subject)}")
    tell_reach(name)


@app.command()
def erase(
    name: Name,
    subject: Annotated[str, typer.Option(help="患者标识 Subject, as the records carry it.")],
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 Do not ask.")] = False,
    actor: As = "cli",
) -> None:
    """删除一位患者的全部记录、影像、盐和标注,无法恢复。Erase a subject: records, images, salt, labels; for good."""
    from xinglin.labels.campaign import erase_labels
    from xinglin.records.archive import erase as wipe
    from xinglin.store import open_store

    if not yes:
        typer.confirm("删除后无法恢复,继续?It cannot be undone. Go on?", abort=True)
    store = open_store()
    count = wipe(store, name, subject=subject, actor=actor)
    labelled = erase_labels(store, name, actor=actor)
    typer.echo(
        f"已删除 erased: {count} 条(含各版本)rows, versions counted; {labelled} 条标注记录 annotated records"
    )
    tell_reach(name)


app.command("archive-key")(archive_key)
app.command("seal")(seal)
app.command("rotate-key")(rotate_key)


def tell_reach(name: str) -> None:
    """Name the registered models that the data set reached: weights do not forget what they were trained on."""
    from xinglin.release.registry.record import touched
    from xinglin.store import open_store

    with open_store().read() as connection:
        reached = touched(connection, name)
    for one in reached:
        version = f"{one.name}@{one.number} ({one.stage})"
        typer.echo(
            f"  此前训练的模型,请决定是否重训 trained before, decide whether to train it anew: {version}"
        )


def _whose(subject: str | None) -> str:
    return "整个数据集 the whole data set" if subject is None else "该患者 the subject"


def _plain(text: str) -> str:
    """Text from outside without control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _safe(text: str) -> str:
    """The same where rich prints it: its markup is text too."""
    from rich.markup import escape

    return escape(_plain(text))


def _print(table: Any) -> None:
    from rich.console import Console

    Console().print(table)
