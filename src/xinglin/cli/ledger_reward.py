"""``xinglin ledger reward``: credit points, proposed, challenged, then pulled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.ledger_opened import opened, signer, word

app = typer.Typer(help="贡献积分(非代币)Credit points, not tokens.", no_args_is_help=True)
Key = Annotated[Path, typer.Option(help="账户文件 Keystore of the account that signs.")]
Pool = Annotated[str, typer.Argument(help="积分池 Pool.")]
Number = Annotated[int, typer.Argument(min=1, help="分配号 Number of the payout.")]
Evidence = Annotated[str, typer.Option(help="依据的 SHA-256 Digest of the evidence.")]


@app.command("open")
def open_pool(
    pool: Pool,
    key: Key,
    arbiter: Annotated[str, typer.Option(help="仲裁方名称 Name of the arbiter.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="异议期(天)Days for challenges.")] = 14,
) -> None:
    """开设积分池。Open a pool."""
    contracts, account, find = _open(key)
    contracts.rewards.open_pool(account, find("pool", pool), find("arbiter", arbiter), days * 86_400)
    typer.echo(f"已开设 open: {pool}, 异议期 challenges for {days} 天 days")


@app.command()
def propose(
    pool: Pool,
    key: Key,
    credit: Annotated[
        Path | None, typer.Option(help="credit compute 的证据文件 Evidence of ledger credit compute.")
    ] = None,
    shares: Annotated[
        Path | None, typer.Option(help='{"机构": 基点} JSON Basis points by site, together 10000.')
    ] = None,
    evidence: Annotated[
        str | None,
        typer.Option(help="依据的 SHA-256(与 --shares 同用)Digest of the evidence, with --shares."),
    ] = None,
    points: Annotated[int, typer.Option(min=10_000, help="积分,10000 的倍数 Points.")] = 1_000_000,
) -> None:
    """提出分配:由证据算出(--credit),或直接给出基点。Propose a payout, worked out from evidence or as given."""
    from xinglin.errors import InvalidInputError

    if credit is not None and shares is None and evidence is None:
        from xinglin.cli.ledger_credit import read_evidence
        from xinglin.ledger.credit.evidence import assess

        _, payout = assess(read_evidence(credit))
        wanted, digest = payout.points, payout.evidence
    elif credit is None and shares is not None and evidence is not None:
        wanted, digest = _shares(shares), evidence
    else:
        raise InvalidInputError("propose: expected --credit FILE, or --shares FILE with --evidence DIGEST")
    contracts, account, find = _open(key)
    number = contracts.rewards.propose(
        account,
        find("pool", pool),
        word(digest),
        {find("site", name): share for name, share in wanted.items()},
        points=points,
    )
    typer.echo(
        f"已提出 proposed: payout {number}, 异议至 challenges until {_day(contracts.rewards.find(number).ends)}"
    )


@app.command()
def challenge(number: Number, key: Key, evidence: Evidence) -> None:
    """异议期内任何人可提出异议。Object; anyone may within the window."""
    contracts, account, _ = _open(key)
    contracts.rewards.challenge(account, number, word(evidence))
    typer.echo(f"已异议 challenged: payout {number}")


@app.command()
def decide(
    number: Number,
    key: Key,
    uphold: Annotated[bool, typer.Option("--uphold/--dismiss", help="成立或驳回 Decision.")],
) -> None:
    """仲裁方在异议期后裁决。As the arbiter, decide after the window."""
    contracts, account, _ = _open(key)
    contracts.rewards.decide(account, number, upheld=uphold)
    typer.echo(f"已裁决 decided: payout {number} {'异议成立 refused' if uphold else '异议驳回 dismissed'}")


@app.command()
def finalise(number: Number, key: Key) -> None:
    """异议期满后定案。Close a payout after its window."""
    contracts, account, _ = _open(key)
    contracts.rewards.finalise(account, number)
    typer.echo(f"已定案 final: payout {number}")


@app.command()
def claim(number: Number, site: Annotated[str, typer.Argument(help="机构 Site.")], key: Key) -> None:
    """机构领取积分,仅一次。Pull a site's points, once."""
    contracts, account, find = _open(key)
    id = find("site", site)
    points = contracts.rewards.claim(account, number, id)
    typer.echo(f"已领取 claimed: {points} 分 points, 余额 balance {contracts.rewards.balance_of(id)}")


@app.command()
def show(number: Number) -> None:
    """分配的状态。How a payout stands."""
    from xinglin.ledger.onchain.names import names

    store, contracts = opened()
    found = contracts.rewards.find(number)
    typer.echo(f"payout {number}: {found.state.name}, {found.points} points, 异议至 until {_day(found.ends)}")
    with store.read() as connection:
        sites = names(connection, contracts.chain.network, "site")
    for id, name in sorted(sites.items(), key=lambda item: item[1]):
        share = contracts.rewards.share_of(number, id)
        if share:
            done = "已领 claimed" if contracts.rewards.claimed(number, id) else "未领 not claimed"
            typer.echo(f"{name}: {share} bp, {done}")


def _shares(path: Path) -> dict[str, int]:
    from xinglin.errors import InvalidInputError

    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): int(share) for name, share in given.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        raise InvalidInputError(f'{path.name}: expected JSON such as {{"site": 10000}}') from None


def _open(key: Path) -> tuple[Any, Any, Any]:
    from xinglin.ledger.onchain.names import find

    store, contracts = opened()

    def by_name(kind: Any, name: str) -> bytes:
        with store.read() as connection:
            return find(connection, contracts.chain.network, kind, name)

    return contracts, signer(key), by_name


def _day(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="minutes")
