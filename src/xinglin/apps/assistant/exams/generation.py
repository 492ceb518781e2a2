"""Answers written by a model, several under way together, kept in a file so that a broken run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from xinglin.apps.assistant.exams.remote import WAITS, patiently
from xinglin.apps.assistant.writer import Sampling, Writer
from xinglin.errors import InputTooLargeError, InvalidInputError

Messages = Sequence[Mapping[str, str]]
AT_ONCE = 8


def written(
    writer: Writer,
    asked: Sequence[tuple[str, Messages]],
    sampling: Sampling,
    *,
    kept: Path | None = None,
    run: str = "",
    waits: Sequence[float] = WAITS,
    report: Callable[[int, int], None] | None = None,
) -> list[str | None]:
    """Return a model's answers; ``None``: the prompt is too long for it.

    Args:
        writer: the model.
        asked: an id, different for each, and its messages.
        sampling: how to draw.
        kept: JSON lines; answers of the same ``run`` in it are taken over, new ones are added.
        run: what the run is: model, file, prompts; a file of another run is refused.
        waits: seconds between tries of a busy server.
        report: told (done, all).

    Raises:
        BusyError: the server stays out of reach; what was answered is in ``kept``.
        InvalidInputError: ``kept`` is of another run.
    """
    known = {} if kept is None else _read(kept, run)
    rest = [(id, messages) for id, messages in asked if id not in known]

    def answer(messages: Messages) -> str | None:
        try:
            return patiently(lambda: "".join(writer.write(messages, sampling)), waits)
        except InputTooLargeError:
            return None

    out = None if kept is None else kept.open("a", encoding="utf-8")
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        under_way = [(id, pool.submit(answer, messages)) for id, messages in rest]
        for done, (id, future) in enumerate(under_way, len(asked) - len(rest) + 1):
            known[id] = future.result()
            if out is not None:
                out.write(json.dumps({"id": id, "said": known[id]}, ensure_ascii=False) + "\n")
                out.flush()
            if report is not None:
                report(done, len(asked))
    finally:
        pool.shutdown(cancel_futures=True)
        if out is not None:
            out.close()
    return [known[id] for id, _ in asked]


def _read(path: Path, run: str) -> dict[str, str | None]:
    """Answers kept so far; a new file is begun with what the run is, a cut last line is dropped."""
    if not path.exists():
        path.write_text(json.dumps({"run": run}) + "\n", encoding="utf-8")
        return {}
    lines = path.read_bytes().split(b"\n")
    whole = lines[:-1]
    try:
        first, *rows = (json.loads(line) for line in whole)
        kept_run = str(first["run"])
        known = {str(row["id"]): row["said"] for row in rows}
    except (ValueError, KeyError, TypeError):
        raise InvalidInputError(
            f"{path.name}: expected kept answers, JSON lines with id and said: name another file"
        ) from None
    if kept_run != run:
        raise InvalidInputError(
            f"{path.name}: it keeps the answers of another run (model, data or prompts differ): name another file"
        )
    if lines[-1]:
        path.write_bytes(b"".join(line + b"\n" for line in whole))
    return known
