"""``xinglin decision``: account for an answer that was given."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from xinglin.cli.options import AsJson


def decision(
    case: Annotated[str | None, typer.Argument(help="病例编号 Id of a kept case.")] = None,
    text: Annotated[
        str | None, typer.Option(help="未保存的病例:给出当时的文字 Of a case that was not kept: its text.")
    ] = None,
    actor: Annotated[str, typer.Option("--as", help="病例所属用户 Whose case it is.")] = "cli",
    as_json: AsJson = False,
) -> None:
    """说明一次回答:读到了什么、哪个版本的模型、如何权衡、谁作的决定。Account for an answer (PIPL Art. 24).

    每处文字的作用见 `xinglin explain`。For the part of every word see `xinglin explain`.
    """
    from xinglin.apps.diagnosis.decision import account, answers_to
    from xinglin.errors import InvalidInputError
    from xinglin.store import open_store
    from xinglin.types import DISCLAIMER

    if (case is None) == (text is None):
        raise InvalidInputError("give the id of a case, or --text of one that was not kept")
    store = open_store()
    told: Any
    if case is not None:
        told = account(store, case, actor=actor)
    else:
        with store.read() as connection:
            told = answers_to(connection, text or "")
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    if case is not None:
        _show(told)
    else:
        for one in told:
            typer.echo(f"{_entry(one)}\n  分诊 triage {one['triage']}")
        if not told:
            typer.echo("账本中没有对这段文字的回答 the ledger has no answer to this text")
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")


def _entry(entry: dict[str, Any]) -> str:
    named = entry["model"]
    model = " ".join(str(named[key]) for key in ("id", "version", "engine") if named.get(key))
    return f"账本 ledger #{entry['seq']}  {entry['time'][:19]}  {entry['actor']}  模型 model {model}"


def _show(told: dict[str, Any]) -> None:
    names = {"text": "文字 text", "answer": "回答 answer"}
    states = "  ".join(
        f"{names[key]} {'与账本一致 as recorded' if good else '与账本不符 NOT as recorded'}"
        for key, good in told["intact"].items()
    )
    typer.echo(f"{_entry(told['entry'])}\n  {states}")
    typer.echo(f"模型 model: {told['model']}")
    typer.echo("读到 read:")
    for finding in told["inputs"]["findings"]:
        value = "" if finding.get("value") is None else f" {finding['value']} {finding.get('unit') or ''}"
        typer.echo(f"  {finding['code']['display']}{value}: {finding['state']}  ({finding['origin']})")
    typer.echo(f"分诊 triage: {told['triage']}")
    for flag in told["red_flags"]:
        typer.echo(f"  由规则 by rule: {flag['display']} -> {flag['level_display']}")
    typer.echo("权衡 weighed (ln LR; > 0 支持 for):" if told["weighed"] else "无候选 no candidate")
    for item in told["weighed"]:
        stated = "" if item["probability"] is None else f" {item['probability']:.2f}"
        typer.echo(f"  {item['candidate']}  {item['level']}{stated}")
        for one in item["evidence"]:
            typer.echo(f"    {one['weight']:+.2f}  {one['finding']}  ({one['origin']})")
    if told["abstained"]:
        typer.echo(f"弃权 abstained: {told['reason']}")
    done = told["decided"]
    typer.echo(
        f"医师决定 decided by a clinician: {done['display']} ({done['by']}, {done['time'][:10]})"
        if done
        else "尚无医师确认 no clinician has confirmed it yet"
    )
