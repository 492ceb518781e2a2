"""What comes in: a checked list of messages; everything in it is data, whoever claims to speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.terms.characters import without_surrogates

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = get_args(Role)
MAX_MESSAGES = 200
MAX_MESSAGE = 20_000
"""Characters of one message, the bound of :func:`xinglin.terms.read`."""
MAX_CONVERSATION = 200_000
"""Characters of all messages."""
RECENT = 6
"""User messages before the last that are read as the same patient's story."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages, the last of which is the user's question."""

    messages: tuple[Message, ...]

    @property
    def question(self) -> str:
        """The last user message."""
        return self.messages[-1].text

    @property
    def story(self) -> str:
        """The recent user messages in order: what this patient has said so far, within one reading."""
        said = [message.text for message in self.messages if message.role == "user"][-RECENT - 1 :]
        story = said[-1]
        for earlier in reversed(said[:-1]):
            if len(earlier) + len(story) + 1 > MAX_MESSAGE:
                break
            story = f"{earlier}\n{story}"
        return story


def conversation(messages: Sequence[Message]) -> Conversation:
    """Return a conversation that can be answered.

    Raises:
        InvalidInputError: no message, or the last is not the user's, or it is empty.
        InputTooLargeError: too many messages or too many characters.
    """
    if not messages:
        raise InvalidInputError("messages: expected at least one; got none")
    if len(messages) > MAX_MESSAGES:
        raise InputTooLargeError(f"messages: at most {MAX_MESSAGES}; got {len(messages)}: start a new chat")
    if messages[-1].role not in ("user", "tool"):
        raise InvalidInputError(f"messages: the last must be of role user; got {messages[-1].role}")
    listed = tuple(Message(message.role, without_surrogates(message.text)) for message in messages)
    for place, message in enumerate(listed):
        if len(message.text) > MAX_MESSAGE:
            raise InputTooLargeError(
                f"messages.{place}.content: at most {MAX_MESSAGE} characters; got {len(message.text)}: split it"
            )
    total = sum(len(message.text) for message in listed)
    if total > MAX_CONVERSATION:
        raise InputTooLargeError(
            f"messages: at most {MAX_CONVERSATION} characters together; got {total}: start a new chat"
        )
    if not listed[-1].text.strip():
        raise InvalidInputError("messages: expected a question; the last message is empty 请输入问题")
    return Conversation(listed)


def read_messages(rows: Any) -> Conversation:
    """Read OpenAI-style messages: a list of objects with ``role`` and ``content`` (a text, or a list of text parts).

    Raises:
        InvalidInputError: an unknown role, an image or sound, a part that is no text; names the place.
        InputTooLargeError: as :func:`conversation`.
    """
    if not isinstance(rows, list):
        raise InvalidInputError("messages: expected a list")
    if len(rows) > MAX_MESSAGES:
        raise InputTooLargeError(f"messages: at most {MAX_MESSAGES}; got {len(rows)}: start a new chat")
    listed = []
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidInputError(f"messages.{place}: expected an object with role and content")
        role = row.get("role")
        if role not in ROLES:
            raise InvalidInputError(
                f"messages.{place}.role: expected {', '.join(ROLES)}; got {str(role)[:40]!r}"
            )
        listed.append(Message(role, _content(row.get("content"), role, place)))
    return conversation(listed)


def _content(content: Any, role: Role, place: int) -> str:
    if isinstance(content, str):
        return content
    if content is None and role == "assistant":
        return ""  # a message of tool calls alone
    if not isinstance(content, list):
        raise InvalidInputError(f"messages.{place}.content: expected a text or a list of text parts")
    parts = []
    for number, part in enumerate(content):
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            raise InvalidInputError(
                f"messages.{place}.content.{number}: only text can be read; got {str(kind)[:30]!r}. "
                "不能读图片和声音:影像请用影像页 (images are read on the imaging page, xinglin imaging)"
            )
        parts.append(part["text"])
    return "\n".join(parts)
