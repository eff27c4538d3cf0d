"""Publishing to ActiveMQ: events as messages in transactions, with a receipt for each. Knows no group.

A receipt of every message would cost the broker a write to disk each, one after the other. A transaction is one write,
and stored as a whole or not at all.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

from eda_cli.channels import activemq_names as names
from eda_cli.channels.activemq_link import Link, Settings
from eda_cli.channels.activemq_wire import frame, message
from eda_cli.channels.base import Receipt
from eda_cli.errors import BrokerUnreachable, ChannelError, EventRefused, PublishError, UnknownTopic
from eda_cli.event import Event
from eda_cli.technologies import TECHNOLOGIES, Ability

TOGETHER = 200  # events of one transaction
TOGETHER_BYTES = 512 * 1024
CARE_BYTES = 8 * 1024 * 1024  # in flight; more waits until some is stored
CARE_S = 60.0  # that wait


class Publisher:
    """One link, made when first needed, and what it has in care."""

    def __init__(self, settings: Settings, has: Callable[[str], bool]) -> None:
        self._settings = settings
        self._has = has
        self._link: Link | None = None
        self._known: set[str] = set()
        self._numbers = itertools.count(1)
        self._pending: list[tuple[str | None, str, int, str]] = []  # id, topic, when published, its transaction
        self._open = ""  # the transaction that grows
        self._frames: list[bytes] = []
        self._bytes = 0
        self._waiting: dict[str, int] = {}  # transactions without a receipt, and their bytes

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        if topic not in self._known:
            if not self._has(topic):
                raise UnknownTopic(topic)
            self._known.add(topic)
        destination = names.topic(topic)
        for event in events:
            if event.partition is not None:
                raise EventRefused(f"there is no partition {event.partition} in '{topic}'",
                                   TECHNOLOGIES["activemq"].lacks[Ability.PARTITIONS], id=event.id)
            if not self._open:
                self._open = f"t{next(self._numbers)}"
            published = time.time_ns() // 1000
            data = message(destination, self._open, published, event)
            self._frames.append(data)
            self._bytes += len(data)
            self._pending.append((event.id, topic, published, self._open))
            if len(self._frames) >= TOGETHER or self._bytes >= TOGETHER_BYTES:
                self._commit()

    def flush(self, timeout: float) -> list[Receipt]:
        """See `EventChannel.flush`."""
        pending = self._pending
        if not pending:
            return []
        deadline = time.monotonic() + timeout
        why: ChannelError | None = None
        try:
            self._commit()
            if self._link is None:  # it was not to be had when it was needed
                raise self._settings.unreachable("there is no connection")
            self._link.wait(self._all_stored, max(0.0, deadline - time.monotonic()))
        except ChannelError as wrong:
            why = wrong
        self._pending = []
        receipts = [Receipt(id_, topic, None, None, published / 1_000_000)
                    for id_, topic, published, transaction in pending if why is None or transaction not in self._waiting]
        if why is None:
            return receipts
        unstored = [id_ for id_, _, _, transaction in pending if transaction in self._waiting]
        self._drop()
        if not unstored:  # the last receipt came with the bad news
            return receipts
        slow = isinstance(why, BrokerUnreachable) and time.monotonic() >= deadline
        raise PublishError(f"{len(unstored)} of {len(pending)} events are not stored", why.line,
                           "the broker may be out of memory or of space on its disk: its log tells" if slow else why.hint,
                           unstored=unstored, receipts=receipts)

    def forget(self) -> None:
        """Topics changed: look again at all of them."""
        self._known.clear()

    def close(self) -> None:
        self._pending.clear()
        link = self._link
        if link is not None and not link.broken and not self._waiting:
            link.close()
        self._drop()

    def _commit(self) -> None:
        """Send the transaction that grew, as one piece. Raises ChannelError; then it waits for a receipt in vain."""
        if not self._open:
            return
        name, frames, size = self._open, self._frames, self._bytes
        self._open, self._frames, self._bytes = "", [], 0
        self._waiting[name] = size
        if self._link is None:
            self._link = Link(self._settings)
        in_it = [("transaction", name)]
        self._link.tell(b"".join([frame("BEGIN", in_it), *frames, frame("COMMIT", [*in_it, ("receipt", name)])]))
        if sum(self._waiting.values()) > CARE_BYTES:
            self._link.wait(lambda: self._all_stored() or sum(self._waiting.values()) <= CARE_BYTES, CARE_S)

    def _all_stored(self) -> bool:
        """Take in the receipts that came; whether none is missing."""
        assert self._link is not None
        for name in list(self._waiting):
            if not self._link.has(name):
                break  # they come in order
            del self._waiting[name]
        return not self._waiting

    def _drop(self) -> None:
        """Let go of the link: the broker takes back what was not committed."""
        link, self._link = self._link, None
        self._waiting.clear()
        self._open, self._frames, self._bytes = "", [], 0
        if link is not None:
            link.drop()
