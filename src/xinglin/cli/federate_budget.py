"""``xinglin federate budget show | limit | link | report | verify``: the privacy budget of this node."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import AsJson
from xinglin.cli.written import write_whole

app = typer.Typer(
    help="隐私预算:每位患者一生的 ε。The privacy budget: each patient's epsilon over a lifetime.",
    no_args_is_help=True,
)
Delta = Annotated[
    float, typer.Option(help="δ,须小于 1/n;有限额时用限额的 Delta; that of the limit where one is stated.")
]
Accountant = Annotated[str, typer.Option(help="记账方法 rdp | prv Accountant.")]


@app.command()
def show(delta: Delta = 1e-5, accountant: Accountant = "rdp", as_json: AsJson = False) -> None:
    """已用、限额、余额。What each data set's worst patient has spent, and what is left."""
    from xinglin.store import open_store

    with open_store().read() as connection:
        from xinglin.federate.privacy.report import account

        state = account(connection, delta, kind=_kind(accountant))
    if as_json:
        typer.echo(json.dumps(state, ensure_ascii=False, indent=1))
        return
    _table(state)


@app.command()
def limit(
    epsilon: Annotated[
        str, typer.Option(help="ε 上限;none = 只记不限 The most; 'none' counts without a limit.")
    ],
    delta: Annotated[float, typer.Option(help="δ,须小于 1/n Delta, below 1/n.")],
    holder: Annotated[
        str, typer.Option(help="patient 每位患者 each patient | hospital 本院整体 the hospital itself.")
    ] = "patient",
    by: Annotated[str, typer.Option(help="由谁设定 Who states it.")] = "cli",
) -> None:
    """设定一生可用的上限。State what may be spent in a lifetime; the newest statement holds."""
    from xinglin.errors import InvalidInputError
    from xinglin.federate.privacy.budget import HOLDERS, state_limit
    from xinglin.store import open_store

    chosen = next((name for name in HOLDERS if name == holder), None)
    try:
        most = None if epsilon == "none" else float(epsilon)
    except ValueError:
        raise InvalidInputError(f"epsilon: expected a number or none, got {epsilon[:40]!r}") from None
    if chosen is None:
        raise InvalidInputError(f"holder: expected patient or hospital, got {holder[:40]!r}")
    with open_store().write() as connection:
        state_limit(connection, most, delta, by=by, holder=chosen)
    said = "不限 not limited" if most is None else f"ε ≤ {most:g}"
    typer.echo(f"{_HOLDERS[chosen]}: {said}, δ = {delta:g}")


@app.command()
def link(
    pairs: Annotated[
        Path, typer.Argument(help="TSV,每行两个标识同属一人 Two identifiers of one patient a line.")
    ],
    by: Annotated[str, typer.Option(help="由谁声明 Who states it.")] = "cli",
) -> None:
    """声明两个标识是同一患者(如化名与原号)。State that two identifiers are one patient, e.g. a pseudonym and its own."""
    from xinglin.federate.privacy.lineage import link as join
    from xinglin.store import open_store

    with open_store().write() as connection:
        new = join(connection, _pairs(pairs), by=by)
    typer.echo(f"新并入 newly linked: {new}")


@app.command()
def report(
    key: Annotated[Path, typer.Option(help="本节点私钥 The node's private key (`xinglin records key`).")],
    node: Annotated[str, typer.Option(help="本院名称 Name of this hospital.")],
    out: Annotated[Path, typer.Option(help="报告写到 Where the report goes (JSON).")],
    delta: Delta = 1e-5,
    accountant: Accountant = "rdp",
) -> None:
    """签名的预算报告,并记入账本。The signed report; its digest and signature go into the ledger."""
    from xinglin.federate.privacy.report import report as make
    from xinglin.store import open_store

    with open_store().write() as connection:
        made = make(connection, node=node, key=key, delta=delta, kind=_kind(accountant), by="cli")
        # Inside the transaction: without the file there is no entry either.
        write_whole(out, json.dumps(made, ensure_ascii=False, indent=1) + "\n")
    _table(made["statement"])
    typer.echo(f"{out}: 已签名 signed, SHA-256 {made['signature']['digest']}")


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(metavar="REPORT", help="报告 The report.")],
    key: Annotated[
        str, typer.Option("--key", help="可信公钥,十六进制或 .pub 文件 The public key you trust.")
    ],
    ledger: Annotated[
        bool, typer.Option(help="并与本机账本核对 Look it up in this node's ledger too.")
    ] = False,
) -> None:
    """核对报告:签名、算术、账本。Check a report: signature, arithmetic, and its place in the ledger."""
    from contextlib import nullcontext

    from xinglin.errors import InputTooLargeError, MissingDataError
    from xinglin.federate.privacy.report import verify_report
    from xinglin.records.decode import decode_json
    from xinglin.store import open_store

    if not path.is_file():
        raise MissingDataError(f"there is no report {path}")
    if path.stat().st_size > 2**26:
        raise InputTooLargeError(f"{path.name}: at most 64 MiB")
    trusted = Path(key).read_text(encoding="ascii").strip() if Path(key).is_file() else key
    with open_store().read() if ledger else nullcontext() as connection:
        statement = verify_report(decode_json(path.read_bytes(), path.name), trusted, connection=connection)
    _table(statement)
    where = ",账本中有此条 in the ledger" if ledger else ""
    typer.echo(f"签名有效、算术无误 signature valid, numbers follow from the steps{where}")


_HOLDERS = {"patient": "每位患者 each patient", "hospital": "本院整体 the hospital"}
MOST_PAIRS = 5_000_000


def _kind(name: str) -> Any:
    from xinglin.errors import InvalidInputError

    if name not in ("rdp", "prv"):
        raise InvalidInputError(f"accountant: expected rdp or prv, got {name[:40]!r}")
    return name


def _pairs(path: Path) -> list[tuple[str, str]]:
    from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    found: list[tuple[str, str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for number, row in enumerate(csv.reader(stream, delimiter="\t"), 1):
                if not row:
                    continue
                if len(row) != 2:
                    raise InvalidInputError(
                        f"{path.name}: line {number}: expected two columns, got {len(row)}"
                    )
                if len(found) == MOST_PAIRS:
                    raise InputTooLargeError(f"{path.name}: at most {MOST_PAIRS} pairs")
                found.append((row[0], row[1]))
    except (UnicodeDecodeError, csv.Error):
        raise InvalidInputError(f"{path.name}: expected UTF-8 text with tabs") from None
    return found


def _table(state: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    from xinglin.types import DISCLAIMER

    console = Console()
    limits = state["limits"]
    for holder, name in _HOLDERS.items():
        limit = limits[holder]
        if limit is None:
            said = "未设限额 no limit stated"
        elif limit["epsilon"] == "infinite":
            said = f"只记不限 counted, not limited, δ = {limit['delta']:g}"
        else:
            said = f"限额 limit ε ≤ {limit['epsilon']:g}, δ = {limit['delta']:g}"
        console.print(f"{name}: {said}")
    table = Table("数据集 cohort", "患者 patients", "已用 spent ε", "余额 left", "任务 jobs", box=None)
    for row in state["cohorts"]:
        table.add_row(
            f"{row['cohort']} {row['digest'][:12]}",
            str(row["patients"]),
            _number(row["epsilon"]),
            _left(limits["patient"], row["epsilon"]),
            ", ".join(row["jobs"]) or "—",
        )
    console.print(table if state["cohorts"] else "尚无数据集 no data set was enrolled yet")
    own = state["hospital"]
    console.print(
        f"本院整体 the hospital: ε {_number(own['epsilon'])}, 余额 left {_left(limits['hospital'], own['epsilon'])} "
        "(只计医院级任务 jobs of unit hospital only)"
    )
    console.print(
        f"最坏患者的 ε,δ = {state['delta']:g},{state['accountant']} 记账。Epsilon of the worst patient.",
        style="dim",
    )
    console.print(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}", style="dim")


def _number(value: float | str) -> str:
    return "∞" if value == "infinite" else f"{value:.3f}"


def _left(limit: Any, spent: float | str) -> str:
    if limit is None or limit["epsilon"] == "infinite":
        return "—"
    return f"{0.0 if spent == 'infinite' else max(0.0, limit['epsilon'] - float(spent)):.3f}"
