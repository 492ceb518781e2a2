"""``xinglin ledger``: the ledger on an EVM chain, from an account to a verified anchor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from xinglin.cli import ledger_reward
from xinglin.cli.ledger_opened import opened, signer, word

app = typer.Typer(
    help="共享账本:贡献积分与本人同意;可选上链的授权、同意、锚定 The commons: credit, consents, and grants on a chain.",
    no_args_is_help=True,
)
accounts = typer.Typer(help="链上账户 Accounts of the chain.", no_args_is_help=True)
chain = typer.Typer(help="链的状态与核对 The chain's state, and its check.", no_args_is_help=True)
app.add_typer(accounts, name="account")
app.add_typer(chain, name="chain")
app.add_typer(ledger_reward.app, name="reward")

Key = Annotated[Path, typer.Option(help="账户文件 Keystore of the account that signs.")]
Dataset = Annotated[str, typer.Argument(help="数据集 Data set.")]
To = Annotated[str, typer.Option("--to", help="被授权人 Grantee.")]
Purpose = Annotated[str, typer.Option(help="用途 Purpose.")]
Actor = Annotated[str, typer.Option(help="操作人 Who does it.")]


def register(group: typer.Typer) -> None:
    """Add the verbs to the command's root."""
    group.add_typer(app, name="ledger")


@accounts.command("new")
def new(out: Annotated[Path, typer.Option(help="账户文件(600,加密)Keystore file.")]) -> None:
    """生成加密账户文件。Make an account in an encrypted file."""
    from xinglin.ledger.onchain import new_account
    from xinglin.ledger.onchain.keystore import passphrase

    address = new_account(
        out,
        passphrase(lambda: str(typer.prompt("口令 passphrase", hide_input=True, confirmation_prompt=True))),
    )
    typer.echo(f"地址 address {address}\n文件与口令分开备份 Back up file and passphrase apart: {out}")


@app.command()
def deploy(
    key: Key,
    url: Annotated[
        str | None, typer.Option(help="节点 JSON-RPC;缺省为本进程内链 Node; default in-process.")
    ] = None,
    confirmations: Annotated[int, typer.Option(min=0, help="确认块数 Blocks on top.")] = 2,
    attach: Annotated[
        Path | None, typer.Option(help="已部署地址(JSON)Addresses of contracts deployed before.")
    ] = None,
    estimate: Annotated[bool, typer.Option(help="只估算费用 Only estimate the cost.")] = False,
    actor: Actor = "cli",
) -> None:
    """部署五份合约并记入账本,或连接已部署的合约。Deploy the contracts, or use those deployed before."""
    from xinglin.ledger.onchain import Chain, Contracts, deployment
    from xinglin.store import open_store

    store = open_store()
    on = Chain.in_process(store) if url is None else Chain.node(url, store, confirmations=confirmations)
    if estimate:
        _estimated(on, signer(key))
        return
    if attach is not None:
        contracts = Contracts.attach(on, json.loads(attach.read_text(encoding="utf-8")))
    else:
        contracts = Contracts.deploy(on, signer(key))
    deployment.note(store, contracts, url=url, by=actor)
    typer.echo(f"网络 network {on.network}", err=True)
    typer.echo(json.dumps(contracts.addresses(), indent=1))


@app.command("register")
def enter(
    kind: Annotated[Literal["dataset", "site", "log", "pool", "arbiter"], typer.Argument(help="种类 Kind.")],
    name: Annotated[str, typer.Argument(help="名称(不上链)Name; it stays here.")],
    key: Key,
    recovery: Annotated[
        str | None, typer.Option(help="恢复账户地址 Address that may replace a lost key.")
    ] = None,
    manifest: Annotated[str | None, typer.Option(help="清单 SHA-256 Digest of the manifest.")] = None,
) -> None:
    """登记数据集、机构、日志、积分池或仲裁方。Register what the account answers for."""
    from xinglin.ledger.onchain.clients import NOBODY, address
    from xinglin.ledger.onchain.names import register as put

    store, contracts = opened()
    root = word(manifest) if manifest else bytes(32)
    to = address(recovery) if recovery else NOBODY
    id = put(store, contracts, signer(key), kind, name, manifest=root, recovery=to)
    typer.echo(f"已登记 registered: {kind} {name} {id.hex()}")
    if recovery is None:
        typer.echo(
            "没有恢复账户:密钥遗失即无法更换 No recovery account: a lost key cannot be replaced.", err=True
        )


@app.command()
def anchor(
    key: Key,
    dataset: Annotated[
        str | None, typer.Option(help="授权与同意所属数据集 Grants and consents of it.")
    ] = None,
    audit: Annotated[bool, typer.Option(help="锚定审计链 Anchor the audit chain.")] = False,
    log: Annotated[str, typer.Option(help="日志名 Name of the log.")] = "audit",
) -> None:
    """成批锚定授权与同意,或锚定审计链。Anchor grants and consents in batches, or the audit chain."""
    from xinglin.errors import InvalidInputError
    from xinglin.ledger.onchain import anchor_audit, anchor_consents, anchor_grants
    from xinglin.records.sealing import commitment_salts

    if not audit and dataset is None:
        raise InvalidInputError("anchor: expected --dataset NAME, --audit, or both")
    store, contracts = opened()
    account = signer(key)
    if dataset is not None:
        salts = commitment_salts(store.archive_key)
        for what, done in (
            ("授权 grants", anchor_grants(store, contracts, account, dataset)),
            ("同意 consents", anchor_consents(store, contracts, account, dataset, salts)),
        ):
            typer.echo(
                f"{what}: {done.statements} 条 statements, {done.batches} 批 batches, "
                f"撤回 taken back {done.struck}, gas {done.gas}"
            )
    if audit:
        found = anchor_audit(store, contracts, account, log=log)
        typer.echo(f"审计链 audit chain: {found.size} entries, root {found.root.hex()}")


@app.command()
def grant(
    dataset: Dataset,
    key: Key,
    to: To,
    purpose: Purpose,
    expires: Annotated[str | None, typer.Option(help="末日,如 2027-12-31 Last day.")] = None,
    sign: Annotated[bool, typer.Option(help="只签名,由他人上链 Sign only, for another to bring.")] = False,
    deadline: Annotated[
        int, typer.Option(min=60, help="签名有效秒数 Seconds for which it may be brought.")
    ] = 86_400,
    actor: Actor = "cli",
) -> None:
    """授权:先记入本库,再上链(或签名)。Grant, in the store and on the chain."""
    from xinglin.ledger.onchain import granting

    store, contracts = opened()
    who: dict[str, Any] = {"grantee": to, "purpose": purpose, "by": actor, "expires": expires}
    if sign:
        until = contracts.chain.now() + deadline
        signed = granting.sign_grant(store, contracts, signer(key), dataset, deadline=until, **who)
        typer.echo(json.dumps(signed))
        return
    sent = granting.grant(store, contracts, signer(key), dataset, **who)
    typer.echo(f"已授权 granted: block {sent.block}, gas {sent.gas}, {sent.hash}")


@app.command()
def bring(key: Key, signed: Annotated[Path, typer.Argument(help="签名授权 JSON A signed grant.")]) -> None:
    """把他人签名的授权送上链。Bring a grant that the steward signed."""
    from xinglin.errors import InvalidInputError

    try:
        content = json.loads(signed.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InvalidInputError(
            f"{signed.name}: expected the JSON of `xinglin ledger grant --sign`"
        ) from None
    _, contracts = opened()
    sent = contracts.grants.bring(signer(key), content)
    typer.echo(f"已授权 granted: block {sent.block}, gas {sent.gas}, {sent.hash}")


@app.command()
def revoke(dataset: Dataset, key: Key, to: To, purpose: Purpose, actor: Actor = "cli") -> None:
    """撤销授权:本库即刻生效,再上链。Revoke, in the store at once and then on the chain."""
    from xinglin.ledger.onchain import granting

    store, contracts = opened()
    done = granting.revoke(store, contracts, signer(key), dataset, grantee=to, purpose=purpose, by=actor)
    typer.echo(f"已撤销 revoked: {done.struck} on the chain, gas {done.gas}")


@app.command("revoke-all")
def revoke_all(dataset: Dataset, key: Key) -> None:
    """结束链上此前的全部授权(密钥可能失窃时)。End every grant on the chain, for a key that may be stolen."""
    from xinglin.ledger.onchain.names import find

    store, contracts = opened()
    with store.read() as connection:
        id = find(connection, contracts.chain.network, "dataset", dataset)
    sent = contracts.grants.revoke_all(signer(key), id)
    typer.echo(
        f"已全部撤销 all revoked: block {sent.block}, gas {sent.gas}; 须重新授权 grant anew what shall stay"
    )


@app.command()
def steward(
    act: Annotated[
        Literal["offer", "accept", "recover", "refuse", "recovery"],
        typer.Argument(help="移交、接受、恢复、拒绝恢复、改恢复账户 What to do."),
    ],
    kind: Annotated[Literal["dataset", "site", "log", "pool", "arbiter"], typer.Argument(help="种类 Kind.")],
    name: Annotated[str, typer.Argument(help="名称 Name.")],
    key: Key,
    to: Annotated[str | None, typer.Option(help="对方地址 Address of the other.")] = None,
) -> None:
    """更换责任账户:移交须对方接受;密钥遗失由恢复账户发起,期满生效。Change who answers for something."""
    from xinglin.errors import InvalidInputError
    from xinglin.ledger.onchain.clients import NOBODY, address
    from xinglin.ledger.onchain.names import find

    store, contracts = opened()
    with store.read() as connection:
        id = find(connection, contracts.chain.network, kind, name)
    registry, account = contracts.registry, signer(key)
    if act in ("offer", "recover", "recovery") and to is None:
        raise InvalidInputError(f"steward {act}: expected --to ADDRESS")
    other = address(to) if to is not None else NOBODY
    if act == "accept":
        registry.accept(account, id)
    elif act == "recovery":
        registry.set_recovery(account, id, other)
    elif act == "recover":
        registry.recover(account, id, other)
    else:
        registry.offer(account, id, other)
    typer.echo(f"已执行 done: {act}; 现责任账户 steward now {registry.steward_of(id)}")


@app.command()
def settle() -> None:
    """核对已发交易:确认之,掉落者原样重发。Look after what was sent; send again what was dropped."""
    _, contracts = opened()
    found = contracts.chain.settle()
    typer.echo(
        f"已确认 confirmed {found.confirmed}, 等待 waiting {found.waiting}, 重发 sent again {len(found.resent)}"
    )
    for hash_ in found.replaced:
        typer.echo(f"被顶替 replaced: {hash_}", err=True)


@chain.command()
def status() -> None:
    """链、合约与交易的状态。What is in force, and how the transactions stand."""
    from xinglin.ledger.onchain import outbox

    store, contracts = opened()
    with store.read() as connection:
        counts = outbox.counts(connection, contracts.chain.network)
    typer.echo(f"网络 network {contracts.chain.network}, 块 block {contracts.chain.web3.eth.block_number}")
    for name, address in contracts.addresses().items():
        typer.echo(f"{name} {address}")
    typer.echo("交易 transactions: " + (", ".join(f"{k} {v}" for k, v in sorted(counts.items())) or "0"))


@chain.command()
def verify(log: Annotated[str, typer.Option(help="日志名 Name of the log.")] = "audit") -> None:
    """核对合约代码与审计链锚点。Check the contracts' programs and the anchored audit chain."""
    from xinglin.ledger.onchain.audit import check_anchor

    store, contracts = opened()
    found = check_anchor(store, contracts, log=log)
    typer.echo("合约与本版一致 the contracts are those of this version")
    if found is None:
        typer.echo("审计链尚未锚定 the audit chain is not anchored yet")
    else:
        typer.echo(f"审计链相符 the audit chain agrees: {found.size} entries, root {found.root.hex()}")


def _estimated(on: Any, account: Any) -> None:
    from xinglin.ledger.onchain.artifacts import NAMES, artifact

    total = 0
    # The others need the registry's address; before it stands, only the registry itself can be estimated.
    found = artifact(NAMES[0])
    kind = on.web3.eth.contract(abi=found["abi"], bytecode=found["bytecode"])
    cost = on.estimate(kind.constructor(0), account)
    for name in NAMES:
        code = len(artifact(name)["bytecode"]) // 2
        total += cost.gas * code // (len(found["bytecode"]) // 2)
    typer.echo(f"约 about {total} gas, 每 gas 至多 at most {cost.price} wei, 共 {total * cost.price} wei")
