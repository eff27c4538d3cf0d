"""`python -m bench.bodies`: what it costs to make an event of ten fields, beside plain Python that makes one like it.

In one process and without a channel; trials take turns. The plain Python draws from the module's own generator: it can
repeat nothing, and still it is what one would write.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import accumulate
from statistics import median
from typing import Any
from uuid import uuid4

import orjson

from eda_cli.event import Event
from eda_cli.payloads import Context, Dice, Looked, Seen, compile_value, lookups_of
from eda_cli.sketch.resolved import Generator, Topic
from eda_cli.stubs.making import Wanted, generator_events

EVENTS = 10_000  # of a trial
BATCH = 500
TRIALS = 11
CUSTOMERS = [{"id": number, "city": "Berlin"} for number in range(1_000)]  # that are looked up
BODY = {
    "id": "uuid()",
    "number": "seq(1000)",
    "user": "zipf(10000, user-)",
    "customer": {"$lookup": "customers", "path": "$.id"},
    "status": "pick(new, paid, shipped)",
    "express": "chance(10%)",
    "total": "normal(80, 20)",
    "items": {"$list": {"sku": "pick(A, B, C)", "price": "5.00..250.00"}, "size": "1..4"},
    "address": {"city": "pick(Berlin, Paris, Rome)", "zip": "10000..99999"},
    "at": "now()",
}
_USERS = [f"user-{rank}" for rank in range(1, 10_001)]
_ZIPF = list(accumulate(1 / rank for rank in range(1, 10_001)))


def by_hand(number: int) -> dict[str, Any]:
    """One like it."""
    return {
        "id": str(uuid4()),
        "number": 1000 + number,
        "user": random.choices(_USERS, cum_weights=_ZIPF)[0],
        "customer": random.choice(CUSTOMERS)["id"],
        "status": random.choice(("new", "paid", "shipped")),
        "express": random.random() < 0.1,
        "total": round(random.gauss(80, 20), 2),
        "items": [{"sku": random.choice("ABC"), "price": round(random.uniform(5, 250), 2)} for _ in range(random.randint(1, 4))],
        "address": {"city": random.choice(("Berlin", "Paris", "Rome")), "zip": random.randint(10_000, 99_999)},
        "at": datetime.now(UTC).isoformat(),
    }


def looked_up(lookups: Any) -> list[Looked]:
    """What was published so far, for each lookup."""
    found = [Looked(lookup) for lookup in lookups]
    for one in found:
        for customer in CUSTOMERS:
            one.hear(Seen(body=customer))
    return found


def bodies() -> Callable[[], None]:
    """A trial that makes bodies."""
    value, dice = compile_value(BODY, "generator"), Dice(42, "shop")
    found = looked_up(lookups_of(value))
    context = Context(dice, time.time(), lookups=found, seen=Seen())

    def trial() -> None:
        for first in range(0, EVENTS, BATCH):
            _seen(found, first)
            for number in range(first, first + BATCH):
                dice.roll(number)
                context.number = context.serial = context.step = number
                value(context)

    return trial


def bodies_by_hand() -> None:
    for number in range(EVENTS):
        by_hand(number)


def events() -> Callable[[], None]:
    """A trial that makes events: body, header, key and bytes."""
    found: list[Looked] = []

    def look(lookups: Any) -> list[Looked]:
        found.extend(looked_up(lookups))
        return found

    shop = Generator("shop", "orders", "orderCreated", BODY)
    make = generator_events(Topic("orders", key="$.user"), shop, 42, "/eda/bench/shop", look)

    def trial() -> None:
        for first in range(0, EVENTS, BATCH):
            now = time.time()
            _seen(found, first)
            make(Wanted(number, now, number) for number in range(first, first + BATCH))

    return trial


def events_by_hand() -> None:
    for first in range(0, EVENTS, BATCH):
        now = datetime.now(UTC).isoformat()
        batch = []
        for number in range(first, first + BATCH):
            body = by_hand(number)
            batch.append(Event(str(uuid4()), "/by-hand/shop", "orderCreated", now, orjson.dumps(body), body["user"].encode()))


def _seen(found: list[Looked], first: int) -> None:
    for one in found:
        one.begin()
        for number in range(first, first + BATCH):
            one.sees(number)


def measured(trial: Callable[[], None], other: Callable[[], None]) -> tuple[float, float]:
    """Microseconds an event of each, medians of trials that take turns."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(TRIALS):
        for one, seconds in zip((trial, other), took, strict=True):
            began = time.process_time()
            one()
            seconds.append(time.process_time() - began)
    ours, theirs = (median(seconds) / EVENTS * 1e6 for seconds in took)
    return ours, theirs


def main() -> None:
    print("| of ten fields | eda | by hand | times | asked for |\n|---|---|---|---|---|")
    for what, (ours, theirs) in {"a body": measured(bodies(), bodies_by_hand),
                                 "body, envelope and encoding": measured(events(), events_by_hand)}.items():
        print(f"| {what} | {ours:.1f} µs | {theirs:.1f} µs | {ours / theirs:.2f} | 1.5 or less |")


if __name__ == "__main__":
    main()
