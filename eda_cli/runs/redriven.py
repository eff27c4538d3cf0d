"""Which dead letters of a run were redriven: an append-only file in its folder. Knows no channel.

A line is written behind the events that it tells of: a kill between the two redrives these once more, with the same
ids, and never loses one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import orjson

from eda_cli import lock
from eda_cli.errors import NotReady
from eda_cli.event import Delivery

FILE = "redriven.ndjson"  # not .jsonl: those are journals, whose ends everybody reads
Place = tuple[str, int | None, int | None, str | None]  # topic, partition, offset, id


class Redriven:
    """The dead letters that were redriven; whoever has it is the only one who redrives. Raises NotReady.

    The id belongs to the place: a topic that was deleted and made anew counts its offsets from 0 again.
    """

    def __init__(self, folder: Path) -> None:
        guard = lock.take(folder / "redrive.flock")
        if guard is None:
            raise NotReady("another eda redrive is at work in this run", "two at once would redrive events twice",
                           "wait until it is done, and try again")
        self._guard = guard
        self._fd = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._places = set(self._read())

    def __contains__(self, delivery: Delivery) -> bool:
        return _place(delivery) in self._places

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """These are redriven: their events are stored."""
        places = [_place(delivery) for delivery in deliveries]
        data = b"".join(orjson.dumps(dict(zip(("topic", "partition", "offset", "id"), place, strict=True))) + b"\n"
                        for place in places)
        while data:
            data = data[os.write(self._fd, data):]
        self._places.update(places)

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._guard)

    def _read(self) -> Iterable[Place]:
        with open(self._fd, "rb", closefd=False) as file:
            whole, newline, torn = file.read().rpartition(b"\n")
        if torn:  # by a kill: it must not spoil the next line
            os.ftruncate(self._fd, len(whole) + len(newline))
        for line in whole.splitlines():
            told = orjson.loads(line)
            yield told["topic"], told["partition"], told["offset"], told["id"]


def _place(delivery: Delivery) -> Place:
    return delivery.topic, delivery.partition, delivery.offset, delivery.event.id
