"""A member of a group on ActiveMQ: what it was given, and what of it is done. Knows no event's content.

Every topic is a queue of the group, all on one connection of the member's own; the library beats for it. The broker gives
messages of one key to one member as long as that one lives, and hands on what it held, before all that came later, when
its connection ends. It counts how often it did so, and gives nothing up for it: only a client of its own library would.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from eda_cli.channels import activemq_names as names
from eda_cli.channels.activemq_link import Link, Settings
from eda_cli.channels.activemq_wire import MARKER, event_of, frame, published_of
from eda_cli.channels.base import Group, Polled
from eda_cli.errors import ChannelError
from eda_cli.event import Delivery

PREFETCH = 1_000  # messages of a queue that are not done: a stub holds as many at most, half of them in its hands


class Member:
    """Membership in a group. A connection that is lost ends it: what is not done comes again, to whoever is there."""

    def __init__(self, settings: Settings, group: Group) -> None:
        self._link = Link(settings)
        self._topics = {f"s{number}": topic for number, topic in enumerate(group.topics)}
        self._closed = False
        self._receipt = ""  # of the newest acknowledgement
        try:
            for id_, topic in self._topics.items():
                self._link.ask("SUBSCRIBE", [("id", id_), ("destination", f"/queue/{names.queue(group.name, topic)}"),
                                             ("ack", "client-individual"), ("activemq.prefetchSize", str(PREFETCH))])
        except BaseException:
            self._link.drop()
            raise

    def poll(self, timeout: float, at_most: int) -> Polled:
        if self._closed:
            raise ChannelError("the subscription is closed")
        link, messages = self._link, self._link.messages
        deadline = time.monotonic() + timeout
        while True:
            if link.broken:
                raise link.failure()
            found: list[Delivery] = []
            while messages and len(found) < at_most:
                self._take(messages.popleft(), found)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return Polled(found)
            with link.news:
                link.news.wait_for(lambda: link.broken or (at_most > 0 and messages), left)

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """Told to the broker at once; it answers the last of them."""
        if self._closed or self._link.broken or not deliveries:
            return  # they come again
        if self._receipt:
            self._link.has(self._receipt)
        self._receipt = self._link.receipt()
        acks = [frame("ACK", [("id", delivery.tag)]) for delivery in deliveries[:-1]]
        self._link.tell(b"".join([*acks, frame("ACK", [("id", deliveries[-1].tag), ("receipt", self._receipt)])]))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._link.messages.clear()
        self._link.close()  # the broker does one thing after the other: what was done before is stored then

    def _take(self, message: object, found: list[Delivery]) -> None:
        headers, body = message.headers, message.body  # type: ignore[attr-defined]  # the library is not typed
        if MARKER in headers:
            self._link.tell(frame("ACK", [("id", headers["ack"])]))
            return
        found.append(Delivery(event_of(headers, body), self._topics[headers["subscription"]], None, None,
                              published_of(headers), headers["ack"], headers["message-id"]))
