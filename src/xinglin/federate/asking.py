"""Asking hospitals and gathering their answers, on Flower's grid."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flwr.app import Message
    from flwr.serverapp import Grid

PAUSE = 0.2
"""Seconds between two looks for answers."""


def ask(grid: Grid, messages: Iterable[Message], *, timeout: float) -> dict[int, Message]:
    """Send messages and wait for the answers.

    Flower's own ``send_and_receive`` looks every three seconds; a node that is lost is told by an answer with an error
    once its heartbeat is missed, or by none within ``timeout``.

    Args:
        timeout: seconds for all of them together.

    Returns:
        Flower's node number -> its answer; who did not answer is absent.
    """
    sent = list(messages)
    waiting = {number for number in grid.push_messages(sent) if number}
    answers: dict[int, Message] = {}
    until = time.monotonic() + timeout
    receivers = {message.metadata.message_id: message.metadata.dst_node_id for message in sent}
    while waiting:
        for answer in grid.pull_messages(waiting):
            asked = answer.metadata.reply_to_message_id
            waiting.discard(asked)
            answers[receivers[asked]] = answer
        if time.monotonic() > until:
            break
        if waiting:
            time.sleep(PAUSE)
    return answers
