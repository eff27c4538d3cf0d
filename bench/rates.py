"""Whether a generator keeps its rate and its stages: counted in the log, by the moments of publishing."""

from __future__ import annotations

import itertools
import time
from typing import Any, NamedTuple

from bench.beds import Bed, Log
from eda_cli.channels import connect
from eda_cli.channels.base import Start
from eda_cli.sketch.resolved import Stage
from eda_cli.stubs.schedule import Curve

RATES = (1, 100, 5_000)
REPLICAS = (1, 2, 4)
SETTLE_S = 3.0  # after the first event, in which the parts still start
BIN_S = 0.5
SHAPE = ((5.0, 60.0, 1), (60.0, 60.0, 2), (60.0, 5.0, 1))  # rates of a stage, and how many quarters of the time it lasts
_number = itertools.count(1)


class Held(NamedTuple):
    """Events a second that were wished and reached."""

    wished: float
    reached: float


def held(bed: Bed, rate: int, replicas: int, seconds: int) -> Held:
    """One generator publishes at a rate for so long."""
    log = bed.fresh()
    published = _published(bed, log, {"rate": f"{rate}/s", "replicas": replicas}, SETTLE_S + seconds)
    begin = published[0] + SETTLE_S - 0.5 / rate  # between two events
    many = sum(begin <= moment < begin + seconds for moment in published)
    return Held(rate, many / seconds)


def staged(bed: Bed, seconds: int) -> dict[str, list[float]]:
    """One generator goes through a spike; a second of its schedule, and how many events it wished and made in each BIN_S."""
    log, quarter = bed.fresh(), seconds / 4
    curve = Curve([Stage((low, high), quarter * many) for low, high, many in SHAPE])
    stages = [{"rate": f"{low:g}/s..{high:g}/s", "for": f"{quarter * many:g}s"} for low, high, many in SHAPE]
    published = _published(bed, log, {"stages": stages}, seconds)
    begins = [BIN_S * step for step in range(round(seconds / BIN_S))]
    bins = [int((moment - published[0]) / BIN_S) for moment in published]
    return {"second": begins, "wished": [curve.reached(begin + BIN_S) - curve.reached(begin) for begin in begins],
            "reached": [bins.count(step) for step in range(len(begins))]}


def _published(bed: Bed, log: Log, clock: dict[str, Any], seconds: float) -> list[float]:
    """When the events of a generator were published that ran for so long at least."""
    run = bed.up(log, generators={f"webshop{next(_number)}": {"publishes": log.topic, "event": "purchaseCreated", **clock}})
    time.sleep(seconds + SETTLE_S)
    channel = connect(bed.address(log))
    try:
        moments = [delivery.published for batch in channel.read(log.topic, Start("beginning"), "stored") for delivery in batch]
    finally:
        channel.close()
    bed.end(run, log)
    return sorted(moments)
