"""``xinglin labels audit-plan | certify | verify-certificate``: the certificate of an annotation error rate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AsJson
from xinglin.cli.written import write_whole

if TYPE_CHECKING:
    from xinglin.labels.evidence import AuditPlan, Reading

SIZES = (598, 1000, 1500, 2000, 3000, 5000, 10_000, 20_000)
"""Audit sizes whose power is shown."""
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
"""True error rates whose power is shown, as parts of the claim."""

Labels = Annotated[
    Path, typer.Argument(help='发布的标注 Released labels, JSONL: {"item": ..., "label": "system:value"}.')
]
Readings = Annotated[
    Path | None,
    typer.Option(help='审核读片 Readings, JSONL: {"item", "reader", "label", "role", "saw"}.'),
]
Gold = Annotated[Path | None, typer.Option(help="金标准条目及真值 Gold items and their truth, JSONL.")]
Manifest = Annotated[
    str | None, typer.Option(help="数据清单文件或其摘要 The manifest: its file, or its SHA-256.")
]


def audit_plan(
    labels: Labels,
    out: Annotated[Path, typer.Option(help="计划写到 Where the plan goes (JSON).")],
    manifest: Manifest = None,
    dataset: Annotated[str | None, typer.Option(help="数据集名称 Name of the data set.")] = None,
    claim: Annotated[str, typer.Option(help="要证明错误率低于 The error rate to be proven below.")] = "0.005",
    confidence: Annotated[str, typer.Option(help="置信度 Confidence.")] = "0.95",
    auditor: Annotated[list[str] | None, typer.Option(help="审核者(至少两名)Auditors, two or more.")] = None,
    adjudicator: Annotated[list[str] | None, typer.Option(help="仲裁者 Adjudicators.")] = None,
    hardest: Annotated[
        str | None,
        typer.Option(
            help="假定:任何条目上单名审核者出错的概率上限 Assumed bound of a reader's error on any item."
        ),
    ] = None,
    gold: Gold = None,
    seed: Annotated[
        str | None, typer.Option(help="公开抽取的随机种子 Seed drawn in public; default: drawn here.")
    ] = None,
    order: Annotated[
        Path | None, typer.Option(help="抽样顺序写到 Where the order of the items goes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """计划审核:随机顺序、停止界、功效。Plan an audit: random order, when it stops, its power."""
    import secrets

    from xinglin.errors import InvalidInputError
    from xinglin.labels.certificate import LONGEST, power, stops
    from xinglin.labels.evidence import AuditPlan, audit_order, labels_digest
    from xinglin.labels.evidence_files import read_labels
    from xinglin.labels.registered import register_plan
    from xinglin.store import open_store

    released = read_labels(labels)
    truth = read_labels(gold) if gold else {}
    digest = _manifest(manifest)
    if digest is None:
        raise InvalidInputError(
            "audit plan: expected --manifest, the manifest's file or SHA-256: a certificate names it"
        )
    plan = AuditPlan(
        dataset=dataset or labels.stem,
        manifest=digest,
        labels=labels_digest(released),
        population=len(released),
        claim=claim,
        confidence=confidence,
        seed=seed or secrets.token_hex(16),
        auditors=tuple(auditor or ()),
        adjudicators=tuple(adjudicator or ()),
        hardest=hardest,
        gold=labels_digest(truth) if gold else None,
        gold_items=len(truth),
    )
    longest = min(plan.population, LONGEST)
    limits = stops(plan, most=longest)
    sizes = [size for size in SIZES if size < longest] + [longest]
    rows = power(plan, [part * float(claim) for part in SHARES], sizes)
    store = open_store()
    try:
        with store.write() as connection:
            register_plan(connection, plan, actor="cli")
            write_whole(out, _json(plan.as_json()))
            if order:
                write_whole(order, "\n".join(audit_order(released, plan.seed)) + "\n")
    finally:
        store.close()
    if as_json:
        shown = [
            {"true_error": row.share, "wrong": row.wrong, "expected": round(row.expected, 1)}
            | {"passes": dict(zip(map(str, sizes), [round(chance, 4) for chance in row.passes], strict=True))}
            for row in rows
        ]
        typer.echo(
            json.dumps({"plan": plan.sha256, "stops": limits, "power": shown}, ensure_ascii=False, indent=2)
        )
        return
    _show_plan(plan, limits, sizes, rows, out)


def certify(
    plan: Annotated[Path, typer.Argument(help="审核计划 The audit's plan (JSON).")],
    labels: Labels,
    readings: Annotated[Path, typer.Argument(help="审核读片 The readings (JSONL).")],
    key: Annotated[Path, typer.Option(help="Ed25519 私钥;不存在则新建 Private key; made if absent.")],
    out: Annotated[Path, typer.Option(help="证书写到 Where the certificate goes (JSON).")],
    gold: Gold = None,
    annotators: Annotated[
        Path | None, typer.Option(help='谁标过哪条 Who labelled what, JSONL: {"item", "annotator"}.')
    ] = None,
    page: Annotated[Path | None, typer.Option(help="网页证书写到 Where the page goes (HTML).")] = None,
) -> None:
    """签发标注错误率证书;证据不足即拒绝。Issue the certificate, or refuse and say why."""
    from datetime import UTC, datetime

    import xinglin.labels.certificate as certificates
    from xinglin.labels.evidence import tally
    from xinglin.labels.evidence_files import read_annotators, read_labels, read_readings
    from xinglin.labels.registered import need_plan, register_certificate
    from xinglin.ledger.signature import new_key
    from xinglin.release.certificate_page import certificate_html
    from xinglin.store import open_store

    planned = _plan(plan)
    result = tally(
        planned,
        read_labels(labels),
        read_readings(readings),
        gold=read_labels(gold) if gold else None,
        annotators=read_annotators(annotators) if annotators else None,
    )
    store = open_store()
    try:
        with store.write() as connection:
            need_plan(connection, planned)
            statement = certificates.certify(planned, result, issued=datetime.now(UTC).date().isoformat())
            if not key.exists():
                typer.echo(f"新密钥 new key: {key}; 公钥 public key: {new_key(key)}")
            certificate = certificates.sign_certificate(statement, key)
            register_certificate(connection, certificate, actor="cli")
            write_whole(out, _json(certificate))
            if page:
                write_whole(page, certificate_html(certificate))
    finally:
        store.close()
    said = statement["predicate"]["statement"]
    typer.echo(f"{said['zh']}\n{said['en']}\n已签名 signed: {out}")


def verify_certificate(
    certificate: Annotated[Path, typer.Argument(help="证书 The certificate (JSON).")],
    public_key: Annotated[
        str, typer.Option("--key", help="所信任的签发者公钥(64 位十六进制或其文件)The issuer's public key.")
    ],
    manifest: Manifest = None,
    labels: Annotated[Path | None, typer.Option(help="手上的标注 The labels at hand, JSONL.")] = None,
    readings: Readings = None,
    gold: Gold = None,
) -> None:
    """核对证书:签名、数字、数据清单;给出读片则重演审核。Check signature, arithmetic and manifest; replay the audit."""
    import xinglin.labels.certificate as certificates
    from xinglin.labels.evidence_files import read_labels, read_readings

    given: list[Reading] | None = read_readings(readings) if readings else None
    checked = _read(certificate)
    trusted = Path(public_key).read_text("ascii").strip() if Path(public_key).is_file() else public_key
    plan = certificates.verify_certificate(
        checked,
        trusted,
        manifest=_manifest(manifest),
        labels=read_labels(labels) if labels else None,
        readings=given,
        gold=read_labels(gold) if gold else None,
    )
    done = ["签名与数字 signature and arithmetic"]
    done += ["数据清单 manifest"] if manifest else []
    done += ["标注与读片 labels and readings"] if given is not None else []
    said = checked["statement"]["predicate"]["statement"]
    typer.echo(f"{said['zh']}\n{said['en']}")
    typer.echo(f"已核对 checked: {'; '.join(done)}. 计划 plan {plan.sha256[:12]}...")
    if not manifest:
        typer.secho(f"未核对数据清单 manifest not compared: {plan.manifest}", fg="yellow", err=True)


def _show_plan(plan: AuditPlan, limits: list[int], sizes: list[int], rows: list[Any], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from xinglin.types import DISCLAIMER

    console = Console()
    console.print(
        f"{plan.population} 条标注 labels; 声明 claim < {100 * float(plan.claim):g} %, 置信度 confidence {plan.confidence}; "
        f"计划 plan {plan.sha256[:12]}... → {out}"
    )
    if not limits:
        console.print(
            "[red]任何审核都不能证明这一声明:审核者自身误差太大或条目太少。"
            "No audit can prove this claim: the auditors' own error is too large or the items too few.[/]"
        )
        return
    shown = ", ".join(f"{wrong} → {limit}" for wrong, limit in enumerate(limits[:8]))
    console.print(f"发现错误数 → 读到多少条即可停止 errors found → stop at: {shown}")
    table = Table(
        "真错误率 true error", "错误数 wrong", *(f"≤ {size}" for size in sizes), "期望 expected", box=None
    )
    for row in rows:
        chances = [f"{chance:.2f}" for chance in row.passes]
        table.add_row(f"{100 * row.share:.3g} %", str(row.wrong), *chances, f"{row.expected:.0f}")
    console.print("功效:读到这么多条时已通过的概率 Power: chance to have passed by so many items")
    console.print(table)
    console.print(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}", style="dim")


def _manifest(given: str | None) -> str | None:
    """The digest of a manifest, given as such or as its file."""
    from xinglin.records.manifest import manifest_digest, read_manifest

    if given is None or re.fullmatch(r"[0-9a-f]{64}", given):
        return given
    return manifest_digest(read_manifest(Path(given)))


def _plan(path: Path) -> AuditPlan:
    from xinglin.labels.evidence import plan_from_json

    return plan_from_json(_read(path))


def _read(path: Path) -> Any:
    from xinglin.errors import InputTooLargeError, MissingDataError
    from xinglin.records.decode import decode_json

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > 2**20:
        raise InputTooLargeError(f"{path.name}: at most {2**20} bytes, got {path.stat().st_size}")
    return decode_json(path.read_bytes(), path.name)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
