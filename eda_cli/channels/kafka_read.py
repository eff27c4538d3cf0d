"""Reading a Kafka topic without a group: where a read begins and ends, and its batches. Moves nobody's position."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from eda_cli.channels.base import Start
from eda_cli.channels.kafka_client import FETCH_WAIT_MS, Settings, hurry
from eda_cli.channels.kafka_errors import mapped
from eda_cli.channels.kafka_records import event_of
from eda_cli.errors import BrokerUnreachable, ChannelError
from eda_cli.event import Delivery

QUIET_MS = 100  # a read that waits says so this often
AT_ONCE = 1000  # events of one batch
TIMEOUT_MS = 10_000
LOOK_S = 3.0  # a topic that was deleted, or got partitions, is noticed after this


class Reader:
    """A consumer without a group on one topic."""

    def __init__(self, settings: Settings, topic: str, numbers: Sequence[int]) -> None:
        self._settings = settings
        self._topic = topic
        self._places = [TopicPartition(topic, number) for number in numbers]
        self._whole = True  # all partitions are read, those too that come later
        with self._mapped():
            self._client = KafkaConsumer(
                **settings.client([topic]), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
                fetch_max_wait_ms=FETCH_WAIT_MS, metrics_enabled=False, check_crcs=False)
            try:
                self._first = self._client.beginning_offsets(self._places, TIMEOUT_MS)
                self._end = self._client.end_offsets(self._places, TIMEOUT_MS)
            except BaseException:
                self._client.close()
                raise

    def close(self) -> None:
        self._client.close()

    def starts(self, start: Start) -> dict[int, int]:
        """The first offset of each partition that is to be read."""
        if start.partition is not None:
            self._whole = False
            self._places = [place for place in self._places if place.partition == start.partition]
            if not self._places:
                raise ChannelError(f"there is no partition {start.partition} in '{self._topic}'",
                                   f"it has {len(self._first)}, counted from 0")
        with self._mapped():
            found = self._starts(start)
        return {place.partition: offset for place, offset in found.items()}

    def read(self, starts: Mapping[int, int], follow: bool,
             look: Callable[[], Sequence[int]] | None = None) -> Iterator[Sequence[Delivery]]:
        """Batches from there; without `follow` up to what was stored when this reader was made.

        `look` is asked now and then for the partitions that are there now, and raises UnknownTopic.
        """
        looked = time.monotonic()
        left = [place for place in self._places if follow or starts[place.partition] < self._end[place]]
        with self._mapped():
            self._seek(left, starts)
            hurry(self._client, not follow)
        while left:
            with self._mapped():
                found = self._client.poll(timeout_ms=QUIET_MS, max_records=AT_ONCE)
            if not follow:
                found = {place: [record for record in records if record.offset < self._end[place]]
                         for place, records in found.items()}
            yield _in_time([[delivery_of(record) for record in records] for records in found.values() if records])
            if look is not None and time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                with suppress(BrokerUnreachable):  # a broker that is away for a while is waited for
                    self._take_in(left, look(), follow)
            if not follow:
                with self._mapped():
                    left = [place for place in left if (self._client.position(place, TIMEOUT_MS) or 0) < self._end[place]]

    def _take_in(self, left: list[TopicPartition], numbers: Sequence[int], follow: bool) -> None:
        """Read those that others added from their beginning."""
        new = [place for number in numbers if (place := TopicPartition(self._topic, number)) not in left]
        if follow and self._whole and new:
            left += new
            with self._mapped():
                self._client.assign(left)

    def _starts(self, start: Start) -> dict[TopicPartition, int]:
        match start.at:
            case "beginning":
                return {place: self._first[place] for place in self._places}
            case "end":
                return {place: self._end[place] for place in self._places}
            case "offset":
                return {place: min(max(int(start.value), self._first[place]), self._end[place])
                        for place in self._places}
            case "time":
                moment = max(0, round(start.value * 1000))
                found = self._client.offsets_for_times(dict.fromkeys(self._places, moment), TIMEOUT_MS)
                return {place: self._end[place] if found[place] is None else found[place].offset
                        for place in self._places}
            case "last":
                return self._last(int(start.value))

    def _last(self, count: int) -> dict[TopicPartition, int]:
        """Where the newest `count` events begin, by time of publishing.

        Compaction leaves gaps, so that more offsets are looked at than events are wanted.
        """
        window = max(count, 1)
        while True:
            starts = {place: max(self._first[place], self._end[place] - window) for place in self._places}
            seen = [(each.published, each.offset or 0, each.partition or 0) for batch in self.read(
                {place.partition: offset for place, offset in starts.items()}, follow=False) for each in batch]
            if len(seen) >= count or all(starts[place] == self._first[place] for place in self._places):
                break
            window *= 4
        begin = {place.partition: self._end[place] for place in self._places}
        for _, offset, partition in heapq.nlargest(count, seen):
            begin[partition] = min(begin[partition], offset)
        return {place: begin[place.partition] for place in self._places}

    def _seek(self, places: Sequence[TopicPartition], starts: Mapping[int, int]) -> None:
        if places:
            self._client.assign(list(places))
        for place in places:
            self._client.seek(place, starts[place.partition])

    def _mapped(self) -> Any:
        return mapped("read the topic", self._settings.bootstrap, self._topic)


def delivery_of(record: Any) -> Delivery:
    """A record of the client as a delivery."""
    return Delivery(event_of(record.key, record.value, record.headers), record.topic, record.partition, record.offset,
                    max(0, record.timestamp) / 1000)


def _in_time(lists: Sequence[list[Delivery]]) -> Sequence[Delivery]:
    """Several partitions as one list by time of publishing, each in its own order."""
    if len(lists) < 2:
        return lists[0] if lists else ()
    return list(heapq.merge(*lists, key=lambda delivery: delivery.published))

