"""Windows: events gathered by key and by their moment, until their time is over. Knows no clock and no channel.

A window is late events' only until it closed; how far that is, is stored with the windows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import reduce
from math import floor, inf
from typing import Any, NamedTuple

import orjson

from eda_cli.event import Delivery, Event, encode_json, epoch, rfc3339
from eda_cli.payloads import Context, Dice, PayloadError, Seen, Value, aggregate_path, compile_value
from eda_cli.payloads import Window as Shown
from eda_cli.sketch.resolved import Window
from eda_cli.stubs.forms import key_of, moment_of
from eda_cli.stubs.reactions import Cause
from eda_cli.stubs.store import Store, set_meta

_MS = 100_000_000_000  # numbers beyond are no seconds but milliseconds
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the moments that can be written: the years 1 to 9999
AT_ONCE = 500  # windows that close together

State = dict[str, Any]  # n: events, by: the key's value, a: the aggregates, last: what is told of its last event


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
        self._by = compile_value(window.by, "rule")
        self._time = compile_value(window.time, "rule") if window.time != "$time" else None
        self._aggregates = [(text, *_aggregate(text)) for text in sorted(aggregates)]
        self._dice = Dice(0, "window")
        self._keys: dict[bytes, dict[float, tuple[float, State]]] = {}  # open windows by key and start, with their ends
        self._touched: set[tuple[bytes, float]] = set()
        self._merged: list[tuple[bytes, float]] = []  # starts of sessions that are part of others now
        self._closed = -inf
        self._looked = False

    def add(self, delivery: Delivery, seen: Seen) -> float | None:
        """Take the event in: its moment; None where its window is closed. Raises PayloadError."""
        if not self._looked:
            self._closed, self._looked = self._store.meta("closed") or -inf, True
        context = Context(self._dice.roll(0), moment_of(delivery), seen=seen)
        said = self._by(context)
        key = key_of(said)
        key = b"" if key is None else key
        moment = _moment(self._time(context)) if self._time is not None else context.now
        values = [path(context) if path is not None else None for _, _, path in self._aggregates]
        added = [_start(text, kind, value) for (text, kind, _), value in zip(self._aggregates, values, strict=True)]
        there = self._of(key)
        start, end, met = self._place(there, moment)
        if end + self._window.late_s <= self._closed:
            return None
        if not _FIRST <= start < end <= _LAST:
            raise PayloadError("window.time gives no moment", "its window would not lie in the years 1 to 9999")
        if isinstance(said, (dict, list)):
            encode_json([[said]])  # as deep as it will lie in the window's event: better this one fails than that one
        before = [there.pop(other)[1] for other in met]
        aggregated = [*(state["a"] for state in before), added]
        event = delivery.event
        there[start] = (end, {"n": sum(state["n"] for state in before) + 1, "by": before[0]["by"] if before else said,
                              "a": reduce(self._joined, aggregated), "last": [event.id, event.type, event.correlationid]})
        self._touched.add((key, start))
        self._merged += [(key, other) for other in met if other != start]
        return moment

    def save(self, connection: sqlite3.Connection) -> None:
        """Store what the batch changed, within a transaction."""
        if self._merged:
            connection.executemany("DELETE FROM windows WHERE key = ? AND start = ?", self._merged)
        connection.executemany("INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?)", [
            (key, start, self._keys[key][start][0], encode_json(self._keys[key][start][1]))
            for key, start in self._touched if start in self._keys[key]])

    def saved(self) -> None:
        """It is stored, or given up."""
        self._keys, self._touched, self._merged, self._looked = {}, set(), [], False

    def next_end(self) -> float | None:
        """When the next one could close."""
        end = self._store.rows("SELECT min(end) FROM windows")[0][0]
        return end + self._window.late_s if end is not None else None

    def close(self, connection: sqlite3.Connection, upto: float) -> list[Closed]:
        """Those whose time is over at a moment, at most AT_ONCE, within a transaction: they are gone."""
        late_s = self._window.late_s
        found = connection.execute("SELECT key, start, end, state FROM windows WHERE end <= ? ORDER BY end, key LIMIT ?",
                                   (upto - late_s, AT_ONCE)).fetchall()
        if len(found) == AT_ONCE:
            upto = found[-1][2] + late_s
        connection.executemany("DELETE FROM windows WHERE key = ? AND start = ?", [(key, start) for key, start, _, _ in found])
        if found:
            closed = self._store.meta("closed") or -inf
            set_meta(connection, "closed", max(closed, upto))
        return [self._shown(key, start, end, orjson.loads(state)) for key, start, end, state in found]

    def _of(self, key: bytes) -> dict[float, tuple[float, State]]:
        if key not in self._keys:
            self._keys[key] = {start: (end, orjson.loads(state)) for start, end, state in
                               self._store.rows("SELECT start, end, state FROM windows WHERE key = ?", (key,))}
        return self._keys[key]

    def _place(self, there: dict[float, tuple[float, State]], moment: float) -> tuple[float, float, Sequence[float]]:
        """Start and end of the window that the moment belongs to, and the starts of those that it becomes one with."""
        if self._window.every_s is not None:
            start = floor(moment / self._window.every_s) * self._window.every_s
            return start, start + self._window.every_s, [start] if start in there else []
        gap = self._window.gap_s
        assert gap is not None
        start, end = moment, moment + gap
        met: list[float] = []
        for other in sorted(there):
            if other <= end and moment <= there[other][0]:
                start, end = min(start, other), max(end, there[other][0])
                met.append(other)
        return start, end, met

    def _joined(self, one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
        return [_JOIN[kind](mine, theirs) for (_, kind, _), mine, theirs in zip(self._aggregates, one, other, strict=True)]

    def _shown(self, key: bytes, start: float, end: float, state: State) -> Closed:
        results = {text: _result(kind, value, state["n"]) for (text, kind, _), value in
                   zip(self._aggregates, state["a"], strict=True)}
        begin, over = rfc3339(start), rfc3339(end)
        id_, type_, correlationid = state["last"]
        last = Event(id_, None, type_, over, None, key or None, correlationid=correlationid)
        seen = Seen(key=state["by"], type=type_, time=over, window=Shown(begin, over, state["by"], results))
        return Closed(Cause(f"window/{key.decode(errors='replace')}/{begin}", last, end), seen, key)


def _aggregate(text: str) -> tuple[str, Value | None]:
    path = aggregate_path(text)
    return text.partition("(")[0], compile_value(path, "rule") if path is not None else None


def _start(text: str, kind: str, value: Any) -> Any:
    """What one event gives to an aggregate. Raises PayloadError where its value is of the wrong kind."""
    if kind == "count" or value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [value, 1] if kind == "mean" else value
    if kind in ("min", "max") and isinstance(value, str):
        return value
    raise PayloadError(f"{text} needs numbers", f"the event has {type(value).__name__} there")


def _either(choose: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Of two values that may be missing; of a text and a number the first that came."""
    def either(one: Any, other: Any) -> Any:
        if one is None or other is None:
            return other if one is None else one
        return choose(one, other) if isinstance(one, str) is isinstance(other, str) else one

    return either


def _sum(one: float, other: float) -> float:
    """As a float where JSON could not carry the whole number."""
    total = one + other
    return total if -(2**63) <= total < 2**64 else float(total)


_JOIN: dict[str, Callable[[Any, Any], Any]] = {
    "count": lambda one, other: None,
    "sum": _either(_sum),
    "mean": _either(lambda one, other: [_sum(one[0], other[0]), one[1] + other[1]]),
    "min": _either(min),
    "max": _either(max),
}


def _result(kind: str, value: Any, events: int) -> Any:
    if kind == "count":
        return events
    if kind == "mean":
        return value[0] / value[1] if value else None
    return 0 if kind == "sum" and value is None else value


def _moment(value: Any) -> float:
    """A moment in an event: RFC 3339, or seconds or milliseconds since 1970. Raises PayloadError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value / 1000 if value > _MS else float(value)
    try:
        return epoch(value)
    except (TypeError, ValueError):
        raise PayloadError("window.time gives no moment", f"it gives {str(value)[:60]!r}",
                           "a time is RFC 3339, or seconds or milliseconds since 1970") from None
