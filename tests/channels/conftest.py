"""The channels under test, their raw clients, and fresh names."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels import connect
from eda_cli.channels.base import EventChannel
from tests.channels.acts import Worker
from tests.channels.broker_kafka import engine, kafka_address  # noqa: F401  # fixtures

Address = dict[str, Any]
Headers = list[tuple[str, bytes | None]]

@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.broker)])
def channel_address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """Where a channel is: every test of the contract runs on each."""
    if request.param == "embedded":
        return {"channel": "embedded", "path": str(tmp_path / "events.db")}
    address: Address = request.getfixturevalue(f"{request.param}_address")
    return address


@pytest.fixture
def open_channel(channel_address: Address) -> Iterator[Callable[[], EventChannel]]:
    """Makes another connection to the channel under test; closed at the end."""
    opened: list[EventChannel] = []

    def another() -> EventChannel:
        opened.append(connect(channel_address))
        return opened[-1]

    yield another
    for channel in opened:
        channel.close()


@pytest.fixture
def channel(open_channel: Callable[[], EventChannel]) -> EventChannel:
    return open_channel()


@pytest.fixture
def name() -> Callable[[str], str]:
    """Fresh names, as a broker keeps what earlier tests made."""
    token = uuid.uuid4().hex[:8]
    return lambda part: f"{part}-{token}"


@pytest.fixture
def topic(name: Callable[[str], str]) -> str:
    return name("topic")


@pytest.fixture
def group(name: Callable[[str], str]) -> str:
    return name("group")


@pytest.fixture
def worker(channel_address: Address) -> Iterator[Callable[..., Worker]]:
    """Starts a process on the channel under test; gone at the end."""
    started: list[Worker] = []

    def start(role: str, *args: str) -> Worker:
        started.append(Worker(channel_address, role, *args))
        return started[-1]

    yield start
    for each in started:
        each.close()


Write = Callable[[str, int, bytes | None, bytes | None, Headers], None]


@pytest.fixture
def write_raw(channel_address: Address) -> Write:
    """Writes one record past eda: (topic, partition, key, value, headers)."""
    return {"embedded": _raw_embedded, "kafka": _raw_kafka}[channel_address["channel"]](channel_address)


def _raw_embedded(address: Address) -> Write:
    def write(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
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

    return write


def _raw_kafka(address: Address) -> Write:
    from kafka import KafkaProducer

    def write(topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        producer = KafkaProducer(bootstrap_servers=address["at"])
        try:
            producer.send(topic, value=value, key=key, partition=partition, headers=headers).get(20)
        finally:
            producer.close()

    return write
