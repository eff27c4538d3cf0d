"""What both hand-written loops share: the body of `sketches/shop.yaml` in plain Python, and a stopwatch."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

BATCH = 500  # events that are made and published together, as eda's generators do
WARM = 0.2  # this share of the events comes first and does not count
COMMIT_S = 0.1  # a reader stores how far it came this often, as eda's consumers do
TICK_S = 0.01  # between two events when latency is measured: 100 a second
WINDOW_S = 10  # of the windows that events are gathered in
SOURCE, TYPE = "/by-hand/webshop", "purchaseCreated"

_USERS = [f"user-{rank}" for rank in range(1, 201)]
_ZIPF = list(accumulate(1 / rank for rank in range(1, 201)))


class Purchase(NamedTuple):
    """An event about to be published."""

    id: str
    time: str
    key: bytes
    value: bytes


class Heard(NamedTuple):
    """An event as it was read. `published` is epoch seconds."""

    id: str
    source: str
    type: str
    time: str
    key: str | None
    value: bytes
    place: tuple[int, int]
    published: float


def purchases(many: int) -> list[Purchase]:
    """So many events; they happened now."""
    now = datetime.now(UTC).isoformat()
    batch = []
    for _ in range(many):
        body = _body()
        batch.append(Purchase(str(uuid4()), now, body["user"].encode(), orjson.dumps(body)))
    return batch


def _body() -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "user": random.choices(_USERS, cum_weights=_ZIPF)[0],
        "items": [{"sku": random.choice("ABC"), "price": round(random.uniform(5, 250), 2)}
                  for _ in range(random.randint(1, 4))],
        "express": random.random() < 0.1,
    }


class Stopwatch:
    """Measures how fast `count` events get through, once WARM of them did: starting is not measured."""

    def __init__(self, count: int) -> None:
        self._warm = count * WARM
        self._through = self._first = 0
        self._began = self._ended = 0.0

    def through(self, events: int) -> None:
        """So many more are stored, or handled."""
        self._through += events
        self._ended = time.perf_counter()
        if not self._first and self._through >= self._warm:
            self._first, self._began = self._through, self._ended

    def lap(self) -> dict[str, float]:
        return {"events": self._through - self._first, "seconds": self._ended - self._began}


def ticks(seconds: float) -> Any:
    """Something to iterate over that steps every TICK_S, for so long."""
    begin = time.monotonic()
    for number in range(round(seconds / TICK_S)):
        time.sleep(max(0.0, begin + number * TICK_S - time.monotonic()))
        yield number


def say(result: Any) -> None:
    """One line of JSON on stdout."""
    sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
    sys.stdout.flush()


def main(*commands: Callable[..., None]) -> None:
    """`python -m bench.by_hand_X COMMAND ADDRESS TOPIC NUMBER`, where NUMBER counts events, or seconds."""
    name, address, topic, number = sys.argv[1:]
    next(each for each in commands if each.__name__ == name)(address, topic, int(number))
