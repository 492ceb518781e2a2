"""``xinglin challenge list|show|create|enter|receipt|score|site|close|verify``: challenges at the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.challenge_shown import figure, show_board, show_challenge, show_list, when
from xinglin.cli.options import AsJson

app = typer.Typer(
    help="挑战赛:公开任务、隐藏测试集、可核验的榜单。Challenges: open tasks, hidden tests, a board anyone can verify.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="挑战赛名称 Name of the challenge.")]
Who = Annotated[str, typer.Option("--as", help="以谁的名义 In whose name.")]
Weak = Annotated[
    bool,
    typer.Option(
        help="内核无强隔离时仍评测(结果中注明)Evaluate although the kernel offers no strong barrier; the entry says so."
    ),
]


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    for name, verb in (
        ("list", listing),
        ("show", show),
        ("create", create),
        ("enter", enter),
        ("receipt", receipt),
        ("score", score),
        ("site", site),
        ("close", close),
        ("verify", verify),
    ):
        app.command(name)(verb)
    root.add_typer(app, name="challenge")


def listing(as_json: AsJson = False) -> None:
    """列出挑战赛。List the challenges."""
    from xinglin.release.challenge.record import list_challenges
    from xinglin.store import open_store

    with open_store().read() as connection:
        found = list_challenges(connection)
    now = datetime.now(UTC)
    if as_json:
        rows = [{"name": one.name, "phase": one.phase(now), "closes": one.manifest.closes} for one in found]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        show_list(found, now)


def show(
    name: Name,
    questions: Annotated[
        Path | None, typer.Option(help="写出测试题目 Write the questions to be answered.")
    ] = None,
    opening: Annotated[
        Path | None, typer.Option(help="写出已公开的隐藏数据 Write what a closed challenge tells.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """显示任务、规则与榜单。Show task, rules and board."""
    from xinglin.release.challenge.record import entries_of, find, open_board, site_reports
    from xinglin.release.challenge.record import questions as told_questions
    from xinglin.release.challenge.verifying import write_opening
    from xinglin.store import open_store

    now = datetime.now(UTC)
    with open_store().read() as connection:
        challenge = find(connection, name)
        rows, reports = open_board(connection, challenge), site_reports(connection, name)
        if questions is not None:
            questions.write_bytes(told_questions(connection, challenge, now))
            typer.echo(str(questions))
        if opening is not None:
            write_opening(connection, challenge, opening)
            typer.echo(str(opening))
        count = len(entries_of(connection, name))
    if questions is not None or opening is not None:
        return
    if as_json:
        body = {
            "manifest": challenge.manifest.as_json(),
            "phase": challenge.phase(now),
            "entries": count,
            "board": [row.as_json() for row in rows],
            "sites": reports,
        }
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    show_challenge(challenge, now)
    show_board(challenge, rows, reports)


def create(
    manifest: Annotated[Path, typer.Argument(help="清单草稿 .toml/.json Draft of the manifest.")],
    hidden: Annotated[
        Path,
        typer.Option(help="隐藏题目与答案 JSONL:id,text,label,part(board/final),groups Hidden cases."),
    ],
    out: Annotated[Path, typer.Option(help="写出含承诺值的清单 Where the committed manifest goes.")],
    salts: Annotated[
        Path | None,
        typer.Option(help="已承诺清单的盐 Salts of a manifest that is committed already (salts.json)."),
    ] = None,
    who: Who = "organiser",
) -> None:
    """创建挑战赛:先承诺隐藏数据,再开放。Create a challenge: the hidden data are committed to first.

    写出的清单可作为合并请求提交;其中没有数据。The manifest it writes can go into a pull request; it holds no data.
    """
    from xinglin.cli.written import write_whole
    from xinglin.records.decode import decode_json
    from xinglin.release.challenge.manifest import read_manifest
    from xinglin.release.challenge.parts import read_cases
    from xinglin.release.challenge.record import create_challenge
    from xinglin.store import open_store

    draft = read_manifest(manifest)
    cases = read_cases(_bytes(hidden), hidden.name, labels=draft.labels)
    known = None if salts is None else decode_json(_bytes(salts), salts.name)
    made = create_challenge(
        open_store(), draft, cases, organiser=who, now=datetime.now(UTC), salts=known
    ).manifest
    write_whole(out, json.dumps(made.as_json(), ensure_ascii=False, indent=2) + "\n")
    committed = made.committed()
    typer.echo(f"承诺 committed: inputs {committed.inputs}, labels {committed.labels}")
    typer.echo(str(out))


def enter(
    name: Name,
    given: Annotated[
        Path,
        typer.Argument(
            help="预测 .csv/.json/.jsonl,或模型文件夹/zip Predictions, or folder or zip of a model."
        ),
    ],
    title: Annotated[str, typer.Option(help="榜单上的名称 What it is, for the board.")],
    who: Who,
    weak: Weak = False,
    as_json: AsJson = False,
) -> None:
    """参赛:提交预测或模型。Enter predictions, or a model that is evaluated here without network.

    模型只收 ONNX 或 safetensors,绝不收代码与 pickle。Models are ONNX or safetensors, never code or pickles.
    """
    from xinglin.release.challenge.entering import enter_file
    from xinglin.release.challenge.entering_model import enter_model
    from xinglin.store import open_store

    store, now = open_store(), datetime.now(UTC)
    if given.is_dir() or given.suffix == ".zip":
        made = enter_model(store, name, given, entrant=who, title=title, now=now, weak=weak)
    else:
        made = enter_file(store, name, _bytes(given), given.name, entrant=who, title=title, now=now)
    if as_json:
        body = {
            "entry": made.id,
            "state": made.state,
            "told": made.told,
            "seq": made.seq,
            "digest": made.digest,
        }
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    if made.state == "failed":
        typer.echo(f"未得到答案 no answer: {made.told['reason']}")
        raise typer.Exit(1)
    told = made.told
    typer.echo(f"第 {made.id} 号 entry {made.id}: {figure(told)}")
    if not told["accepted"]:
        typer.echo(
            "分数未变:未显著超过此前成绩。The score stays: it does not beat the last one by more than chance."
        )
    if told["barriers"]:
        typer.echo(f"隔离 barriers: {', '.join(told['barriers'])}")
    typer.echo(f"账本条目 ledger entry {made.seq}; xinglin challenge receipt {name} {made.id} --out FILE")


def receipt(
    name: Name,
    number: Annotated[int, typer.Argument(help="条目号 Number of the entry.")],
    out: Annotated[Path, typer.Option(help="写到 Where to.")],
) -> None:
    """写出参赛回执:证明条目在已签名的账本中。Write an entry's receipt: proof that it is in the signed ledger."""
    from xinglin.release.challenge.verifying import receipt as make
    from xinglin.store import open_store

    with open_store().read() as connection:
        told = make(connection, name, number)
    out.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    typer.echo(str(out))


def score(
    manifest: Annotated[Path, typer.Argument(help="清单 .toml/.json The manifest.")],
    given: Annotated[Path, typer.Argument(help="预测文件,或模型文件夹/zip Predictions, or a model.")],
    data: Annotated[Path, typer.Option(help="自有已标注数据 JSONL:id,text,label,groups Labelled cases.")],
    on_site: Annotated[
        bool, typer.Option("--on-site", help="本院评测:只写出签名指标 Only signed figures are written.")
    ] = False,
    sign: Annotated[Path | None, typer.Option(help="本院私钥 The hospital's private key (Ed25519).")] = None,
    salt: Annotated[
        Path | None,
        typer.Option(help="数据承诺的盐,不存在则生成,留在本院 Salt; made if absent, stays at home."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="签名报告写到 Where the report goes.")] = None,
    weak: Weak = False,
) -> None:
    """在自己的数据上评分;``--on-site`` 时只输出签名指标。Score on data of one's own; on site, only signed figures.

    不接触隐藏测试集。The hidden test is never touched.
    """
    from xinglin.errors import InvalidInputError
    from xinglin.release.challenge.board import figures_of, interval, subgroups
    from xinglin.release.challenge.entering_model import opened_model
    from xinglin.release.challenge.evaluation import predict
    from xinglin.release.challenge.manifest import read_manifest
    from xinglin.release.challenge.metrics import METRICS
    from xinglin.release.challenge.on_site import score_on_site
    from xinglin.release.challenge.parts import read_cases
    from xinglin.release.challenge.predictions import read_predictions
    from xinglin.store.key_files import read_key_file, write_key_file

    if on_site and (sign is None or salt is None or out is None):
        raise InvalidInputError("--on-site needs --sign KEY, --salt FILE and --out FILE")
    told = read_manifest(manifest)
    cases = read_cases(_bytes(data), data.name, labels=told.labels)
    barriers: tuple[str, ...] = ()
    if given.is_dir() or given.suffix == ".zip":
        with opened_model(given, told) as model:
            answered = predict(model, {case.id: case.text for case in cases}, told, weak=weak)
            answers, barriers, digest = answered.predictions, answered.barriers, model.digest
    else:
        answers = read_predictions(_bytes(given), given.name, [case.id for case in cases], told.labels)
        digest = answers.digest
    if on_site and sign is not None and salt is not None and out is not None:
        if not salt.exists():
            write_key_file(salt)
        report = score_on_site(
            told,
            cases,
            answers,
            model=digest,
            salt=read_key_file(salt).hex(),
            key=sign,
            now=datetime.now(UTC),
            barriers=barriers,
        )
        out.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        typer.echo(str(out))
        return
    metric = METRICS[told.metric]
    found = interval(figures_of(metric, answers, cases))
    typer.echo(f"{metric.zh} {metric.en}: {figure(found.as_json() | {'n': found.n})}")
    for name, one in subgroups(metric, answers, cases).items():
        typer.echo(f"  {name}: {'—' if one is None else figure(one.as_json() | {'n': one.n})}")


def site(
    name: Name,
    report: Annotated[Path, typer.Argument(help="医院的签名报告 JSON A hospital's signed report.")],
    who: Who = "organiser",
) -> None:
    """核验并收下医院的签名指标。Check a hospital's signed figures and take them to the board."""
    from xinglin.records.decode import decode_json
    from xinglin.release.challenge.on_site import accept_report
    from xinglin.store import open_store

    told = decode_json(_bytes(report), report.name)
    body = accept_report(open_store(), name, told, by=who, now=datetime.now(UTC))
    typer.echo(f"{body['site']}: {figure(body)}")


def close(name: Name, who: Who = "organiser") -> None:
    """关闭:在未触及的部分上排定名次,公开隐藏数据。Close: rank on the untouched part, tell the hidden data."""
    from xinglin.release.challenge.closing import close_challenge
    from xinglin.store import open_store

    challenge = close_challenge(open_store(), name, by=who, now=datetime.now(UTC))
    show_board(challenge, list(challenge.final), [])
    typer.echo(f"公开 told: xinglin challenge show {name} --opening DIR")


def verify(
    name: Annotated[str | None, typer.Argument(help="本库中的挑战赛 A challenge of this store.")] = None,
    opening: Annotated[
        Path | None, typer.Option(help="核验已公开的文件夹 Check a folder that was told.")
    ] = None,
    receipt: Annotated[Path | None, typer.Option(help="核验回执 Check a receipt.")] = None,
    public_key: Annotated[
        list[str] | None, typer.Option(help="信任的账本公钥(hex)Public key of the ledger that you trust.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option(help="回执应有的预测摘要 Digest of what was entered, to compare with.")
    ] = None,
) -> None:
    """核验:账本、承诺、每一个分数、最终榜单。Verify the chain, the commitments, every score, the final board."""
    from xinglin.errors import InvalidInputError
    from xinglin.records.decode import decode_json
    from xinglin.release.challenge.verifying import check_files, check_receipt, verify_challenge
    from xinglin.store import open_store

    if name is None and opening is None and receipt is None:
        raise InvalidInputError("expected a challenge, --opening DIR or --receipt FILE")
    if name is not None:
        with open_store().read() as connection:
            found = verify_challenge(connection, name)
        typer.echo(
            f"核验通过 verified: 账本 ledger {found.ledger}, 条目 entries {found.entries}, 医院 sites {found.sites}, "
            f"最终榜单 final board {'✓' if found.final else '—'}"
        )
    if opening is not None:
        manifest, cases = check_files(opening)
        typer.echo(f"承诺相符 the commitments open: {manifest.name}, {len(cases)} 题 cases")
    if receipt is not None:
        told = decode_json(_bytes(receipt), receipt.name)
        said = check_receipt(told, public_key or ())
        if digest is not None and told["digest"] != digest:
            raise InvalidInputError("receipt: it is of other predictions")
        typer.echo(f"回执有效 the receipt holds: {said['actor']}, {when(said['time'])}, {told['digest']}")


def _bytes(path: Path) -> bytes:
    from xinglin.errors import InputTooLargeError, MissingDataError
    from xinglin.release.challenge.parts import MAX_BYTES

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES} bytes")
    return path.read_bytes()
