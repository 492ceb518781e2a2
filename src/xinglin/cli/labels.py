"""``xinglin labels``: annotation campaigns, from opening one to its export; and the certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xinglin.cli.labels_certify import audit_plan, certify, verify_certificate
from xinglin.cli.labels_shown import show_looks, show_overview, show_task, shown
from xinglin.cli.labels_truth import agreement, noise, select, truth
from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.labels.campaign import Campaign, Role, Stage
    from xinglin.labels.decide import SkipReason
    from xinglin.labels.scheme import Scheme
    from xinglin.labels.verify import ModelVote
    from xinglin.store import Store
    from xinglin.types import Record

app = typer.Typer(help="标注与错误率证书 Annotation and the certificate of its error.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="标注任务 Name or id of the campaign.")]
As = Annotated[
    str, typer.Option("--as", help="以谁的名义 Who acts; must have the role and, to read, a grant.")
]
StageOption = Annotated[str, typer.Option(help="annotation | arbitration | audit | adjudication")]
Slot = Annotated[int, typer.Argument(help="next 给出的编号 The number that `next` gave.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="任务名称 A name.")],
    dataset: Annotated[str, typer.Option(help="数据集 Data set of the archive.")],
    scheme: Annotated[Path, typer.Option(help="方案:TSV 或 JSON Scheme: a table or JSON.")],
    actor: As,
    system: Annotated[str, typer.Option(help="TSV 的编码系统 Coding system of a table.")] = "icd10-who",
    multi: Annotated[
        bool, typer.Option(help="TSV:一份病历可有多个编码 Table: a record may bear several codes.")
    ] = False,
    records: Annotated[
        Path | None,
        typer.Option(help="病历编号,每行一个,先标的在前 Record ids, one a line, first ones first."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="不给编号时取前几份 How many, without --records.")
    ] = None,
    assisted: Annotated[
        bool, typer.Option(help="模型参与投票,判断后才可见 A model votes; shown after the label.")
    ] = False,
    lease: Annotated[
        float, typer.Option(help="病历保留给领取者的秒数 Seconds for which a case is kept.")
    ] = 900.0,
) -> None:
    """新建标注任务;操作者即负责人。Open a campaign; who acts is its lead."""
    from xinglin.labels.campaign import open_campaign
    from xinglin.records.archive import read
    from xinglin.store import open_store

    store = open_store()
    if records is not None:
        ids = [line.strip() for line in _text(records).splitlines() if line.strip()]
    else:
        ids = [record.id for record in read(store, dataset, purpose="annotation", actor=actor, limit=limit)]
    made = open_campaign(
        store,
        name,
        dataset=dataset,
        scheme=_scheme(scheme, system, multi),
        records=ids,
        lead=actor,
        lease=lease,
        assisted=assisted,
    )
    typer.echo(f"{made.id}  {made.name}: {len(ids)} 份病历 records, {len(made.scheme.classes)} 类 classes")


@app.command()
def assign(
    campaign: Name,
    user: Annotated[str, typer.Argument(help="谁 Who.")],
    role: Annotated[str, typer.Argument(help="annotator | arbiter | auditor | lead")],
    actor: As,
) -> None:
    """分配角色。Give a person a role. Reading needs a grant besides (xinglin records grant)."""
    from xinglin.labels.campaign import assign as give

    store, made = _campaign(campaign)
    give(store, made, user, cast("Role", role), by=actor)
    typer.echo(f"{user}: {role}")


@app.command()
def status(
    campaign: Annotated[
        str | None, typer.Argument(help="标注任务;不填则列出 Campaign; without: a list.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--as", help="负责人可看全部 The lead sees everything.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """任务列表,或一个任务的进度、一致性与人员。The campaigns, or the progress of one with agreement and people."""
    from dataclasses import asdict

    from xinglin.labels.campaign import list_campaigns
    from xinglin.labels.overview import overview
    from xinglin.store import open_store

    if campaign is None:
        for made, roles in list_campaigns(open_store(), actor):
            closed = "  已结束 closed" if made.closed else ""
            typer.echo(f"{made.id}  {made.name}  {made.dataset}  {' '.join(roles)}{closed}")
        return
    store, made = _campaign(campaign)
    found = overview(store, made, by=actor or "cli")
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    show_overview(found)


@app.command("next")
def next_case(campaign: Name, actor: As, stage: StageOption = "annotation") -> None:
    """领取下一份病历并显示。Take the next case and show it."""
    from xinglin.labels.verify import next_task

    store, made = _campaign(campaign)
    task = next_task(store, made, actor, _stage(stage), lambda record: _vote(record, made.scheme))
    if task is None:
        typer.echo("没有可做的病历 no case is open to you at this stage")
        return
    show_task(task, made.scheme)


@app.command()
def decide(
    campaign: Name,
    slot: Slot,
    code: Annotated[
        list[str],
        typer.Argument(
            help="方案中的编码或名称;多标签可给多个,none 为都不符合 Codes or names; none: none applies."
        ),
    ],
    actor: As,
    span: Annotated[list[str] | None, typer.Option(help="依据的文字 起:止 Words it rests on, 3:8.")] = None,
    confidence: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="把握 How sure.")] = None,
) -> None:
    """给出判断,或回答模型的投票(同码为坚持,异码为改判)。Give a label, or answer the model's vote on it."""
    from xinglin.labels.assign import fetch
    from xinglin.labels.decide import answer_vote
    from xinglin.labels.decide import decide as give
    from xinglin.labels.verify import see_vote

    store, made = _campaign(campaign)
    chosen = made.scheme.answer([] if made.scheme.multi and code == ["none"] else code)
    told = shown(chosen)
    spans = [_span(text) for text in span or ()]
    if fetch(store, made, slot, actor).decided is not None:
        see_vote(store, made, slot, actor)
        done = answer_vote(store, made, slot, actor, chosen, spans=spans)
        typer.echo(f"{done.kind}: {told}")
        return
    done = give(store, made, slot, actor, chosen, spans=spans, confidence=confidence)
    typer.echo(f"{done.kind}: {told}")
    if done.vote_waits:
        vote = see_vote(store, made, slot, actor)
        share = "" if vote.probability is None else f" {vote.probability:.0%}"
        theirs = "—" if vote.code is None else f"{vote.code.value} {vote.code.display}{share}"
        typer.echo(f"模型 model ({vote.model}): {theirs}")
        typer.echo(f"坚持或改判 keep or change: xinglin labels decide {campaign} {slot} CODE --as {actor}")


@app.command()
def skip(
    campaign: Name,
    slot: Slot,
    reason: Annotated[str, typer.Argument(help="unreadable | not_covered | identifying | other")],
    actor: As,
    note: Annotated[str, typer.Option(help="说明 Note; needed with other.")] = "",
) -> None:
    """跳过一份病历并说明原因。Pass a case on with a reason."""
    from xinglin.errors import InvalidInputError
    from xinglin.labels.decide import REASONS
    from xinglin.labels.decide import skip as pass_on

    if reason not in REASONS:
        raise InvalidInputError(f"reason: expected {', '.join(REASONS)}; got {reason!r}")
    store, made = _campaign(campaign)
    pass_on(store, made, slot, actor, cast("SkipReason", reason), note)
    typer.echo("已跳过 passed on")


@app.command()
def undo(campaign: Name, actor: As) -> None:
    """撤回自己最后的判断。Take one's own last decision back."""
    from xinglin.labels.decide import undo as take_back

    store, made = _campaign(campaign)
    typer.echo(f"已撤回 taken back: {take_back(store, made, actor)}")


@app.command()
def review(
    campaign: Name,
    actor: As,
    most: Annotated[int, typer.Option("--open", min=0, help="开放几份供专家再看 How many to open.")] = 0,
    budget: Annotated[
        float,
        typer.Option(min=0.0, max=3.0, help="每份病历的专家标注上限,含仲裁 Expert labels a record at most."),
    ] = 0.2,
    top: Annotated[int, typer.Option(min=1, help="显示几行 Rows shown.")] = 15,
    as_json: AsJson = False,
) -> None:
    """最可疑的已定病历及其出错概率;--open 交专家盲看。The most doubtful labels; --open has experts look at them, blindly."""
    from dataclasses import asdict

    from xinglin.labels.second_looks import looks, open_looks

    store, made = _campaign(campaign)
    opened = open_looks(store, made, most, by=actor, budget=budget) if most else ()
    found = looks(store, made, by=actor)
    if as_json:
        typer.echo(json.dumps({"opened": opened, **asdict(found)}, ensure_ascii=False, indent=2))
        return
    show_looks(found, opened, budget, top)


@app.command()
def draw(
    campaign: Name,
    size: Annotated[int, typer.Argument(min=1, help="抽取份数 How many records.")],
    seed: Annotated[str, typer.Option(help="种子,与账本头合用 Seed, joined with the ledger's head.")],
    actor: As,
) -> None:
    """为盲审随机抽取已定病历。Draw settled records for the blind audit; prints the seed of the whole order."""
    from xinglin.labels.audit import draw_audit

    store, made = _campaign(campaign)
    found = draw_audit(store, made, size, seed=seed, by=actor)
    typer.echo(f"已抽取 drawn {found.drawn} / {found.population}; 种子 seed {found.seed}")


@app.command("export")
def export_labels(
    campaign: Name,
    out: Annotated[Path, typer.Argument(help="输出文件;证据则为文件夹 A file; a folder for evidence.")],
    actor: As,
    form: Annotated[
        str, typer.Option("--format", help="jsonl | label-studio | label-studio-config | evidence")
    ] = "jsonl",
) -> None:
    """导出标注、Label Studio 任务或配置、证书所需的证据。Export labels, Label Studio tasks, or the audit's evidence."""
    from xinglin.errors import InvalidInputError
    from xinglin.labels.export import evidence_files, label_studio_file, labels_file
    from xinglin.labels.label_studio import labelling_config

    store, made = _campaign(campaign)
    if form == "jsonl":
        files = {out: labels_file(store, made, by=actor)}
    elif form == "label-studio":
        files = {out: label_studio_file(store, made, by=actor)}
    elif form == "label-studio-config":
        files = {out: labelling_config(made.scheme).encode()}
    elif form == "evidence":
        out.mkdir(parents=True, exist_ok=True)
        files = {out / name: data for name, data in evidence_files(store, made, by=actor).items()}
    else:
        raise InvalidInputError(
            f"format: expected jsonl, label-studio, label-studio-config or evidence; got {form!r}"
        )
    for path, data in files.items():
        path.write_bytes(data)
        typer.echo(f"{path}  {len(data):,} B")


@app.command("import")
def import_labels(
    campaign: Name,
    path: Annotated[Path, typer.Argument(help="Label Studio 导出的 JSON Its export, JSON.")],
    actor: As,
    person: Annotated[
        list[str] | None, typer.Option(help="对方用户=本系统用户 Their user = ours, e.g. 10=li.")
    ] = None,
) -> None:
    """导入 Label Studio 的标注,每条占一个空位。Bring in labels from Label Studio; each takes an open place."""
    from xinglin.errors import InvalidInputError
    from xinglin.labels.bring_in import bring_in
    from xinglin.labels.label_studio import read_tasks

    store, made = _campaign(campaign)
    people = dict(text.split("=", 1) for text in person or () if "=" in text)
    if len(people) != len(person or ()):
        raise InvalidInputError("person: expected THEIRS=OURS, each once")
    content = _bytes(path)
    found = bring_in(store, made, read_tasks(content, made.scheme, people=people), by=actor, source=content)
    typer.echo(
        f"已导入 taken {found['taken']}, 已有 known {found['known']}, 无空位 no open place {found['left']}"
    )


@app.command()
def close(campaign: Name, actor: As) -> None:
    """结束任务,不再接受判断。Close a campaign: no more labels are taken."""
    from xinglin.labels.campaign import close_campaign

    store, made = _campaign(campaign)
    close_campaign(store, made, by=actor)
    typer.echo("已结束 closed")


@app.command()
def forget(
    dataset: Annotated[str, typer.Argument(help="数据集 Data set.")],
    actor: As = "cli",
) -> None:
    """删除已从数据集抹去的病历的标注。Delete the labels of records that were erased (xinglin records erase)."""
    from xinglin.labels.campaign import erase_labels
    from xinglin.store import open_store

    count = erase_labels(open_store(), dataset, actor=actor)
    typer.echo(f"已删除 deleted: {count} 份病历的标注 records' labels")


app.command("audit-plan")(audit_plan)
app.command("certify")(certify)
app.command("verify-certificate")(verify_certificate)
app.command("truth")(truth)
app.command("agreement")(agreement)
app.command("noise")(noise)
app.command("select")(select)


def _campaign(name: str) -> tuple[Store, Campaign]:
    from xinglin.labels.campaign import read_campaign
    from xinglin.store import open_store

    store = open_store()
    return store, read_campaign(store, name)


def _stage(name: str) -> Stage:
    from xinglin.errors import InvalidInputError
    from xinglin.labels.campaign import STAGES

    if name not in STAGES:
        raise InvalidInputError(f"stage: expected {', '.join(STAGES)}; got {name!r}")
    return cast("Stage", name)


def _scheme(path: Path, system: str, multi: bool) -> Scheme:
    from xinglin.errors import InvalidInputError
    from xinglin.labels.scheme import scheme_from_json, scheme_from_tsv

    if path.suffix != ".json":
        return scheme_from_tsv(path, name=path.stem, system=system, multi=multi)
    try:
        value = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path.name}: expected JSON") from error
    if multi:
        raise InvalidInputError(
            f"{path.name}: a JSON scheme says itself whether it is multi-label; leave --multi out"
        )
    return scheme_from_json(value)


def _vote(record: Record, scheme: Scheme) -> ModelVote:
    from xinglin.apps.diagnosis import load_differential
    from xinglin.serve.model_vote import model_vote

    return model_vote(load_differential(), record, scheme)


def _span(text: str) -> tuple[int, int]:
    from xinglin.errors import InvalidInputError

    start, colon, end = text.partition(":")
    if not (colon and start.isdecimal() and end.isdecimal()):
        raise InvalidInputError(f"span: expected START:END, got {text!r}")
    return int(start), int(end)


def _text(path: Path) -> str:
    from xinglin.errors import InvalidInputError

    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path.name}: expected UTF-8") from None


def _bytes(path: Path) -> bytes:
    from xinglin.errors import InputTooLargeError, MissingDataError
    from xinglin.labels.label_studio import MAX_BYTES

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES} bytes")
    return path.read_bytes()
