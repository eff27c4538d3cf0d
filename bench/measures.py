"""What is measured on a channel: each function is one trial of eda, or of the loop by hand."""

from __future__ import annotations

import itertools
from statistics import quantiles
from typing import Any, NamedTuple

import orjson

from bench.beds import Bed, Log
from bench.by_hand import WINDOW_S
from bench.rig import Lap, Memory, alone, result

FIRST = 100  # events at the beginning of a latency trial that do not count
_number = itertools.count(1)

_INVOICE = {"event": "invoiceIssued", "body": {
    "purchase": "$.id", "user": "$.user", "total": "{{ body.items | sum(attribute='price') | round(2) }}"}}
_SPENDING = {"event": "spendingCounted", "key": "$window.key", "body": {
    "user": "$window.key", "n": "count()", "total": "sum($.items.0.price)"}}


class Latency(NamedTuple):
    """Milliseconds from publishing to handled, and what the two stubs weighed then (None by hand)."""

    p50: float
    p99: float
    generator: Memory | None = None
    consumer: Memory | None = None


def publish(bed: Bed, log: Log, count: int) -> Lap:
    """A generator publishes so many events flat out."""
    name = f"webshop{next(_number)}"
    run = bed.up(log, generators={name: {"publishes": log.topic, "event": "purchaseCreated", "rate": "max",
                                         "count": count}})
    lap = run.wait_for(f"{name}.1", "published", count)
    bed.end(run, log)
    return lap


def publish_by_hand(bed: Bed, count: int) -> Lap:
    """The same by hand, to a log of its own."""
    return Lap(**result(alone(bed.hand, "publish", *bed.hand_log(), str(count))))


def consume(bed: Bed, log: Log, count: int) -> tuple[Lap, Memory]:
    """A consumer without rules counts the events of a filled log, and what it weighs afterwards."""
    name = f"bookkeeping{next(_number)}"
    run = bed.up(log, consumers={name: {"subscribes": log.topic, "from": "earliest"}})
    lap = run.wait_for(f"{name}.1", "handled", count)
    memory = run.memory(f"{name}.1")
    bed.end(run, log)
    return lap, memory


def consume_by_hand(bed: Bed, count: int) -> Lap:
    """The same by hand, from a log with as many events."""
    return Lap(**result(alone(bed.hand, "consume", *bed.hand_log(count), str(count))))


def duty(bed: Bed, log: Log, name: str, count: int, published: int) -> Lap:
    """A consumer does its duty on the events of a filled log, until it published so many."""
    consumer = f"bookkeeping{next(_number)}"
    run = bed.up(log, consumers={consumer: {"subscribes": log.topic, "from": "earliest",
                                            **_duties(log.topic, f"{consumer}-out")[name]}})
    lap = run.wait_for(f"{consumer}.1", "handled", count, published=published)
    bed.end(run, log)
    return lap


def _duties(topic: str, to: str) -> dict[str, dict[str, Any]]:
    """What a consumer of a topic does, by the name of the loop that does the same by hand."""
    return {
        "invoice": {"publishes": {"to": to, **_INVOICE}},
        "keep": {"keeps": {topic: "$.id"}},
        "fold": {"keeps": {"users": {"from": topic, "key": "$.user", "set": {"n": "{{ (was.n | default(0)) + 1 }}"}}}},
        "window": {"window": {"every": f"{WINDOW_S}s", "by": "$.user", "time": "$time"}, "publishes": {"to": to, **_SPENDING}},
    }


def duty_by_hand(bed: Bed, log: Log, name: str, count: int) -> tuple[Lap, int]:
    """The same by hand on the same log; and how many events were published."""
    address = orjson.dumps(bed.address(log)).decode()
    said = result(alone("bench.by_hand_consumers", name, address, log.topic, str(count)))
    return Lap(said["events"], said["seconds"]), said["published"]


def latency(bed: Bed, log: Log, seconds: int) -> Latency:
    """A generator publishes 100 events a second, and a consumer handles them."""
    number = next(_number)
    shop, shipping = f"webshop{number}", f"shipping{number}"
    count = seconds * 100
    run = bed.up(
        log, generators={shop: {"publishes": log.topic, "event": "purchaseCreated", "rate": "100/s"}},
        consumers={shipping: {"subscribes": log.topic}})
    run.wait_for(f"{shipping}.1", "handled", FIRST + count)
    weighed = run.memory(f"{shop}.1"), run.memory(f"{shipping}.1")
    after_ms = run.after_ms(f"{shipping}.1")[FIRST:FIRST + count]
    bed.end(run, log)
    return Latency(*_p50_p99(after_ms), *weighed)


def latency_by_hand(bed: Bed, seconds: int) -> Latency:
    """The same by hand: one process publishes, another one reads."""
    address, topic = bed.hand_log()
    listener = alone(bed.hand, "listen", address, topic, str(seconds + 3))
    assert listener.stdout is not None
    listener.stdout.readline()
    ticker = alone(bed.hand, "tick", address, topic, str(seconds + 1))
    after_ms = result(listener)
    result(ticker)
    return Latency(*_p50_p99(after_ms[FIRST:]))


def _p50_p99(values: list[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100)
    return cuts[49], cuts[98]
