"""Apache Kafka, through kafka-python: the channel that the rest of eda sees. Knows how its neighbours do it, not what.

`address` is `{"channel": "kafka", "at": "host:port[,…]"}`, and maybe `"ours": False`, `"creates": False` and what
`credentials` reads; whatever else it holds is for others. Names of topics and groups are final: whoever calls puts a
run's name before them on somebody else's cluster.
Nothing is connected, and no thread started, before it is needed: the warm process of a run imports this and forks.

Its neighbours: `kafka_publish`, `kafka_member` (of a group), `kafka_read`, `kafka_topics` and `kafka_groups` over
`kafka_admin`, `kafka_client` (settings), `kafka_records` (events on the wire), `kafka_errors` (the seam),
`kafka_wire` (does it answer at all?), `kafka_door` (does it let us in?), `kafka_broker` (its container).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eda_cli.channels.base import (
    End,
    Group,
    GroupInfo,
    Receipt,
    Start,
    Subscription,
    Topic,
    TopicInfo,
)
from eda_cli.channels.kafka_admin import Cluster
from eda_cli.channels.kafka_client import Settings
from eda_cli.channels.kafka_groups import Groups
from eda_cli.channels.kafka_member import Member
from eda_cli.channels.kafka_publish import Publisher
from eda_cli.channels.kafka_read import Reader
from eda_cli.channels.kafka_topics import Topics
from eda_cli.errors import ChannelError
from eda_cli.event import Delivery, Event
from eda_cli.technologies import TECHNOLOGIES


class KafkaChannel:
    """One connection to a Kafka cluster."""

    can = TECHNOLOGIES["kafka"].can

    def __init__(self, address: Mapping[str, Any]) -> None:
        self._settings = Settings.of(address)
        self._cluster = Cluster(self._settings)
        self._ours = bool(address.get("ours", True))
        self._topics = Topics(self._cluster, creates=address.get("creates", True))
        self._groups = Groups(self._cluster)
        self._publisher = Publisher(self._settings, self._topics.takes)
        self._reading: set[Reader] = set()

    def declare(self, topics: Sequence[Topic], groups: Sequence[Group]) -> Sequence[str]:
        if groups:
            self._groups.announce(groups[0].name)
        made = self._topics.make(topics, may_grow=self._ours)
        if made.changed:
            self._publisher.forget()
        if groups:
            self._groups.start(groups)
        return [f"the topic '{topic.name}' has {made.smaller[topic.name]} partitions, not {topic.partitions}: "
                "it is somebody else's and stays as it is" for topic in topics if topic.name in made.smaller]

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self._publisher.publish(topic, events)

    def flush(self, timeout: float) -> list[Receipt]:
        return self._publisher.flush(timeout)

    def subscribe(self, group: Group) -> Subscription:
        self._groups.start([group])  # a topic that came while the group had members has no position yet
        return Member(self._settings, group)

    def read(self, topic: str, start: Start, end: End) -> Iterator[Sequence[Delivery]]:
        reader = Reader(self._settings, topic, self._cluster.partitions([topic])[topic])
        try:
            starts = reader.starts(start)
        except BaseException:
            reader.close()
            raise
        self._reading.add(reader)
        return self._read(reader, topic, starts, end == "never")

    def _read(self, reader: Reader, topic: str, starts: Mapping[int, int], follow: bool) -> Iterator[Sequence[Delivery]]:
        try:
            yield from reader.read(starts, follow, lambda: self._cluster.partitions([topic])[topic])
        finally:
            self._reading.discard(reader)
            reader.close()

    def topics(self) -> list[TopicInfo]:
        return self._topics.infos()

    def groups(self) -> list[GroupInfo]:
        return self._groups.infos()

    def reset(self, group: str, topics: Sequence[str], start: Start) -> None:
        self._groups.reset(group, topics, lambda topic: self._starts(topic, start))

    def _starts(self, topic: str, start: Start) -> dict[int, int]:
        reader = Reader(self._settings, topic, self._cluster.partitions([topic])[topic])
        try:
            return reader.starts(start)
        finally:
            reader.close()

    def remove(self, topics: Sequence[str], groups: Sequence[str]) -> None:
        if not self._ours:
            raise ChannelError("eda deletes nothing on a Kafka that it did not start",
                               f"{self._settings.bootstrap} is not this run's own", "use the tools of whoever runs it")
        self._topics.remove(topics)
        self._publisher.forget()
        self._groups.remove(groups)

    def version(self) -> str:
        return self._cluster.version()

    def close(self) -> None:
        for reader in list(self._reading):
            reader.close()
        self._reading.clear()
        self._publisher.close()
        self._cluster.close()
