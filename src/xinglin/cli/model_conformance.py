"""``xinglin model conformance``: the suite that a new device must pass, and the report that its vendor sends back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from xinglin.cli.options import AsJson


def conformance(
    provider: Annotated[
        str, typer.Option(help="设备 Device: cpu, cuda, tensorrt, openvino, openvino-native, cann, coreml.")
    ] = "cpu",
    model: Annotated[
        list[Path] | None, typer.Option(help="导出的模型文件夹,可多次 Exported model folder; repeatable.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32;以 16 位计算的设备用 fp16 fp16 for a device that computes in 16 bits.")
    ] = "fp32",
    key: Annotated[Path | None, typer.Option(help="签名私钥 Private key that signs the report.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="核对厂商送回的报告 Check a report that came back.")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option(help="厂商公钥(与 --check 同用) The vendor's public key, with --check.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """逐个算子、逐个模型核对一台设备的答案。Check a device's answers operator by operator and model by model.

    未通过则退出码为 1,并列出算子。Ends with status 1 when it fails, and names the operators.

    例 Example: xinglin model conformance --provider openvino --json --key vendor.pem > report.json
    """
    from xinglin.errors import InvalidInputError
    from xinglin.release.conformance import backend, check_report, conform, signed, suite

    if check is not None:
        if public_key is None:
            raise InvalidInputError("--check needs --public-key: the one that you had from the vendor")
        found = _read(check)
        passed = check_report(found, suite(model, precision=precision), public_key)
        _shown(found, as_json)
    else:
        device, versions = backend(provider)
        asked = suite(model, precision=precision)
        found = conform(device, asked, name=provider, versions=versions)
        passed = found["passed"]
        _shown(found if key is None else signed(found, key), as_json)
    if not passed:
        raise typer.Exit(1)


def _read(path: Path) -> Any:
    from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

    most = 16_000_000
    if not path.is_file():
        raise MissingDataError(f"{path}: there is no such report")
    if path.stat().st_size > most:
        raise InputTooLargeError(f"{path}: expected at most {most} bytes")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInputError(f"{path}: expected the JSON of xinglin model conformance --json") from None


def _shown(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    results = report["results"]
    right = sum(item["verdict"] == "right" for item in results)
    state = "通过 passed" if report["passed"] else "未通过 FAILED"
    typer.echo(f"{report['device']}: {state}  {right}/{len(results)} 项答对 cases right")
    typer.echo(f"套件 suite {report['suite'][:16]}…  精度 precision {report['precision']}")
    for item in results:
        if item["operator"] == "model":
            difference = "–" if item["difference"] is None else f"{item['difference']:.1e}"
            typer.echo(f"  {item['case']:<38}{item['verdict']:<10}{difference}")
    for item in results:
        if item["verdict"] in ("wrong", "refused"):
            typer.echo(f"  ✗ {item['case']}: {item['verdict']}: {item['reason']}")
    if report["declined_operators"]:
        typer.echo(f"单独时交回 CPU declined when alone: {', '.join(report['declined_operators'])}")
    typer.echo(f"{report['disclaimer']['zh']} {report['disclaimer']['en']}")


def register(app: typer.Typer) -> None:
    """Add ``conformance`` to ``xinglin model``."""
    app.command("conformance")(conformance)
