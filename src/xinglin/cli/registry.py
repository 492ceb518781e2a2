"""``xinglin model register|attach|list|versions|diff|lineage|sign|promote|rollback``: the registry at the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.model_gate import gate
from xinglin.cli.model_watch import watch
from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.release.registry.version import Version

Reference = Annotated[
    str,
    typer.Argument(
        help="名称@版本,如 triage@1.2.0;无版本则取已发布或最新 NAME@NUMBER; no number: the released or newest."
    ),
]
Actor = Annotated[str, typer.Option(help="操作人 Who does it.")]
MAX_FILE = 16 << 20


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("register")(register_folder)
    app.command("attach")(attach)
    app.command("list")(listing)
    app.command("diff")(diff)
    app.command("lineage")(lineage)
    app.command("touched")(touched)
    app.command("key")(key)
    app.command("sign")(sign)
    app.command("check")(check)
    app.command("audit")(audit)
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("gate")(gate)
    app.command("watch")(watch)
    app.command("mirror")(mirror)


def register_folder(
    folder: Annotated[Path, typer.Argument(help="检查点文件夹 Folder of a checkpoint.")],
    hits: Annotated[
        list[Path] | None,
        typer.Option(
            help="逐例对错(JSON:id→true/false),先旧后新两份 Right or wrong by case: old version, then new."
        ),
    ] = None,
    margin: Annotated[
        float, typer.Option(help="可容忍的准确率下降 Loss of accuracy that would not matter.")
    ] = 0.02,
    same_code: Annotated[
        str | None,
        typer.Option(help="声明:提交不同但算法代码未变,及理由 States that the algorithm's code is the same."),
    ] = None,
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """登记检查点为下一版本,并记下环境。Register a checkpoint as the next version; notes the environment too.

    更新类别与版本号由规则得出:算法变更为重大;仅数据变更若配对检验显著(或未证明无差异)亦为重大。
    Class and number follow from the rule: a change of the algorithm is major; of the data alone, if a paired test
    differs significantly or sameness is not shown.
    """
    from xinglin.release.registry.environment import environment
    from xinglin.release.registry.record import attach as hang
    from xinglin.release.registry.record import register as enter
    from xinglin.store import open_store

    comparison = _comparison(hits, margin) if hits else None
    with open_store().write() as connection:
        version = enter(connection, folder, actor=actor, comparison=comparison, same_code=same_code)
        hang(connection, version.name, version.number, "environment", environment(), actor=actor)
    if as_json:
        typer.echo(json.dumps(_row(version), ensure_ascii=False, indent=2))
        return
    typer.echo(f"已登记 registered {version.name}@{version.number}  ({version.change}, entry {version.seq})")


def attach(
    reference: Reference,
    kind: Annotated[str, typer.Option(help="证据类别,如 metric, approval, certificate Kind of evidence.")],
    file: Annotated[Path, typer.Option("--file", help="JSON:一项或一组 One object or a list of them.")],
    actor: Actor = "cli",
) -> None:
    """为版本附上证据;只增不改。Hang evidence on a version; nothing is ever changed or removed."""
    from xinglin.release.registry.record import attach as hang
    from xinglin.store import open_store

    content = _read(file)
    items = content if isinstance(content, list) else [content]
    with open_store().write() as connection:
        version = _find(connection, reference)
        for item in items:
            hang(connection, version.name, version.number, kind, item, actor=actor)  # type: ignore[arg-type]
    typer.echo(f"已附 attached {len(items)} x {kind} -> {version.name}@{version.number}")


def listing(
    name: Annotated[str | None, typer.Argument(help="模型名 Name; empty: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """列出登记的模型与版本。List registered models and versions."""
    from xinglin.release.registry.record import models, versions
    from xinglin.store import open_store

    with open_store().read() as connection:
        found = [
            one for model in ([name] if name else models(connection)) for one in versions(connection, model)
        ]
    if as_json:
        typer.echo(json.dumps([_row(one) for one in found], ensure_ascii=False, indent=2))
        return
    stages = {"candidate": "候选 candidate", "released": "已发布 released", "retired": "已退役 retired"}
    for one in found:
        typer.echo(
            f"{one.name}@{one.number:10s} {stages[one.stage]:14s} {one.change:10s} {one.checkpoint[:12]}  {one.time[:16]}  "
            f"{one.actor}"
        )
    if not found:
        typer.echo("尚无登记 nothing registered yet: xinglin model register FOLDER")


def diff(before: Reference, after: Reference, as_json: AsJson = False) -> None:
    """并列两个版本的差异。Show what differs between two versions."""
    from xinglin.release.registry.difference import difference
    from xinglin.store import open_store

    with open_store().read() as connection:
        found = difference(_find(connection, before), _find(connection, after))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        typer.echo(f"{one.part:10s} {one.name}\n    - {_short(one.before)}\n    + {_short(one.after)}")
    if not found:
        typer.echo("无差异 no difference")


def lineage(reference: Reference, as_json: AsJson = False) -> None:
    """显示来历:父模型、数据、所凭授权与积分分配。Show where a version comes from: parents, data, grants, payouts."""
    from xinglin.release.registry.record import lineage as edges
    from xinglin.release.registry.rewards import grants_of, rewards_of
    from xinglin.store import open_store

    with open_store().read() as connection:
        version = _find(connection, reference)
        found = edges(connection, version)
        used, rewards = grants_of(connection, version), rewards_of(connection, version)
    if as_json:
        told = {
            "version": _row(version),
            "edges": [[f"{a.name}@{a.number}", f"{b.name}@{b.number}"] for a, b in found],
            "grants": [asdict(one) for one in used],
            "payouts": [
                {
                    "id": one.id,
                    "state": one.state,
                    "evidence": one.payout.evidence,
                    "points": one.payout.points,
                }
                for one in rewards
            ],
        }
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for line in _tree(version, found):
        typer.echo(line)
    for grant in used:
        to = f"-> {grant.grantee}" if grant.digest is None else grant.digest[:16]
        typer.echo(f"  授权 grant  {grant.dataset} {to}  {grant.purpose}  {grant.by}  {grant.time[:16]}")
    for one in rewards:
        points = ", ".join(f"{site} {count}" for site, count in one.payout.points.items())
        typer.echo(f"  分配 payout {one.id}  {one.state}  {points}  {one.payout.evidence[:16]}")


def touched(
    data: Annotated[str, typer.Argument(help="数据集名或 SHA-256 Name or SHA-256 of a data set.")],
    as_json: AsJson = False,
) -> None:
    """列出由某数据集训练(或继承自其模型)的版本。List the versions that a data set reached, parents included."""
    from xinglin.release.registry.record import touched as reach
    from xinglin.store import open_store

    with open_store().read() as connection:
        found = reach(connection, data)
    if as_json:
        typer.echo(json.dumps([_row(one) for one in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        typer.echo(f"{one.name}@{one.number}  {one.stage}")
    if not found:
        typer.echo("无 none")


def key(
    out: Annotated[Path, typer.Option(help="私钥文件,公钥写在 .pub Private key file; .pub beside it.")],
) -> None:
    """生成模型签名密钥(OpenSSF,ECDSA P-256)。Make a key that signs models."""
    from xinglin.release.registry.signing import new_model_key

    new_model_key(out)
    typer.echo(f"已写 written: {out}, {out}.pub")


def sign(
    folder: Annotated[Path, typer.Argument(help="检查点文件夹 Folder of a checkpoint.")],
    private_key: Annotated[Path, typer.Option("--key", help="私钥文件 Private key file.")],
    actor: Actor = "cli",
) -> None:
    """为检查点签名(OpenSSF model signing)。Sign a checkpoint's folder; the signature lies beside it."""
    from xinglin.ledger import append
    from xinglin.model.checkpoint import verify_checkpoint
    from xinglin.release.registry.signing import sign_folder
    from xinglin.store import open_store
    from xinglin.store.keys import digest

    with open_store().write() as connection:
        out = sign_folder(folder, private_key)
        subjects = (verify_checkpoint(folder).id, digest(out.read_bytes()))
        append(connection, "model.sign", actor=actor, subjects=subjects, detail={"file": out.name})
    typer.echo(f"已签名 signed: {out}")


def check(
    folder: Annotated[Path, typer.Argument(help="检查点文件夹 Folder of a checkpoint.")],
    public_key: Annotated[Path, typer.Option(help="公钥文件 Public key file.")],
) -> None:
    """加载前核对签名与封印。Check seal and signature before anything is loaded."""
    from xinglin.release.registry.signing import verify_folder

    checkpoint = verify_folder(folder, public_key)
    typer.echo(f"完好且签名有效 intact and signed: {checkpoint.id}")


def audit() -> None:
    """核对登记表与审计链是否一致。Check that the registry says what the audit chain says.

    审计链本身用 `xinglin audit verify` 核对。The chain itself is checked by `xinglin audit verify`.
    """
    from xinglin.release.registry.agreement import check_registry
    from xinglin.store import open_store

    with open_store().read() as connection:
        count = check_registry(connection)
    typer.echo(f"一致 the registry agrees with the chain: {count} entries")


def promote(
    reference: Reference,
    policy: Annotated[Path, typer.Option(help="阈值文件(TOML) Thresholds.")],
    folder: Annotated[
        Path | None, typer.Option(help="检查点文件夹,核对签名 Folder, whose signature is checked.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="模型公钥 Public key of the model's signature.")
    ] = None,
    verdict_key: Annotated[
        Path | None, typer.Option("--key", help="为裁定签名的私钥 Key that signs the verdict.")
    ] = None,
    actor: Actor = "cli",
    as_json: AsJson = False,
) -> None:
    """按阈值裁定并发布;未达者不发布。Judge by the thresholds and release; what misses one is not released."""
    from xinglin.release.gates.policy import read_policy
    from xinglin.release.registry.promote import promote as release
    from xinglin.store import open_store

    store = open_store()
    thresholds = read_policy(policy)
    with store.read() as connection:
        version = _find(connection, reference)
    done = release(
        store,
        version.name,
        version.number,
        thresholds,
        actor=actor,
        folder=folder,
        public_key=public_key,
        key=verdict_key,
    )
    if as_json and done.verdict:
        typer.echo(json.dumps(done.verdict.as_json(), ensure_ascii=False, indent=2))
        return
    for one in done.verdict.checks if done.verdict else ():
        typer.echo(f"  通过 passed  {one.name}: {one.found}  ({one.wanted})")
    typer.echo(
        f"已发布 released {version.name}@{version.number}"
        + (f",取代 replaces {done.before}" if done.before else "")
    )


def rollback(
    name: Annotated[str, typer.Argument(help="模型名 Name of the model.")],
    reason: Annotated[str, typer.Option(help="原因 Why.")],
    to: Annotated[
        str | None, typer.Option(help="回到哪个版本 Version to go back to; empty: the last one.")
    ] = None,
    actor: Actor = "cli",
) -> None:
    """退回此前发布过的版本。Go back to a version that was released before."""
    from xinglin.release.registry.promote import rollback as back
    from xinglin.store import open_store

    done = back(open_store(), name, actor=actor, reason=reason, number=to)
    typer.echo(
        f"已退回 released again {name}@{done.version.number}"
        + (f",原为 was {done.before}" if done.before else "")
    )


def mirror(
    reference: Reference,
    mlflow: Annotated[str, typer.Option(help="MLflow 服务器地址 Address of the MLflow server.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="同时上传此检查点文件夹 Also upload this checkpoint's folder; empty: no file."),
    ] = None,
    actor: Actor = "cli",
) -> None:
    """把版本镜像到 MLflow(副本;以本登记为准)。Mirror a version to MLflow: a copy; what counts stays here."""
    from xinglin.ledger import append
    from xinglin.release.registry.mirror import mirror as copy
    from xinglin.store import open_store

    store = open_store()
    with store.read() as connection:
        version = _find(connection, reference)
    run = copy(version, mlflow, weights=weights)
    with store.write() as connection:
        said = {"model": version.name, "number": version.number, "run": run, "weights": weights is not None}
        append(connection, "model.mirror", actor=actor, subjects=(version.checkpoint,), detail=said)
    typer.echo(f"已镜像 mirrored {version.name}@{version.number} -> run {run}")


def show_version(reference: str, as_json: bool) -> None:
    """Print a registered version and the evidence that hangs on it."""
    from xinglin.store import open_store

    with open_store().read() as connection:
        version = _find(connection, reference)
    if as_json:
        told = _row(version) | {
            "manifest": version.manifest,
            "evidence": [asdict(one) for one in version.evidence],
        }
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    typer.echo(
        f"{version.name}@{version.number}  {version.stage}  {version.change}\n编号 id  {version.checkpoint}"
    )
    typer.echo(f"登记 registered  entry {version.seq}, {version.time[:16]}, {version.actor}\n证据 evidence")
    for one in version.evidence:
        content = {
            key: value for key, value in one.content.items() if key not in ("checks", "lock", "points")
        }
        typer.echo(f"  {one.seq:>6}  {one.kind:13s} {_short(content)}")


def _find(connection: Any, reference: str) -> Version:
    from xinglin.release.registry.record import find

    name, _, number = reference.partition("@")
    return find(connection, name, number or None)


def _row(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "number": version.number,
        "stage": version.stage,
        "change": version.change,
        "checkpoint": version.checkpoint,
        "entry": version.seq,
        "time": version.time,
        "actor": version.actor,
    }


def _tree(version: Version, edges: list[tuple[Version, Version]]) -> list[str]:
    lines: list[str] = []
    told: set[str] = set()

    def tell(one: Version, depth: int) -> None:
        pad = "    " * depth
        again = one.checkpoint in told
        lines.append(
            f"{pad}{one.name}@{one.number}  {one.checkpoint[:12]}" + ("  (见上 see above)" if again else "")
        )
        if again:
            return
        told.add(one.checkpoint)
        for item in one.manifest["data"]:
            weak = "  弱标签 weak" if item.get("weak") else ""
            lines.append(
                f"{pad}  数据 data  {item.get('name', '?')}  {str(item.get('sha256', '?'))[:12]}{weak}"
            )
        for child, parent in edges:
            if child.checkpoint == one.checkpoint:
                tell(parent, depth + 1)

    tell(version, 0)
    return lines


def _comparison(hits: list[Path], margin: float) -> Any:
    from xinglin.errors import InvalidInputError
    from xinglin.release.registry.comparison import compare

    if len(hits) != 2:
        raise InvalidInputError("--hits: give two files, of the old version and of the new one")
    return compare(_read(hits[0]), _read(hits[1]), margin=margin)


def _read(path: Path) -> Any:
    from xinglin.errors import InputTooLargeError, MissingDataError
    from xinglin.records.decode import decode_json

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > MAX_FILE:
        raise InputTooLargeError(f"{path.name}: expected at most {MAX_FILE} bytes")
    return decode_json(path.read_bytes(), path.name)


def _short(value: Any) -> str:
    text = (
        "无 none"
        if value is None
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
    return text if len(text) <= 100 else text[:97] + "..."
