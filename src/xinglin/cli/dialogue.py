"""``xinglin diagnose --ask``: one question at a time in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.prompt import Prompt

from xinglin.apps.diagnosis.answer import Answer, answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.render import question
from xinglin.apps.diagnosis.wording import Lang
from xinglin.types import Record, State

MAX_QUESTIONS = 12
KEYS: dict[str, State | None] = {
    "1": "present",
    "y": "present",
    "有": "present",
    "2": "absent",
    "n": "absent",
    "无": "absent",
    "3": "unknown",
    "?": "unknown",
    "不知道": "unknown",
    "q": None,
}


def hold(
    differential: Differential,
    text: str,
    record: Record | None,
    top: int,
    lang: Lang,
    console: Console | None = None,
) -> tuple[Case, Answer]:
    """Ask until the answer is settled, nothing useful is left, or the user stops.

    Returns:
        The case with its answers and the answer at the stopping point.
    """
    out = console or Console(stderr=True)
    answers: dict[str, State] = {}
    skip: set[str] = set()
    case = gather(differential, text, record, lang=lang)
    result = answer(differential, case, top)
    prompt = "1 有 · 2 无 · 3 不知道 · q 结束" if lang == "zh" else "1 yes · 2 no · 3 don't know · q stop"
    for _ in range(MAX_QUESTIONS):
        asked = question(differential, result, lang, frozenset(skip))
        if asked is None:
            break
        out.print(f"[bold]{asked['text']}[/]" + (f"  [red]({asked['why']})[/]" if asked["why"] else ""))
        try:
            reply = KEYS[Prompt.ask(prompt, console=out, choices=list(KEYS), show_choices=False)]
        except EOFError:
            out.print("输入已结束,不再追问 no more input: stopped asking")
            break
        if reply is None:
            break
        answers[asked["finding"]] = reply
        if reply == "unknown":
            skip.add(asked["finding"])
        case = gather(differential, text, record, answers=answers, lang=lang)
        result = answer(differential, case, top)
    return case, result
