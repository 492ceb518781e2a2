"""An explanation on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from xinglin.cli.screen import STYLE
from xinglin.explain.basis import CaseExplanation
from xinglin.explain.change import sentence
from xinglin.explain.faithfulness import Faithfulness
from xinglin.explain.network import sides
from xinglin.explain.note import strengths
from xinglin.explain.phrases import Lang, pair, plain, qualifier, signed
from xinglin.explain.trust import HIGHER, failures
from xinglin.types import DISCLAIMER

WIDTH = 12
"""Characters of a bar at its longest, to either side."""
ROWS = 24
"""Units that are listed."""
FOR, AGAINST = "dark_orange", "dodger_blue1"


def show(explanation: CaseExplanation, lang: Lang, console: Console | None = None) -> None:
    """Print an explanation: triage and red flags first, the disclaimer last."""
    out = console or Console()

    def t(key: str, **values: object) -> str:
        return plain(pair(key, **values), lang)

    triage = f" {t('triage')}: {plain(explanation.triage, lang)} "
    out.print(Text(triage, style=STYLE[explanation.triage_level]))
    for flag in explanation.red_flags:
        out.print(Text(f"● {plain(flag, lang)}", style="bold red"))
    role = t("first") if explanation.place == 1 else t("explained", place=explanation.place)
    target = explanation.target
    shown = f"{target.probability:.0%}" if target.probability is not None else plain(target.level, lang)
    out.print(Text.assemble(f"\n{role}: ", (plain(target.name, lang), "bold"), f"  {target.code}  {shown}"))
    if explanation.abstained is not None:
        words = [t("abstained"), plain(explanation.abstained, lang), t("abstained_body")]
        out.print(Panel(Text("\n".join(words)), border_style="yellow"))
    for note in explanation.notes:
        out.print(Text(f"! {plain(note, lang)}", style="yellow"))
    _words(explanation, lang, out)
    if explanation.paths:
        _paths(explanation, lang, out)
    if explanation.counterfactuals:
        out.print(Text(f"\n{t('change')}", style="bold"))
    for found in explanation.counterfactuals:
        out.print(Text(plain(sentence(found), lang)))
    out.print(Text(f"\n{_versions(explanation)}", style="dim"))
    out.print(Text(plain((DISCLAIMER["zh"], DISCLAIMER["en"]), lang), style="bold dim"))


def _words(explanation: CaseExplanation, lang: Lang, out: Console) -> None:
    attribution, trust = explanation.attribution, explanation.faithfulness
    if attribution is None:
        out.print(Text(plain(pair("no_text"), lang), style="dim"))
        return
    if trust is not None and trust.failed:
        words = plain(pair("trust_bad", count=len(trust.failed), names=failures(trust)), lang)
        out.print(Panel(Text(f"✗ {words}", style="bold red"), border_style="red"))
    if not any(strengths(attribution)):
        out.print(Text(plain(pair("flat"), lang), style="yellow"))
    method = plain(pair(f"method_{attribution.method}"), lang)
    table = Table(title=Text(method), title_justify="left", title_style="bold", show_header=False, box=None)
    for justify in ("right", "right", "left", "right"):
        table.add_column(justify=justify)
    top = max((abs(value) for value in attribution.values), default=0.0) or 1.0
    order = sorted(range(len(attribution.values)), key=lambda i: -abs(attribution.values[i]))[:ROWS]
    for number in order:
        unit, value = attribution.units[number], attribution.values[number]
        bar = "█" * max(1, round(WIDTH * abs(value) / top)) if round(value, 2) else ""
        style = FOR if value > 0 else AGAINST
        label = Text(unit.text.replace("\n", " ")[:40])
        if unit.name is not None and unit.name != unit.text:
            label.append(f" {plain(explanation.named(unit.name), lang)}", style="dim")
        left, right = ("", bar) if value > 0 else (bar, "")
        table.add_row(
            label, Text(left, style=style), Text(right, style=style), Text(signed(value), style=style)
        )
    out.print(table)
    base, full = plain(pair("base"), lang), plain(pair("full"), lang)
    out.print(
        Text(f"{base} {attribution.base:.2f} → {full} {attribution.full:.2f}".replace("-", "−"), style="dim")
    )
    if trust is None:
        return
    if not trust.failed:
        out.print(Text(f"✓ {plain(pair('trust_good'), lang)}", style="green"))
    chance = plain(pair("chance"), lang)
    for name in HIGHER:
        floor = f"({chance} {getattr(trust.chance, name):.2f})"
        out.print(_figure(trust, name, getattr(trust, name), floor, lang))
    out.print(_figure(trust, "stability", trust.stability, "", lang))
    if trust.randomised is not None:
        out.print(_figure(trust, "randomised", trust.randomised, "", lang))


def _figure(trust: Faithfulness, name: str, value: float, floor: str, lang: Lang) -> Text:
    failed = name in trust.failed
    mark, style = ("✗", "bold red") if failed else ("✓", "green")
    number = f"{value:.2f}".replace("-", "−")
    return Text.assemble(
        (f"  {mark} ", style), (f"{plain(pair(name), lang)} ", "dim"), number, (f" {floor}", "dim")
    )


def _paths(explanation: CaseExplanation, lang: Lang, out: Console) -> None:
    findings, exams = sides(explanation.paths)
    out.print(Text(f"\n{plain(pair('paths'), lang)}", style="bold"))
    for nodes, arrow in ((findings, "→"), (exams, "←")):
        for node in nodes:
            name = plain(explanation.named(node.name), lang)
            given = plain(pair("authored"), lang) if node.edge.authored else node.edge.source
            style = FOR if node.strength > 0 else AGAINST
            words = f"{qualifier(node.edge.qualifier, lang)}; {given}"
            if arrow == "→":
                out.print(Text.assemble(f"  {name} ", (arrow, style), f" {words}"))
            else:
                out.print(Text.assemble((f"  {arrow} ", "dim"), f"{name} {words}"))


def _versions(explanation: CaseExplanation) -> str:
    given = explanation.versions
    model = f" + {given.model} {(given.model_id or '')[:12]}" if given.model is not None else ""
    return f"xinglin {given.package} · {given.pack}{model} ({given.engine})"
