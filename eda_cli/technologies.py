"""The technologies that can carry events: one line each, for all who choose, check, start or explain one.

Pure data, imports none of them. A line says where a technology's code is, what it cannot do and why, and how its
broker is had; a channel is imported when it is chosen, never before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Ability(Enum):
    """What a channel may offer beyond publish and subscribe; the value is how it reads in a table."""

    REPLAY = "replay from the beginning"
    ORDER_BY_KEY = "order per key"
    PARTITIONS = "partitions"
    OFFSETS = "offsets in groups"
    SEEK_TIME = "seek by time"
    LAG = "lag of groups"
    COMPACTION = "compaction"


@dataclass(frozen=True, slots=True)
class Technology:
    """One of them. `load` is "module:Class" of its channel; the module may import the library of that technology."""

    title: str
    load: str
    about: str  # a line for `eda schema`
    lacks: Mapping[Ability, str] = field(default_factory=dict)  # what it cannot do, and why: `check` and the docs say so
    image: str | None = None  # the official image of its broker; None needs no broker
    recipe: str = ""  # the module that knows how its broker is run: spec, address, answers, version
    reached: str = ""  # the key of `broker:` that names one which already runs: bootstrap_servers or url
    example: str = ""  # what stands there
    schemes: tuple[str, ...] = ()  # of its url; the second one means TLS
    port: int | None = None  # where its broker usually listens
    variable: str = ""  # the environment variable that tells one's own programs where it is
    speaks_tls: bool = True  # whether eda does with it
    library: str = ""  # the Python package it needs beyond what eda always has, by its import name
    extra: str = ""  # the extra of eda-cli that brings it

    @property
    def can(self) -> frozenset[Ability]:
        return frozenset(Ability) - self.lacks.keys()


def why_not(kind: str, ability: Ability) -> str:
    """Why a technology cannot do something; empty where it can."""
    return TECHNOLOGIES[kind].lacks.get(ability, "") if kind in TECHNOLOGIES else ""


LETS_IN = ("mechanism", "username", "password", "password_file", "tls")  # keys of `broker:` that say how one gets in there


def foreign(broker: Mapping[str, Any]) -> str:
    """Where the bus is that eda did not start, of a broker as wished or decided on; empty where it is eda's own."""
    named = broker.get("bootstrap_servers") or broker.get("url") or ""
    return named if isinstance(named, str) else ",".join(named)


TECHNOLOGIES: Mapping[str, Technology] = {
    "embedded": Technology("embedded", "eda_cli.channels.embedded:EmbeddedChannel", "One file, nothing installed."),
    "kafka": Technology(
        "Apache Kafka", "eda_cli.channels.kafka:KafkaChannel", "Apache Kafka.",
        image="apache/kafka:4.3.1", recipe="eda_cli.channels.kafka_broker", port=9092, reached="bootstrap_servers",
        example="localhost:9092", variable="KAFKA_BOOTSTRAP_SERVERS"),
    "rabbitmq": Technology(
        "RabbitMQ", "eda_cli.channels.rabbitmq:RabbitChannel", "RabbitMQ: streams and quorum queues.",
        {Ability.OFFSETS: "a queue of RabbitMQ hands out messages without the offset that they have in the stream",
         Ability.COMPACTION: "RabbitMQ's streams cannot be compacted"},
        image="rabbitmq:4.2", recipe="eda_cli.channels.rabbitmq_broker", port=5672, reached="url",
        example="amqp://localhost:5672", schemes=("amqp", "amqps"), variable="AMQP_URL", library="pika", extra="rabbitmq"),
    "activemq": Technology(
        "ActiveMQ Classic", "eda_cli.channels.activemq:ActiveMQChannel", "ActiveMQ Classic: virtual topics and queues.",
        {Ability.REPLAY: "ActiveMQ forgets an event once every group has handled it",
         Ability.PARTITIONS: "a topic of ActiveMQ is not divided: members of a group share one queue",
         Ability.OFFSETS: "a queue of ActiveMQ has no positions, only messages that are not done yet",
         Ability.SEEK_TIME: "ActiveMQ forgets an event once every group has handled it",
         Ability.COMPACTION: "ActiveMQ keeps no log that could be compacted"},
        image="apache/activemq-classic:6.3.1", recipe="eda_cli.channels.activemq_broker", port=61613, reached="url",
        example="stomp://localhost:61613", schemes=("stomp",), speaks_tls=False, variable="ACTIVEMQ_URL", library="stomp",
        extra="activemq"),
    "nats": Technology(
        "NATS JetStream", "eda_cli.channels.nats:NatsChannel", "NATS with JetStream.",
        {Ability.COMPACTION: "a stream of NATS keeps the last messages of a subject, and not those of a key"},
        image="nats:2.12", recipe="eda_cli.channels.nats", port=4222, reached="url",
        example="nats://localhost:4222", schemes=("nats", "tls"), variable="NATS_URL", library="nats", extra="nats"),
}
