"""The administrative client of a Kafka cluster, and what it is asked again and again. Knows no event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.structs import TopicPartition

from eda_cli.channels.kafka_client import Settings
from eda_cli.channels.kafka_errors import mapped, meaning

READY_S = 10.0  # until what was made is known to the cluster, or a new broker has its coordinator
LOOK_S = 0.01
_NOT_YET = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError,
            LeaderNotAvailableError, UnknownTopicOrPartitionError)  # right after something was made
T = TypeVar("T")


class _Admin(KafkaAdminClient):  # type: ignore[misc]  # the client is not typed
    """Leaves unread what one may do with a topic or a group: kafka-python 3.0 fails on a right that it does not know."""

    def _process_acl_operations(self, told: dict[str, Any]) -> dict[str, Any]:
        return told


class Cluster:
    """The client, made when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = None

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @contextmanager
    def doing(self, what: str) -> Iterator[Any]:
        """The client, with its errors mapped: `what` says what was tried. Raises BrokerUnreachable."""
        with mapped(what, self._settings.bootstrap):
            if self._client is None:
                self._client = _Admin(**self._settings.client())
            yield self._client

    def partitions(self, names: Sequence[str]) -> dict[str, list[int]]:
        """The partitions of these topics. Never creates one. Raises UnknownTopic."""
        with self.doing("look at the topics") as client:
            found = {topic["name"]: topic for topic in client.describe_topics(list(names))} if names else {}
            for name in names:
                error = for_code(found[name]["error_code"]) if name in found else UnknownTopicOrPartitionError
                if error.errno:
                    raise meaning(error(), "look at the topic", self._settings.bootstrap, name)
        return {name: sorted(each["partition_index"] for each in found[name]["partitions"]) for name in names}

    def offsets(self, specs: Mapping[TopicPartition, Any]) -> dict[TopicPartition, int]:
        """The offsets of places: each place with what is wished there, earliest or latest."""
        if not specs:
            return {}
        with self.doing("ask for offsets") as client:
            found = self.soon(lambda: client.list_partition_offsets(specs))
        return {place: each.offset for place, each in found.items()}

    def version(self) -> str:
        """As far as the requests it takes tell."""
        with self.doing("ask for the version") as client:
            broker = client.describe_cluster()["brokers"][0]["broker_id"]
            version = client.get_broker_version_data(broker).broker_version
        return "Apache Kafka " + ".".join(map(str, version))

    def soon(self, ask: Callable[[], T]) -> T:
        """Ask again while the cluster is still setting up what is asked for."""
        deadline = time.monotonic() + READY_S
        while True:
            try:
                return ask()
            except _NOT_YET:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(LOOK_S)

    def wait(self, check: Callable[[], bool]) -> None:
        """Until it is true, or has been false for too long to wait on."""
        deadline = time.monotonic() + READY_S
        while not check() and time.monotonic() < deadline:
            time.sleep(LOOK_S)


def raise_first(results: Iterable[Mapping[str, Any]], ignore: str) -> None:
    """Raise the first error of a request about topics, with the broker's own words."""
    for result in results:
        error = for_code(result["error_code"])
        if error.errno and error.__name__ != ignore:
            raise error(f"{result['name']}: {result.get('error_message') or error.description}")
