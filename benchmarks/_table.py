"""Lines as a table in the terminal, or as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks._line import Line, shown

HEAD = ("name", "figure", "value", "95 %", "n", "reference", "ratio", "note")


def cells(line: Line) -> tuple[str, ...]:
    """Return a line as the cells under ``HEAD``."""
    interval = "" if line.low is None or line.high is None else f"{shown(line.low)} – {shown(line.high)}"
    reference = "" if line.reference is None else f"{shown(line.reference)} ({line.reference_name})"
    ratio = "" if line.ratio is None else f"{shown(line.ratio)} x"
    value = f"{shown(line.value)} {line.unit}".strip()
    return (line.name, line.figure, value, interval, f"{line.n:,}", reference, ratio, line.note)


def table(lines: Mapping[str, Sequence[Line]], where: str) -> None:
    """Print one table a benchmark."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.width = max(console.width, 170)
    for name, found in lines.items():
        grid = Table(*HEAD, title=name, title_justify="left", box=None, pad_edge=False)
        for line in found:
            grid.add_row(*cells(line))
        console.print(grid)
    console.print(where, style="dim")


def markdown(
    lines: Mapping[str, Sequence[Line]],
    titles: Mapping[str, str],
    where: str,
    shared: str,
    arguments: Sequence[str],
) -> str:
    """Return a page: where and how it was measured, then one table a benchmark."""
    parts = [
        f"# Results: {', '.join(lines)}",
        f"Rendered by `python -m benchmarks {' '.join(arguments)}`; not edited by hand.",
        f"Machine: {where}. {shared}",
    ]
    for name, found in lines.items():
        rows = [HEAD, ("---",) * len(HEAD), *(cells(line) for line in found)]
        grid = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
        parts.append(f"## {name}\n\n{titles[name]}\n\n{grid}")
    return "\n\n".join(parts) + "\n"
