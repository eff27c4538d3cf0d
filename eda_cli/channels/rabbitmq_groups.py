"""Groups on RabbitMQ: made, looked at, set back. Knows no publishing.

A group's queues are bound from its declare on. One that begins with what was published before has that in a backlog: a
queue filled from the log, which its members handle first.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pika import BasicProperties

from eda_cli.channels import rabbitmq_names as names
from eda_cli.channels.base import Group, GroupInfo, GroupPlace, Place, Start
from eda_cli.channels.rabbitmq_backlog import refill
from eda_cli.channels.rabbitmq_catalog import Catalog
from eda_cli.channels.rabbitmq_link import NOT_FOUND, Lane, Link, Refused
from eda_cli.channels.rabbitmq_read import messages
from eda_cli.channels.rabbitmq_streams import ends
from eda_cli.errors import ChannelError, UnknownTopic

ANSWER_S = 1.0  # for members to say what they hold


def declare(link: Link, catalog: Catalog, groups: Sequence[Group]) -> None:
    """Each group gets every event of its topics from now on. Raises UnknownTopic."""
    for group in groups:
        for topic in group.topics:
            if topic not in catalog.topics:
                raise UnknownTopic(topic)
            if (size := len(names.backlog(group.name, Place(topic, catalog.topics[topic].partitions)))) > names.LONGEST:
                raise ChannelError(f"the group '{group.name}' cannot hear '{topic}': both names are too long",
                                   f"a queue has them in its name, which would be {size} bytes, and RabbitMQ "
                                   f"takes {names.LONGEST}", "make one of them shorter")
    lane = link.lane()
    records: list[Mapping[str, Any]] = []
    for group in groups:
        new = [topic for topic in group.topics if topic not in catalog.groups.get(group.name, ())]
        if not new and group.name in catalog.groups:
            continue
        lane.call("queue_declare", names.members(group.name), durable=True, arguments=names.LOCK)
        for place in catalog.places(new):
            make_queue(lane, group.name, place)
            if group.start == "earliest":
                records += refill(link, lane, group.name, place, Start("beginning"))
        records.append({"what": "group", "name": group.name, "topics": list(group.topics)})
    lane.close()
    catalog.write(records)


def make_queue(lane: Lane, group: str, place: Place) -> None:
    """What the group has of a partition: bound, its queue gets every event from now on."""
    queue = names.queue(group, place)
    for answer in (lane.start("queue_declare", queue, durable=True, arguments=names.QUEUE),
                   lane.start("queue_declare", names.owner(group, place), durable=True, arguments=names.LOCK),
                   lane.start("queue_bind", queue, place.topic, str(place.partition))):
        answer.result()


def infos(link: Link, catalog: Catalog, only: str | None = None) -> list[GroupInfo]:
    """All groups, or one, by name."""
    lane = link.lane()
    catalog.look()
    wanted = sorted(name for name in catalog.groups if only in (None, name))
    places = {name: catalog.places(catalog.groups[name]) for name in wanted}
    logs = sorted({place for held in places.values() for place in held})
    # First where the logs end, then what is left: what comes meanwhile makes a lag too large, and no position.
    end = dict(zip(logs, ends(link, [names.stream(place) for place in logs]), strict=True))
    asked = {name: [lane.count(names.queue(name, place)) for place in places[name]] for name in wanted}
    crowd = {name: lane.count(names.members(name)) for name in wanted}
    found: list[GroupInfo] = []
    for name in wanted:
        many = crowd[name].result().method.consumer_count
        holders = _call_roll(link, name, many) if many else {}
        rows: list[GroupPlace] = []
        for place, answer in zip(places[name], asked[name], strict=True):
            owner, holds = holders.get(place, (None, 0))
            told = answer.result().method
            lag: int | None = told.message_count + holds
            if told.consumer_count and owner is None:
                lag = None  # a program of somebody else's: what it holds is not known
            if lag is not None and (queue := names.backlog(name, place)) in catalog.backlogs:
                lag += _left(link, queue)
            lag = None if lag is None else min(lag, end[place])
            rows.append(GroupPlace(place, None if lag is None else end[place] - lag, end[place], lag, owner))
        found.append(GroupInfo(name, many, rows))
    lane.close()
    return found


def _left(link: Link, backlog: str) -> int:
    """How many messages a backlog has; none where the last one was done just now, and the queue deleted."""
    lane = link.lane()
    try:
        many: int = lane.count(backlog).result().method.message_count
    except Refused as wrong:
        if wrong.code != NOT_FOUND:
            raise
        return 0
    lane.close()
    return many


def reset(link: Link, catalog: Catalog, group: str, topics: Sequence[str], start: Start) -> None:
    """Set where the group goes on. Raises ChannelError while it has members, UnknownTopic."""
    catalog.look()
    if group not in catalog.groups:
        raise ChannelError(f"there is no group '{group}'", f"groups: {', '.join(sorted(catalog.groups)) or 'none'}")
    for topic in topics:
        if topic not in catalog.groups[group]:
            raise UnknownTopic(topic, f"the group '{group}' does not hear it")
    lane = link.lane()
    places = [place for place in catalog.places(topics or catalog.groups[group])
              if start.partition in (None, place.partition)]
    busy = [lane.count(names.queue(group, place)) for place in places]
    if count_members(lane, group) or any(answer.result().method.consumer_count for answer in busy):
        raise ChannelError(f"the group '{group}' has members", "where it goes on can only be set while it has none",
                           "stop its members first")
    records: list[Mapping[str, Any]] = []
    starts = _spread(link, places, start)
    for place in places:
        lane.call("queue_purge", names.queue(group, place))
        records += refill(link, lane, group, place, starts[place])
    lane.close()
    catalog.write(records)


def _spread(link: Link, places: Sequence[Place], start: Start) -> dict[Place, Start]:
    """Where each partition begins: the newest so many of a topic are spread over its partitions by their moments."""
    if start.at != "last" or start.partition is not None:
        return dict.fromkeys(places, start)
    found: dict[Place, Start] = {}
    for topic in {place.topic for place in places}:
        mine = [place for place in places if place.topic == topic]
        newest = sorted(((message.published, place) for place in mine for message in messages(link, place, start)),
                        key=lambda one: one[0])
        of_each = Counter(place for _, place in newest[len(newest) - min(len(newest), int(start.value)):])
        found |= {place: Start("last", of_each[place], place.partition) for place in mine}
    return found


def remove(lane: Lane, group: str, places: Iterable[Place]) -> None:
    """The group is gone, with what it had not handled."""
    remove_queues(lane, group, places)
    lane.call("queue_delete", names.members(group))
    lane.call("exchange_delete", names.roll(group))


def remove_queues(lane: Lane, group: str, places: Iterable[Place]) -> None:
    """What the group has of these partitions."""
    for place in places:
        for queue in (names.queue(group, place), names.backlog(group, place), names.owner(group, place)):
            lane.call("queue_delete", queue)


def count_members(lane: Lane, group: str) -> int:
    return int(lane.count(names.members(group)).result().method.consumer_count)


def _call_roll(link: Link, group: str, many: int) -> dict[Place, tuple[str, int]]:
    """Who has which partition, and how many of its messages in hand; of those who answer."""
    lane = link.lane()
    answers: list[Any] = []
    all_came = threading.Event()

    def take(_: Any, __: Any, ___: Any, body: bytes) -> None:
        answers.append(json.loads(body))
        if len(answers) >= many:
            all_came.set()

    mine = lane.call("queue_declare", "", exclusive=True).method.queue
    lane.call("basic_consume", mine, take, auto_ack=True)
    lane.tell(lambda channel: channel.basic_publish(names.roll(group), "", b"", BasicProperties(
        reply_to=mine, correlation_id=uuid.uuid4().hex)))
    all_came.wait(ANSWER_S)
    lane.call("queue_delete", mine)
    lane.close()
    held: dict[Place, tuple[str, int]] = {}
    for name, holds in list(answers):
        for key, number in holds.items():
            topic, _, partition = key.partition("\0")
            held[Place(topic, int(partition))] = (name, number)
    return held
