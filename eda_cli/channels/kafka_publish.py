"""Publishing to Kafka: events as records, batched by the client, with a receipt for each. Knows no group."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownError
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.serializer import Serializer

from eda_cli.channels.base import Receipt
from eda_cli.channels.kafka_client import CLOSE_S, Settings
from eda_cli.channels.kafka_errors import mapped, meaning, said
from eda_cli.channels.kafka_records import Header, headers_of
from eda_cli.channels.kafka_topics import Takes
from eda_cli.channels.murmur2 import partition_of
from eda_cli.errors import EventRefused, PublishError
from eda_cli.event import Event

LINGER_MS = 50  # batches grow while a publish goes on, and wake nobody; a flush sends them at once
BATCH_BYTES = 256 * 1024  # the broker takes 1 MiB
LARGEST_BYTES = 64 * 1024 * 1024  # of one event: how much it takes is the broker's to say
CARE_BYTES = 64 * 1024 * 1024  # in flight; more waits until some is stored
CARE_S = 60.0  # that wait
METADATA_MS = 5_000  # partitions that others added are known after this
LOOK_S = 1.0  # a flush looks at its deadline this often
TOGETHER = 100  # events without a key that stay in one partition, so that they make one batch


class Publisher:
    """One producer, made when first needed, and what it has in care."""

    def __init__(self, settings: Settings, look_at: Callable[[str], Takes]) -> None:
        self._settings = settings
        self._look_at = look_at
        self._producer: Any = None
        self._known: dict[str, Takes] = {}
        self._pending: list[tuple[str | None, str, Any]] = []  # id, topic, the client's future
        self._bytes = 0
        self._turn = itertools.count()

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        with mapped("publish", self._settings.bootstrap, topic):
            many = self._partitions(topic)
            takes = self._known[topic]
            roomy = (takes.max_bytes or LARGEST_BYTES) // 2  # bodies below it need no exact look
            send, pending = self._producer.send, self._pending
            for index, event in enumerate(events):
                if index % TOGETHER == 0:
                    free = next(self._turn) % many
                partition, key, data = event.partition, event.key, event.data
                headers = headers_of(event)
                if (key is None and takes.keys_only) or (data is not None and len(data) > roomy):
                    _check(topic, takes, event, headers)
                if partition is None:
                    partition = free if key is None else partition_of(key, many)
                elif not 0 <= partition < many:
                    raise EventRefused(f"there is no partition {partition} in '{topic}'", f"it has {many}, counted from 0",
                                       id=event.id)
                if (key is None and data is None) or (event.headers and any(raw is None for _, raw in event.headers)):
                    future = send(topic, data, _Null(key, headers), _Unsized(), partition)
                else:
                    future = send(topic, data, key, headers, partition)
                pending.append((event.id, topic, future))
                self._bytes += 500 if data is None else 500 + len(data)
                if self._bytes > CARE_BYTES:
                    self._wait(time.monotonic() + CARE_S)
                    self._bytes = 0

    def flush(self, timeout: float) -> list[Receipt]:
        pending, self._pending, self._bytes = self._pending, [], 0
        if not pending:
            return []
        deadline = time.monotonic() + timeout
        with mapped("publish", self._settings.bootstrap):
            self._wait(deadline)
        receipts: list[Receipt] = []
        unstored: list[tuple[str | None, BaseException]] = []
        for id_, topic, future in pending:
            stored = future.value
            if stored is not None:
                receipts.append(Receipt(id_, topic, stored.partition, stored.offset, stored.timestamp / 1000))
            else:
                unstored.append((id_, future.exception or KafkaTimeoutError(f"no answer after {timeout:g} s")))
        if unstored:
            raise self._failed(unstored, receipts)
        return receipts

    def forget(self) -> None:
        """Topics changed: what is in care is seen through, then look again at all of them."""
        if self._producer is not None:
            with mapped("publish", self._settings.bootstrap):
                self._wait(time.monotonic() + CARE_S)
        self._drop()

    def close(self) -> None:
        self._pending.clear()
        self._drop()

    def _partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises UnknownTopic.

        Asked of the admin first: what a topic does not take is never sent, and refused event by event.
        """
        if topic not in self._known:
            self._known[topic] = self._look_at(topic)
        if self._producer is None:
            self._producer = KafkaProducer(
                **self._settings.client([topic]), key_serializer=_Nulls(), batch_size=BATCH_BYTES, linger_ms=LINGER_MS,
                max_request_size=LARGEST_BYTES, metadata_max_age_ms=METADATA_MS, max_block_ms=METADATA_MS,
                metrics_enabled=False)
        try:
            return len(self._producer.partitions_for(topic))
        except KafkaTimeoutError:
            del self._known[topic]  # deleted meanwhile, or no broker answers: the next try will tell
            raise

    def _wait(self, deadline: float) -> None:
        """Until all in care is stored or failed, or the deadline passed; without a producer it is decided."""
        while self._producer is not None and (left := deadline - time.monotonic()) > 0:
            try:
                self._producer.flush(min(left, LOOK_S))
                return
            except (KafkaTimeoutError, UnknownError):  # the latter: a batch was split under way
                continue

    def _failed(self, unstored: Sequence[tuple[str | None, BaseException]], receipts: list[Receipt]) -> PublishError:
        """What to raise. What may still be under way is given up, so that nothing comes after its retry.

        The producer goes with it: after the first event that a broker refuses, kafka-python 3.0 stores none.
        """
        self._drop()
        told = [(id_, meaning(reason, "publish", self._settings.bootstrap)) for id_, reason in unstored]
        _, first = told[0]
        return PublishError(f"{len(unstored)} of {len(unstored) + len(receipts)} events are not stored",
                            f"{first.what}: {said(unstored[0][1])}", first.hint,
                            unstored=[id_ for id_, _ in unstored], receipts=receipts,
                            refused={id_: each for id_, each in told if isinstance(each, EventRefused)})

    def _drop(self) -> None:
        """Let go of the producer without waiting for it."""
        producer, self._producer = self._producer, None
        self._known.clear()
        if producer is not None:
            # The library's own close would first flush, and stop there where something cannot be sent.
            producer._sender.force_close()
            producer._sender.join(CLOSE_S)
            with suppress(KafkaError):
                producer.close(timeout=0)


def _check(topic: str, takes: Takes, event: Event, headers: Sequence[Header]) -> None:
    """Raises EventRefused where the topic does not take this event."""
    if event.key is None and takes.keys_only:
        raise EventRefused(f"'{topic}' takes no event without a key", "it is compacted: of each key the last event is kept",
                           "give its events a key", id=event.id)
    size = DefaultRecordBatchBuilder.estimate_size_in_bytes(event.key, event.data, headers)
    if size > (takes.max_bytes or LARGEST_BYTES):
        raise EventRefused(f"'{topic}' takes no event of {size:,} bytes", f"its limit is {takes.max_bytes or LARGEST_BYTES:,}",
                           "make the body smaller, or the topic's config max.message.bytes larger", id=event.id)


class _Null:
    """A key that the client would refuse: none at all on a tombstone, or headers without a value."""

    def __init__(self, key: bytes | None, headers: list[Any]) -> None:
        self.key = key
        self.headers = headers


class _Unsized(list[Any]):
    """A list of headers that the client does not add up, as it would stumble over those without a value."""

    def __bool__(self) -> bool:
        return False


class _Nulls(Serializer):  # type: ignore[misc]  # the client is not typed
    """Gives the record what Kafka allows and the client's own check of its arguments does not: nulls."""

    def serialize(self, topic: str, headers: list[Any], data: Any) -> Any:
        if type(data) is not _Null:
            return data
        headers[:] = data.headers
        return data.key
