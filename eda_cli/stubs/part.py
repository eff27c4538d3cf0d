"""What every stub has: its sketch, its channel, its journal and the wish to stop. Knows not what the part does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eda_cli.channels.base import EventChannel, Receipt
from eda_cli.errors import ChannelError, PublishError
from eda_cli.event import Event
from eda_cli.journal import Journal, log
from eda_cli.sketch.resolved import Resolved
from eda_cli.stubs.stop import Stop

FLUSH_S = 10.0  # how long the channel has to store a batch before it is tried again
RETRY_S = (0.1, 2.0)  # the first pause between two tries, and the longest


@dataclass(slots=True)
class Part:
    """The circumstances of one stub process. `replica` counts from 1."""

    folder: Path
    process: str
    name: str
    replica: int
    sketch: Resolved
    seed: int
    channel: EventChannel
    journal: Journal
    stop: Stop
    ready: Callable[[], None]  # tells the supervisor

    @property
    def source(self) -> str:
        return f"/eda/{self.sketch.name}/{self.name}"

    def publish(self, batches: Sequence[tuple[str, Sequence[Event]]]) -> bool:
        """Publish the events of each topic, and tell of them once they are stored.

        Tries until the channel has them all; False where stopping was wished before that.
        """
        left = [(topic, list(events)) for topic, events in batches if events]
        pause, longest = RETRY_S
        while left:
            try:
                self._publish_once(left)
            except ChannelError as wrong:
                self.tell_trouble(wrong)
                if self.stop.wait(pause):
                    return False
                pause = min(pause * 2, longest)
        return True

    def _publish_once(self, left: list[tuple[str, list[Event]]]) -> None:
        """Takes what is stored out of `left`."""
        try:
            for topic, events in left:
                self.channel.publish(topic, events)
        except ChannelError:
            self._keep_rest(left, self._flushed())  # what was taken before it is in care
            raise
        try:
            receipts = self.channel.flush(FLUSH_S)
        except PublishError as wrong:
            self._keep_rest(left, wrong.receipts)
            raise
        at = 0
        for topic, events in left:
            self.journal.published(topic, events, receipts[at:at + len(events)])
            at += len(events)
        self.journal.flush()
        left.clear()

    def _flushed(self) -> Sequence[Receipt]:
        try:
            return self.channel.flush(FLUSH_S)
        except PublishError as wrong:
            return wrong.receipts

    def _keep_rest(self, left: list[tuple[str, list[Event]]], receipts: Sequence[Receipt]) -> None:
        stored = {(receipt.topic, receipt.id): receipt for receipt in receipts}
        rest: list[tuple[str, list[Event]]] = []
        for topic, events in left:
            done = [event for event in events if (topic, event.id) in stored]
            self.journal.published(topic, done, [stored[topic, event.id] for event in done])
            if missing := [event for event in events if (topic, event.id) not in stored]:
                rest.append((topic, missing))
        left[:] = rest
        self.journal.flush()

    def tell_trouble(self, wrong: ChannelError) -> None:
        """Say in journal and log that the channel refuses; the part goes on trying."""
        self.journal.tell("waiting", text=wrong.what, why=wrong.why)
        log(f"{wrong.what}: {wrong.why}; trying again")
