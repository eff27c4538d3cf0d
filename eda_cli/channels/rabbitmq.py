"""RabbitMQ, through pika: the channel that the rest of eda sees. Knows how its neighbours do it, not what.

`address` is `{"channel": "rabbitmq", "at": "amqp[s]://host:port"}`, and maybe `"ours": False`, `"creates": False` and what
`credentials` reads. A topic is a direct exchange with one stream per partition (which is its log), a group one quorum queue
per partition. Nothing is connected, and no thread started, before it is needed: the warm process of a run imports this
and forks.

Its neighbours: `rabbitmq_publish`, `rabbitmq_member` (of a group), `rabbitmq_groups`, `rabbitmq_backlog`, `rabbitmq_read` over
`rabbitmq_streams`, `rabbitmq_catalog` (what was declared), `rabbitmq_link` (a connection, and the seam of errors),
`rabbitmq_wire` (events as messages), `rabbitmq_names`, `rabbitmq_broker` (its container). Over 250 lines because the whole
contract is here, in its order.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from eda_cli.channels import rabbitmq_groups as groups_of
from eda_cli.channels import rabbitmq_names as names
from eda_cli.channels import rabbitmq_read as reading
from eda_cli.channels.base import (
    End,
    Group,
    GroupInfo,
    PartitionInfo,
    Place,
    Receipt,
    Start,
    Subscription,
    Topic,
    TopicInfo,
    none_created,
)
from eda_cli.channels.rabbitmq_catalog import Catalog
from eda_cli.channels.rabbitmq_link import Link, Refused, Settings
from eda_cli.channels.rabbitmq_member import Member
from eda_cli.channels.rabbitmq_publish import Publisher
from eda_cli.channels.rabbitmq_streams import ends, firsts
from eda_cli.errors import ChannelError, UnknownTopic
from eda_cli.event import Delivery, Event
from eda_cli.technologies import TECHNOLOGIES

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
SEGMENT_BYTES = 50_000_000  # of a stream that forgets: whole segments go


RECOVER_S = 20.0  # a broker that has just started lets clients in before its queues are there
AGAIN_S = 0.1

Method = TypeVar("Method", bound=Callable[..., Any])


def patiently(method: Method) -> Method:
    """Again and again while a queue is not recovered yet. Raises BrokerUnreachable where that takes too long."""
    @wraps(method)
    def again(self: RabbitChannel, *args: Any, **options: Any) -> Any:
        deadline = time.monotonic() + RECOVER_S
        while True:
            try:
                return method(self, *args, **options)
            except Refused as wrong:
                if not wrong.passing:
                    raise
                if time.monotonic() > deadline:
                    raise self._settings.unreachable(wrong.why) from wrong
            time.sleep(AGAIN_S)
    return again  # type: ignore[return-value]


class RabbitChannel:
    """One connection to a RabbitMQ, made when first needed and again when it is lost."""

    can = TECHNOLOGIES["rabbitmq"].can

    def __init__(self, address: Mapping[str, Any]) -> None:
        self._settings = Settings.of(address)
        self._ours = bool(address.get("ours", True))
        self._creates = address.get("creates", True)
        self._link: Link | None = None
        self._catalog: Catalog | None = None
        self._publisher = Publisher(self._open, self._partitions)
        self._reading: set[Link] = set()

    @patiently
    def declare(self, topics: Sequence[Topic], groups: Sequence[Group]) -> Sequence[str]:
        catalog = self._known()
        catalog.look()
        hints: list[str] = []
        if not self._creates and (missing := {topic.name for topic in topics} - catalog.topics.keys()):
            raise none_created(missing)
        for topic in topics:
            hints += self._declare_topic(catalog, topic)
        groups_of.declare(self._open(), catalog, groups)
        return hints

    def _declare_topic(self, catalog: Catalog, topic: Topic) -> list[str]:
        if not _NAME.fullmatch(topic.name):
            raise ChannelError(f"'{topic.name}' cannot be the name of a topic", "it takes letters, digits, . _ -")
        if topic.partitions < 1:
            raise ChannelError(f"topic '{topic.name}' cannot have {topic.partitions} partitions")
        known = catalog.topics.get(topic.name)
        has = known.partitions if known else 0
        if topic.partitions <= has:
            return []
        if known and not self._ours:
            return [f"the topic '{topic.name}' has {has} partitions, not {topic.partitions}: "
                    "it is somebody else's and stays as it is"]
        arguments = known.arguments if known else _arguments(topic)
        lane = self._open().lane()
        lane.call("exchange_declare", topic.name, "direct", durable=True)
        for number in range(has, topic.partitions):
            place = Place(topic.name, number)
            stream = names.stream(place)
            steps = [
                lane.start("queue_declare", stream, durable=True, arguments=arguments),
                *self._join_groups(catalog, place),
                lane.start("queue_bind", stream, topic.name, str(number)),
            ]
            for step in steps:
                step.result()
        lane.close()
        catalog.write([{"what": "topic", "name": topic.name, "partitions": topic.partitions, "arguments": dict(arguments),
                        "retention_s": known.retention_s if known else topic.retention_s}])
        return []

    def _join_groups(self, catalog: Catalog, place: Place) -> Sequence[Any]:
        """A partition that comes to a topic comes to its groups, before anything can be published there."""
        lane = self._open().lane()
        for name, topics in catalog.groups.items():
            if place.topic in topics:
                groups_of.make_queue(lane, name, place)
        lane.close()
        return ()

    @patiently
    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self._publisher.publish(topic, events)

    def flush(self, timeout: float) -> list[Receipt]:
        return self._publisher.flush(timeout)

    @patiently
    def subscribe(self, group: Group) -> Subscription:
        catalog = self._known()
        catalog.look()  # who declared the group may be somebody else, and a start is set once
        groups_of.declare(self._open(), catalog, [group])
        link = Link(self._settings)
        try:
            return Member(link, group)
        except BaseException:
            link.close()  # else half a member would be counted among the others
            raise

    @patiently
    def read(self, topic: str, start: Start, end: End) -> Iterator[Sequence[Delivery]]:
        catalog = self._known()
        catalog.look()
        places = [place for place in catalog.places([topic]) if start.partition in (None, place.partition)]
        if topic not in catalog.topics:
            raise UnknownTopic(topic)
        if not places:
            raise ChannelError(f"there is no partition {start.partition} in '{topic}'",
                               f"it has {catalog.topics[topic].partitions}, counted from 0")
        link = Link(self._settings)
        self._reading.add(link)
        try:
            if end == "never":
                batches = self._follow(link, topic, places, start)
            elif start.at == "last" and start.partition is None:
                batches = iter([reading.newest(link, places, int(start.value))[0]])
            else:
                batches = reading.merged(reading.parts(link, places, start, follow=False))
        except BaseException:
            self._end(link)
            raise
        return self._read(link, batches)

    def _read(self, link: Link, batches: Iterator[Sequence[Delivery]]) -> Iterator[Sequence[Delivery]]:
        try:
            yield from batches
        finally:
            self._end(link)

    def _follow(self, link: Link, topic: str, places: Sequence[Place], start: Start) -> Iterator[Sequence[Delivery]]:
        before: Iterator[Sequence[Delivery]] = iter(())
        if start.at == "last" and start.partition is None:
            newest, known = reading.newest(link, places, int(start.value))
            before = iter([newest])
            begun = [reading.from_offset(link, place, end) for place, end in zip(places, known, strict=True)]
        else:
            begun = reading.parts(link, places, start, follow=True)

        def look(has: set[Place]) -> list[Any]:
            catalog = self._known()
            catalog.look()
            if topic not in catalog.topics:
                raise UnknownTopic(topic)
            return reading.parts(link, [place for place in catalog.places([topic])
                                        if place not in has and start.partition is None], Start("beginning"), follow=True)

        return reading.following(before, begun, look)

    def _end(self, link: Link) -> None:
        self._reading.discard(link)
        link.close()

    @patiently
    def topics(self) -> list[TopicInfo]:
        catalog, link = self._known(), self._open()
        catalog.look()
        places = catalog.places(catalog.topics)
        forgetful = [place for place in places if catalog.topics[place.topic].retention_s is not None]
        first = dict(zip(forgetful, firsts(link, [names.stream(place) for place in forgetful]), strict=True))
        found: dict[str, list[PartitionInfo]] = {name: [] for name in sorted(catalog.topics)}
        for place, end in zip(places, ends(link, [names.stream(place) for place in places]), strict=True):
            found[place.topic].append(PartitionInfo(len(found[place.topic]), first.get(place, 0), end))
        return [TopicInfo(name, parts, sum(part.end - part.first for part in parts), False, catalog.topics[name].retention_s)
                for name, parts in found.items()]

    @patiently
    def groups(self) -> list[GroupInfo]:
        return groups_of.infos(self._open(), self._known())

    @patiently
    def reset(self, group: str, topics: Sequence[str], start: Start) -> None:
        groups_of.reset(self._open(), self._known(), group, topics, start)

    @patiently
    def remove(self, topics: Sequence[str], groups: Sequence[str]) -> None:
        if not self._ours:
            raise ChannelError("eda deletes nothing on a RabbitMQ that it did not start",
                               f"{self._settings.at} is not this run's own", "use the tools of whoever runs it")
        catalog = self._known()
        catalog.look()
        for topic in topics:
            if topic not in catalog.topics:
                raise UnknownTopic(topic)
        lane = self._open().lane()
        for name in groups:
            groups_of.remove(lane, name, catalog.places(catalog.groups.get(name, ())))
        for topic in topics:
            places = catalog.places([topic])
            for name, heard in catalog.groups.items():
                if topic in heard:
                    groups_of.remove_queues(lane, name, places)
            lane.call("exchange_delete", topic)
            for place in places:
                lane.call("queue_delete", names.stream(place))
        lane.close()
        catalog.write([*({"what": "no group", "name": name} for name in groups),
                       *({"what": "no topic", "name": topic} for topic in topics)])

    def version(self) -> str:
        return self._open().version()

    def close(self) -> None:
        self._publisher.close()
        for link in [*self._reading, *([self._link] if self._link else [])]:
            link.close()
        self._reading.clear()
        self._link = self._catalog = None

    def _open(self) -> Link:
        if self._link is None or self._link.lost is not None:
            self._catalog = None
            self._link = Link(self._settings)
        return self._link

    def _known(self) -> Catalog:
        link = self._open()
        if self._catalog is None or not self._catalog.alive:
            self._catalog = Catalog(link)
        return self._catalog

    def _partitions(self, topic: str) -> int:
        """Of a topic that may be published to. Raises UnknownTopic."""
        catalog = self._known()
        catalog.take_in()
        if topic not in catalog.topics:
            catalog.look()
        if topic not in catalog.topics:
            raise UnknownTopic(topic)
        return catalog.topics[topic].partitions


def _arguments(topic: Topic) -> dict[str, Any]:
    """Of a topic's streams; its config has the last word."""
    found: dict[str, Any] = {"x-queue-type": "stream"}
    if topic.retention_s is not None:
        found |= {"x-max-age": f"{max(1, round(topic.retention_s))}s", "x-stream-max-segment-size-bytes": SEGMENT_BYTES}
    found.update((key, int(value) if value.isdigit() else value) for key, value in topic.config.items())
    return found
