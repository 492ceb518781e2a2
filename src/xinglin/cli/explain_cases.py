"""``xinglin explain --data``: what the model goes by over a data set, on the terminal, as a page and as data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xinglin.cli.explain_bar import progress_bar
from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.explain.cohort import Cohort, as_json
from xinglin.explain.cohort_page import cohort_page
from xinglin.explain.phrases import Lang, pair, plain, signed
from xinglin.explain.trust import failures_of
from xinglin.records import record_from_json
from xinglin.types import DISCLAIMER, Record

if TYPE_CHECKING:
    from xinglin.apps.diagnosis import Differential
    from xinglin.apps.diagnosis.explain_words import Method

MAX_BYTES = 512 * 2**20
KNOWN = ("id", "text", "patient", "findings", "vitals", "labs")
ROWS = 15


@dataclass(frozen=True, slots=True)
class Explained:
    """A cohort in the three forms in which the command gives it."""

    cohort: Cohort

    def page(self, lang: Lang) -> str:
        """Return the HTML page."""
        return cohort_page(self.cohort, lang)

    def json(self) -> dict[str, Any]:
        """Return everything as data."""
        return as_json(self.cohort)

    def show(self, lang: Lang) -> None:
        """Print the summary."""
        show_cohort(self.cohort, lang)


def explain_data(
    differential: Differential,
    path: Path,
    most: int,
    *,
    method: Method,
    target: str | None,
    check: int,
    seed: int,
    ledger: bool,
) -> Explained:
    """Explain the cases of a file, with a progress bar, and note it in the ledger.

    Raises:
        XinglinError: as :func:`read_cases` and :func:`xinglin.apps.diagnosis.explain_cases.explain_cases`.
    """
    from xinglin.apps.diagnosis.explain_cases import explain_cases

    records, digest, passed_over = read_cases(path, most)
    if passed_over:
        typer.echo(f"未使用的字段 keys passed over: {', '.join(passed_over)}", err=True)
    with progress_bar() as report:
        cohort = explain_cases(
            differential,
            records,
            source=path.name,
            digest=digest,
            method=method,
            target=target,
            checked=check,
            seed=seed,
            report=report,
        )
    if ledger:
        from xinglin.apps.diagnosis.remember import remember_cohort
        from xinglin.store import open_store

        remember_cohort(open_store(), cohort, actor="cli")
    return Explained(cohort)


def read_cases(path: Path, most: int) -> tuple[list[Record], str, list[str]]:
    """Read a JSONL file of cases: our own JSON, one a line (docs/answer.md); other keys are passed over.

    Args:
        path: UTF-8 or GB18030, gzipped or not, at most 512 MiB.
        most: cases that are read; the first ones.

    Returns:
        The cases, the file's SHA-256, and the keys passed over.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: the file is too large.
        InvalidInputError: a line is no case; names the line.
    """
    from xinglin.records.readers.jsonl import json_lines

    if not path.is_file():
        raise MissingDataError(f"--data: there is no file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"--data: at most {MAX_BYTES // 2**20} MiB, got {path.stat().st_size} bytes")
    records: list[Record] = []
    passed_over: dict[str, None] = {}
    for line in islice(json_lines(path), most):
        try:
            case = line.value()
            if not isinstance(case.get("text"), str):
                raise InvalidInputError('expected the key "text" with the words of the case')
            kept = {key: case[key] for key in KNOWN if key in case}
            kept["id"] = str(kept.get("id", line.number))
            records.append(record_from_json(kept))
        except InvalidInputError as error:
            raise InvalidInputError(f"{path.name}, line {line.number}: {error}") from None
        passed_over |= dict.fromkeys(key for key in case if key not in KNOWN)
    if not records:
        raise InvalidInputError(f"{path.name}: expected cases, one JSON object a line; the file has none")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return records, digest, list(passed_over)


def show_cohort(cohort: Cohort, lang: Lang, console: Console | None = None) -> None:
    """Print what a model goes by; whether it can be trusted first, the disclaimer last."""
    out = console or Console()

    def t(key: str, **values: object) -> str:
        return plain(pair(key, **values), lang)

    out.print(Text(f"{t('cohort')} · {cohort.source}", style="bold"))
    explained = t("cohort_first") if cohort.target is None else t("cohort_target", name=cohort.target)
    out.print(Text(f"{t('cohort_cases')}: {cohort.overview.cases}. {explained}"))
    if cohort.left_out:
        out.print(Text(t("cohort_left_out", count=sum(cohort.left_out.values())), style="yellow"))
    failed = [check.name for check in cohort.trust.checks if check.failed] if cohort.trust else []
    if failed:
        out.print(Text(f"✗ {t('trust_bad', count=len(failed), names=failures_of(failed))}", style="bold red"))
    elif cohort.trust is not None:
        passed = cohort.trust.passed
        low, high = f"{passed.low:.0%}", f"{passed.high:.0%}"
        words = t("cohort_passed", count=round(passed.value * passed.n), of=passed.n, low=low, high=high)
        out.print(Text(f"✓ {words}", style="green"))
    table = Table(title=Text(t("drivers")), title_justify="left", title_style="bold", box=None)
    for key in ("unit", "cases", "mean_strength", "mean_direction"):
        table.add_column(t(key), justify="left" if key == "unit" else "right")
    for driver in cohort.overview.drivers[:ROWS]:
        strength = driver.strength
        table.add_row(
            Text(plain(cohort.named(driver.name), lang)),
            str(strength.n),
            f"{strength.value:.2f} [{strength.low:.2f}, {strength.high:.2f}]".replace("-", "−").replace(
                "[", "\\["
            ),
            Text(signed(driver.direction), style="dark_orange" if driver.direction > 0 else "dodger_blue1"),
        )
    out.print(table)
    out.print(Text(plain((DISCLAIMER["zh"], DISCLAIMER["en"]), lang), style="bold dim"))
