"""ActiveMQ Classic, through stomp.py: the channel that the rest of eda sees. Knows how its neighbours do it, not what.

`address` is `{"channel": "activemq", "at": "stomp://host:port"}`, and maybe `"ours": False`. A topic is a virtual topic, a
group one queue per topic that the broker fills from there. Names of topics and groups are final: whoever calls puts a run's
name before them on somebody else's bus. Nothing is connected, and no thread started, before it is needed: the warm process
of a run imports this and forks.

Its neighbours: `activemq_publish`, `activemq_member` (of a group), `activemq_read`, `activemq_census` (what is there) over
`activemq_link` (a connection, and the seam of errors), `activemq_wire` (events as messages), `activemq_names`,
`activemq_openwire` (deleting), `activemq_greeting` (does it answer at all?), `activemq_broker` (its container).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from eda_cli.channels import activemq_names as names
from eda_cli.channels import activemq_openwire as openwire
from eda_cli.channels.activemq_census import Census
from eda_cli.channels.activemq_link import CLOSE_S, Settings
from eda_cli.channels.activemq_member import Member
from eda_cli.channels.activemq_publish import Publisher
from eda_cli.channels.activemq_read import Reader
from eda_cli.channels.activemq_wire import MARKER
from eda_cli.channels.base import (
    End,
    Group,
    GroupInfo,
    GroupPlace,
    Place,
    Receipt,
    Start,
    Subscription,
    Topic,
    TopicInfo,
    none_created,
)
from eda_cli.errors import BrokerUnreachable, ChannelError, UnknownTopic
from eda_cli.event import Delivery, Event
from eda_cli.technologies import TECHNOLOGIES, Ability

LACKS = TECHNOLOGIES["activemq"].lacks


class ActiveMQChannel:
    """One connection to an ActiveMQ broker."""

    can = TECHNOLOGIES["activemq"].can

    def __init__(self, address: Mapping[str, Any]) -> None:
        self._settings = Settings.of(address)
        self._ours = bool(address.get("ours", True))
        self._creates = address.get("creates", True)
        self._census = Census(self._settings, self._ours)
        self._publisher = Publisher(self._settings, self._census.has)
        self._reading: set[Reader] = set()

    def declare(self, topics: Sequence[Topic], groups: Sequence[Group]) -> Sequence[str]:
        known = self._census.topics()
        if not self._creates and (missing := {topic.name for topic in topics} - known):
            raise none_created(missing)
        for topic in topics:
            if topic.name not in known:
                self._make_last(names.sign(topic.name), keep=True)
                known.add(topic.name)
        for group in groups:
            if group.start == "earliest":
                raise ChannelError(f"the group '{group.name}' cannot start at the earliest event", LACKS[Ability.REPLAY])
            for name in group.topics:
                if name not in known:
                    raise UnknownTopic(name)
        if groups:
            there = self._census.groups()
            for place in sorted({(group.name, name) for group in groups for name in group.topics} - there.keys()):
                self._make_last(names.queue(*place), keep=False)
        return [*(f"the topic '{topic.name}' keeps nothing for later, for {topic.retention_s:g} s or otherwise: an event stays "
                  "in the queue of each group until it is done" for topic in topics if topic.retention_s is not None),
                *(f"the topic '{topic.name}' has no config: ActiveMQ takes none of a topic" for topic in topics if topic.config)]

    def _make_last(self, queue: str, keep: bool) -> None:
        """A queue that outlives the broker: one that never had a message would not."""
        link = self._census.open()
        link.ask("SEND", [("destination", f"/queue/{queue}"), ("persistent", "true"), (MARKER, "yes")])
        if keep:
            return
        link.messages.clear()
        link.ask("SUBSCRIBE", [("id", "marker"), ("destination", f"/queue/{queue}"), ("ack", "client-individual"),
                               ("selector", f"{MARKER} = 'yes'")])
        with suppress(BrokerUnreachable):  # a member that came meanwhile has taken it, and is done with it
            link.wait(lambda: link.messages, CLOSE_S)
            link.ask("ACK", [("id", link.messages.popleft().headers["ack"])])
        link.ask("UNSUBSCRIBE", [("id", "marker")])

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self._publisher.publish(topic, events)

    def flush(self, timeout: float) -> list[Receipt]:
        return self._publisher.flush(timeout)

    def subscribe(self, group: Group) -> Subscription:
        self.declare([], [group])  # a topic that came to the group has no queue yet
        return Member(self._settings, group)

    def read(self, topic: str, start: Start, end: End) -> Iterator[Sequence[Delivery]]:
        if start.partition is not None:
            raise ChannelError(f"there is no partition {start.partition} in '{topic}'", LACKS[Ability.PARTITIONS])
        if start.at != "end" and (start.at, start.value) != ("last", 0):
            lacking = {"time": Ability.SEEK_TIME, "offset": Ability.OFFSETS}.get(start.at, Ability.REPLAY)
            raise ChannelError(f"what was published to '{topic}' before now cannot be read", LACKS[lacking],
                               "begin at the end, or let a group hear it")
        if not self._census.has(topic):
            raise UnknownTopic(topic)
        if end == "stored":
            return iter(())
        reader = Reader(self._settings, topic)
        self._reading.add(reader)
        return self._read(reader)

    def _read(self, reader: Reader) -> Iterator[Sequence[Delivery]]:
        try:
            yield from reader.read(self._census.has)
        finally:
            self._reading.discard(reader)
            reader.close()

    def topics(self) -> list[TopicInfo]:
        return [TopicInfo(name, (), None) for name in sorted(self._census.topics())]

    def groups(self) -> list[GroupInfo]:
        found: dict[str, list[GroupPlace]] = {}
        members: dict[str, int] = {}
        for (group, topic), queue in sorted(self._census.groups().items()):
            found.setdefault(group, []).append(GroupPlace(Place(topic, None), None, None, queue.size, None))
            members[group] = max(members.get(group, 0), queue.consumers)
        return [GroupInfo(name, members[name], places) for name, places in sorted(found.items())]

    def reset(self, group: str, topics: Sequence[str], start: Start) -> None:
        raise ChannelError(f"where the group '{group}' goes on cannot be set", LACKS[Ability.REPLAY])

    def remove(self, topics: Sequence[str], groups: Sequence[str]) -> None:
        if not self._ours:
            raise ChannelError("eda deletes nothing on an ActiveMQ that it did not start",
                               f"{self._settings.at} is not this run's own", "use the tools of whoever runs it")
        known = self._census.topics()
        for topic in topics:
            if topic not in known:
                raise UnknownTopic(topic)
        gone = [names.queue(*place) for place in sorted(self._census.groups()) if place[0] in groups or place[1] in topics]
        try:  # the queues first: what fails half way can be tried again
            openwire.delete_queues(self._settings.host, self._settings.port,
                                   [*gone, *(names.sign(topic) for topic in topics)], self._settings, CLOSE_S)
        except openwire.Refused as wrong:
            busy = "active subscription" in str(wrong)
            hint = "stop the members of the group first" if busy else ""
            raise ChannelError("could not delete it", str(wrong), hint) from wrong
        except OSError as wrong:
            raise self._settings.unreachable(str(wrong.strerror or wrong)) from wrong
        self._publisher.forget()

    def version(self) -> str:
        return self._settings.greet().replace("/", " ", 1)

    def close(self) -> None:
        self._publisher.close()
        for reader in list(self._reading):
            reader.close()
        self._reading.clear()
        self._census.close()
