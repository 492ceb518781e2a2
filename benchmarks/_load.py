"""A light HTTP/1.1 load client: keep-alive connections on asyncio streams, one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What a load run saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds, one a request that was answered with 200."""
    errors: int = 0


def load(host: str, port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send requests in turn over so many connections for so long."""
    return asyncio.run(_load(host, port, requests, connections, seconds))


def request(method: str, path: str, host: str, body: bytes = b"") -> bytes:
    """Return the bytes of one request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _load(host: str, port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    result = Load()
    started = time.perf_counter()
    end = started + seconds

    async def client(place: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while time.perf_counter() < end:
            sent = time.perf_counter()
            writer.write(requests[place % len(requests)])
            place += connections + 1  # every connection walks over every request
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            if head.startswith(b"http/1.1 200"):
                result.latencies.append(time.perf_counter() - sent)
            else:
                result.errors += 1
        writer.close()

    outcomes = await asyncio.gather(*(client(i) for i in range(connections)), return_exceptions=True)
    result.errors += sum(isinstance(outcome, BaseException) for outcome in outcomes)
    result.seconds = time.perf_counter() - started
    return result
