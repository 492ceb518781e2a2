"""An answer on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from xinglin.apps.diagnosis.wording import MODEL_SHARE, Lang, joined, model_line, say, weights_from

STYLE = {
    "call_120": "bold white on red",
    "emergency_now": "bold white on red",
    "within_24h": "bold black on yellow",
    "outpatient": "bold white on blue",
    "home": "bold white on green",
    "clinician": "bold white on magenta",
}
STATE_STYLE = {"present": "red", "absent": "green", "unknown": "yellow"}
TITLES = {
    "triage": ("分诊", "Triage"),
    "flags": ("危险信号", "Red flags"),
    "findings": ("识别到的征象", "Findings"),
    "differential": ("鉴别诊断", "Differential"),
    "disease": ("疾病", "Disease"),
    "confidence": ("把握", "Confidence"),
    "evidence": ("依据(+支持 −反对)", "Evidence (+ for, − against)"),
    "exams": ("建议检查", "Examinations"),
    "where": ("地点", "Where"),
    "why": ("理由", "Why"),
    "danger": ("尚未排除的危险信号", "Danger signs not yet excluded"),
    "first": ("处理前须先排除", "Exclude before treating"),
    "next": ("下一个最有用的问题", "Most useful next question"),
    "uncalibrated": (
        "本图谱内容未经临床审阅,也未用真实病例校准,故只给高/中/低,不给百分比。",
        "This graph is unreviewed and not calibrated on real cases: levels only, no percentages.",
    ),
    "model": ("模型", "Model"),
    "share": ("文本模型", "text model"),
}


def show(text: str, answer: dict[str, Any], lang: Lang, console: Console | None = None) -> None:
    """Print a whole answer, red flags before anything else."""
    out = console or Console()

    def t(key: str) -> str:
        return TITLES[key][0 if lang == "zh" else 1]

    out.print(Text(f" {t('triage')}: {answer['triage']} ", style=STYLE[answer["triage_level"]]))
    if answer["red_flags"]:
        lines = [
            Text.assemble(
                (f"● {flag['display']}", "bold red"), f"  [{flag['level_display']}]\n  {flag['action']}"
            )
            for flag in answer["red_flags"][:4]
        ]
        out.print(Panel(Group(*lines), title=t("flags"), border_style="red"))
    if text and answer["findings"]:
        out.print(Panel(_highlighted(text, answer["findings"]), title=t("findings"), border_style="dim"))
    for problem in answer["problems"]:
        out.print(f"[yellow]! {problem}[/]")
    if answer["abstained"]:
        out.print(Panel(answer["reason"], border_style="yellow"))
    if answer["candidates"]:
        out.print(_differential(answer, t))
        if answer["model"]["answered"] != "graph":
            out.print(f"[dim]{_share_note(answer['model'], lang)}[/]")
        elif not answer["calibrated_on"]:
            out.print(f"[dim]{t('uncalibrated')}[/]")
        names = joined([item["display"] for item in answer["prediction_set"]], lang)
        out.print(f"\n[bold]{answer['prediction_set_title']}[/]: {names}")
        _exclude_first(out, answer, t, lang)
    if answer.get("image"):
        from xinglin.cli.pictured import show_image

        show_image(answer["image"], lang, out)
    if answer["exams"]:
        out.print(_exams(answer, t))
    if answer["not_excluded"]:
        signs = joined([item["display"] for item in answer["not_excluded"][:8]], lang)
        out.print(f"\n[bold yellow]{t('danger')}[/]: {signs}")
    if answer["question"]:
        out.print(f"[bold]{t('next')}[/]: {answer['question']['text']}")
    out.print(f"\n[dim]{t('model')} {model_line(answer['model'])}[/]")
    out.print(f"[bold dim]{answer['disclaimer']}[/]")


def _share_note(model: dict[str, Any], lang: Lang) -> str:
    """Whose the text model's numbers are, and what they rest on."""
    return f"{say(MODEL_SHARE, lang)} {model['encoder']['name']}; {weights_from(model['join'], lang)}"


def _highlighted(text: str, findings: list[dict[str, Any]]) -> Text:
    shown = Text(text)
    for item in findings:
        if item["span"]:
            shown.stylize(f"bold {STATE_STYLE[item['state']]} underline", *item["span"])
    return shown


def _differential(answer: dict[str, Any], t: Any) -> Table:
    table = Table(title=t("differential"), title_justify="left", title_style="bold", expand=False)
    table.add_column("#", justify="right")
    table.add_column(t("disease"))
    table.add_column("ICD-10")
    table.add_column(t("confidence"))
    table.add_column(t("evidence"), overflow="fold")
    best = max((c["score"] for c in answer["candidates"]), default=1.0) or 1.0
    for rank, item in enumerate(answer["candidates"], 1):
        bar = "█" * max(1, round(8 * item["score"] / best))
        label = f"{item['probability']:.0%}" if item["calibrated"] else item["level_display"]
        evidence = Text()
        for part in [part for part in item["evidence"] if part["origin"] == "finding"][:6]:
            sign = "+" if part["weight"] > 0 else "−"
            style = "red" if part["weight"] > 0 else "green"
            evidence.append(f"{sign}{part['finding']} ", style=style)
        for part in item["evidence"]:
            if part["origin"] == "model":
                shown = f"{part['weight']:+.1f}".replace("-", "−")
                evidence.append(f"{t('share')} {shown}", style="magenta")
        style = "bold" if item["severity"] == "lethal" else ""
        table.add_row(
            str(rank),
            Text(item["code"]["display"], style=style),
            item["code"]["value"],
            f"{bar} {label}",
            evidence,
        )
    return table


def _exclude_first(out: Console, answer: dict[str, Any], t: Any, lang: Lang) -> None:
    for item in answer["candidates"]:
        if item["exclude_before"]:
            names = joined([other["display"] for other in item["exclude_before"]], lang)
            out.print(f"[bold yellow]{t('first')}[/]: {item['code']['display']} ← {names}")


def _exams(answer: dict[str, Any], t: Any) -> Table:
    table = Table(title=t("exams"), title_justify="left", title_style="bold")
    table.add_column("#", justify="right")
    table.add_column(t("exams"))
    table.add_column(t("where"))
    table.add_column(t("why"), overflow="fold")
    for rank, item in enumerate(answer["exams"], 1):
        table.add_row(str(rank), item["display"], item["available_display"], item["reason"])
    return table
