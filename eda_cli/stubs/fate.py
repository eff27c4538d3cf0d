"""What becomes of an event that failed: another attempt, the dead letter topic, or it is given up. Knows no channel."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eda_cli.dead_letter import dead_letter, redriven
from eda_cli.event import Delivery, Event
from eda_cli.payloads import Context, Dice, PayloadError, Seen, compile_condition
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.forms import as_failure, moment_of, seen_of
from eda_cli.stubs.store import Store

DEATHS = 5  # how often an event may end the process that handles it; less where `retries` says so


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed. `died`: the code ended at it; `forever`: another attempt would fail the same way."""

    reason: str
    died: bool = False
    forever: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of it after so many failed attempts. `again_s` None: no more; then maybe a dead letter."""

    attempt: int
    again_s: float | None
    letter: Event | None = None


class Fate:
    """Draws which attempts fail, counts them, and decides what follows. Attempts outlive the process in its store."""

    def __init__(self, consumer: Consumer, seed: int, store: Store | None) -> None:
        self._consumer = consumer
        self._store = store
        self._dice = Dice(seed, consumer.name, "fails")
        self._deaths = min(consumer.retries.max or DEATHS, DEATHS - 1) + 1  # without retries, too: somebody else may kill it
        self._counts: dict[str, tuple[int, int]] = {}  # identity -> failures, deaths among them
        self._changed: dict[str, tuple[int, int] | None] = {}
        fails = consumer.fails
        self._when: Callable[[Context], bool] | None = None
        self._share = 0.0 if fails is None else fails.share
        if fails is not None and fails.when:
            self._when = compile_condition(fails.when, "rule")
        self.look()

    def look(self) -> None:
        """Take over the attempts that are stored: events of a place that came to this member may have failed in another."""
        if self._store is not None:
            self._counts = {identity: (failures, deaths) for identity, failures, deaths in
                            self._store.rows("SELECT identity, failures, deaths FROM attempts")
                            if identity not in self._changed}
            self._counts.update((identity, counts) for identity, counts in self._changed.items() if counts is not None)

    @property
    def strikes(self) -> bool:
        """Whether any attempt is to fail by the sketch's wish."""
        return self._share > 0

    def strike(self, delivery: Delivery, seen: Seen | None = None) -> Failure | None:
        """Whether this attempt is one of those that the sketch wants to fail; redriven, it is another attempt."""
        if not self._share:
            return None
        attempt = self._count(delivery.identity)[0] + 1
        again = f"/{times}" if (times := redriven(delivery.event)) else ""
        dice = self._dice.roll(f"{delivery.identity}/{attempt}{again}")
        if dice.random() >= self._share:
            return None
        if self._when is not None:
            try:
                if not self._when(Context(dice, moment_of(delivery), seen=seen or seen_of(delivery))):
                    return None
            except (PayloadError, ValueError, ArithmeticError) as wrong:
                return Failure(f"fails.when: {as_failure(wrong).line}")
        return Failure("it fails, as the sketch says")

    def died_at(self, identities: Iterable[str]) -> None:
        """The process before this one ended while it handled these."""
        for identity in identities:
            failures, deaths = self._count(identity)
            self._set(identity, (failures + 1, deaths + 1))

    def doomed(self, delivery: Delivery) -> Failure | None:
        """Whether the event has ended too many processes to be given to another."""
        deaths = self._count(delivery.identity)[1]
        return Failure(f"the process ended at it {deaths} times", forever=True) if deaths >= self._deaths else None

    def failed(self, delivery: Delivery, failure: Failure, now: float) -> Verdict:
        """Decide, and remember the attempt. `now` is epoch seconds."""
        consumer, identity = self._consumer, delivery.identity
        failures, deaths = self._count(identity)
        failures, deaths = failures + (not failure.forever or not failures), deaths + failure.died
        most = self._deaths if failure.died else consumer.retries.max + 1
        if not failure.forever and failures < most:
            self._set(identity, (failures, deaths))
            first, longest = consumer.retries.backoff_s
            return Verdict(failures, min(longest, first * 2 ** min(failures - 1, 60)))
        self.settled(identity)
        letter = dead_letter(delivery, failure.reason, failures, consumer.name, now) if consumer.dead_letter else None
        return Verdict(failures, None, letter)

    def settled(self, identity: str) -> None:
        """It is handled, or given up: its attempts are forgotten."""
        if identity in self._counts:
            del self._counts[identity]
            self._changed[identity] = None

    def any(self) -> bool:
        """Whether any event has failed and is not decided."""
        return bool(self._counts)

    def tried(self, delivery: Delivery) -> bool:
        """Whether it has failed before."""
        return delivery.identity in self._counts

    def save(self, connection: sqlite3.Connection) -> None:
        """Store the attempts that changed, within a transaction."""
        for identity, counts in self._changed.items():
            if counts is None:
                connection.execute("DELETE FROM attempts WHERE identity = ?", (identity,))
            else:
                connection.execute("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?)", (identity, *counts))
        self._changed = {}

    def _count(self, identity: str) -> tuple[int, int]:
        return self._counts.get(identity, (0, 0))

    def _set(self, identity: str, counts: tuple[int, int]) -> None:
        self._counts[identity] = self._changed[identity] = counts
