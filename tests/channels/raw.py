"""How others write to a bus, past eda: one writer for each technology, by the name that the registry has for it.

Each tells the event that eda is to show of it: a protocol may have no place for a key, a null or two headers of one name.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from eda_cli.event import Event

Address = dict[str, Any]
Headers = list[tuple[str, bytes | None]]
Write = Callable[[str, int, bytes | None, bytes | None, Headers], Event]  # topic, partition, key, value, headers


def _shown(key: bytes | None, value: bytes | None, headers: Headers) -> Event:
    return Event(None, None, None, None, value, key, None, headers=tuple(headers))


def _embedded(address: Address) -> Write:
    def write(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Event:
        told = [[name, None if given is None else given.decode()] for name, given in headers]
        attributes = json.dumps([None, None, None, None, None, None, None, None, {}, told]) if told else None
        connection = sqlite3.connect(address["path"])
        with connection:
            connection.execute(
                "INSERT INTO events SELECT p.id << 40 | p.end, unixepoch() * 1000000, ?, ?, ?"
                " FROM partitions p JOIN topics t ON t.id = p.topic WHERE t.name = ? AND p.number = ?",
                (key, attributes and attributes.encode(), value, topic, partition))
            connection.execute("UPDATE partitions SET end = end + 1 WHERE number = ? AND topic ="
                               " (SELECT id FROM topics WHERE name = ?)", (partition, topic))
        connection.close()
        return _shown(key, value, headers)

    return write


def _kafka(address: Address) -> Write:
    from kafka import KafkaProducer

    def write(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Event:
        producer = KafkaProducer(bootstrap_servers=address["at"])
        try:
            producer.send(topic, value=value, key=key, partition=partition, headers=headers).get(20)
        finally:
            producer.close()
        return _shown(key, value, headers)

    return write


def _rabbitmq(address: Address) -> Write:
    """To the exchange named as the topic, the partition is the routing key.

    With a message-id, as those should who want a message known again: on RabbitMQ nothing else names one.
    """
    import pika

    def write(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Event:
        connection = pika.BlockingConnection(pika.URLParameters(address["at"]))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(topic, str(partition), value or b"",
                                  pika.BasicProperties(headers=dict(headers), message_id=uuid.uuid4().hex))
        finally:
            connection.close()
        return _shown(None, value or b"", list(dict(headers).items()))

    return write


def _activemq(address: Address) -> Write:
    """By STOMP to the virtual topic; of two headers of one name the first counts, says STOMP."""
    import stomp

    at = urlsplit(address["at"])

    def write(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Event:
        once = dict(reversed(headers))
        connection = stomp.Connection12([(at.hostname, at.port)])
        connection.connect("", "", wait=True)
        try:
            connection.send(f"/topic/VirtualTopic.{topic}", value or b"",
                            headers={name: (given or b"").decode() for name, given in once.items()})
        finally:
            connection.disconnect()
        return _shown(None, value or b"", list(once.items()))

    return write


def _nats(address: Address) -> Write:
    """To the subject of the partition; of two headers of one name nats-py sends the last."""
    import asyncio

    import nats

    def write(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Event:
        once = {name: (given or b"").decode() for name, given in headers}

        async def send() -> None:
            client = await nats.connect(address["at"])
            try:
                await client.jetstream().publish(f"{topic}.{partition}", value or b"", headers=once or None)
            finally:
                await client.close()

        asyncio.run(send())
        return _shown(None, value or b"", [(name, text.encode()) for name, text in once.items()])

    return write


WRITERS: dict[str, Callable[[Address], Write]] = {
    "embedded": _embedded, "kafka": _kafka, "rabbitmq": _rabbitmq, "activemq": _activemq, "nats": _nats}
