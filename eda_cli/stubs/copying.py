"""A consumer's own copies: folded from the events it hears, read by its rules. Knows no channel.

What a batch changes is kept beside the stored rows until it is saved with everything else; what an event changes can be
taken back alone, as an event that fails leaves no trace.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from eda_cli.event import Delivery, encode_json
from eda_cli.payloads import MISSING, Context, Dice, Seen, Value, compile_condition, compile_value
from eda_cli.sketch.resolved import Fold, Kept
from eda_cli.stubs.forms import as_failure, key_of, moment_of
from eda_cli.stubs.store import Store

Changes = dict[tuple[str, str], bytes | None]  # (copy, key) -> the row as JSON, None: it is deleted


class Copies:
    """The own copies of one consumer, as they are with what is not saved yet."""

    def __init__(self, store: Store, kept: Sequence[Kept]) -> None:
        self._store = store
        self._batch: Changes = {}
        self._event: Changes = {}
        self._folds: dict[str, list[_Fold]] = {}  # by topic
        for copy in kept:
            for fold in copy.folds:
                for topic in fold.topics:
                    self._folds.setdefault(topic, []).append(_compiled(copy.name, fold))
        self.now = {copy.name: Table(self, copy.name, before=False) for copy in kept}
        self.before = {copy.name: Table(self, copy.name, before=True) for copy in kept}
        self._dice = Dice(0, "fold")

    def __bool__(self) -> bool:
        return bool(self._folds)

    def keeps(self, delivery: Delivery) -> bool:
        """Whether events of its topic and type change a copy."""
        return any(not fold.accepts or delivery.event.type in fold.accepts for fold in self._folds.get(delivery.topic, ()))

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

    def _apply(self, fold: _Fold, delivery: Delivery, seen: Seen) -> None:
        event = delivery.event
        context: Context | None = None
        if fold.key is None:
            key = event.key
        else:
            context = Context(self._dice.roll(delivery.identity), moment_of(delivery), seen=seen)
            key = key_of(fold.key(context))
            if key is None and event.data is None:
                key = event.key  # a tombstone says by its key alone what it deletes
        if key is None:
            return  # of nothing that has a name
        name = key.decode(errors="replace")
        if fold.when is None and fold.set is None:
            self._event[fold.copy, name] = _row_of(event.data, seen)
            return
        row = self.look(fold.copy, name)
        context = context or Context(self._dice.roll(delivery.identity), moment_of(delivery), seen=seen)
        shown, seen.was = seen.was, row
        try:
            if fold.when is not None and not fold.when(context):
                return
            if event.data is None:
                self._event[fold.copy, name] = None
            elif fold.set is None:
                self._event[fold.copy, name] = _row_of(event.data, seen)
            else:
                fields = {field: value(context) for field, value in fold.set}
                self._event[fold.copy, name] = encode_json({**row, **fields} if isinstance(row, dict) else fields)
        finally:
            seen.was = shown

    def look(self, copy: str, key: str, before: bool = False) -> Any:
        """The row as JSON data, or MISSING; with `before` as it was before the event at hand."""
        at = (copy, key)
        if not before and at in self._event:
            data = self._event[at]
        elif at in self._batch:
            data = self._batch[at]
        else:
            found = self._store.rows("SELECT row FROM copy WHERE name = ? AND key = ?", at)
            data = found[0][0] if found else None
        return orjson.loads(data) if data is not None else MISSING

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
        rows = [(*at, row) for at, row in self._batch.items() if row is not None]
        gone = [at for at, row in self._batch.items() if row is None]
        if rows:
            connection.executemany("INSERT OR REPLACE INTO copy VALUES (?, ?, ?)", rows)
        if gone:
            connection.executemany("DELETE FROM copy WHERE name = ? AND key = ?", gone)

    def saved(self) -> None:
        """It is stored (or given up): the next batch begins."""
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


@dataclass(slots=True)
class _Fold:
    copy: str
    key: Value | None  # None: the record key
    set: Sequence[tuple[str, Value]] | None
    accepts: frozenset[str]
    when: Callable[[Context], bool] | None


def _compiled(copy: str, fold: Fold) -> _Fold:
    return _Fold(
        copy, key=compile_value(fold.key, "fold") if fold.key != "$key" else None,
        set=[(field, compile_value(value, "fold")) for field, value in fold.set.items()] if fold.set is not None else None,
        accepts=frozenset(fold.accepts), when=compile_condition(fold.when, "fold") if fold.when else None)


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
