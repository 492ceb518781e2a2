"""``xinglin records deidentify`` and ``xinglin records reidentify``, ``forget``."""

from __future__ import annotations

import gzip
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.errors import InvalidInputError, MissingDataError, MissingExtraError, XinglinError
from xinglin.types import DISCLAIMER

if TYPE_CHECKING:
    from xinglin.records.deidentify.options import Options
    from xinglin.records.deidentify.preview import Shown
    from xinglin.records.deidentify.text import Deidentified
    from xinglin.records.deidentify.vault import Vault

PASSPHRASE = "XINGLIN_VAULT_PASSPHRASE"
MAX_TEXT = 20_000_000
"""Bytes of one text file or JSONL line."""
MAX_SHOWN = 200
"""Texts that a preview shows at most."""

VaultFile = Annotated[
    Path | None, typer.Option("--vault", help="保险库:保留重新识别的途径 The vault that keeps the way back.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", help="密钥文件(权限 0600) Key file, mode 0600; without it a passphrase is asked."
    ),
]


@dataclass
class _Run:
    """One run of the command: what it counts and keeps for the preview."""

    key: bytes | Vault
    options: Options
    preview: bool
    counts: Counter[str] = field(default_factory=Counter)
    shown: list[Shown] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    done: int = 0

    def saw(self, place: str, original: str, found: Deidentified) -> None:
        """Count what was replaced and keep it if it is to be shown."""
        self.counts.update(span.entity for span in found.spans)
        if self.preview and len(self.shown) < MAX_SHOWN:
            self.shown.append((place, original, found.text, found.spans))


def deidentify(
    source: Annotated[
        Path,
        typer.Argument(help=".txt, .jsonl(.gz), 或文件夹(文本、DICOM) or a folder of texts and DICOM files."),
    ],
    out: Annotated[Path, typer.Option(help="输出文件或文件夹 Output file or folder; must not exist.")],
    mode: Annotated[str, typer.Option(help="placeholder 占位符, surrogate 替身")] = "placeholder",
    dates: Annotated[
        str, typer.Option(help="shift 平移, year 只留年份(HIPAA Safe Harbor), placeholder 占位符")
    ] = "shift",
    vault: VaultFile = None,
    key_file: KeyFile = None,
    show: Annotated[
        bool, typer.Option("--show", help="在终端显示找到的标识 Show in the terminal what was found.")
    ] = False,
    preview: Annotated[
        Path | None, typer.Option(help="预览网页(含原文) HTML preview; holds the original text.")
    ] = None,
) -> None:
    """去标识:姓名、证件号、电话、地址、日期、病历号、机构等,及 DICOM 标签。Remove identifiers from text, JSON and DICOM."""
    from xinglin.records.deidentify.options import Options

    options = Options(mode=mode, dates=dates)  # type: ignore[arg-type]
    if not source.exists():
        raise MissingDataError(f"there is no {source}")
    if out.exists():
        raise InvalidInputError(f"--out: {out} exists: name a new file or folder, nothing is overwritten")
    if out.resolve().is_relative_to(source.resolve()) and source.is_dir():
        raise InvalidInputError("--out: expected a place outside of the source folder")
    key = _key(vault, key_file)
    run = _Run(key, options, show or preview is not None)
    try:
        _folder(run, source, out) if source.is_dir() else _file(run, source, out, source.name)
    finally:
        if not isinstance(key, bytes):
            key.close()
    _remember(run)
    _tell(run, show, preview, vault is not None)
    if run.failed:
        raise typer.Exit(1)


def reidentify(
    pseudonym: Annotated[str, typer.Argument(help="S-… 或 or R-…")],
    reason: Annotated[
        str, typer.Option(help="理由,写入审计链,不得写姓名 Why; kept in the ledger, names no one.")
    ],
    vault: VaultFile = None,
    key_file: KeyFile = None,
) -> None:
    """由化名找回本人,须有理由,并留审计记录。Lead a pseudonym back to its person, with a reason and a ledger entry."""
    from xinglin.store import open_store

    with open_vault(vault, key_file) as opened:
        typer.echo(opened.reidentify(pseudonym, reason=reason, actor="cli", store=open_store()))


def forget(
    pseudonym: Annotated[str, typer.Argument(help="S-… 或 or R-…")],
    vault: VaultFile = None,
    key_file: KeyFile = None,
) -> None:
    """应请求删除:此人的化名从此无法还原。Erase a subject: its pseudonyms can no longer be resolved."""
    from xinglin.store import open_store

    with open_vault(vault, key_file) as opened:
        count = opened.forget(pseudonym, actor="cli", store=open_store())
    typer.echo(
        f"已删除 {count} 个化名;此前的备份请一并销毁。{count} pseudonyms erased; destroy earlier "
        f"copies of the vault too."
    )


def open_vault(path: Path | None, key_file: Path | None, *, create: bool = False) -> Vault:
    """Open the vault that the options name, asking for its passphrase where no key file is given."""
    from xinglin.records.deidentify.vault import Vault

    if path is None:
        raise InvalidInputError("--vault: expected the vault's file")
    if key_file is not None:
        return Vault.open(path, key_file=key_file, create=create)
    phrase = os.environ.get(PASSPHRASE) or typer.prompt(
        "口令 Passphrase", hide_input=True, confirmation_prompt=create and not path.exists()
    )
    return Vault.open(path, passphrase=phrase, create=create)


def _key(vault: Path | None, key_file: Path | None) -> bytes | Vault:
    from xinglin.store.key_files import read_key_file

    if vault is not None:
        return open_vault(vault, key_file, create=True)
    return read_key_file(key_file) if key_file is not None else secrets.token_bytes(32)


def _folder(run: _Run, source: Path, out: Path) -> None:
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    if not files:
        raise InvalidInputError(f"{source}: expected files, found none")
    out.mkdir(parents=True)
    for number, path in enumerate(files):
        place = str(path.relative_to(source))
        # A file's name may be a patient's: new ones are numbers, and DICOM files are named by their new UID.
        kind = ".jsonl" if path.name.endswith((".jsonl", ".jsonl.gz")) else path.suffix.lower()
        try:
            _file(
                run, path, out / f"{number:06d}{kind if kind in ('.txt', '.jsonl', '.json') else ''}", place
            )
        except XinglinError as error:
            run.failed.append(f"{place}: {error}")


def _file(run: _Run, source: Path, out: Path, place: str) -> None:
    if source.name.endswith((".jsonl", ".jsonl.gz")):
        _jsonl(run, source, out, place)
    elif source.suffix.lower() in (".txt", ".md"):
        _text(run, source, out, place)
    else:
        _dicom(run, source, out, place)


def _text(run: _Run, source: Path, out: Path, place: str) -> None:
    from xinglin.records.deidentify.rows import subject_secret
    from xinglin.records.deidentify.text import deidentify_text

    if source.stat().st_size > MAX_TEXT:
        raise InvalidInputError(f"at most {MAX_TEXT} bytes in a text file")
    data = source.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise InvalidInputError("expected UTF-8 or GB18030") from None
    found = deidentify_text(text, subject_key=subject_secret(run.key, place), options=run.options)
    run.saw(place, text, found)
    _write(out, found.text.encode())
    run.done += 1


def _lines(source: Path) -> Iterator[tuple[int, bytes]]:
    opener = gzip.open if source.name.endswith(".gz") else open
    with opener(source, "rb") as file:
        number = 0
        while line := file.readline(MAX_TEXT + 1):
            number += 1
            if len(line) > MAX_TEXT:
                raise InvalidInputError(f"line {number}: at most {MAX_TEXT} bytes a line")
            if line.strip():
                yield number, line


def _jsonl(run: _Run, source: Path, out: Path, place: str) -> None:
    from xinglin.records.decode import decode_json
    from xinglin.records.deidentify.rows import deidentify_row, subject_of

    part = out.with_name(out.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        for number, line in _lines(source):
            at = f"{place}:{number}"
            try:
                row = decode_json(line, at)
                if not isinstance(row, dict):
                    raise InvalidInputError("expected a JSON object")
                subject = subject_of(row) or at
                clean = deidentify_row(
                    row, key=run.key, subject=subject, options=run.options, seen=partial(run.saw, at)
                )
            except XinglinError as error:
                run.failed.append(f"{at}: {error}")
                continue
            file.write(json.dumps(clean, ensure_ascii=False) + "\n")
            run.done += 1
    part.replace(out)


def _dicom(run: _Run, source: Path, out: Path, place: str) -> None:
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise MissingExtraError("DICOM", "records") from error
    from xinglin.records.deidentify.dicom import deidentify_dataset
    from xinglin.records.deidentify.pixels import picture_warnings
    from xinglin.records.deidentify.record import pseudonym
    from xinglin.records.deidentify.rows import subject_secret
    from xinglin.records.deidentify.vault import Vault

    try:
        dataset = pydicom.dcmread(source)
    except InvalidDicomError:
        raise InvalidInputError("neither .txt, .jsonl nor DICOM") from None
    subject = str(dataset.get("PatientID") or dataset.get("StudyInstanceUID") or place)
    secret = subject_secret(run.key, subject)
    name = pseudonym("S-", secret, subject)
    clean = deidentify_dataset(dataset, subject_key=secret, pseudonym=name, options=run.options)
    if isinstance(run.key, Vault):
        run.key.remember(subject, {name: subject})
    run.warned += [f"{place}: {warning}" for warning in picture_warnings(dataset)]
    target = (
        out.with_name(f"{clean.SOPInstanceUID}.dcm") if "SOPInstanceUID" in clean else out.with_suffix(".dcm")
    )
    part = target.with_name(target.name + ".part")
    pydicom.dcmwrite(part, clean, enforce_file_format=True)
    part.replace(target)
    run.counts["DICOM"] += 1
    run.done += 1


def _write(out: Path, data: bytes) -> None:
    part = out.with_name(out.name + ".part")
    part.write_bytes(data)
    part.replace(out)


def _remember(run: _Run) -> None:
    from xinglin.ledger import append
    from xinglin.store import open_store

    detail: dict[str, Any] = {
        "mode": run.options.mode,
        "dates": run.options.dates,
        "done": run.done,
        "failed": len(run.failed),
        "warned": len(run.warned),
        "replaced": dict(run.counts),
        "vault": not isinstance(run.key, bytes),
    }
    with open_store().write() as connection:
        append(connection, "records.deidentify", actor="cli", detail=detail)


def _tell(run: _Run, show: bool, preview: Path | None, kept: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from xinglin.records.deidentify.preview import label, page, terminal

    console = Console(highlight=False)
    if show:
        for place, old, _, spans in run.shown:
            console.print(f"── {place}", style="dim", markup=False)
            console.print(terminal(old, spans))
    if preview is not None:
        handle = os.open(preview, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page(run.shown))
        typer.echo(f"预览(含原文,勿外传) preview, holds the original text: {preview}")
    table = Table("标识 identifier", "替换 replaced", box=None)
    for entity, count in run.counts.most_common():
        table.add_row("DICOM 文件 files" if entity == "DICOM" else label(entity), str(count))
    console.print(table)
    for line in run.warned:
        typer.secho(f"注意 warning {line}", fg="yellow", err=True)
    for line in run.failed:
        typer.secho(f"未处理 not done {line}", fg="red", err=True)
    typer.echo(
        f"完成 done {run.done}; 未处理 not done {len(run.failed)}; 图像警告 picture warnings {len(run.warned)}"
    )
    if not kept:
        typer.echo("没有保险库:化名无法还原。No vault: pseudonyms lead nowhere.")
    typer.echo(
        "去标识不等于匿名,请抽查。De-identified is not anonymous (PIPL Art. 73); check a sample. "
        + DISCLAIMER["zh"]
    )


def register(app: typer.Typer) -> None:
    """Add the verbs to ``xinglin records``."""
    app.command("deidentify")(deidentify)
    app.command("reidentify")(reidentify)
    app.command("forget")(forget)
