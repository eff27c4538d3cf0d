"""A consumer's own copies: folded from the events it hears, read by its rules. Knows no channel.

What a batch changes is kept beside the stored rows until it is saved with everything else; what an event changes can be
taken back alone, as an event that fails leaves no trace. Rows that were read or written are kept until another process
writes to the file; nobody changes a row in place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from eda_cli.event import Delivery, encode_json
from eda_cli.payloads import MISSING, Context, Dice, Seen, Value
from eda_cli.sketch.resolved import Fold, Kept
from eda_cli.stubs.folds import CompiledFold, compiled_fold, quick_fold
from eda_cli.stubs.forms import as_failure, key_of, moment_of, see_beyond
from eda_cli.stubs.store import Store

ROWS_KEPT = 10_000  # rows that are not read from the file again
_SCALARS = frozenset({str, int, float, bool, type(None)})  # as values have them: surely written as JSON

Row = bytes | dict[str, Any]  # as JSON, or as data that is to be written as JSON
Changes = dict[tuple[str, str], Row | None]  # by copy and key; None: it is deleted


class Copies:
    """The own copies of one consumer, as they are with what is not saved yet."""

    def __init__(self, store: Store, kept: Sequence[Kept]) -> None:
        self._store = store
        self._batch: Changes = {}
        self._event: Changes = {}
        self._folds: dict[str, list[CompiledFold]] = {}  # by topic
        for copy in kept:
            for fold in copy.folds:
                for topic in fold.topics:
                    self._folds.setdefault(topic, []).append(compiled_fold(copy.name, fold))
        self.now = {copy.name: Table(self, copy.name, before=False) for copy in kept}
        self.before = {copy.name: Table(self, copy.name, before=True) for copy in kept}
        self._rows: dict[tuple[str, str], Any] = {}  # as they are stored
        self._quick = {topic: quick for topic, folds in self._folds.items() if (quick := quick_fold(folds)) is not None}
        self._seen = Seen()  # of `fold_on`
        self._context = Context(Dice(0, "fold"), 0.0)

    def __bool__(self) -> bool:
        return bool(self._folds)

    def keeps(self, delivery: Delivery) -> bool:
        """Whether events of its topic and type change a copy."""
        return any(not fold.accepts or delivery.event.type in fold.accepts for fold in self._folds.get(delivery.topic, ()))

    def fold_on(self, deliveries: Sequence[Delivery]) -> int:
        """Take in and keep those from the first on that are folded without any doubt: how many they are.

        The next one, if any, is a matter for `fold`: it deletes, it fails, or its folds look further. Over 40 lines
        because calls would cost as much as what is done in it.
        """
        seen, kept, batch, rows = self._seen, self._quick, self._batch, self._rows
        topic, fold, done, loads = None, None, 0, orjson.loads
        try:
            for delivery in deliveries:
                if delivery.topic != topic:
                    topic, fold = delivery.topic, kept.get(delivery.topic)
                if fold is None:
                    if topic in self._folds:
                        break
                    done += 1
                    continue
                copy, key, set, beyond = fold
                data = delivery.event.data
                seen.body = loads(data)  # type: ignore[arg-type]  # a tombstone is none of ours
                if beyond:
                    see_beyond(seen, delivery)
                name = key(seen)
                if type(name) is not str:
                    break
                at = (copy, name)
                if set is None:
                    if type(seen.body) is str:
                        break
                    batch[at] = data
                    done += 1
                    continue
                row = batch[at] if at in batch else rows.get(at)
                if type(row) is not dict:
                    row = self.look(copy, name)
                seen.was = row
                merged = {**row} if type(row) is dict else {}
                for field, value in set:
                    made = merged[field] = value(seen)
                    if type(made) not in _SCALARS or (type(made) is str and not made.isascii()):
                        return done
                batch[at] = merged
                done += 1
        except Exception:  # `fold` finds out what is wrong
            pass
        return done

    def fold(self, delivery: Delivery, seen: Seen) -> None:
        """Take the event in: `keep` or `forget` decides on what it changes. Raises PayloadError."""
        event = delivery.event
        for fold in self._folds.get(delivery.topic, ()):
            if fold.accepts and event.type not in fold.accepts:
                continue
            try:
                self._apply(fold, delivery, seen)
            except (ValueError, ArithmeticError) as wrong:
                raise as_failure(wrong) from wrong

    def _apply(self, fold: CompiledFold, delivery: Delivery, seen: Seen) -> None:
        event = delivery.event
        context = self._context
        context.seen = seen
        if fold.asks:
            context.random.roll(delivery.identity)
            context.now = moment_of(delivery)
        name = seen.key if fold.key is None else _name_of(fold.key(context))
        if name is None and event.data is None:
            name = seen.key  # a tombstone says by its key alone what it deletes
        if name is None:
            return  # of nothing that has a name
        if fold.when is None and fold.set is None:
            self._event[fold.copy, name] = _row_of(event.data, seen)
            return
        row = self.look(fold.copy, name)
        shown, seen.was = seen.was, row
        try:
            if fold.when is not None and not fold.when(context):
                return
            if event.data is None:
                self._event[fold.copy, name] = None
            elif fold.set is None:
                self._event[fold.copy, name] = _row_of(event.data, seen)
            else:
                self._event[fold.copy, name] = _merged(row, fold.set, context)
        finally:
            seen.was = shown

    def look(self, copy: str, key: str, before: bool = False) -> Any:
        """The row as JSON data, or MISSING; with `before` as it was before the event at hand."""
        at = (copy, key)
        if not before and at in self._event:
            data = self._event[at]
        elif at in self._batch:
            data = self._batch[at]
        elif at in self._rows:
            return self._rows[at]
        else:
            found = self._store.rows("SELECT row FROM copy WHERE name = ? AND key = ?", at)
            row = self._rows[at] = orjson.loads(found[0][0]) if found else MISSING
            return row
        if data is None:
            return MISSING
        return data if isinstance(data, dict) else orjson.loads(data)

    def opened(self, changed: bool) -> None:
        """A transaction is open. `changed`: others may have written meanwhile, so that all is to be read anew."""
        if changed or len(self._rows) > ROWS_KEPT:
            self._rows = {}

    def keep(self) -> None:
        """The event at hand is handled: what it changed stays."""
        if self._event:
            self._batch.update(self._event)
            self._event = {}

    def forget(self) -> None:
        """The event at hand failed: what it changed is taken back."""
        self._event = {}

    def save(self, connection: sqlite3.Connection) -> None:
        """Store what the batch changed, within a transaction."""
        if not self._batch:
            return
        rows = [(*at, encode_json(row) if isinstance(row, dict) else row) for at, row in self._batch.items() if row is not None]
        gone = [at for at, row in self._batch.items() if row is None]
        if rows:
            connection.executemany("INSERT OR REPLACE INTO copy VALUES (?, ?, ?)", rows)
        if gone:
            connection.executemany("DELETE FROM copy WHERE name = ? AND key = ?", gone)

    def saved(self, stored: bool) -> None:
        """It is stored, or given up: the next batch begins."""
        if stored:
            for at, row in self._batch.items():
                if isinstance(row, dict):
                    self._rows[at] = row
                else:  # most of these are never looked at
                    self._rows.pop(at, None)
        else:
            self._rows = {}
        self._batch, self._event = {}, {}


class Table:
    """One copy, to be looked into by key."""

    __slots__ = ("_before", "_copies", "_name")

    def __init__(self, copies: Copies, name: str, before: bool) -> None:
        self._copies = copies
        self._name = name
        self._before = before

    def get(self, key: str, /) -> Any:
        """The row, or MISSING."""
        return self._copies.look(self._name, key, self._before)


def _name_of(said: Any) -> str | None:
    """The name of a row, which is the text of the key that `said` makes."""
    if type(said) is str:
        return said
    key = key_of(said)
    return key.decode(errors="replace") if key is not None else None


def _merged(row: Any, fields: Sequence[tuple[str, Value]], context: Context) -> Row:
    """The row with these fields: as data where it can surely be written as JSON later, once for all of a batch."""
    merged = {**row} if isinstance(row, dict) else {}
    sure = True
    for field, value in fields:
        made = merged[field] = value(context)
        kind = type(made)
        if kind not in _SCALARS or (kind is str and not made.isascii()):
            sure = False
    return merged if sure else encode_json(merged)


def _row_of(data: bytes | None, seen: Seen) -> bytes | None:
    """The body as a row: its own bytes where they are JSON, but for a text, which may be none."""
    if data is None or not isinstance(seen.body, (str, bytes)):
        return data
    return encode_json(seen.body if isinstance(seen.body, str) else seen.body.decode(errors="replace"))


def digest_of(kept: Sequence[Kept]) -> bytes:
    """Changes with whatever a copy would have to be made anew for."""
    return orjson.dumps([[copy.name, [_said(fold) for fold in copy.folds]] for copy in kept], option=orjson.OPT_SORT_KEYS)


def _said(fold: Fold) -> Mapping[str, Any]:
    return {"topics": fold.topics, "key": fold.key, "set": fold.set, "accepts": fold.accepts, "when": fold.when}
