"""What every stub has: its sketch, its channel, its journal and the wish to stop. Knows not what the part does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from eda_cli.channels.base import EventChannel, Receipt
from eda_cli.errors import ChannelError, EdaError, EventRefused, PublishError
from eda_cli.event import Event, epoch
from eda_cli.journal import Journal
from eda_cli.log import log
from eda_cli.sketch.resolved import Resolved
from eda_cli.stubs.stop import Stop

FLUSH_S = 10.0  # how long the channel has to store a batch before it is tried again
RETRY_S = (0.1, 2.0)  # the first pause between two tries, and the longest

Refused = dict[str | None, EventRefused]  # by the id of the event


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
    troubles: int = 0  # how often the channel refused so far

    @property
    def declared(self) -> float:
        """When the topics and groups of the sketch that runs were declared: it was stored right after that."""
        return (self.folder / "sketch.json").stat().st_mtime

    @property
    def created(self) -> float:
        """When the run was made, in epoch seconds."""
        return epoch(orjson.loads((self.folder / "run.json").read_bytes())["created"])

    @property
    def source(self) -> str:
        return f"/eda/{self.sketch.name}/{self.name}"

    def publish(self, batches: Sequence[tuple[str, Sequence[Event]]]) -> Refused | None:
        """Publish the events of each topic, and tell the journal of them once they are stored (the caller flushes it).

        Tries until the channel has them all, but for those that it will never take, which are given back.
        None where stopping was wished before that.
        """
        left = [(topic, list(events)) for topic, events in batches if events]
        refused: Refused = {}
        pause, longest = RETRY_S
        told = ""
        while left:
            try:
                self._publish_once(left, refused)
            except ChannelError as wrong:
                told = self.tell_trouble(wrong, told)
                self.journal.flush()
                if self.stop.wait(pause):
                    return None
                pause = min(pause * 2, longest)
        return refused

    def _publish_once(self, left: list[tuple[str, list[Event]]], refused: Refused) -> None:
        """Takes out of `left` what is stored, and what is refused for ever."""
        try:
            for topic, events in left:
                self.channel.publish(topic, events)
        except ChannelError as wrong:
            lasting = isinstance(wrong, EventRefused) and any(wrong.id == event.id for _, each in left for event in each)
            if isinstance(wrong, EventRefused) and lasting:
                refused[wrong.id] = wrong
            self._keep_rest(left, self._flushed(refused), refused)  # what was taken before it is in care
            if not lasting:
                raise
            return
        try:
            receipts = self.channel.flush(FLUSH_S)
        except PublishError as wrong:
            refused.update(wrong.refused)
            self._keep_rest(left, wrong.receipts, refused)
            if left:
                raise
            return
        at = 0
        for topic, events in left:
            self.journal.published(topic, events, receipts[at:at + len(events)])
            at += len(events)
        left.clear()

    def _flushed(self, refused: Refused) -> Sequence[Receipt]:
        try:
            return self.channel.flush(FLUSH_S)
        except PublishError as wrong:
            refused.update(wrong.refused)
            return wrong.receipts

    def _keep_rest(self, left: list[tuple[str, list[Event]]], receipts: Sequence[Receipt], refused: Refused) -> None:
        stored: dict[tuple[str, str | None], deque[Receipt]] = {}
        for receipt in receipts:
            stored.setdefault((receipt.topic, receipt.id), deque()).append(receipt)  # an event may be there twice
        for topic, events in left:  # those without an id cannot be told apart: where one is missing, all come again
            nameless = sum(event.id is None for event in events)
            if nameless > len(stored.get((topic, None), ())):
                stored.pop((topic, None), None)
        rest: list[tuple[str, list[Event]]] = []
        for topic, events in left:
            done: list[Event] = []
            taken: list[Receipt] = []
            missing: list[Event] = []
            for event in events:
                if its := stored.get((topic, event.id)):
                    done.append(event)
                    taken.append(its.popleft())
                elif event.id not in refused:
                    missing.append(event)
            self.journal.published(topic, done, taken)
            if missing:
                rest.append((topic, missing))
        left[:] = rest

    def tell_trouble(self, wrong: EdaError, told: str = "") -> str:
        """Say in journal and log that the channel refuses, unless that was `told`; the part goes on trying."""
        self.troubles += 1
        if wrong.line != told:
            self.journal.tell("waiting", text=wrong.what, why=wrong.why)
            log(f"{wrong.line}; trying again")
        return wrong.line
