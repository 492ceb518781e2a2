"""``xinglin records quality | split | manifest | verify | key``: what a data set is worth, how it is divided, what it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import Seed
from xinglin.cli.records_source import Actor, Dataset, Format, MappingFile, Places, SiteByFile, Source, rows

if TYPE_CHECKING:
    from xinglin.records.manifest import Counts, Splits, Transformation
    from xinglin.records.quality.tally import Outcome

JsonFile = Annotated[Path | None, typer.Option("--json", help="另写 JSON Also write JSON.")]
Near = Annotated[
    bool,
    typer.Option(
        " /--no-near-duplicates", help="不比较文本的近似重复 Do not compare the texts with each other."
    ),
]
Threshold = Annotated[
    float, typer.Option(min=0.3, max=1.0, help="近似重复的 Jaccard 界限 Jaccard index of a near-duplicate.")
]


def quality(
    source: Source = None,
    dataset: Dataset = None,
    out: Annotated[Path | None, typer.Option(help="报告 Report (HTML).")] = None,
    json_file: JsonFile = None,
    form: Format = None,
    mapping: MappingFile = None,
    places: Places = None,
    site_by_file: SiteByFile = False,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(help="规则=容许占比,可多次 RULE=SHARE from which a rule fails; repeatable."),
    ] = None,
    near_duplicates: Near = True,
    near_threshold: Threshold = 0.8,
    strict: Annotated[
        bool, typer.Option("--strict", help="有规则未通过则退出码为 1 Exit with 1 if a rule fails.")
    ] = False,
    seed: Seed = 0,
    actor: Actor = "cli",
) -> None:
    """数据质量报告:按 Kahn 框架逐条规则核查。The quality of a data set, rule by rule after the framework of Kahn et al."""
    from xinglin.errors import InvalidInputError
    from xinglin.records.quality.assess import assess
    from xinglin.records.quality.options import QualityOptions
    from xinglin.records.quality.page import page

    tolerances = {}
    for item in tolerance or ():
        name, _, share = item.partition("=")
        try:
            tolerances[name] = float(share)
        except ValueError:
            tolerances[name] = -1.0
        if not 0 <= tolerances[name] < 1:
            raise InvalidInputError(f"--tolerance: expected RULE=SHARE with a share of 0 to 1, got {item!r}")
    options = QualityOptions(
        tolerances=tolerances, near_duplicates=near_duplicates, near_threshold=near_threshold, seed=seed
    )
    read = rows(
        source,
        dataset,
        form=form,
        mapping=mapping,
        places=places,
        site_by_file=site_by_file,
        purpose="quality",
        actor=actor,
    )
    named = dataset or (source.resolve().name if source else "")
    report = assess(read, name=named, options=options)
    if out is not None:
        _write(out, page(report))
    if json_file is not None:
        _write(json_file, json.dumps(report.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    counted = report.by_status()
    for outcome in report.outcomes:
        if outcome.status == "fail":
            typer.echo(_line(outcome))
    typer.echo(
        f"{report.counts['records']:,} 条记录 records: {counted['fail']} 条规则未通过 rules failed, "
        f"{counted['note']} 待判断 to judge, {counted['pass']} 通过 passed, {counted['none']} 不适用 nothing to check"
    )
    if strict and counted["fail"]:
        raise typer.Exit(1)


def split(
    out: Annotated[Path, typer.Option(help="划分表 The table of parts (TSV).")],
    source: Source = None,
    dataset: Dataset = None,
    parts: Annotated[str, typer.Option(help="划分=占比 Parts and shares.")] = "train=0.8,valid=0.1,test=0.1",
    by: Annotated[str, typer.Option(help="subject 患者 | site 中心 | time 时间")] = "subject",
    balance: Annotated[str, typer.Option(help="hash 哈希 | label 按标签均衡 balanced by label")] = "hash",
    earlier: Annotated[
        Path | None, typer.Option(help="较早的划分表,保持不变 An earlier table, which is kept.")
    ] = None,
    json_file: JsonFile = None,
    form: Format = None,
    mapping: MappingFile = None,
    places: Places = None,
    site_by_file: SiteByFile = False,
    near_duplicates: Near = True,
    near_threshold: Threshold = 0.8,
    seed: Seed = 0,
    actor: Actor = "cli",
) -> None:
    """划分数据集:患者和近似重复的文本不跨划分。Divide a data set; no subject and no near-duplicate lies in two parts."""
    from xinglin.errors import InvalidInputError
    from xinglin.records.context import time_of
    from xinglin.records.near_duplicates import NearDuplicates
    from xinglin.records.placing import Place, read_places, write_places
    from xinglin.records.quality.duplicates import SHORTEST
    from xinglin.records.quality.row import Unreadable, case_of
    from xinglin.records.split import Member
    from xinglin.records.split import split as divide
    from xinglin.records.split_report import report as describe

    if by not in ("subject", "site", "time") or balance not in ("hash", "label"):
        raise InvalidInputError("expected --by subject, site or time and --balance hash or label")
    texts = NearDuplicates(threshold=near_threshold) if near_duplicates else None
    members: list[Member] = []
    for row in rows(
        source,
        dataset,
        form=form,
        mapping=mapping,
        places=places,
        site_by_file=site_by_file,
        purpose="training",
        actor=actor,
    ):
        if isinstance(row, Unreadable):
            raise InvalidInputError(
                f"{row.place} cannot be read: a split is made of whole data; mend or remove it"
            )
        case = case_of(row)
        time = time_of(row.record) or (case.day.isoformat() if case.day else None)
        members.append(Member(row.record.id, row.record.subject, case.site, row.label, time))
        if texts is not None:
            texts.add(row.record.text if len(row.record.text) >= SHORTEST else "")
    before = (
        {name: place.part for name, place in read_places(earlier).items() if place.part} if earlier else None
    )
    made = divide(
        members,
        _shares(parts),
        by=by,  # type: ignore[arg-type]
        balance=balance,  # type: ignore[arg-type]
        seed=seed,
        twins=texts.groups().tolist() if texts is not None else None,
        earlier=before,
    )
    found = describe(members, made)
    write_places({m.id: Place(m.site, m.label, made.part[m.id]) for m in members}, out)
    if json_file is not None:
        _write(json_file, json.dumps(found.as_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    _remember(
        "split.make",
        out,
        {"by": by, "balance": balance, "seed": seed, "parts": parts, "records": len(members)},
    )
    for name, part in found.parts.items():
        share = part.share
        typer.echo(
            f"{name}: {part.records:,} 条 records ({100 * share.value:.1f} %, 期望 asked {100 * part.asked:g} %), "
            f"{part.components:,} 组 components"
        )
    if found.label_gap is not None:
        typer.echo(
            f"标签占比最大偏差 largest gap of a label's share: {100 * found.label_gap:.2f} 个百分点 points"
        )
    typer.echo(
        f"跨划分的患者 subjects across parts: {found.crossing_subjects}; 改变划分的记录 records moved: {found.moved}"
    )


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
    from xinglin.records.manifest import Consent, build_manifest, manifest_digest, write_manifest
    from xinglin.records.signature import sign

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
        _write(_signature(out), json.dumps(signature, indent=1) + "\n")
    _remember(
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
    from xinglin.records.decode import decode_json
    from xinglin.records.manifest import manifest_digest, read_manifest, verify_manifest
    from xinglin.records.signature import check_signature

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


def key(path: Annotated[Path, typer.Argument(help="私钥文件 File of the private key.")]) -> None:
    """生成签名密钥(Ed25519)。Make a key to sign manifests with."""
    from xinglin.records.signature import new_key

    public = new_key(path)
    typer.echo(f"{path}: 私钥,请勿外传 private, keep it; 公钥 public {public}")


def register(app: typer.Typer) -> None:
    """Put the verbs of this file under ``xinglin records``."""
    for verb in (quality, split, manifest, verify, key):
        app.command(verb.__name__)(verb)


def _shares(text: str) -> dict[str, float]:
    from xinglin.errors import InvalidInputError

    shares: dict[str, float] = {}
    for item in text.split(","):
        name, _, share = item.strip().partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise InvalidInputError(f"--parts: expected e.g. train=0.8,test=0.2, got {text!r}") from None
    return shares


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


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def _remember(action: str, path: Path, detail: dict[str, Any]) -> None:
    """Note a file that was written in the ledger, by its digest."""
    import hashlib

    from xinglin.ledger import append
    from xinglin.store import open_store

    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with open_store().write() as connection:
        append(connection, action, actor="cli", subjects=(digest,), detail=detail)


def _line(outcome: Outcome) -> str:
    item = f"({outcome.item[0]} {outcome.item[1]})" if any(outcome.item) else ""
    share = outcome.share
    interval = f" {100 * share.value:.2g} % ({100 * share.low:.2g}–{100 * share.high:.2g})" if share else ""
    return f"✕ {outcome.rule.name[0]} {outcome.rule.name[1]}{item}: {outcome.failed:,} / {outcome.checked:,}{interval}"
