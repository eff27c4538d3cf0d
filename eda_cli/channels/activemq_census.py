"""Which queues a broker has, how full they are and who listens: asked of the broker each time. Knows no event.

The statistics plugin tells all of it; a broker of our own has it. Elsewhere, where it may be missing, advisory messages
tell the names and the consumers, and how full a queue is nobody knows. Both come as JSON by the broker's own transformation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from eda_cli.channels import activemq_names as names
from eda_cli.channels.activemq_link import ANSWER_S, Link, Settings
from eda_cli.channels.activemq_wire import frame
from eda_cli.errors import BrokerUnreachable, ChannelError

PROBE_S = 1.5  # a broker that has the plugin answers within milliseconds
QUIET_S = 0.3  # advisories have no end; after so long without one they are told
_STATISTICS = "ActiveMQ.Statistics."
_END = f"{_STATISTICS}Destination.List.End.With.Null"
_REPLIES = "/temp-queue/eda"


class Queue(NamedTuple):
    """`size` are the messages that are not done, None where unknown."""

    size: int | None
    consumers: int


class Census:
    """Asks on a link of its own."""

    def __init__(self, settings: Settings, ours: bool) -> None:
        self._settings = settings
        self._link: Link | None = None
        self._counts: bool | None = True if ours else None  # whether it has the plugin
        self._ours = ours

    def topics(self) -> set[str]:
        """Those that were declared; on a bus of others also those that some group hears. Names alone."""
        found = self._queues(">")
        declared = {topic for name in found if (topic := names.of_sign(name)) is not None}
        heard = {place[1] for name in found if (place := names.of_queue(name))} if not self._ours else set()
        return declared | heard

    def has(self, topic: str) -> bool:
        """Whether the topic was declared."""
        if self._ours:
            return bool(self._queues(names.sign(topic)))
        return topic in self.topics()

    def groups(self) -> dict[tuple[str, str], Queue]:
        """The queues of groups, by group and topic."""
        found = self._queues("Consumer.>")
        return {place: queue for name, queue in found.items() if (place := names.of_queue(name))}

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def open(self) -> Link:
        """The link, made when first needed and again when it broke; for questions of one answer each."""
        if self._link is not None and self._link.broken:
            self._link.drop()
            self._link = None
        if self._link is None:
            self._link = Link(self._settings)
            self._link.ask("SUBSCRIBE", {"id": "replies", "destination": _REPLIES, "ack": "auto",
                                         "transformation": "jms-map-json"}.items())
        return self._link

    def _queues(self, pattern: str) -> dict[str, Queue]:
        counts = self._has_plugin() if self._counts is None else self._counts
        found = self._counted(pattern) if counts else self._advised()
        self._counts = counts  # a broker that is away, or keeps us out, answers neither
        return found

    def _has_plugin(self) -> bool:
        """Whether it is there, and for us. Asked through a topic: where nobody answers, nothing is left behind."""
        try:
            self._answers(f"/topic/{_STATISTICS}Broker", PROBE_S)
        except ChannelError:
            return False
        return True

    def _counted(self, pattern: str) -> dict[str, Queue]:
        found: dict[str, Queue] = {}
        answers = self._answers(f"/queue/{_STATISTICS}Destination.{pattern}", ANSWER_S)
        while told := next(answers):
            name = str(told["destinationName"]).removeprefix("queue://")
            found[name] = Queue(int(told["size"]), int(told["consumerCount"]))
        return found

    def _answers(self, question: str, seconds: float) -> Iterator[Mapping[str, Any]]:
        """Raises BrokerUnreachable where none comes; then the link goes, as an answer might come late."""
        link = self.open()
        link.messages.clear()
        link.tell(frame("SEND", {"destination": question, "reply-to": _REPLIES, _END: "true"}.items()))
        first = self._answer(link, seconds)

        def rest() -> Iterator[Mapping[str, Any]]:
            yield first
            while True:
                yield self._answer(link, ANSWER_S)

        return rest()

    def _answer(self, link: Link, seconds: float) -> Mapping[str, Any]:
        try:
            link.wait(lambda: link.messages, seconds)
        except BrokerUnreachable:
            link.drop()
            self._link = None
            raise
        return _map(link.messages.popleft().body)

    def _advised(self) -> dict[str, Queue]:
        queues = {each["destination"]["string"]: 0 for each in self._advisories("Queue", "DestinationInfo")}
        for each in self._advisories("Consumer.Queue.Consumer.>", "ConsumerInfo"):
            name = each["destination"]["string"]
            queues[name] = queues.get(name, 0) + 1
        return {name: Queue(None, count) for name, count in queues.items()}

    def _advisories(self, about: str, kind: str) -> list[Mapping[str, Any]]:
        """What the broker tells whoever begins to listen: all that is there."""
        link = self.open()
        link.messages.clear()
        link.ask("SUBSCRIBE", {"id": about, "destination": f"/topic/ActiveMQ.Advisory.{about}", "ack": "auto",
                               "transformation": "jms-advisory-json"}.items())
        seen = -1
        while seen < (seen := len(link.messages)):
            quiet = time.monotonic() + QUIET_S
            with link.news:
                while (left := quiet - time.monotonic()) > 0:
                    link.news.wait(left)
        link.ask("UNSUBSCRIBE", {"id": about}.items())
        told = [orjson.loads(each.body) for each in link.messages if each.body]
        return [each[kind] for each in told if kind in each and each[kind].get("destination")]


def _map(body: bytes) -> dict[str, Any]:
    """A map message as the broker's transformation writes it; empty where there is nothing in it."""
    told = orjson.loads(body)["map"]
    found: dict[str, Any] = {}
    for entry in told.get("entry", ()) if isinstance(told, dict) else ():
        name, *values = entry["string"] if isinstance(entry["string"], list) else [entry["string"]]
        found[name] = values[0] if values else next((value for key, value in entry.items() if key != "string"), None)
    return found
