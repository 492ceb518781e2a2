"""``xinglin ledger credit``: what each hospital's data added, a payout proposed from it, objections, and the claim."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AsJson, Seed

if TYPE_CHECKING:
    from xinglin.ledger.credit.evidence import Contribution
    from xinglin.ledger.credit.sampled import Plan
    from xinglin.ledger.credit.settle import Proposal

app = typer.Typer(help="贡献与积分 Credit: contribution of each site, and its points.", no_args_is_help=True)
Actor = Annotated[str, typer.Option("--as", help="操作人 Who acts; stands in the ledger.")]
Number = Annotated[int, typer.Argument(min=1, help="分配编号 Number of the payout.")]
MAX_EVIDENCE = 64 << 20
STATES = {"proposed": "公示中 proposed", "withdrawn": "已撤回 withdrawn", "final": "已定 final"}


def register(ledger: typer.Typer) -> None:
    """Add the verbs below ``ledger``."""
    ledger.add_typer(app, name="credit")


@app.command()
def compute(
    job: Annotated[Path, typer.Argument(help="任务 JOB.toml The job, task tabular.")],
    data: Annotated[
        Path, typer.Option(help="每个子文件夹一家医院 A folder with one folder of data a hospital.")
    ],
    model: Annotated[str, typer.Option(help="受奖检查点的 SHA-256 Of the checkpoint that is rewarded.")],
    out: Annotated[Path, typer.Option(help="证据文件 JSON To write: the evidence.")],
    runs: Annotated[int, typer.Option(min=2, help="重训次数,每次重新划分 Retrainings, each cut anew.")] = 20,
    seed: Seed = 0,
    metric: Annotated[str, typer.Option(help="log score | accuracy")] = "log score",
    judge: Annotated[
        list[str] | None,
        typer.Option(help="以其留出数据评价的医院,可多次 Whose held-out rows are measured on; repeatable."),
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(
            help="登记先后,可多次;不填按协调端登记 Order of registration; without: the coordinator's."
        ),
    ] = None,
    orders: Annotated[
        int | None, typer.Option(min=30, help="十家以上:抽多少次序 Beyond ten sites: orders.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="截断容差 Truncation; 0: none.")] = 0.0,
    error: Annotated[float, typer.Option(min=0.0, help="标准误小于此即止 Stop below this error.")] = 0.0,
    state: Annotated[Path | None, typer.Option(help="续跑文件夹 Folder to go on from.")] = None,
    actor: Actor = "cli",
) -> None:
    """重训各联盟,算出各院贡献的证据;可中断续跑。Retrain coalitions of hospitals; write the evidence; can be resumed.

    数据须已授权给 federation(xinglin federate permit)。The data must be granted to the reader `federation`.
    """
    from xinglin.cli.written import write_whole
    from xinglin.errors import MissingDataError
    from xinglin.federate.crediting import measure, registered_order
    from xinglin.federate.job import read_job
    from xinglin.federate.site import ACTOR
    from xinglin.ledger import append, check
    from xinglin.ledger.credit.evidence import contributions_of, evidence_hash
    from xinglin.store import open_store
    from xinglin.store.keys import canonical_json

    if not data.is_dir():
        raise MissingDataError(f"there is no folder {data}")
    asked, store = read_job(job), open_store()
    folders = {place.name: place for place in sorted(data.iterdir()) if place.is_dir()}
    with store.read() as connection:
        check(connection, asked.data.dataset, grantee=ACTOR, purpose=asked.purpose)
        sites = order if order else registered_order(connection, folders)

    def report(done: int, total: int) -> None:
        typer.echo(f"\r{done}/{total} 次重训 retrainings", err=True, nl=done == total)

    plan = None if orders is None else _plan(seed, orders, tolerance, error)
    content = measure(
        asked, folders, model=model, order=sites, runs=runs, seed=seed, metric=metric,  # type: ignore[arg-type]
        judges=judge or None, orders=plan, state=state, progress=report if sys.stderr.isatty() else None,
    )  # fmt: skip
    write_whole(out, canonical_json(content).decode() + "\n")
    with store.write() as connection:
        said = {"job": asked.name, "runs": runs, "sites": len(folders)}
        append(connection, "credit.measure", actor=actor, subjects=(evidence_hash(content),), detail=said)
    _table(contributions_of(content)[1], paid=False)
    typer.echo(f"已写 written: {out}  {evidence_hash(content)}")


@app.command()
def show(
    what: Annotated[
        str | None, typer.Argument(help="编号或证据文件;不填列出全部 A number, an evidence file; empty: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """显示分配或由证据重新计算。Show payouts, or work one out anew from its evidence."""
    from xinglin.ledger.credit.evidence import assess
    from xinglin.ledger.credit.objections import objections
    from xinglin.ledger.credit.settle import find, payouts
    from xinglin.store import open_store

    if what is not None and not what.isdigit():
        contributions, payout = assess(read_evidence(Path(what)))
        if as_json:
            told = {"payout": asdict(payout), "contributions": [asdict(one) for one in contributions]}
            typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
            return
        _table(contributions, paid=True)
        typer.echo(f"证据 evidence {payout.evidence}\n模型 model {payout.model}")
        return
    with open_store().read() as connection:
        if what is None:
            found = payouts(connection)
            disputes = {}
        else:
            found = [find(connection, int(what))]
            disputes = {found[0].id: objections(connection, found[0].id)}
    if as_json:
        rows = [_json(one) | {"objections": [asdict(d) for d in disputes.get(one.id, [])]} for one in found]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for one in found:
        _proposal(one)
        for dispute in disputes.get(one.id, []):
            verdict = {None: "未答复 open", "upheld": "成立 upheld", "dismissed": "驳回 dismissed"}[
                dispute.verdict
            ]
            typer.echo(f"  异议 objection {dispute.id}  {dispute.by}: {dispute.reason}  [{verdict}]")
            if dispute.answer:
                typer.echo(f"    {dispute.answered_by}: {dispute.answer}")
        if what is not None:
            same = assess(one.evidence)[1] == one.payout
            typer.echo(
                "  由证据重算一致 worked out anew from the evidence: the same"
                if same
                else "  重算不符 DIFFERS"
            )
    if not found:
        typer.echo("尚无分配 no payout yet: xinglin ledger credit propose")


@app.command()
def propose(
    file: Annotated[Path, typer.Argument(help="证据文件 The evidence.")],
    steward: Annotated[list[str], typer.Option(help="医院=管理人,每院一次 SITE=STEWARD, once a site.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="公示天数 Days for objections.")] = 14,
    replaces: Annotated[int | None, typer.Option(min=1, help="取代哪个已撤回的 A withdrawn one.")] = None,
    actor: Actor = "cli",
) -> None:
    """由证据提出分配,进入公示。Propose a payout from its evidence; the time for objections begins."""
    from xinglin.errors import InvalidInputError
    from xinglin.ledger.credit.settle import propose as enter
    from xinglin.store import open_store

    pairs = [text.partition("=") for text in steward]
    if any(not site or not mark or not name for site, mark, name in pairs):
        raise InvalidInputError("--steward: expected SITE=STEWARD")
    if len({site for site, _, _ in pairs}) < len(pairs):
        raise InvalidInputError("--steward: a site is named twice")
    with open_store().write() as connection:
        made = enter(
            connection, read_evidence(file), stewards={site: name for site, _, name in pairs}, actor=actor, days=days,
            replaces=replaces,
        )  # fmt: skip
    _proposal(made)


@app.command("object")
def object_(
    number: Number,
    reason: Annotated[str, typer.Option(help="理由 Why.")],
    file: Annotated[
        Path | None, typer.Option("--evidence", help="佐证文件,只记摘要 Only its digest is kept.")
    ] = None,
    actor: Actor = "cli",
) -> None:
    """在公示期内提出异议。Object to a payout while its time for objections runs."""
    from xinglin.ledger.credit.objections import object_to
    from xinglin.store import open_store
    from xinglin.store.keys import digest

    shown = None if file is None else digest(_bytes(file))
    with open_store().write() as connection:
        made = object_to(connection, number, reason=reason, by=actor, evidence=shown)
    typer.echo(f"已记异议 objection {made.id} -> payout {number}")


@app.command()
def answer(
    objection: Annotated[int, typer.Argument(min=1, help="异议编号 Number of the objection.")],
    verdict: Annotated[str, typer.Option(help="upheld 成立 | dismissed 驳回")],
    text: Annotated[str, typer.Option(help="答复 The answer.")],
    actor: Actor = "cli",
) -> None:
    """答复异议;成立则撤回,须重新计算。Answer an objection; an upheld one withdraws the payout."""
    from xinglin.ledger.credit.objections import answer as reply
    from xinglin.store import open_store

    with open_store().write() as connection:
        made = reply(connection, objection, verdict=verdict, text=text, by=actor)  # type: ignore[arg-type]
    typer.echo(f"已答复 answered: {made.verdict}")


@app.command()
def finalise(number: Number, actor: Actor = "cli") -> None:
    """公示期满且无未答异议,定案。Make a payout final once its time is over and no objection is open."""
    from xinglin.ledger.credit.settle import finalise as close
    from xinglin.store import open_store

    with open_store().write() as connection:
        _proposal(close(connection, number, actor=actor))


@app.command()
def claim(
    number: Number,
    site: Annotated[str, typer.Option(help="医院 The site.")],
    actor: Actor = "cli",
) -> None:
    """管理人领取本院积分,一次为限。A steward takes the site's points, once."""
    from xinglin.ledger.credit.settle import balance
    from xinglin.ledger.credit.settle import claim as take
    from xinglin.store import open_store

    with open_store().write() as connection:
        share = take(connection, number, site, by=actor)
        total = balance(connection, actor)
    typer.echo(f"已领 taken: {share.points} 基点 basis points; {actor} 累计 in all {total}")


def _plan(seed: int, most: int, tolerance: float, error: float) -> Plan:
    from xinglin.ledger.credit.sampled import Plan

    return Plan(seed=seed, tolerance=tolerance, error=error, least=min(30, most), most=most)


def _bytes(path: Path) -> bytes:
    from xinglin.errors import InputTooLargeError, MissingDataError

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > MAX_EVIDENCE:
        raise InputTooLargeError(f"{path.name}: expected at most {MAX_EVIDENCE} bytes")
    return path.read_bytes()


def read_evidence(path: Path) -> Any:
    """Read the JSON that ``compute`` wrote.

    Raises:
        MissingDataError, InputTooLargeError, InvalidInputError: no file, too large, or no JSON.
    """
    from xinglin.errors import InvalidInputError

    try:
        return json.loads(_bytes(path))
    except (ValueError, RecursionError):
        raise InvalidInputError(f"{path.name}: expected evidence, a JSON file of credit compute") from None


def _table(contributions: list[Contribution], *, paid: bool) -> None:
    """Print what each site added; no points where nothing has been decided."""
    from rich.console import Console
    from rich.table import Table

    heads = [
        "医院 site",
        "Shapley",
        "95 %",
        "留一 leave-one-out",
        "重复 copies",
        *(["基点 points"] if paid else []),
    ]
    grid = Table(*heads, box=None, pad_edge=False)
    for one in contributions:
        span = f"{one.shapley.low:+.4f} – {one.shapley.high:+.4f}"
        row = [
            one.site,
            f"{one.shapley.value:+.4f}",
            span,
            f"{one.alone_missing.value:+.4f}",
            str(one.copies),
        ]
        grid.add_row(*row, *([str(one.points)] if paid else []))
    Console().print(grid)


def _proposal(one: Proposal) -> None:
    typer.echo(
        f"分配 payout {one.id}  {STATES[one.state]}  公示至 objections until {one.closes}  模型 model "
        f"{one.payout.model[:16]}…  证据 evidence {one.payout.evidence[:16]}…"
    )
    for share in one.shares:
        taken = f"  已领 taken {share.claimed}" if share.claimed else ""
        typer.echo(f"  {share.site:20s} {share.points:>6}  {share.steward}{taken}")


def _json(one: Proposal) -> dict[str, Any]:
    told = asdict(one)
    del told["evidence"]
    return told
