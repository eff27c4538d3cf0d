"""Which numbers a generator's replica publishes, and the bytes it is about to publish. Knows no channel.

A number never stands for two different events, and one published twice around a kill carries the same bytes:
replicas claim numbers from one file under a lock, and a batch is stored before it is published. Beside its claim each
keeps its place in its schedule, so that it goes on there.
"""

from __future__ import annotations

import dataclasses
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
from eda_cli.stubs.held import NOTHING, Change
from eda_cli.stubs.pace import Place
from eda_cli.stubs.packing import fields_of


class Numbers:
    """The numbers of one generator, shared out to its replicas: `<part>.numbers` in the run folder."""

    def __init__(self, folder: Path, part: str, process: str) -> None:
        self._path = folder / f"{part}.numbers"
        self._lock = os.open(folder / f"{part}.numbers.flock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._process = process

    def close(self) -> None:
        os.close(self._lock)

    def begun(self) -> bool:
        """Whether the generator's schedule has begun."""
        state = self._read()
        return bool(state["places"]) or self._process in state["claims"]

    def begin(self, clock: str, replicas: int, origin: float | None) -> Place:
        """This replica's place in the schedule that is made of `clock` for so many replicas; see `Place`.

        Whoever comes first begins it for all. Other replicas go on where the least of them was, another clock begins at zero:
        while its events lie in the past at the moment that the old one had reached, with `origin` where nothing has begun.
        """
        with self._changed() as state:
            places = {process: Place(**one) for process, one in state["places"].items()}
            same = [place for place in places.values() if place.clock == clock]
            least = min(same or places.values(), key=lambda place: (place.next or 0.0, place.at), default=None)
            if least is None:
                fresh = Place(clock, replicas, origin=origin)
            elif same:
                fresh = dataclasses.replace(least, among=replicas)
            else:
                reached = None if least.origin is None else least.origin + least.at
                fresh = Place(clock, replicas, origin=reached, before=least.before + least.at)
            part = self._process.rpartition(".")[0]
            wished = [f"{part}.{replica}" for replica in range(1, replicas + 1)]
            kept = {process: place for process, place in places.items() if process in wished and (
                process != self._process or (place.clock, place.among) == (clock, replicas))}
            state["places"] = {process: dataclasses.asdict(kept.get(process, fresh)) for process in wished}
            return Place(**state["places"][self._process])

    def claim(self, many: int, count: int | None, place: Place | None = None) -> range:
        """The next `many` numbers, or what is left of `count`; empty once all are claimed. `place` is kept with them."""
        with self._changed() as state:
            first = state["next"]
            last = first + many if count is None else min(first + many, count)
            state["next"] = max(first, last)
            state["claims"][self._process] = [first, max(first, last)]
            if place is not None:
                self._keep(state, place)
                state["past"].pop(self._process, None)
                if place.origin is not None:
                    state["past"][self._process] = dataclasses.asdict(place)
        return range(first, last)

    def note(self, place: Place) -> None:
        """Keep how far this replica has come in its schedule."""
        with self._changed() as state:
            self._keep(state, place)

    def past(self, process: str) -> Place | None:
        """Its place when a process claimed last; None where its events did not lie in the past."""
        past = self._read()["past"].get(process)
        return Place(**past) if past else None

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
            state["past"].pop(process, None)

    def _keep(self, state: dict[str, Any], place: Place) -> None:
        if self._process in state["places"]:  # else this replica is wished no more
            state["places"][self._process] = dataclasses.asdict(place)

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
            state = {}
        return {"next": 0, "claims": {}, "places": {}, "past": {}} | state  # files of earlier versions know no places


_PENDING, _DONE = b"P", b"D"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a replica publishes together: the numbers that it is made of, and what of other numbers came due.

    `faults` are those of its events, by id; `held` is what it changes of what is published later. `faulted` is how many events
    of this replica had each fault so far, whatever became of the process that made them. `change` is what it changes of the
    entities, `told` what those are told who look it up (None: nothing).
    """

    numbers: range = range(0)
    events: Sequence[Event] = ()
    faults: Mapping[str | None, Sequence[str]] = field(default_factory=dict)
    held: Change = NOTHING
    faulted: Mapping[str, int] = field(default_factory=dict)
    change: Sequence[Any] | None = None
    told: bytes | None = None


class Spool:
    """The batch a replica is publishing: `<process>.spool`, written whole or not at all.

    It survives the end of the process, not a power cut.
    """

    def __init__(self, folder: Path, process: str) -> None:
        self._path = folder / f"{process}.spool"
        self._fd = -1

    def store(self, batch: Batch) -> None:
        """Keep what is about to be published, and what changes with it."""
        # pickle, as the fastest that keeps bytes; the folder is the user's own (mode 0700), as is its code
        data = pickle.dumps((batch.numbers.start, batch.numbers.stop, [fields_of(event) for event in batch.events],
                             batch.faults, tuple(batch.held), batch.faulted,
                             batch.change and tuple(batch.change), batch.told), 5)
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
        faults, held, *more = rest or ({}, ())
        self.close()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        change = Change(*held) if isinstance(held, tuple) else Change(held)  # an earlier version stored all that was held
        return Batch(range(first, last), [Event(*fields) for fields in events], faults, change, *more), not done

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
