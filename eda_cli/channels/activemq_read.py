"""Reading an ActiveMQ topic without a group: from now on, as a listener whom the broker forgets. Moves nobody's position."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from eda_cli.channels import activemq_names as names
from eda_cli.channels.activemq_link import Link, Settings
from eda_cli.channels.activemq_wire import MARKER, event_of, frame, published_of
from eda_cli.errors import UnknownTopic
from eda_cli.event import Delivery

PREFETCH = 1_000  # messages on their way; what is more waits in the broker
QUIET_S = 0.1  # a read that waits says so this often
AT_ONCE = 500
LOOK_S = 3.0  # a topic that was deleted is noticed after this


class Reader:
    """Listens from the moment it is made."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._link = Link(settings)
        try:
            self._link.ask("SUBSCRIBE", [("id", "read"), ("destination", names.topic(topic)), ("ack", "client"),
                                         ("activemq.prefetchSize", str(PREFETCH))])
        except BaseException:
            self._link.drop()
            raise

    def read(self, has: Callable[[str], bool]) -> Iterator[Sequence[Delivery]]:
        """Batches for ever. Raises UnknownTopic once the topic is gone, and ChannelError when the connection is lost."""
        link, messages = self._link, self._link.messages
        looked = time.monotonic()
        while True:
            if link.broken:
                raise link.failure()
            found = [messages.popleft() for _ in range(min(len(messages), AT_ONCE))]
            yield [Delivery(event_of(each.headers, each.body), self._topic, None, None, published_of(each.headers),
                            message=each.headers["message-id"]) for each in found if MARKER not in each.headers]
            if found:
                link.tell(frame("ACK", [("id", found[-1].headers["ack"])]))
            elif time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                if not has(self._topic):
                    raise UnknownTopic(self._topic)
            if not messages:
                with link.news:
                    link.news.wait_for(lambda: link.broken or messages, QUIET_S)

    def close(self) -> None:
        self._link.close()
