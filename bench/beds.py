"""The two channels under test: where eda's runs find their log, and where the loops by hand find theirs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from bench import by_hand
from bench.by_hand import TICK_S
from bench.rig import Rig, Run, alone, result
from eda_cli.channels import connect
from eda_cli.channels.base import Topic
from eda_cli.event import Event, rfc3339

PARTITIONS = 3
FILL = 2_000  # events stored at once while a log is filled
SHOP = yaml.safe_load((Path(__file__).parent.parent / "sketches" / "shop.yaml").read_text())
IDLE = {"generators": {"idle": {"publishes": "idle", "after": "1h"}}}  # a run that is up and does nothing


@dataclass(frozen=True)
class Log:
    """A topic to publish to or read from. `run` is where it lives, None where it outlives runs."""

    topic: str
    run: str | None = None


class Bed(Protocol):
    """A channel under test."""

    name: str
    hand: str  # the module with the loops
    rig: Rig

    def fresh(self) -> Log:
        """A log that is empty."""

    def filled(self, events: int) -> Log:
        """A log with so many events, filled once."""

    def up(self, log: Log, **parts: dict[str, Any]) -> Run:
        """Start generators and consumers on a log. Each has a new name: runs of one log share a folder."""

    def end(self, run: Run, log: Log) -> None:
        """Take the run down; one that holds a filled log goes on."""

    def address(self, log: Log) -> dict[str, Any]:
        """Where eda's own client finds a log."""

    def hand_log(self, events: int = 0) -> tuple[str, str]:
        """(address, topic) for the loops by hand: an empty log, or one with so many events."""


class Embedded:
    name, hand = "embedded", "bench.by_hand_sqlite"

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._made = 0
        self._filled: dict[int, Log] = {}
        self._by_hand: dict[int, str] = {}

    def fresh(self) -> Log:
        self._made += 1
        return Log("purchases", f"fresh{self._made}")

    def filled(self, events: int) -> Log:
        if events not in self._filled:
            log = self._filled[events] = Log("purchases", f"filled{events}")
            fill(self.up(log, **IDLE).address(), log.topic, events)
        return self._filled[events]

    def up(self, log: Log, **parts: dict[str, Any]) -> Run:
        assert log.run is not None
        return self.rig.up(sketch(log.run, log.topic, "embedded", parts))

    def end(self, run: Run, log: Log) -> None:
        if log in self._filled.values():
            self.up(log, **IDLE)
        else:
            self.rig.down(run.folder.name)

    def address(self, log: Log) -> dict[str, Any]:
        assert log.run is not None
        return self.rig.run(log.run).address()

    def hand_log(self, events: int = 0) -> tuple[str, str]:
        if events not in self._by_hand or not events:
            self._made += 1
            file = self._by_hand[events] = str(self.rig.home.with_name(f"by-hand-{self._made}.db"))
            if events:
                result(alone(self.hand, "publish", file, "purchases", str(events)))
        return self._by_hand[events], "purchases"


class Kafka:
    """One broker, started by eda, serves all; the runs and the loops are its guests."""

    name, hand = "kafka", "bench.by_hand_kafka"

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._made = 0
        self._filled: dict[int, Log] = {}
        self._address = rig.up(sketch("broker", "idle", "kafka", IDLE)).address()

    def fresh(self) -> Log:
        self._made += 1
        log = Log(f"purchases{self._made}")
        fill(self._address, log.topic, 0)
        return log

    def filled(self, events: int) -> Log:
        if events not in self._filled:
            log = self._filled[events] = self.fresh()
            fill(self._address, log.topic, events)
        return self._filled[events]

    def up(self, log: Log, **parts: dict[str, Any]) -> Run:
        self._made += 1
        guest = {"kafka": {"bootstrap_servers": self._address["at"]}}
        return self.rig.up(sketch(f"guest{self._made}", log.topic, guest, parts))

    def end(self, run: Run, log: Log) -> None:
        self.rig.down(run.folder.name)

    def address(self, log: Log) -> dict[str, Any]:
        return self._address

    def hand_log(self, events: int = 0) -> tuple[str, str]:
        log = self.filled(events) if events else self.fresh()
        return self._address["at"], log.topic


def sketch(name: str, topic: str, broker: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """A sketch with the events of `sketches/shop.yaml` on one topic."""
    topics = {topic: {"partitions": PARTITIONS, "key": "$.user"}} if topic != "idle" else {}
    return {"name": name, "broker": broker, "seed": 42, "events": SHOP["events"],
            "topics": {**topics, **({"idle": {}} if "idle" in parts.get("generators", {}) else {})}, **parts}


def fill(address: dict[str, Any], topic: str, events: int) -> None:
    """Make the topic, and store so many events in it, through eda's own channel. They happened TICK_S apart, until now."""
    channel = connect(address)
    began = time.time() - events * TICK_S
    try:
        channel.declare([Topic(topic, PARTITIONS)], [])
        for first in range(0, events, FILL):
            channel.publish(topic, _events(min(FILL, events - first), began + first * TICK_S))
            channel.flush(60.0)
    finally:
        channel.close()


def _events(many: int, began: float) -> Sequence[Event]:
    return [Event(made.id, by_hand.SOURCE, by_hand.TYPE, rfc3339(began + number * TICK_S), made.value, made.key)
            for number, made in enumerate(by_hand.purchases(many))]
