"""What a generator has published, kept for those who look it up: `<part>.published.db` in the run folder. Knows no lookup.

One row for each batch, under its first number, in the transaction that says how far the generator came. Moments are
microseconds of the run's schedules, as whole numbers: two runs then agree on what came first. A row without events
stands for numbers under which nothing was published, so that every number is told of sooner or later.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from math import floor, inf
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from eda_cli.event import Event
from eda_cli.sketch.looking import Demand
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.making import Wanted
from eda_cli.stubs.packing import fields_of
from eda_cli.stubs.store import Store

FOREVER = 1 << 62  # a moment that never comes
PAST = -FOREVER  # and one that nobody knows: it is over
GAP_S = 15.0  # a replica that crashed is back by then: what is missing still counts as not published
_SPARE = 10_000  # numbers more than are looked at, before the oldest are let go of
_PAGE = 50  # batches that are read at once
_AHEAD = 10_000  # events that are read and not looked at yet
_TABLES = """
CREATE TABLE batches (first INTEGER PRIMARY KEY, next INTEGER NOT NULL, events BLOB);
CREATE TABLE progress (process TEXT PRIMARY KEY, next INTEGER NOT NULL, ended INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE used (looker TEXT PRIMARY KEY, number INTEGER NOT NULL, rank INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID
"""


def tick(moment: float) -> int:
    """A moment of a schedule, in seconds, as a whole number of microseconds.

    Sums that were made in another order give the same: what they differ by is far from where it is cut.
    """
    return floor(moment * 1e6 + 0.37)


def _open(folder: Path, part: str) -> Store:
    return Store(folder / f"{part}.published.db", _TABLES, f"the generator '{part}'")


def skip(folder: Path, part: str, number: int) -> None:
    """Nothing that can be looked up is published under this number. Raises Forgetful."""
    store = _open(folder, part)
    with store.write() as connection:
        connection.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, NULL)", (number, number + 1))
    store.close()


class Published:
    """What one process of a generator tells. Moments are given in seconds of the run. Raises Forgetful."""

    def __init__(self, folder: Path, generator: Generator, process: str, demand: Demand) -> None:
        self._store = _open(folder, generator.name)
        self._generator = generator
        self._process = process
        self._demand = demand
        self._kept = 0  # numbers since the oldest were let go of

    def begin(self, oldest: int, next_s: float, done: range = range(0)) -> None:
        """The next event happens at that moment; the first process of all says that the numbers from `oldest` on are told of.

        What was published before `oldest`, or is `done`, while nobody looked it up is not told of any more.
        """
        with self._store.write() as connection:
            behind = connection.execute("SELECT max(next) FROM batches").fetchone()[0]
            if behind is not None and behind < oldest:
                connection.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, NULL)", (behind, oldest))
            if done:
                connection.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, NULL)", (done.start, done.stop))
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('oldest', ?)", (oldest,))
            connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, 0)", (self._process, self._moment(next_s)))

    def packed(self, numbers: range, wanted: Sequence[Wanted], events: Sequence[Event],
               moments: Sequence[float] | None) -> bytes:
        """What is told of the events that are published under the numbers: they stand in the order of what was `wanted`.

        `moments` has one for each number, in seconds of the run; None: they lie in the past. Flat out nobody
        knows them, and all is seen that is there. A tombstone says nothing.
        """
        ticks = [PAST] * len(numbers)
        if moments is not None and self._generator.rate != inf:
            ticks = [tick(moment) for moment in moments]
        # pickle, as the fastest that keeps bytes; the folder is the user's own (mode 0700), as is its code
        return pickle.dumps([(ticks[one.number - numbers.start], fields_of(event))
                             for one, event in zip(wanted, events, strict=True) if event.data is not None], 5)

    def tell(self, numbers: range, told: bytes, refused: Collection[str | None], next_s: float) -> None:
        """These are all that was published under the numbers, but for those that the channel refused; the next one happens
        at `next_s`.
        """
        if refused:
            told = pickle.dumps([one for one in pickle.loads(told) if one[1][0] not in refused], 5)
        with self._store.write() as connection:
            connection.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, ?)", (numbers.start, numbers.stop, told))
            connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, 0)", (self._process, self._moment(next_s)))
            self._kept += len(numbers)
            if self._kept >= _SPARE:
                self._kept = 0
                self._trim(connection, numbers.stop)

    def end(self) -> None:
        """Nothing more is published by this process."""
        with self._store.write() as connection:
            connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, 1)", (self._process, FOREVER))

    def close(self) -> None:
        self._store.close()

    def _moment(self, moment: float) -> int:
        """Flat out there is no schedule: where there is an end, all is told of then, else at any moment."""
        if self._generator.rate == inf:
            return FOREVER if self._generator.count is None else PAST
        return FOREVER if moment == inf else tick(moment)

    def _trim(self, connection: Any, newest: int) -> None:
        """Let go of what nobody can look up any more."""
        oldest = newest - 2 * self._demand.last - _SPARE if self._demand.last else newest
        used = dict(connection.execute("SELECT looker, number FROM used"))
        oldest = min([oldest, *(used.get(looker, 0) for looker in self._demand.once)])
        gone = connection.execute("SELECT max(next) FROM batches WHERE next <= ?", (oldest,)).fetchone()[0]
        if gone is not None:
            connection.execute("DELETE FROM batches WHERE next <= ?", (gone,))
            connection.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'oldest'", (gone,))


class Told(NamedTuple):
    """An event of a source, its moment, and the first number of its batch where it is the first of it (else -1)."""

    moment: int
    event: Event
    first: int


class Source:
    """What one generator told, read in the order of its numbers up to the first that is not told of. Raises Forgetful."""

    def __init__(self, folder: Path, part: str, replicas: int) -> None:
        self._store = _open(folder, part)
        self.part = part
        self._processes = [f"{part}.{replica}" for replica in range(1, replicas + 1)]
        self._progress: Mapping[str, tuple[int, bool]] = {}
        self._next = -1  # the number to be read next
        self._more = True  # whether there may be something that was not read
        self._gap = (-1, 0.0)  # the number that is missing, and since when
        self.ahead: deque[Told] = deque()
        self.latest = PAST  # the latest moment that was read

    def used(self, looker: str) -> int:
        """Read on behind what the looker has used: the rank of the first match there."""
        rows = self._store.rows("SELECT number, rank FROM used WHERE looker = ?", (looker,))
        if rows:
            self._next = rows[0][0]
        return rows[0][1] if rows else 0

    def use(self, looker: str, number: int, rank: int) -> None:
        """The looker needs no number before this one; the first match there has that rank."""
        with self._store.write() as connection:
            connection.execute("INSERT OR REPLACE INTO used VALUES (?, ?, ?)", (looker, number, rank))

    def read(self) -> bool:
        """Read what is new; whether there was something."""
        if not self._store.changed() and not self._more and self._gap[0] < 0:
            return False
        progress = {process: (moment, bool(ended))
                    for process, moment, ended in self._store.rows("SELECT process, next, ended FROM progress")}
        new, self._progress = progress != self._progress, progress
        if self._next < 0:
            rows = self._store.rows("SELECT value FROM meta WHERE name = 'oldest'")
            if not rows:
                return new
            self._next = rows[0][0]
        self._more = True
        while self._more and len(self.ahead) < _AHEAD:
            before = self._next
            self._read_page()
            new = new or self._next != before
        return new

    def told(self, moment: int) -> bool:
        """Whether everything is read that happened up to that moment."""
        if self.ahead and self.ahead[-1].moment > moment:
            return True
        return not self._more and all(self._progress.get(process, (PAST, False))[0] > moment for process in self._processes)

    def behind(self, moment: int) -> bool:
        """Whether a process of it stands before that moment, and no longer in a past that it makes up for."""
        return any(0 <= self._progress.get(process, (PAST, False))[0] < moment for process in self._processes)

    @property
    def over(self) -> bool:
        """Whether nothing will ever come any more."""
        return not self._more and not self.ahead and all(
            self._progress.get(process, (0, False))[1] for process in self._processes)

    def close(self) -> None:
        self._store.close()

    def _read_page(self) -> None:
        rows = self._store.rows("SELECT first, next, events FROM batches WHERE first >= ? ORDER BY first LIMIT ?",
                                (self._next, _PAGE))
        self._more = len(rows) == _PAGE
        for first, behind, events in rows:
            if first < self._next:  # it was told after it had been given up
                continue
            if first > self._next and not self._over_gap(first):
                return
            self._next = behind
            self._gap = (-1, 0.0)
            for at, (moment, fields) in enumerate(pickle.loads(events) if events is not None else ()):
                self.ahead.append(Told(moment, Event(*fields), first if at == 0 else -1))
                self.latest = max(self.latest, moment)

    def _over_gap(self, first: int) -> bool:
        """Whether the numbers before `first` were let go of. Those that nobody tells in time are said to be without events."""
        self._more = False
        if self._store.rows("SELECT value FROM meta WHERE name = 'oldest'")[0][0] >= first:
            return True
        now = monotonic()
        if self._gap[0] != self._next:
            self._gap = (self._next, now)
        if now - self._gap[1] < GAP_S:
            return False
        with self._store.write() as connection:  # for all who look: they must agree on what follows what
            connection.execute("INSERT OR IGNORE INTO batches VALUES (?, ?, NULL)", (self._next, first))
        self._more = True  # what is there now
        return False
