"""The embedded channel: one SQLite file, no server. It behaves as Kafka does wherever both have the thing.

Here are topics and reads. What else it is made of stands in its neighbours: the file (`embedded_store`),
events as rows (`embedded_log`), publishing (`embedded_publish`), sharing within a group (`embedded_group`), a
member's subscription (`embedded_member`), retention and compaction (`embedded_clean`).
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eda_cli.channels import embedded_clean
from eda_cli.channels import embedded_group as group_table
from eda_cli.channels import embedded_log as log
from eda_cli.channels.base import (
    End,
    Group,
    GroupInfo,
    PartitionInfo,
    Receipt,
    Start,
    Subscription,
    Topic,
    TopicInfo,
)
from eda_cli.channels.embedded_member import LOOK_S, Member
from eda_cli.channels.embedded_publish import Publisher
from eda_cli.channels.embedded_store import Store
from eda_cli.errors import ChannelError, UnknownTopic
from eda_cli.event import Delivery, Event
from eda_cli.technologies import TECHNOLOGIES

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
QUIET_S = 0.1  # a read that waits says so this often


class EmbeddedChannel:
    """`address` is `{"channel": "embedded", "path": …}`; the file is made where there is none."""

    can = TECHNOLOGIES["embedded"].can

    def __init__(self, address: Mapping[str, Any]) -> None:
        self._path = str(address["path"])
        self._store = Store(self._path)
        self._publisher = Publisher(self._store)
        self._reading: set[Store] = set()

    def declare(self, topics: Sequence[Topic], groups: Sequence[Group]) -> Sequence[str]:
        with self._store.write() as connection:
            for topic in topics:
                _declare_topic(connection, topic)
            for group in groups:
                group_table.declare(connection, group)
        embedded_clean.sweep(self._store)
        for topic in topics:
            embedded_clean.clean(self._store, topic.name)
        return ()

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self._publisher.publish(topic, events)

    def flush(self, timeout: float) -> list[Receipt]:
        return self._publisher.flush(timeout)

    def subscribe(self, group: Group) -> Subscription:
        return Member(self._path, group)

    def read(self, topic: str, start: Start, end: End) -> Iterator[Sequence[Delivery]]:
        store = Store(self._path)
        try:
            logs = log.logs_of(store, topic)
            positions = log.starts(store, topic, logs, start)
        except BaseException:
            store.close()
            raise
        self._reading.add(store)
        logs = [each for each in logs if each.id in positions]
        return self._read(store, logs, positions, topic if end == "never" else None, start.partition)

    def _read(self, store: Store, logs: list[log.Log], positions: dict[int, int], follow: str | None,
              only: int | None) -> Iterator[Sequence[Delivery]]:
        try:
            yield from log.merged(store, logs, positions)
            told = 0.0
            while follow is not None:
                logs = [each for each in log.logs_of(store, follow) if only in (None, each.number)]
                for each in logs:
                    positions.setdefault(each.id, each.first)  # a partition that came meanwhile
                for batch in log.merged(store, logs, positions):
                    yield batch
                    told = time.monotonic()
                while not store.changed():
                    time.sleep(LOOK_S)
                    if time.monotonic() - told >= QUIET_S:
                        break
                if time.monotonic() - told >= QUIET_S:  # others may write all the time
                    yield ()
                    store.look()
                    told = time.monotonic()
        finally:
            self._reading.discard(store)
            store.close()

    def topics(self) -> list[TopicInfo]:
        found: dict[str, list[PartitionInfo]] = {}
        about: dict[str, tuple[int, bool, float | None]] = {}
        for name, retention, compacted, number, first, end, cleaned, kept in self._store.rows(
                "SELECT t.name, t.retention, t.compacted, p.number, p.first, p.end, p.cleaned, p.kept"
                " FROM topics t JOIN partitions p ON p.topic = t.id ORDER BY t.name, p.number"):
            found.setdefault(name, []).append(PartitionInfo(number, first, end))
            events = about[name][0] if name in about else 0
            about[name] = (events + kept + end - max(cleaned, first), bool(compacted),
                           None if retention is None else retention / 1e6)
        return [TopicInfo(name, partitions, *about[name]) for name, partitions in found.items()]

    def groups(self) -> list[GroupInfo]:
        return group_table.infos(self._store)

    def reset(self, group: str, topics: Sequence[str], start: Start) -> None:
        group_table.reset(self._store, group, topics, start)

    def remove(self, topics: Sequence[str], groups: Sequence[str]) -> None:
        with self._store.write() as connection:
            for topic in topics:
                id_ = connection.execute("SELECT id FROM topics WHERE name = ?", (topic,)).fetchone()
                if id_ is None:
                    raise UnknownTopic(topic)
                having = group_table.having(connection, topic)
                embedded_clean.remove(connection, topic)
                for group in having:
                    group_table.share(connection, group)
            for name in groups:
                group_table.remove(connection, name)
        embedded_clean.sweep(self._store)

    def version(self) -> str:
        return f"embedded (SQLite {sqlite3.sqlite_version})"

    def close(self) -> None:
        for store in (*self._reading, self._store):
            store.close()
        self._reading.clear()


def _declare_topic(connection: sqlite3.Connection, topic: Topic) -> None:
    if not _NAME.fullmatch(topic.name):
        raise ChannelError(f"'{topic.name}' cannot be the name of a topic", "Kafka takes letters, digits, . _ -")
    if topic.partitions < 1:
        raise ChannelError(f"topic '{topic.name}' cannot have {topic.partitions} partitions")
    connection.execute("INSERT OR IGNORE INTO topics (name, retention, compacted) VALUES (?, ?, ?)",
                       (topic.name, _retention(topic), _compacted(topic)))
    id_, has = connection.execute("SELECT t.id, count(p.id) FROM topics t LEFT JOIN partitions p"
                                  " ON p.topic = t.id WHERE t.name = ?", (topic.name,)).fetchone()
    connection.executemany("INSERT INTO partitions (topic, number) VALUES (?, ?)",
                           [(id_, number) for number in range(has, topic.partitions)])
    if has < topic.partitions:
        group_table.grown(connection, topic.name)


def _retention(topic: Topic) -> int | None:
    """In microseconds; None keeps everything. The config has the last word, as on Kafka."""
    given = topic.config.get("retention.ms")
    if given is None:
        return None if topic.retention_s is None else round(topic.retention_s * 1e6)
    try:
        milliseconds = int(given)
    except ValueError as wrong:
        raise ChannelError(f"topic '{topic.name}' has a retention.ms of '{given}'", str(wrong)) from wrong
    return None if milliseconds < 0 else milliseconds * 1000


def _compacted(topic: Topic) -> bool:
    given = topic.config.get("cleanup.policy")
    return topic.compacted if given is None else "compact" in given.split(",")
