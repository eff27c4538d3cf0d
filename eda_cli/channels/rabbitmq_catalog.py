"""Which topics and groups were declared: a stream that every declare writes to and everybody reads. Knows no event.

AMQP 0.9.1 lists neither exchanges nor queues, and the management plugin is not in the plain image.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Any

from pika import BasicProperties

from eda_cli.channels.base import Place
from eda_cli.channels.rabbitmq_link import Lane, Link
from eda_cli.channels.rabbitmq_names import CATALOG
from eda_cli.channels.rabbitmq_streams import Cursor, ends

SEEN_S = 10.0  # until what was written comes round


@dataclass(slots=True)
class Declared:
    """A topic as it was declared."""

    partitions: int
    retention_s: float | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)  # of its streams


class Catalog:
    """Follows the stream over a link; `look` brings it up to date. Made where there is none."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lane: Lane = link.lane()
        self._lane.call("queue_declare", CATALOG, durable=True, arguments={"x-queue-type": "stream"})
        self.topics: dict[str, Declared] = {}
        self.groups: dict[str, set[str]] = {}
        self.backlogs: set[str] = set()  # queues
        self._next = 0
        self._end = ends(link, [CATALOG])[0]
        self._cursor = Cursor(link, CATALOG, CATALOG, "first")
        self._reach(self._end)

    @property
    def alive(self) -> bool:
        """Whether what others write still comes."""
        return self._cursor.alive

    def look(self) -> None:
        """Take in what others wrote. Raises BrokerUnreachable."""
        self._cursor.settle()
        self.take_in()

    def write(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write these, and wait until they are taken in."""
        sent = list(records)
        if not sent:
            return
        lane = self._link.lane()
        for record in sent:
            body = json.dumps(record).encode()
            lane.tell(methodcaller("basic_publish", "", CATALOG, body, BasicProperties(delivery_mode=2)))
        deadline = time.monotonic() + SEEN_S
        last = json.dumps(sent[-1])
        while not self.take_in(last):
            if time.monotonic() > deadline:
                raise self._link.settings.unreachable("what was declared is not stored")
            self._cursor.wait(0.05)
        lane.close()

    def places(self, topics: Iterable[str]) -> list[Place]:
        """The partitions of those topics that there are."""
        return [Place(topic, number) for topic in sorted(topics) if topic in self.topics
                for number in range(self.topics[topic].partitions)]

    def _reach(self, end: int) -> None:
        deadline = time.monotonic() + SEEN_S
        while self._next < end:
            if time.monotonic() > deadline:
                raise self._link.settings.unreachable("its catalog of topics cannot be read")
            self._cursor.wait(0.05)
            self.take_in()

    def take_in(self, awaited: str = "") -> bool:
        """Take in what is here; whether the awaited record was among it."""
        seen = False
        for message in self._cursor.take():
            self._next = message.offset + 1
            text = message.body.decode(errors="replace")
            seen = seen or text == awaited
            try:
                self._apply(json.loads(text))
            except (ValueError, KeyError, TypeError):
                continue  # not ours
        return seen

    def _apply(self, record: Mapping[str, Any]) -> None:
        match record["what"]:
            case "topic":
                known = self.topics.get(record["name"])
                partitions = max(record["partitions"], known.partitions if known else 0)
                self.topics[record["name"]] = Declared(partitions, record["retention_s"], record["arguments"])
            case "group":
                self.groups.setdefault(record["name"], set()).update(record["topics"])
            case "backlog":
                (self.backlogs.add if record["there"] else self.backlogs.discard)(record["name"])
            case "no topic":
                self.topics.pop(record["name"], None)
                for topics in self.groups.values():
                    topics.discard(record["name"])
            case "no group":
                self.groups.pop(record["name"], None)
