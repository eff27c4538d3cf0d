"""Which numbers a generator's replica publishes, and the bytes it is about to publish. Knows no channel.

A number never stands for two different events, and one published twice around a kill carries the same bytes:
replicas claim numbers from one file under a lock, and a batch is stored before it is published.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from eda_cli.event import Event
from eda_cli.stubs.held import Packed
from eda_cli.stubs.packing import fields_of


class Numbers:
    """The numbers of one generator, shared out to its replicas: `<part>.numbers` in the run folder."""

    def __init__(self, folder: Path, part: str, process: str) -> None:
        self._path = folder / f"{part}.numbers"
        self._lock = os.open(folder / f"{part}.numbers.flock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._process = process

    def close(self) -> None:
        os.close(self._lock)

    def claim(self, many: int, count: int | None) -> range:
        """The next `many` numbers, or what is left of `count`; empty once all are claimed."""
        with self._changed() as state:
            first = state["next"]
            last = first + many if count is None else min(first + many, count)
            state["next"] = max(first, last)
            state["claims"][self._process] = [first, max(first, last)]
        return range(first, last)

    def claimed(self, process: str = "") -> range:
        """What this replica (or that of a process) claimed last: it may not be published yet."""
        return range(*self._read()["claims"].get(process or self._process, (0, 0)))

    def orphans(self, replicas: int) -> list[str]:
        """The processes of replicas that are wished no more and have claimed numbers."""
        part = self._process.rpartition(".")[0]
        return [process for process in self._read()["claims"] if int(process.removeprefix(f"{part}.")) > replicas]

    def drop(self, process: str) -> None:
        """All that it claimed is published."""
        with self._changed() as state:
            state["claims"].pop(process, None)

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            state = self._read()
            yield state
            _replace(self._path, orjson.dumps(state))
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {"next": 0, "claims": {}}
        return state


_PENDING, _DONE = b"P", b"D"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a replica publishes together: the numbers that it is made of, and what of other numbers came due.

    `faults` are those of its events, by id; `held` is what is published later. `faulted` is how many events of this replica had
    each fault so far, whatever became of the process that made them. `change` is what it changes of the entities.
    """

    numbers: range = range(0)
    events: Sequence[Event] = ()
    faults: Mapping[str | None, Sequence[str]] = field(default_factory=dict)
    held: Sequence[Packed] = ()
    faulted: Mapping[str, int] = field(default_factory=dict)
    change: Sequence[Any] | None = None


class Spool:
    """The batch a replica is publishing: `<process>.spool`, written whole or not at all.

    It survives the end of the process, not a power cut.
    """

    def __init__(self, folder: Path, process: str) -> None:
        self._path = folder / f"{process}.spool"
        self._fd = -1

    def store(self, batch: Batch) -> None:
        """Keep what is about to be published, and what is held back."""
        # pickle, as the fastest that keeps bytes; the folder is the user's own (mode 0700), as is its code
        data = pickle.dumps((batch.numbers.start, batch.numbers.stop, [fields_of(event) for event in batch.events],
                             batch.faults, batch.held, batch.faulted,
                             batch.change and tuple(batch.change)), 5)
        self.close()
        self._fd = _replace(self._path, _PENDING + zlib.crc32(data).to_bytes(4, "big") + data, keep=True)

    def stored(self) -> None:
        """The channel has the batch: it must not be published again."""
        os.pwrite(self._fd, _DONE, 0)

    def pending(self) -> tuple[Batch, bool]:
        """The last batch, and whether it may still have to be published."""
        if (found := _read(self._path)) is None:
            return Batch(), False
        done, (first, last, events, *rest) = found
        self.close()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        return Batch(range(first, last), [Event(*fields) for fields in events], *rest), not done

    def forget(self) -> None:
        """Nothing of it is needed any more."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def spooled(folder: Path, part: str) -> Iterator[tuple[bool, Sequence[Any]]]:
    """Of the last batch of each replica of a part, wished or not: whether it may still have to be published, and what it
    changes of the entities."""
    for path in sorted(folder.glob(f"{part}.*.spool")):
        if (found := _read(path)) is not None and (rest := found[1][6:]) and rest[0] is not None:
            yield not found[0], rest[0]


def _read(path: Path) -> tuple[bool, Sequence[Any]] | None:
    """Whether the batch is done, and what `store` was given; None where there is none as a whole."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    batch = data[5:]
    if zlib.crc32(batch).to_bytes(4, "big") != data[1:5]:
        return None
    return data[:1] == _DONE, pickle.loads(batch)


def _replace(path: Path, data: bytes, keep: bool = False) -> int:
    """Write the file as a whole; with `keep` its descriptor stays open and is given back."""
    new = path.with_name(path.name + ".new")
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view):]
        new.rename(path)
    finally:
        if not keep:
            os.close(fd)
    return fd
