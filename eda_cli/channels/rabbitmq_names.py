"""What things are called on RabbitMQ, and as what kind of queue they are made. Pure.

A topic is an exchange of its name and one stream per partition, as RabbitMQ's super streams are made; a group has one
quorum queue per partition of its topics. `:` is in no name of a topic or group, so these never meet.
"""

from __future__ import annotations

from eda_cli.channels.base import Place

CATALOG = "eda:catalog"  # the stream that holds which topics and groups were declared
LONGEST = 255  # bytes, of any name in AMQP
# RabbitMQ 4 gives a message up after 20 deliveries unless a queue says otherwise; a member that dies is no reason to.
# No limit at all would send what a member gave back behind what came later.
QUEUE = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000, "x-single-active-consumer": True}
LOCK = {"x-queue-type": "classic"}  # said, as a virtual host may have another default: a quorum queue lets many have it alone


def stream(place: Place) -> str:
    """The log of a partition."""
    return f"{place.topic}-{place.partition}"


def topic_of(stream: str) -> str:
    """The topic that a log belongs to; the catalog is its own."""
    return stream.rpartition("-")[0] or stream


def queue(group: str, place: Place) -> str:
    """What a group has not handled of a partition."""
    return f"{group}:{place.topic}-{place.partition}"


def backlog(group: str, place: Place) -> str:
    """What it is to handle before that: events from the log, where it begins earlier than its queue."""
    return f"{queue(group, place)}:backlog"


def owner(group: str, place: Place) -> str:
    """An empty queue: who consumes it alone has the partition."""
    return f"{queue(group, place)}:owner"


def members(group: str) -> str:
    """An empty queue: as many consume it as the group has members."""
    return f"{group}:members"


def roll(group: str) -> str:
    """The exchange by which all members are asked what they hold."""
    return f"{group}:roll"
