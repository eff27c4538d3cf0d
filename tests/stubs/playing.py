"""A stub's circumstances without processes: a channel that keeps what it is given, and refuses what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eda_cli.channels.base import Group, Polled, Receipt, Subscription
from eda_cli.errors import BrokerUnreachable, EventRefused
from eda_cli.event import Delivery, Event
from eda_cli.journal import Journal
from eda_cli.sketch.resolved import Resolved
from eda_cli.stubs.part import Part
from eda_cli.stubs.stop import Stop


class Memory:
    """A channel in memory. `refuses` says which events it never takes; while `away` it takes nothing."""

    def __init__(self) -> None:
        self.stored: list[Event] = []
        self.away = False
        self.refuses: Callable[[Event], bool] = lambda event: False
        self.on_publish: Callable[[], object] = lambda: None
        self.waiting: list[Sequence[Delivery]] = []
        self.handled: list[Delivery] = []
        self.on_end: Callable[[], object] = lambda: None
        self._care: list[tuple[str, Event]] = []

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self.on_publish()
        if self.away:
            raise BrokerUnreachable("the broker does not answer", "it is away")
        for event in events:
            if self.refuses(event):
                raise EventRefused("never", "it is refused", id=event.id)
            self._care.append((topic, event))

    def flush(self, timeout: float) -> list[Receipt]:
        care, self._care = self._care, []
        first = len(self.stored)
        self.stored += [event for _, event in care]
        return [Receipt(event.id, topic, 0, first + index, 0.0) for index, (topic, event) in enumerate(care)]

    def subscribe(self, group: Group) -> Subscription:
        """A membership that is given `waiting`, batch by batch; behind the last one its part is told to stop."""
        return self

    def poll(self, timeout: float, at_most: int) -> Polled:
        if at_most and not self.waiting:
            self.on_end()
        return Polled(self.waiting.pop(0) if at_most and self.waiting else ())

    def done(self, deliveries: Sequence[Delivery]) -> None:
        self.handled += deliveries

    def close(self) -> None: ...

    def numbers(self) -> list[Any]:
        return [event.body()["n"] for event in self.stored]


def part(folder: Path, sketch: Resolved, name: str, replica: int, channel: Memory) -> Part:
    """The circumstances of one replica; its journal and its wish to stop are those of this process."""
    process = f"{name}.{replica}"
    (folder / "sketch.json").touch()
    anything: Any = channel
    return Part(folder, process, name, replica, sketch, 7, anything, Journal(folder / f"{process}.jsonl", name, replica), Stop(),
                lambda: None)
