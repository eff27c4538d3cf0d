"""Windows: events gathered by key and by their moment, until their time is over. Knows no clock and no channel.

A window is late events' only until it closed; how far that is, is stored with the windows. Those that were read or
written are kept until another process writes to the file. Over 250 lines because the two ways in, with care and
straight on, are read beside each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import floor, inf
from typing import Any, NamedTuple

import orjson

from eda_cli.event import Delivery, Event, encode_json, epoch, rfc3339
from eda_cli.payloads import Context, Dice, PayloadError, Seen, asks, compile_value, quick_of
from eda_cli.payloads import Window as Shown
from eda_cli.sketch.resolved import Window
from eda_cli.stubs.aggregating import Aggregates
from eda_cli.stubs.forms import YEAR_9999, key_of, look_beyond, moment_of, see_beyond
from eda_cli.stubs.reactions import Cause
from eda_cli.stubs.store import Store, set_meta

_MS = 100_000_000_000  # numbers beyond are no seconds but milliseconds
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the moments that can be written: the years 1 to 9999
AT_ONCE = 2_000  # windows that close together
KEPT = 20_000  # windows at most that are not read from the file again

State = dict[str, Any]  # n: events, by: the key's value, a: the aggregates, last: what is told of its last event
Told = dict[tuple[str, int | None], float]  # up to which moment the events of a place tell
Open = dict[float, tuple[float, State]]  # windows of one key by their start, with their end


class Closed(NamedTuple):
    """A window that closes: what follows from it, and what its rules see."""

    cause: Cause
    seen: Seen
    key: bytes


class Windows:
    """Those of one consumer. Moments are epoch seconds."""

    def __init__(self, store: Store, window: Window, aggregates: Sequence[str]) -> None:
        self._store = store
        self._window = window
        if window.gap_s is not None:  # a session may begin and end at any moment: all of its key are looked at
            with store.write() as connection:
                connection.execute("CREATE INDEX IF NOT EXISTS windows_key ON windows (key)")
        self._by = compile_value(window.by, "rule")
        self._time = compile_value(window.time, "rule") if window.time != "$time" else None
        self._aggregates = Aggregates(sorted(aggregates))
        self._asks = bool(asks(self._by) | asks(self._time))
        self._context = Context(Dice(0, "window"), 0.0)
        self._quick_by, self._seen = quick_of(self._by), Seen()  # of `add_on`
        self._beyond = self._quick_by is not None and look_beyond((self._quick_by, *self._aggregates.paths))
        self._keys: dict[bytes, Open] = {}
        self._kept = 0  # in `_keys`
        self._whole_after = inf  # all windows that end later are in `_keys`
        self._touched: set[tuple[bytes, float]] = set()
        self._merged: list[tuple[bytes, float]] = []  # starts of sessions that are part of others now
        self._closed = -inf
        self._texts = (0.0, 0.0, "", "")  # of the window that closed last
        self._looked = False

    def add(self, delivery: Delivery, seen: Seen) -> float | None:
        """Take the event in: its moment; None where its window is closed. Raises PayloadError."""
        if not self._looked:
            self._closed, self._looked = self._store.meta("closed") or -inf, True
        context = self._context
        context.seen, context.now = seen, moment_of(delivery)
        if self._asks:
            context.random.roll(0)
        said = self._by(context)
        key = key_of(said) or b""
        moment = _moment(self._time(context)) if self._time is not None else context.now
        measured = self._aggregates.measured(context)
        there = self._there(key, moment)
        start, end, met = self._place(there, moment)
        if end + self._window.late_s <= self._closed:
            return None
        if not _FIRST <= start < end <= _LAST:
            raise PayloadError("window.time gives no moment", "its window would not lie in the years 1 to 9999")
        if isinstance(said, (dict, list)):
            encode_json([[said]])  # as deep as it will lie in the window's event: better this one fails than that one
        event = delivery.event
        state = self._taken_out(there, met) or {"n": 0, "by": said, "a": self._aggregates.none()}
        state["n"] += 1
        state["last"] = (event.id, event.type, event.correlationid)
        self._aggregates.add(state["a"], measured)
        there[start] = (end, state)
        self._kept += 1
        self._touched.add((key, start))
        self._merged += [(key, other) for other in met if other != start]
        return moment

    def add_on(self, deliveries: Sequence[Delivery], told: Told) -> int:
        """Take in those from the first on that belong to windows without any doubt: how many they are.

        `told` learns the newest moment of each place. The next one, if any, is a matter for `add`: it is late, it
        fails, or there is more to look at. Over 40 lines because calls would cost as much as what is done in it.
        """
        by, every = self._quick_by, self._window.every_s
        if by is None or every is None or self._time is not None or not self._aggregates.quick:
            return 0
        if not self._looked:
            self._closed, self._looked = self._store.meta("closed") or -inf, True
        seen, measure, add = self._seen, self._aggregates.quick, self._aggregates.add
        beyond, loads = self._beyond, orjson.loads
        here: dict[tuple[str, float], State] = {}  # of this batch
        done = 0
        try:
            for delivery in deliveries:
                event = delivery.event
                seen.body = loads(event.data)  # type: ignore[arg-type]  # a tombstone is none of ours
                if beyond:
                    see_beyond(seen, delivery)
                said = by(seen)
                if type(said) is not str or event.time is None:
                    break
                moment = epoch(event.time)
                start = floor(moment / every) * every
                measured = measure(seen)
                if (state := here.get((said, start))) is None:
                    end = start + every
                    if end + self._window.late_s <= self._closed or not 0 <= start < end <= YEAR_9999:
                        break
                    key = said.encode()
                    there = self._there(key, moment)
                    if start in there:
                        state = there[start][1]
                    else:
                        state = {"n": 0, "by": said, "a": self._aggregates.none()}
                        there[start] = (end, state)
                        self._kept += 1
                    self._touched.add((key, start))
                    here[said, start] = state
                state["n"] += 1
                state["last"] = event
                add(state["a"], measured)
                done += 1
                place = delivery.topic, delivery.partition
                if place not in told or moment > told[place]:
                    told[place] = moment
        except Exception:  # `add` finds out what is wrong
            pass
        for state in here.values():
            last = state["last"]
            state["last"] = (last.id, last.type, last.correlationid)
        return done

    def opened(self, changed: bool) -> None:
        """A transaction is open. `changed`: others may have written meanwhile, so that all is to be read anew."""
        if changed:
            self._drop()
        elif self._window.every_s is not None and (self._whole_after == inf or self._kept > KEPT):
            self._drop()
            newest = self._store.rows("SELECT key, start, end, state FROM windows ORDER BY end DESC LIMIT ?", (KEPT // 2,))
            for key, start, end, state in newest:
                self._keys.setdefault(key, {})[start] = (end, orjson.loads(state))
            self._kept = len(newest)
            self._whole_after = newest[-1][2] if self._kept == KEPT // 2 else -inf
        elif self._kept > KEPT:
            self._drop()

    def _drop(self) -> None:
        self._keys, self._kept, self._whole_after = {}, 0, inf

    def save(self, connection: sqlite3.Connection) -> None:
        """Store what the batch changed, within a transaction."""
        if self._merged:
            connection.executemany("DELETE FROM windows WHERE key = ? AND start = ?", self._merged)
        connection.executemany(
            "INSERT INTO windows (key, start, end, state) VALUES (?, ?, ?, ?)"
            f" ON CONFLICT DO UPDATE SET {'end = excluded.end, ' if self._window.every_s is None else ''}state = excluded.state",
            [(key, start, self._keys[key][start][0], encode_json(self._keys[key][start][1]))
             for key, start in self._touched if start in self._keys[key]])

    def saved(self, stored: bool) -> None:
        """It is stored, or given up."""
        if not stored:
            self._drop()
        self._touched, self._merged, self._looked = set(), [], False

    def next_end(self) -> float | None:
        """When the next one could close."""
        end = self._store.rows("SELECT min(end) FROM windows")[0][0]
        return end + self._window.late_s if end is not None else None

    def close(self, connection: sqlite3.Connection, upto: float) -> list[Closed]:
        """Those whose time is over at a moment, at most AT_ONCE, within a transaction: they are gone."""
        late_s = self._window.late_s
        found = connection.execute("SELECT key, start, end, state FROM windows WHERE end <= ? ORDER BY end, start, key LIMIT ?",
                                   (upto - late_s, AT_ONCE)).fetchall()
        if len(found) == AT_ONCE:
            upto = found[-1][2] + late_s
        if found:
            key, start, end, _ = found[-1]
            connection.execute("DELETE FROM windows WHERE (end, start, key) <= (?, ?, ?)", (end, start, key))
        for key, start, *_ in found:
            if self._keys.get(key, {}).pop(start, None) is not None:
                self._kept -= 1
        if found:
            closed = self._store.meta("closed") or -inf
            set_meta(connection, "closed", max(closed, upto))
        return [self._shown(key, start, end, orjson.loads(state)) for key, start, end, state in found]

    def _there(self, key: bytes, moment: float) -> Open:
        """Windows of a key; those that the moment may belong to are among them."""
        there = self._keys.get(key)
        if there is None:
            there = self._keys[key] = {}
            if self._window.every_s is None:
                self._read(there, "SELECT start, end, state FROM windows WHERE key = ?", (key,))
        if self._window.every_s is not None:
            start, end, _ = self._place(there, moment)
            if start not in there and end <= self._whole_after:
                self._read(there, "SELECT start, end, state FROM windows WHERE key = ? AND start = ?", (key, start))
        return there

    def _read(self, there: Open, sql: str, args: Sequence[Any]) -> None:
        for start, end, state in self._store.rows(sql, args):
            there[start] = (end, orjson.loads(state))
            self._kept += 1

    def _taken_out(self, there: Open, met: Sequence[float]) -> State | None:
        """The windows that become one, as one; None where there are none."""
        if not met:
            return None
        states = [there.pop(start)[1] for start in met]
        self._kept -= len(met)
        state = states[0]
        for other in states[1:]:
            state["n"] += other["n"]
            self._aggregates.add(state["a"], enumerate(other["a"]))
        return state

    def _place(self, there: Open, moment: float) -> tuple[float, float, Sequence[float]]:
        """Start and end of the window that the moment belongs to, and the starts of those that it becomes one with."""
        if self._window.every_s is not None:
            start = floor(moment / self._window.every_s) * self._window.every_s
            return start, start + self._window.every_s, (start,) if start in there else ()
        gap = self._window.gap_s
        assert gap is not None
        start, end = moment, moment + gap
        met: list[float] = []
        for other in sorted(there):
            if other <= end and moment <= there[other][0]:
                start, end = min(start, other), max(end, there[other][0])
                met.append(other)
        return start, end, met

    def _shown(self, key: bytes, start: float, end: float, state: State) -> Closed:
        results = self._aggregates.results(state["a"], state["n"])
        if self._texts[:2] != (start, end):  # many close together
            self._texts = (start, end, rfc3339(start), rfc3339(end))
        begin, over = self._texts[2:]
        id_, type_, correlationid = state["last"]
        last = Event(id_, None, type_, over, None, key or None, correlationid=correlationid)
        seen = Seen(key=state["by"], type=type_, time=over, window=Shown(begin, over, state["by"], results))
        return Closed(Cause(f"window/{key.decode(errors='replace')}/{begin}", last, end), seen, key)


def _moment(value: Any) -> float:
    """A moment in an event: RFC 3339, or seconds or milliseconds since 1970. Raises PayloadError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1000 if value > _MS else float(value)
    try:
        return epoch(value)
    except (TypeError, ValueError):
        raise PayloadError("window.time gives no moment", f"it gives {str(value)[:60]!r}",
                           "a time is RFC 3339, or seconds or milliseconds since 1970") from None
