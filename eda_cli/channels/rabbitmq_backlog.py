"""Filling a group's backlog on RabbitMQ: what it hears that was published before its queue was there. Knows no membership."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from copy import copy
from hashlib import blake2b
from operator import methodcaller
from queue import Empty, SimpleQueue
from typing import Any

from pika import BasicProperties

from eda_cli.channels import rabbitmq_names as names
from eda_cli.channels.base import Place, Start
from eda_cli.channels.rabbitmq_link import Lane, Link
from eda_cli.channels.rabbitmq_read import messages

STORED_S = 60.0  # for the broker to store a thousand of them
SEAM = 2_000  # messages at the end of a backlog that the queue may hold too
SEAM_S = 0.2  # for the next of them
Known = tuple[str, bytes] | None


def refill(link: Link, lane: Lane, group: str, place: Place, start: Start) -> list[Mapping[str, Any]]:
    """Put what the log holds from `start` on into the group's backlog; what is to be written into the catalog."""
    backlog = names.backlog(group, place)
    lane.call("queue_delete", backlog)
    told = {"what": "backlog", "name": backlog, "there": False}
    if start.at == "end":
        return [told]
    lane.call("queue_declare", backlog, durable=True, arguments=names.QUEUE)
    filler = link.lane()
    filled = _Filled()
    filler.call("confirm_delivery", filled.confirmed)
    last: list[Known] = []
    for found in messages(link, place, start):
        filled.sent += 1
        filler.tell(methodcaller("basic_publish", "", backlog, found.message.body, _as_ours(found.message.properties)))
        last.append(_known(found.message.properties, found.message.body))
        if filled.sent % 1_000 == 0:
            filled.wait(link)
            del last[:-SEAM]
    filled.wait(link)
    filler.close()
    if last:
        _cut_seam(link, names.queue(group, place), frozenset(last) - {None})
    return [{**told, "there": True}]


def _as_ours(properties: BasicProperties) -> BasicProperties:
    """Without what a broker obeys rather than carries: copies to queues of others, and another user than ours as its author."""
    again = copy(properties)
    again.user_id = None
    again.headers = {name: value for name, value in (properties.headers or {}).items() if name not in ("CC", "BCC")}
    return again


def _known(properties: BasicProperties, body: bytes) -> Known:
    """By what a message is the same one in log and queue. Others may give one name to many, so what it says counts, too."""
    return (properties.message_id, blake2b(body, digest_size=16).digest()) if properties.message_id else None


class _Filled:
    """How many of the messages that were sent are confirmed."""

    def __init__(self) -> None:
        self.sent = self.stored = 0
        self._refused = False
        self._moved = threading.Condition()

    def confirmed(self, frame: Any) -> None:
        with self._moved:
            self._refused = self._refused or frame.method.NAME != "Basic.Ack"
            self.stored = frame.method.delivery_tag if frame.method.multiple else self.stored + 1
            self._moved.notify()

    def wait(self, link: Link) -> None:
        with self._moved:
            if not self._moved.wait_for(lambda: self.stored >= self.sent or link.lost, STORED_S) or self._refused:
                raise link.settings.unreachable("a group's backlog is not stored")
        if link.lost is not None:
            raise link.lost


def _cut_seam(link: Link, queue: str, known: Collection[Known]) -> None:
    """Take out of the queue's head what the backlog holds already: it came while that was filled."""
    look = link.lane()
    if not look.count(queue).result().method.message_count:
        look.close()
        return
    lane = link.lane()
    came: SimpleQueue[tuple[int, Known]] = SimpleQueue()
    lane.call("basic_qos", prefetch_count=SEAM)
    lane.call("basic_consume", queue,
              lambda _, method, properties, body: came.put((method.delivery_tag, _known(properties, body))))
    seen = 0
    with suppress(Empty):
        while seen < SEAM:
            tag, message = came.get(timeout=SEAM_S)
            seen += 1
            if message in known:
                lane.tell(methodcaller("basic_ack", tag))
    lane.close()  # what is not acknowledged is ready again, in its order
    look.close()
