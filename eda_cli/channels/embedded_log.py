"""Events in the file of the embedded channel: to rows and back, and where a read begins. Knows no group."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any

import orjson

from eda_cli.channels.base import Start
from eda_cli.channels.embedded_store import Row, Store, mapped
from eda_cli.errors import ChannelError, UnknownTopic
from eda_cli.event import JSON_TYPE, NO_EXTENSIONS, Delivery, Event

OFFSET_BITS = 40
OFFSET_MASK = (1 << OFFSET_BITS) - 1
PAGE_BYTES = 4_000_000  # a page of large bodies ends early
PAGE_EVENTS = 500

_PAGE = ("SELECT place, published, key, attributes, value FROM events"
         " WHERE place >= ? AND place < ? ORDER BY place LIMIT ?")


@dataclass(slots=True)
class Log:
    """A partition as it was when it was looked at: `id` is its own in the file, `number` the topic's."""

    id: int
    topic: str
    number: int
    first: int
    end: int

    @property
    def base(self) -> int:
        return self.id << OFFSET_BITS


def logs_of(store: Store, topic: str) -> list[Log]:
    """The partitions of a topic by number. Raises UnknownTopic."""
    rows = store.rows("SELECT p.id, t.name, p.number, p.first, p.end FROM topics t"
                      " JOIN partitions p ON p.topic = t.id WHERE t.name = ? ORDER BY p.number", (topic,))
    if not rows:
        raise UnknownTopic(topic)
    return [Log(*row) for row in rows]


def look_again(store: Store, logs: Sequence[Log]) -> None:
    """Brings the ends up to date; a partition that is gone keeps its own."""
    marks = ", ".join("?" * len(logs))
    ends: dict[int, int] = dict(store.rows(f"SELECT id, end FROM partitions WHERE id IN ({marks})",
                                           [log.id for log in logs]))
    for log in logs:
        log.end = ends.get(log.id, log.end)


def pack(event: Event) -> bytes:
    """All of an event but key and body: six attributes where it has no others, ten where it has."""
    usual = (event.id, event.source, event.type, event.time, event.correlationid, event.causationid)
    if (event.datacontenttype == JSON_TYPE and event.subject is None
            and not event.headers and not event.extensions):
        return orjson.dumps(usual)
    return orjson.dumps((*usual, event.datacontenttype, event.subject, dict(event.extensions),
                         [(name, _header_out(value)) for name, value in event.headers]))


def page(store: Store, log: Log, position: int, limit: int) -> list[Delivery]:
    """The next events of a partition from a position up to its end: at most `limit`, of about PAGE_BYTES."""
    rows = _rows(store, (log.base + position, log.base + log.end, limit))
    # Parsed at once: a call for each row would be a fifth of what reading costs.
    try:
        attributes = orjson.loads(b"[%b]" % b",".join([row[3] or b"null" for row in rows]))
    except (orjson.JSONDecodeError, TypeError) as error:
        raise ChannelError("the event file is damaged", f"{store.path}: {error}") from error
    topic, number = log.topic, log.number
    deliveries = []
    for (place, published, key, _, value), packed in zip(rows, attributes, strict=True):
        if packed is not None and len(packed) == 6:
            id_, source, type_, time, correlation, causation = packed
            event = Event(id_, source, type_, time, value, key, JSON_TYPE, None, correlation, causation,
                          NO_EXTENSIONS, ())
        else:
            event = _unpacked(packed or _FOREIGN, key, value)
        deliveries.append(Delivery(event, topic, number, place & OFFSET_MASK, published / 1e6))
    return deliveries


def _rows(store: Store, args: tuple[int, int, int]) -> list[Row]:
    rows: list[Row] = []
    size = 0
    with mapped(store.path):
        cursor = store.cursor(_PAGE, args)
        while size < PAGE_BYTES and (some := cursor.fetchmany(100)):
            rows += some
            size += sum([len(row[4] or b"") for row in some])
        cursor.close()
    return rows


_FOREIGN: list[Any] = [*(None,) * 8, {}, ()]


def _unpacked(packed: list[Any], key: bytes | None, value: bytes | None) -> Event:
    id_, source, type_, time, correlation, causation, content, subject, extensions, headers = packed
    return Event(id_, source, type_, time, value, key, content, subject, correlation, causation,
                 extensions or NO_EXTENSIONS, tuple((name, _header_in(given)) for name, given in headers))


def _header_out(value: bytes | None) -> str | list[int] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return list(value)


def _header_in(given: str | list[int] | None) -> bytes | None:
    if given is None:
        return None
    return given.encode() if isinstance(given, str) else bytes(given)


def starts(store: Store, topic: str, logs: Sequence[Log], start: Start) -> dict[int, int]:
    """Where a read or a reset begins: the offset for each partition's id, within what is kept."""
    if start.partition is not None:
        logs = [log for log in logs if log.number == start.partition]
        if not logs:
            raise ChannelError(f"topic '{topic}' has no partition {start.partition}")
    match start.at:
        case "last":
            return _last(store, logs, int(start.value))
        case "beginning":
            return {log.id: log.first for log in logs}
        case "end":
            return {log.id: log.end for log in logs}
        case "offset":
            return {log.id: min(max(int(start.value), log.first), log.end) for log in logs}
        case "time":
            return {log.id: seek(store, log, round(start.value * 1e6)) for log in logs}


def seek(store: Store, log: Log, published: int) -> int:
    """The first offset published at or after these epoch microseconds; the end where there is none.

    Times never go back within a partition, so it is a binary search.
    """
    low, high = log.first, log.end
    while low < high:
        middle = (low + high) // 2
        row = store.row("SELECT place, published FROM events WHERE place >= ? AND place < ?"
                        " ORDER BY place LIMIT 1", (log.base + middle, log.base + high))
        if row is None or row[1] >= published:
            high = middle
        else:
            low = (row[0] & OFFSET_MASK) + 1
    return low


def _last(store: Store, logs: Sequence[Log], count: int) -> dict[int, int]:
    begins = {log.id: log.end for log in logs}
    newest = merge(*(_backwards(store, log) for log in logs), reverse=True)
    for _, id_, offset in islice(newest, max(count, 0)):
        begins[id_] = offset
    return begins


def _backwards(store: Store, log: Log) -> Iterator[tuple[int, int, int]]:
    """(published, id, offset) of a partition's events, the newest first."""
    end = log.base + log.end
    while rows := store.rows("SELECT published, place FROM events WHERE place >= ? AND place < ?"
                             " ORDER BY place DESC LIMIT 100", (log.base + log.first, end)):
        yield from ((published, log.id, place & OFFSET_MASK) for published, place in rows)
        end = rows[-1][1]


_published = attrgetter("published")


def merged(store: Store, logs: Sequence[Log], positions: dict[int, int]) -> Iterator[list[Delivery]]:
    """What lies between the positions and the ends, in the order of publishing; moves the positions.

    Each partition is ordered in itself, so a batch goes up to where the shortest page ends.
    """
    held: dict[int, list[Delivery]] = {}
    while True:
        for log in logs:
            if not held.get(log.id):
                held[log.id] = _next_page(store, log, positions)
        pages = [held[log.id] for log in logs if held[log.id]]
        if not pages:
            return
        bound = min(page[-1].published for page in pages)
        batch: list[Delivery] = []
        for log in logs:
            batch += _cut(held[log.id], bound)
        batch.sort(key=_published)
        yield batch


def _next_page(store: Store, log: Log, positions: dict[int, int]) -> list[Delivery]:
    position = positions[log.id]
    if position >= log.end:
        return []
    found = page(store, log, position, PAGE_EVENTS)
    last = found[-1].offset if found else None
    positions[log.id] = log.end if last is None else last + 1
    return found


def _cut(held: list[Delivery], bound: float) -> list[Delivery]:
    """Takes out of `held` what was published up to `bound`."""
    whole = bool(held) and held[-1].published <= bound
    at = len(held) if whole else bisect_right(held, bound, key=_published)
    taken = held[:at]
    del held[:at]
    return taken
