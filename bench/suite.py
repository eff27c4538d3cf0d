"""The measurements by name: each does its trials in turn (A B A B) and gives the raw numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import measures, start
from bench import rates as paces
from bench.beds import Bed
from bench.measures import Latency

Raw = dict[str, Any]  # lists of one number for each trial


@dataclass(frozen=True)
class Size:
    """How much is done."""

    trials: int = 5
    starts: int = 10
    published: int = 50_000
    consumed: int = 500_000
    worked_on: int = 200_000
    seconds: int = 5
    large: int = 1_000_000
    paced: int = 60


QUICK = Size(trials=1, starts=2, published=20_000, consumed=50_000, worked_on=20_000, seconds=2, large=100_000, paced=4)


def publish(bed: Bed, size: Size) -> Raw:
    """Events a second that a flat-out generator publishes, and the loop by hand."""
    raw = _series("eda", "by_hand")
    for _ in _trials("publish", bed, size.trials):
        raw["eda"].append(measures.publish(bed, bed.fresh(), size.published).rate)
        raw["by_hand"].append(measures.publish_by_hand(bed, size.published).rate)
    return raw


def consume(bed: Bed, size: Size) -> Raw:
    """Events a second that a counting consumer handles, and the loop by hand."""
    raw = _series("eda", "by_hand")
    log = bed.filled(size.consumed)
    for _ in _trials("consume", bed, size.trials):
        raw["eda"].append(measures.consume(bed, log, size.consumed)[0].rate)
        raw["by_hand"].append(measures.consume_by_hand(bed, size.consumed).rate)
    return raw


def duties(bed: Bed, size: Size) -> Raw:
    """Events a second that a consumer handles whose rule has a template, that keeps a copy, or that gathers in windows."""
    raw = {name: _series("eda", "by_hand") for name in ("invoice", "keep", "fold", "window")}
    log = bed.filled(size.worked_on)
    for _ in _trials("duties", bed, size.trials):
        for name, rates in raw.items():
            by_hand, published = measures.duty_by_hand(bed, log, name, size.worked_on)
            rates["by_hand"].append(by_hand.rate)
            rates["eda"].append(measures.duty(bed, log, name, size.worked_on, published).rate)
    return raw


def latency(bed: Bed, size: Size) -> Raw:
    """Milliseconds from publishing to handled at 100 events a second; and what the two stubs weigh, in MB."""
    raw = _latencies("eda", "by_hand")
    for _ in _trials("latency", bed, size.trials):
        _add(raw, "eda", measures.latency(bed, bed.fresh(), size.seconds))
        _add(raw, "by_hand", measures.latency_by_hand(bed, size.seconds))
    return raw


def begin(bed: Bed, size: Size) -> Raw:
    """Seconds from `eda up` to the first handled event, and those that nobody can do without."""
    raw = _series("eda", "shown", "bare")
    bare = start.typer if bed.name == "embedded" else start.kafka_container
    for _ in _trials("start", bed, size.starts if bed.name == "embedded" else size.trials):
        took = start.eda(bed.rig, bed.name)
        raw["eda"].append(took.handled)
        raw["shown"].append(took.shown)
        raw["bare"].append(bare())
    return raw


def large(bed: Bed, size: Size) -> Raw:
    """Publishing, consuming, latency and memory on an empty log, and on a large one."""
    full = bed.filled(size.large)
    small = bed.filled(size.consumed)
    raw: Raw = {"events": size.large,
                "publish": _series("empty", "large"), "consume": _series("empty", "large"),
                "latency": _latencies("empty", "large"), "read_mb": _series("empty", "large")}
    for _ in _trials("large", bed, size.trials):
        for name, log in (("empty", bed.fresh()), ("large", full)):
            raw["publish"][name].append(measures.publish(bed, log, size.published).rate)
        for name, log, many in (("empty", small, size.consumed), ("large", full, size.large)):
            lap, memory = measures.consume(bed, log, many)
            raw["consume"][name].append(lap.rate)
            raw["read_mb"][name].append(memory.pss)
        for name, log in (("empty", bed.fresh()), ("large", full)):
            _add(raw["latency"], name, measures.latency(bed, log, size.seconds))
    return raw


def rates(bed: Bed, size: Size) -> Raw:
    """Events a second that generators of some rates and replicas publish, and the curve of one with stages."""
    raw: Raw = {"seconds": size.paced, "held": []}
    for rate in paces.RATES:
        for replicas in paces.REPLICAS:
            print(f"{bed.name}: {rate:,}/s of {replicas} for {size.paced} s …", file=sys.stderr, flush=True)
            held = paces.held(bed, rate, replicas, size.paced)
            raw["held"].append({"replicas": replicas, **held._asdict()})
    raw["curve"] = paces.staged(bed, size.paced)
    return raw


SUITE: dict[str, Callable[[Bed, Size], Raw]] = {
    "publish": publish, "consume": consume, "duties": duties, "latency": latency, "start": begin, "large": large,
    "rates": rates}


def _series(*names: str) -> Raw:
    return {name: [] for name in names}


def _latencies(*names: str) -> Raw:
    return {name: _series("p50", "p99", "generator_pss", "generator_rss", "consumer_pss", "consumer_rss")
            for name in names}


def _add(raw: Raw, name: str, trial: Latency) -> None:
    into = raw[name]
    into["p50"].append(trial.p50)
    into["p99"].append(trial.p99)
    for part in ("generator", "consumer"):
        if (memory := getattr(trial, part)) is not None:
            into[f"{part}_pss"].append(memory.pss)
            into[f"{part}_rss"].append(memory.rss)


def _trials(what: str, bed: Bed, many: int) -> range:
    print(f"{bed.name}: {what}, {many} trials …", file=sys.stderr, flush=True)
    return range(many)
