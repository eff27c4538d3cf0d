"""Which numbers a generator's replica publishes, and the bytes it is about to publish. Knows no channel.

A number never stands for two different events, and one published twice around a kill carries the same bytes:
replicas claim numbers from one file under a lock, and a batch is stored before it is published.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from eda_cli.event import Event
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

    def next(self) -> int:
        """The number that is claimed next, where nobody else is quicker."""
        number: int = self._read()["next"]
        return number

    def oldest(self) -> int:
        """The first number that may not be published yet, by any replica."""
        state = self._read()
        by_hand = f"{self._process.rpartition('.')[0]}.0"
        oldest: int = min([state["next"], *(claim[0] for process, claim in state["claims"].items() if process != by_hand)])
        return oldest

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


class Spool:
    """The batch a replica is publishing: `<process>.spool`, written whole or not at all.

    It survives the end of the process, not a power cut.
    """

    def __init__(self, folder: Path, process: str) -> None:
        self._path = folder / f"{process}.spool"
        self._fd = -1

    def store(self, numbers: range, events: Sequence[Event]) -> None:
        """Keep what is about to be published."""
        # pickle, as the fastest that keeps bytes; the folder is the user's own (mode 0700), as is its code
        batch = pickle.dumps((numbers.start, numbers.stop, [fields_of(event) for event in events]), 5)
        self.close()
        self._fd = _replace(self._path, _PENDING + zlib.crc32(batch).to_bytes(4, "big") + batch, keep=True)

    def stored(self) -> None:
        """The channel has the batch: it must not be published again."""
        os.pwrite(self._fd, _DONE, 0)

    def pending(self) -> tuple[range, list[Event], bool]:
        """The numbers of the last batch, its events, and whether it may still have to be published."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return range(0), [], False
        batch = data[5:]
        if zlib.crc32(batch).to_bytes(4, "big") != data[1:5]:
            return range(0), [], False
        first, last, events = pickle.loads(batch)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        return range(first, last), [Event(*fields) for fields in events], data[:1] == _PENDING

    def forget(self) -> None:
        """Nothing of it is needed any more."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


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
