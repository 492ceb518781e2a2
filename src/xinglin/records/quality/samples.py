"""Samples of bounded size from a stream (reservoir sampling, Vitter 1985, algorithm R), the same under a seed."""

from __future__ import annotations

import random
from typing import Generic, TypeVar

T = TypeVar("T")


class Reservoir(Generic[T]):
    """At most ``most`` items of a stream, each with the same chance."""

    __slots__ = ("_most", "_random", "items", "seen")

    def __init__(self, most: int, seed: str) -> None:
        self._most, self._random = most, random.Random(seed)
        self.items: list[T] = []
        self.seen = 0

    def offer(self) -> int | None:
        """Count one more item; returns the place at which to keep it, or ``None`` when it is not kept."""
        self.seen += 1
        if self.seen <= self._most:
            return self.seen - 1
        place = self._random.randrange(self.seen)
        return place if place < self._most else None

    def add(self, item: T) -> None:
        """Take the next item."""
        place = self.offer()
        if place is not None:
            self.put(place, item)

    def put(self, place: int, item: T) -> None:
        """Keep an item at the place that :meth:`offer` returned."""
        if place == len(self.items):
            self.items.append(item)
        else:
            self.items[place] = item
