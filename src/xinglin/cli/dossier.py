"""``xinglin dossier MODEL --for nmpa|fda|eu|pipl --out DIR``: what may be said of a version, from evidence only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.release.registry.version import Version

For = Annotated[
    str,
    typer.Option("--for", help="给谁 For whom: nmpa 国家药监局, fda, eu 欧盟, pipl 个人信息保护影响评估."),
]
Out = Annotated[Path, typer.Option(help="输出文件夹 Folder to write into; made if absent.")]


def tell(version: Version, authority: str, out: Path, *, as_json: bool = False) -> dict[str, str]:
    """Write a version's dossier, print what is answered and what is missing, and return the files' digests.

    Args:
        version: what MODEL names, from the registry.
        authority: the value of ``--for``.
        out: the folder.
        as_json: print the summary as JSON.

    Raises:
        InvalidInputError, ChainBrokenError, MissingExtraError: as :func:`xinglin.release.dossier.write_dossier`.
    """
    from xinglin.release.dossier import write_dossier

    dossier, digests = write_dossier(version, authority, out)
    sums: dict[str, str] = digests
    counts = {**dossier.counts(), "unverified": dossier.unverified()}
    missing = [item.requirement.id for item in dossier.answers if item.state == "missing"]
    if as_json:
        told = {
            "model": version.name,
            "version": version.number,
            "counts": counts,
            "missing": missing,
            "files": sums,
        }
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return sums
    zh, en = dossier.titles
    typer.echo(f"{zh} {en}: {version.name} {version.number}")
    typer.echo(
        f"要求 requirements {len(dossier.answers)}  有证据 evidence {counts['complete']}  部分 partly {counts['partial']}  "
        f"仅声明 statement only {counts['statement']}  缺失 missing {counts['missing']}  "
        f"原文未核对 text unverified {counts['unverified']}"
    )
    if missing:
        typer.echo(f"缺失 missing: {', '.join(missing)}")
    for name, digest in sums.items():
        typer.echo(f"{digest[:16]}  {out / name}")
    return sums


def dossier(
    reference: Annotated[
        str, typer.Argument(metavar="MODEL", help="名称@版本 NAME@NUMBER; no number: the released one.")
    ],
    authority: For,
    out: Out,
    actor: Annotated[str, typer.Option(help="操作人 Who does it.")] = "cli",
    as_json: AsJson = False,
) -> None:
    """由证据生成监管文档:缺则注明缺失,绝不代填。Write what a regulator asks, from evidence alone.

    Markdown、PDF、JSON、模型卡与 CycloneDX ML-BOM;同样的证据在任何机器上生成相同的字节。非法律意见。
    The same evidence gives the same bytes everywhere. What has no evidence is printed as missing. No legal advice.
    """
    from xinglin.ledger import append
    from xinglin.release.registry.agreement import check_registry
    from xinglin.release.registry.record import find
    from xinglin.store import open_store

    store = open_store()
    name, _, number = reference.partition("@")
    with store.read() as connection:
        check_registry(connection)
        version = find(connection, name, number or None)
    sums = tell(version, authority, out, as_json=as_json)
    with store.write() as connection:
        said = {"model": version.name, "number": version.number, "for": authority}
        append(connection, "dossier.write", actor=actor, subjects=tuple(sorted(sums.values())), detail=said)
