"""``xinglin records manifest | verify | key``: what a data set is, byte by byte, and who says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.written import remember_file, write_whole

if TYPE_CHECKING:
    from xinglin.records.manifest import Counts, Splits, Transformation


def manifest(
    folder: Annotated[Path, typer.Argument(help="数据集文件夹 Folder of the data set.")],
    licence: Annotated[str, typer.Option(help="许可 Licence, an SPDX expression.")],
    consent: Annotated[
        str, typer.Option(help="同意或授权依据 By whose leave, e.g. 'open licence', 'informed consent'.")
    ],
    out: Annotated[Path, typer.Option(help="清单文件 The manifest.")] = Path("manifest.json"),
    name: Annotated[str | None, typer.Option(help="名称 Name; default: the folder's.")] = None,
    reference: Annotated[str | None, typer.Option(help="同意的出处 Where the consent is recorded.")] = None,
    places: Annotated[
        Path | None, typer.Option("--places", help="划分表 The table of `split`: counts, sites and parts.")
    ] = None,
    by: Annotated[str, typer.Option(help="划分方式 How it was split: subject | site | time.")] = "subject",
    seed: Annotated[int | None, typer.Option(help="划分的种子 Seed of the split.")] = None,
    transformations: Annotated[
        Path | None, typer.Option(help='JSON: [{"step", "parameters", "code"}, ...],按先后 in order.')
    ] = None,
    key: Annotated[Path | None, typer.Option("--sign", help="用此私钥签名 Sign with this key.")] = None,
) -> None:
    """写清单:文件的 SHA-256、许可、同意、步骤、划分。Write the manifest of a data set: any changed byte will be found."""
    from xinglin.ledger.signature import sign
    from xinglin.records.manifest import Consent, build_manifest, manifest_digest, write_manifest

    counts, splits = _counted(places, folder, by, seed)
    made = build_manifest(
        folder,
        name=name or folder.resolve().name,
        licence=licence,
        consent=Consent(basis=consent, reference=reference),
        counts=counts,
        transformations=_steps(transformations),
        splits=splits,
        leave_out=_own(out, folder),
    )
    digest = manifest_digest(made)
    signature = sign(digest, key, "manifest") if key is not None else None
    write_manifest(made, out)
    if signature is not None:
        write_whole(_signature(out), json.dumps(signature, indent=1) + "\n")
    remember_file(
        "manifest.make", out, {"files": len(made.files), "manifest": digest, "signed": signature is not None}
    )
    typer.echo(
        f"{out}: {len(made.files)} 个文件 files, SHA-256 {digest}" + (", 已签名 signed" if signature else "")
    )


def verify(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST", help="清单文件 The manifest.")],
    folder: Annotated[
        Path | None, typer.Argument(help="数据集文件夹 Folder; default: the manifest's.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", help="可信公钥,64 位十六进制或 .pub 文件 The public key you trust: hex or file."
        ),
    ] = None,
) -> None:
    """核对清单:改动、缺少、多出的文件逐一列出。Verify a data set; names every changed, missing and added file."""
    from xinglin.ledger.signature import check_signature
    from xinglin.records.decode import decode_json
    from xinglin.records.manifest import manifest_digest, read_manifest, verify_manifest

    read = read_manifest(path)
    digest = manifest_digest(read)
    if key is not None:
        trusted = Path(key).read_text(encoding="ascii").strip() if Path(key).is_file() else key
        signed = _signature(path)
        check_signature(
            decode_json(signed.read_bytes(), signed.name) if signed.is_file() else None,
            digest,
            "manifest",
            trusted,
        )
        typer.echo("签名有效 signature valid")
    place = folder or path.resolve().parent
    found = verify_manifest(read, place, _own(path, place))
    words = {
        "changed": "已改动 changed",
        "missing": "缺少 missing",
        "added": "多出 added",
        "irregular": "非普通文件 irregular",
    }
    for item in found:
        typer.secho(f"{words[item.kind]}: {item.path}", fg="red")
    typer.echo(f"{len(read.files)} 个文件 files, {len(found)} 处不符 differences, SHA-256 {digest}")
    if found:
        raise typer.Exit(1)


def signing_key(path: Annotated[Path, typer.Argument(help="私钥文件 File of the private key.")]) -> None:
    """生成签名密钥(Ed25519)。Make a key to sign manifests with."""
    from xinglin.ledger.signature import new_key

    public = new_key(path)
    typer.echo(f"{path}: 私钥,请勿外传 private, keep it; 公钥 public {public}")


def register(app: typer.Typer) -> None:
    """Put the verbs of this file under ``xinglin records``."""
    app.command("manifest")(manifest)
    app.command("verify")(verify)
    app.command("key")(signing_key)


def _counted(places: Path | None, folder: Path, by: str, seed: int | None) -> tuple[Counts, Splits | None]:
    """Counts and parts of a table; nothing is counted without one."""
    from collections import Counter

    from xinglin.records.manifest import Counts, Part, Splits
    from xinglin.records.placing import read_places

    if places is None:
        return Counts(), None
    told = read_places(places)
    sites = {place.site for place in told.values() if place.site}
    counts = Counts(records=len(told), sites=len(sites) or None)
    names = sorted({place.part for place in told.values() if place.part})
    if not names:
        return counts, None
    parts = {}
    for name in names:
        here = [place for place in told.values() if place.part == name]
        by_site = Counter(place.site for place in here if place.site)
        parts[name] = Part(records=len(here), sites=dict(sorted(by_site.items())) or None)
    inside = places.resolve()
    table = (
        inside.relative_to(folder.resolve()).as_posix() if inside.is_relative_to(folder.resolve()) else None
    )
    return counts, Splits(by=by, seed=seed, table=table, parts=parts)


def _steps(path: Path | None) -> list[Transformation]:
    from pydantic import TypeAdapter, ValidationError

    from xinglin.errors import InvalidInputError
    from xinglin.records.decode import decode_json
    from xinglin.records.manifest import Transformation

    if path is None:
        return []
    try:
        return TypeAdapter(list[Transformation]).validate_python(decode_json(path.read_bytes(), path.name))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInputError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _signature(manifest: Path) -> Path:
    return manifest.with_name(manifest.name + ".sig")


def _own(manifest: Path, folder: Path) -> tuple[str, ...]:
    """The manifest's own files, where they lie in the folder that it describes."""
    root = folder.resolve()
    own = (manifest.resolve(), _signature(manifest).resolve())
    return tuple(path.relative_to(root).as_posix() for path in own if path.is_relative_to(root))
