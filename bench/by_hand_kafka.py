"""Publishing to and reading from Kafka, as a person would write it by hand with kafka-python.

`python -m bench.by_hand_kafka publish|consume|tick|listen BOOTSTRAP TOPIC NUMBER`
The clients' settings are those of eda's own.
"""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata, TopicPartition

from bench import by_hand
from bench.by_hand import BATCH, COMMIT_S, SOURCE, TYPE, Heard, Purchase, Stopwatch, purchases, say

POLL_MS = 200
_SAME = [("ce_specversion", b"1.0"), ("ce_source", SOURCE.encode()), ("ce_type", TYPE.encode()),
         ("content-type", b"application/json")]


def producer(bootstrap: str) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5, batch_size=256 * 1024,
                         metrics_enabled=False)


def consumer(bootstrap: str, topic: str, start: str) -> KafkaConsumer:
    """A member of a group that commits by hand."""
    return KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=f"by-hand-{time.time_ns()}", enable_auto_commit=False,
        auto_offset_reset=start, session_timeout_ms=6_000, heartbeat_interval_ms=1_000, fetch_max_wait_ms=200,
        metrics_enabled=False, check_crcs=False)


def send(client: KafkaProducer, topic: str, batch: list[Purchase]) -> list[Any]:
    """Hand the events to the client; a future for each."""
    return [client.send(topic, event.value, event.key,
                        [*_SAME, ("ce_id", event.id.encode()), ("ce_time", event.time.encode())])
            for event in batch]


def check(futures: list[Any]) -> None:
    """Raises the error of the first event that is not stored."""
    for future in futures:
        if future.failed():
            raise future.exception


def read(client: KafkaConsumer) -> tuple[list[Heard], dict[TopicPartition, OffsetAndMetadata]]:
    """The next events, and the positions behind them."""
    heard = []
    positions = {}
    for partition, records in client.poll(timeout_ms=POLL_MS, max_records=BATCH).items():
        for record in records:
            about = {name: value.decode() for name, value in record.headers}
            heard.append(Heard(about["ce_id"], about["ce_source"], about["ce_type"], about["ce_time"],
                               None if record.key is None else record.key.decode(), record.value,
                               (record.partition, record.offset), record.timestamp / 1000))
        positions[partition] = OffsetAndMetadata(records[-1].offset + 1, "", -1)
    return heard, positions


def publish(bootstrap: str, topic: str, count: int) -> None:
    """So many events, as fast as can be; each batch is stored before the next one is made.

    Not to wait for that gains nothing (measured): the client's own thread needs the same interpreter.
    """
    client, watch = producer(bootstrap), Stopwatch(count)
    for first in range(0, count, BATCH):
        futures = send(client, topic, purchases(min(BATCH, count - first)))
        client.flush()
        check(futures)
        watch.through(len(futures))
    client.close()
    say(watch.lap())


def consume(bootstrap: str, topic: str, count: int) -> None:
    """Read and count so many events from the beginning."""
    client, watch = consumer(bootstrap, topic, "earliest"), Stopwatch(count)
    handled = 0
    done: dict[TopicPartition, OffsetAndMetadata] = {}
    committed = time.monotonic()
    while handled < count:
        heard, positions = read(client)
        if not heard:
            continue
        handled += len(heard)
        done.update(positions)
        if time.monotonic() - committed >= COMMIT_S:
            client.commit_async(done)
            done, committed = {}, time.monotonic()
        watch.through(len(heard))
    if done:
        client.commit(done)
    client.close()
    say(watch.lap())


def tick(bootstrap: str, topic: str, seconds: int) -> None:
    """One event after the other, 100 a second."""
    client = producer(bootstrap)
    for _ in by_hand.ticks(seconds):
        futures = send(client, topic, purchases(1))
        client.flush()
        check(futures)
    client.close()


def listen(bootstrap: str, topic: str, seconds: int) -> None:
    """Wait for what comes from now on; says how many milliseconds after its publishing each was here."""
    client = consumer(bootstrap, topic, "latest")
    while not client.assignment():
        client.poll(timeout_ms=POLL_MS)
    for partition in client.assignment():
        client.position(partition)
    say("ready")
    after_ms: list[float] = []
    committed = time.monotonic()
    until = committed + seconds
    while time.monotonic() < until:
        heard, positions = read(client)
        now = time.time()
        after_ms += [(now - event.published) * 1000 for event in heard]
        if positions and time.monotonic() - committed >= COMMIT_S:
            client.commit_async(positions)
            committed = time.monotonic()
    client.close()
    say(after_ms)


if __name__ == "__main__":
    by_hand.main(publish, consume, tick, listen)
