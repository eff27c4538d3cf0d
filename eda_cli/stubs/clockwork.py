"""What a consumer gathers or puts off: windows, pairs, timers, and the clock that brings them to an end. Knows no membership.

One replica holds the clock (a lock on a file) for all of them, as what waits is in the store that they share.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from math import inf

from eda_cli import lock
from eda_cli.event import Delivery, Event
from eda_cli.payloads import PayloadError, Seen, aggregates
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.barrier import Barrier, QueueBarrier
from eda_cli.stubs.joins import Joins
from eda_cli.stubs.outbox import AT_ONCE as TIMERS_AT_ONCE
from eda_cli.stubs.outbox import Batch, Origin, Spool, Timers
from eda_cli.stubs.part import Part
from eda_cli.stubs.reactions import NOTHING, Follows, Later, Reactions
from eda_cli.stubs.store import Store
from eda_cli.stubs.windows import AT_ONCE, Windows
from eda_cli.technologies import Ability

LOOK_S = 0.005  # how often the clock is looked at
IDLE_S = 1.0  # a place from which nothing came for so long holds no window open
PRUNE_S = 30.0


class Clockwork:
    """Of one consumer's process. Raises ChannelError and Forgetful."""

    def __init__(self, part: Part, consumer: Consumer, store: Store, reactions: Reactions | None) -> None:
        self._part = part
        self._store = store
        self._reactions = reactions
        rules = consumer.rules if not consumer.code else ()
        self._awaited = frozenset(topic for rule in rules for topic in rule.unless)
        longest = max((rule.after_s[1] for rule in rules if rule.after_s), default=0.0)
        self._timers = Timers(longest) if any(rule.after_s for rule in rules) else None
        self._joins = Joins(store, consumer.joins) if consumer.joins else None
        self._joined = consumer.joins.topic if consumer.joins and consumer.joins.topic not in consumer.subscribes else None
        self._windows: Windows | None = None
        if consumer.window is not None:
            self._late_s = consumer.window.late_s
            self._windows = Windows(store, consumer.window, sorted(
                {text for rule in rules for text in (*aggregates([rule.body, rule.key, rule.headers, rule.event, rule.each]),
                                                     *aggregates(rule.when, condition=True))}))
        self._subscribes = consumer.subscribes
        awaited = self._awaited | (frozenset(consumer.subscribes) if self._windows else frozenset())
        among = part.channel, part.sketch.group_of(consumer), awaited, store
        offsets, takes_s = Ability.OFFSETS in part.channel.can, consumer.takes[1] if consumer.takes else 0.0
        self._barrier = Barrier(*among) if offsets else QueueBarrier(*among, takes_s)
        self._table = "positions" if offsets else "counts"
        self._path = part.folder / f"{consumer.name}.clock.flock"
        self._held: int | None = None
        self._looked = self._pruned = 0.0
        self._more = False  # there was more than is brought at once
        self._next: float | None = None
        self._times: dict[tuple[str, int | None], float] = {}  # of places

    @property
    def gathers(self) -> bool:
        """Whether events are gathered, and nothing follows from one alone."""
        return self._windows is not None or self._joins is not None

    def begin(self) -> None:
        """This process takes part from now on."""
        if self._joins is not None:
            with self._store.write() as connection:
                self._joins.begin(connection, time.time())

    # --- within a batch

    def gather(self, delivery: Delivery, seen: Seen) -> Follows | None:
        """Take in an event that is handled; None where its window is closed. Raises PayloadError."""
        if self._windows is None:
            return self._meet(delivery, seen)
        moment = self._windows.add(delivery, seen)
        if moment is None:
            return None
        place = delivery.topic, delivery.partition
        if moment > self._times.get(place, -inf):
            self._times[place] = moment
        return NOTHING

    def gather_on(self, deliveries: Sequence[Delivery]) -> int:
        """Take in those from the first on that belong to windows without any doubt: how many they are."""
        return self._windows.add_on(deliveries, self._times) if self._windows is not None else 0

    def hear(self, delivery: Delivery, seen: Seen) -> Follows:
        """Take in an event that nothing follows from but by a join. Raises PayloadError."""
        return self._meet(delivery, seen) if delivery.topic == self._joined else NOTHING

    def _meet(self, delivery: Delivery, seen: Seen) -> Follows:
        assert self._joins is not None
        assert self._reactions is not None
        key, pairs = self._joins.meet(delivery, seen)
        follows = Follows()
        for pair in pairs:
            more = self._reactions.follow_from(pair.cause, pair.seen)
            follows.now += more.now
            follows.later += more.later
        if key is not None:
            self._joins.wait(delivery, key)
        return follows

    def save(self, connection: sqlite3.Connection, settled: Sequence[Delivery],
             later: Sequence[tuple[Delivery, Sequence[Later]]], now: float) -> Mapping[tuple[str, int | None], float]:
        """Store what the batch changed; the newest moment that the events of each place tell of."""
        if self._timers is not None:
            for delivery, each in later:
                self._timers.set(connection, Origin(delivery.topic, delivery.partition, delivery.offset, delivery.published),
                                 each, now)
                self._next = min([now + one.after_s for one in each] + ([self._next] if self._next is not None else []))
            if self._awaited:
                self._timers.hear(connection, [one for one in settled if one.topic in self._awaited], now)
        if self._windows is not None:
            self._windows.save(connection)
        if self._joins is not None:
            self._joins.save(connection, now)
        return {place: min(moment, now) for place, moment in self._times.items()}  # a clock may be ahead of ours

    def opened(self, changed: bool) -> None:
        """A transaction is open. `changed`: others may have written meanwhile, so that all is to be read anew."""
        if self._windows is not None:
            self._windows.opened(changed)

    def saved(self, stored: bool) -> None:
        """The batch is stored, or given up."""
        if self._windows is not None:
            self._windows.saved(stored)
        if self._joins is not None:
            self._joins.saved()
        self._times = {}

    # --- what the clock brings

    def due_in(self) -> float | None:
        """Seconds until the clock is to be looked at; None where nothing waits for it."""
        if self._timers is None and self._windows is None:
            return None
        if self._more:
            return 0.0
        return max(LOOK_S, self._next - time.time()) if self._next is not None else None

    def due(self, spool: Spool) -> Batch:
        """What is to be published now, stored in the spool."""
        now = time.time()
        if self._timers is None and self._windows is None and self._joins is None:
            return {}
        if now - self._looked < LOOK_S and not self._more:
            return {}
        self._looked, self._next, self._more = now, None, False
        if not self._holds_clock():
            return {}
        self._prune(now)
        batch: dict[str, list[Event]] = {}
        if self._timers is not None:
            self._ring(self._timers, batch, spool, now)
        if self._windows is not None and not batch:
            self._close(self._windows, batch, spool, now)
        return batch

    def _ring(self, timers: Timers, batch: dict[str, list[Event]], spool: Spool, now: float) -> None:
        next_ = timers.next_due(self._store)
        if next_ is None or next_ > now:
            self._next = next_
            return
        self._next = now
        with self._store.write() as connection:
            due = timers.due(connection, now)
            certain = [one for one in due if one.certain or one.due <= self._barrier.passed]
            for one in certain:
                batch.setdefault(one.topic, []).append(one.event)
            self._more = len(certain) == TIMERS_AT_ONCE
            if certain:
                spool.write(connection, batch)
                timers.drop(connection, certain)
        if len(certain) < len(due):
            self._barrier.reach(max(one.due for one in due))  # whether they are needless shows at the next look

    def _close(self, windows: Windows, batch: dict[str, list[Event]], spool: Spool, now: float) -> None:
        end = windows.next_end()
        if end is None:
            return
        self._next = min(end, self._next) if self._next is not None else end
        if end > min(now, self._told(now)) or not self._barrier.reach(end):
            return
        assert self._reactions is not None
        with self._store.write() as connection:
            upto = min(self._told(now), self._barrier.passed)
            closing = windows.close(connection, upto)
            self._more = len(closing) == AT_ONCE
            for closed in closing:
                try:
                    follows = self._reactions.follow_from(closed.cause, closed.seen)
                except PayloadError as wrong:
                    self._part.journal.unpublished(self._subscribes[0], closed.cause.event, wrong.line, made=False)
                    continue
                for topic, event in follows.now:
                    batch.setdefault(topic, []).append(event)
                if self._timers is not None:
                    self._timers.set(connection, Origin("", None, None, closed.cause.now), follows.later, now)
            if batch:
                spool.write(connection, batch)

    def _told(self, now: float) -> float:
        """Up to which moment the events of all places tell: those from which nothing comes are not waited for."""
        idle = max(IDLE_S, self._late_s)
        marks = ",".join("?" * len(self._subscribes))
        told = self._store.rows(f"SELECT min(time) FROM {self._table} WHERE at >= ? AND topic IN ({marks})",
                                (now - idle, *self._subscribes))[0][0]
        return inf if told is None else float(told)

    def _prune(self, now: float) -> None:
        if now - self._pruned < PRUNE_S:
            return
        self._pruned = now
        with self._store.write() as connection:
            if self._joins is not None:
                self._joins.prune(connection, now)
            if self._timers is not None:
                self._timers.prune(connection, now)

    def _holds_clock(self) -> bool:
        """Whether this replica has the clock, or takes it: whoever had it is gone."""
        if self._held is None:
            self._held = lock.take(self._path, patience_s=0)
        return self._held is not None

    def close(self) -> None:
        """Let go of the clock."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
