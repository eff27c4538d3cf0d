"""What topics and groups are called on ActiveMQ, and back. Knows no connection.

A topic is a virtual topic, a group of it the queue that the broker fills from there. Whatever could be a wildcard, end a
segment or begin an option is written `%XX`, so that no two names meet; a dot inside a topic's name stays one, since
programs of others say `VirtualTopic.orders.created` too. A group is one segment: the broker looks for `Consumer.*.…`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

TOPIC = "VirtualTopic."
SIGN = "eda.topic."  # the queue that says that a topic was declared, as a topic of ActiveMQ is gone once nobody listens

_QUEUE = re.compile(r"Consumer\.([^.]+)\.VirtualTopic\.(.+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]|^\.|\.$|\.(?=\.)|(?<=\.)\.")
_UNSAFE_IN_SEGMENT = re.compile(r"[^A-Za-z0-9_-]")


def topic(name: str) -> str:
    """Where the topic's events are published: `/topic/…`."""
    return f"/topic/{TOPIC}{_escaped(_UNSAFE, name)}"


def queue(group: str, topic: str) -> str:
    """The queue from which this group has this topic."""
    return f"Consumer.{_escaped(_UNSAFE_IN_SEGMENT, group)}.{TOPIC}{_escaped(_UNSAFE, topic)}"


def sign(topic: str) -> str:
    return SIGN + _escaped(_UNSAFE, topic)


def of_queue(name: str) -> tuple[str, str] | None:
    """Group and topic, where the queue is of a group."""
    found = _QUEUE.fullmatch(name)
    return (unquote(found[1]), unquote(found[2])) if found else None


def of_sign(name: str) -> str | None:
    return unquote(name.removeprefix(SIGN)) if name.startswith(SIGN) else None


def _escaped(unsafe: re.Pattern[str], name: str) -> str:
    return unsafe.sub(lambda found: "".join(f"%{each:02X}" for each in found[0].encode()), name)
