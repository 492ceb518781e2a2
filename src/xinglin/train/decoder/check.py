"""The data validator: every bad row of a training file by its line and what is wrong with it, never its content.

One JSON object a line, gzipped or not, UTF-8. ``pretrain``: ``text``. ``sft`` and ``distil``: ``messages``. ``prefer``:
``prompt``, ``chosen``, ``rejected``. ``reinforce``: ``prompt``, ``kind`` and what its reward needs. A prompt is a text or
messages.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records.decode import decode_json
from xinglin.records.lines import lines
from xinglin.train.decoder.encode import LEAST_ANSWER
from xinglin.train.decoder.options import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_LINE = 4_000_000
MAX_ROWS = 10_000_000
SHOWN = 20
"""Most bad rows that an error names."""
ROLES = ("system", "user", "assistant")
TASKS = ("exam", "citation", "refusal")
LETTERS = "ABCDEFGHIJ"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufffd\ud800-\udfff]")
"""Control characters but tab and line ends; U+FFFD is what a wrong decoding leaves behind."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one row."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.line}: {self.what}"


@dataclass
class Checked:
    """Rows that are fit to train on, and the others by line."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sha256: str = ""


class _BadRowError(Exception):
    """Why a row is refused."""


def check_rows(
    path: Path,
    stage: Stage,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    length: int | None = None,
) -> Checked:
    """Read a training file; every row is checked, whatever is wrong with those before it.

    Args:
        path: JSON lines.
        stage: what it is for.
        tokenizer: with ``length``: a row whose answer cannot begin within so many tokens is bad too.
        length: tokens of a row.

    Raises:
        MissingDataError: no such file.
        InvalidInputError: damaged gzip, or nothing in it.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    read = _READERS[stage]
    found = Checked(sha256=_digest(path))
    seen: dict[bytes, int] = {}
    number = 0
    for number, line in enumerate(lines(path, MAX_LINE), 1):
        if number > MAX_ROWS:
            raise InputTooLargeError(f"{path.name}: expected at most {MAX_ROWS} lines")
        try:
            if line is None:
                raise _BadRowError(f"一行过长 longer than {MAX_LINE} bytes")
            if not line.strip():
                continue
            row = read(_decoded(line))
            key = hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).digest()
            if key in seen:
                raise _BadRowError(f"与第 {seen[key]} 行重复 the same as line {seen[key]}")
            seen[key] = number
            if tokenizer is not None and length is not None:
                _fits(row, stage, tokenizer, length)
            found.rows.append(row)
        except _BadRowError as error:
            found.problems.append(Problem(number, str(error)))
    if not found.rows and not found.problems:
        raise InvalidInputError(f"{path.name}: expected rows to train on; got none")
    return found


def require_good(found: Checked, name: str, *, skip: bool = False) -> list[Row]:
    """Return the rows, if all are good or the bad ones are to be passed over.

    Raises:
        InvalidInputError: names the bad rows by line; or no row is left.
    """
    if found.problems and not skip:
        more = len(found.problems) - SHOWN
        said = "\n".join(f"{name}:{problem}" for problem in found.problems[:SHOWN])
        rest = f"\n… 另有 and {more} more" if more > 0 else ""
        raise InvalidInputError(
            f"{len(found.problems)} 行有误 bad rows; 修正,或用 mend them, or pass over with --skip-bad:\n{said}{rest}"
        )
    if not found.rows:
        raise InvalidInputError(
            f"{name}: none of {len(found.problems)} rows can be used: {found.problems[0]}"
        )
    return found.rows


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _decoded(line: bytes) -> Mapping[str, Any]:
    try:
        row = decode_json(line, "row")
    except InvalidInputError as error:
        said = str(error)
        if "expected UTF-8" in said:
            raise _BadRowError(f"编码不是 UTF-8 not UTF-8 ({said.removeprefix('row: ')})") from None
        if "not characters" in said:
            raise _BadRowError("含 NUL 或半个字符 NUL or half a character") from None
        raise _BadRowError("不是 JSON not JSON") from None
    if not isinstance(row, dict):
        raise _BadRowError("不是 JSON 对象 not a JSON object")
    return row


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise _BadRowError(f"缺少文字字段 {key} no text field {key}")
    if not value.strip():
        raise _BadRowError(f"{key} 为空 {key} is empty")
    if _CONTROL.search(value):
        raise _BadRowError(f"{key} 含控制字符或乱码 control characters or broken encoding in {key}")
    return value.strip()


def _messages(value: Any, key: str = "messages") -> list[dict[str, str]]:
    """Check roles and words; whether the last turn must be an answer is the caller's."""
    if not isinstance(value, list) or not value:
        raise _BadRowError(f"缺少对话 no messages in {key}")
    found: list[dict[str, str]] = []
    for place, message in enumerate(value, 1):
        if not isinstance(message, dict):
            raise _BadRowError(f"第 {place} 轮不是对象 turn {place} is no object")
        role = message.get("role")
        if role not in ROLES:
            raise _BadRowError(f"第 {place} 轮角色未知 turn {place}: expected role {', '.join(ROLES)}")
        expected = "assistant" if found and found[-1]["role"] == "user" else "user"
        if role != expected and not (role == "system" and place == 1):
            raise _BadRowError(
                f"第 {place} 轮角色次序有误 turn {place}: roles out of order: {role}, expected {expected}"
            )
        try:
            content = _text(message, "content")
        except _BadRowError as error:
            raise _BadRowError(f"第 {place} 轮 turn {place}: {error}") from None
        found.append({"role": role, "content": content})
    return found


def _prompt(row: Mapping[str, Any]) -> list[dict[str, str]]:
    value = row.get("prompt")
    if isinstance(value, str):
        return [{"role": "user", "content": _text(row, "prompt")}]
    found = _messages(value, "prompt")
    if found[-1]["role"] != "user":
        raise _BadRowError("prompt 应以 user 结束 the prompt must end with user")
    return found


def _pretrain(row: Mapping[str, Any]) -> Row:
    return {"text": _text(row, "text")}


def _sft(row: Mapping[str, Any]) -> Row:
    found = _messages(row.get("messages"))
    if found[-1]["role"] != "assistant":
        raise _BadRowError("没有回答 no answer: the last turn must be assistant's")
    return {"messages": found}


def _prefer(row: Mapping[str, Any]) -> Row:
    made = {"prompt": _prompt(row), "chosen": _text(row, "chosen"), "rejected": _text(row, "rejected")}
    if made["chosen"] == made["rejected"]:
        raise _BadRowError("两个回答相同 chosen and rejected are the same")
    return made


def _reinforce(row: Mapping[str, Any]) -> Row:
    made: Row = {"prompt": _prompt(row), "kind": row.get("kind")}
    match made["kind"]:
        case "exam":
            options = row.get("options")
            if not isinstance(options, list) or not 2 <= len(options) <= len(LETTERS):
                raise _BadRowError(
                    f"options 应为 2 至 {len(LETTERS)} 项 expected 2 to {len(LETTERS)} options"
                )
            if not all(isinstance(option, str) and option.strip() for option in options):
                raise _BadRowError("options 有空项 an option is empty or no text")
            answer, letters = _text(row, "answer"), LETTERS[: len(options)]
            if any(letter not in letters for letter in answer) or sorted(set(answer)) != list(answer):
                raise _BadRowError(f"answer 应为 expected letters of {letters} in order")
            made |= {"options": options, "answer": answer}
        case "citation":
            made["about"] = _text(row, "about")
        case "refusal":
            pass
        case _:
            raise _BadRowError(f"kind 未知 expected kind {', '.join(TASKS)}")
    return made


_READERS: dict[str, Callable[[Mapping[str, Any]], Row]] = {
    "pretrain": _pretrain,
    "sft": _sft,
    "distil": _sft,
    "prefer": _prefer,
    "reinforce": _reinforce,
}


def _fits(row: Row, stage: Stage, tokenizer: PreTrainedTokenizerBase, length: int) -> None:
    """A text is packed and always fits; a prompt must leave room for the beginning of an answer."""
    from xinglin.model.decoder.chat import prompt_text

    if stage == "pretrain":
        return
    messages: Sequence[Mapping[str, str]] = row["messages"] if "messages" in row else row["prompt"]
    first = next((n for n, one in enumerate(messages) if one["role"] == "assistant"), len(messages))
    text = prompt_text(tokenizer, messages[:first])
    many = len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    if many + LEAST_ANSWER > length:
        raise _BadRowError(f"过长 too long: the question takes {many} of {length} tokens")
