"""Decides on each event that a consumer takes: what follows from it, or what becomes of it when it fails. Knows no membership.

A consumer that remembers nothing publishes what follows and is done. One that does writes all that a batch changes in
one transaction (position, own copies, ids, what is to be published), publishes after it, and is done after that: killed
anywhere, it has its effect once, and publishes the same bytes at least once. Over 250 lines because that order is the
promise, and is read in one place.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eda_cli import lock
from eda_cli.channels.base import Place
from eda_cli.errors import EventRefused
from eda_cli.event import Delivery, Event
from eda_cli.payloads import PayloadError, Seen
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.answers import CodeFailure, GoesOn
from eda_cli.stubs.clockwork import Clockwork
from eda_cli.stubs.copying import Copies
from eda_cli.stubs.fate import Failure, Fate, Verdict
from eda_cli.stubs.forms import as_failure, seen_of
from eda_cli.stubs.inbox import Inbox, Lane, lane_of
from eda_cli.stubs.known import Known
from eda_cli.stubs.outbox import Batch, Spool, unpacked
from eda_cli.stubs.own_code import Code
from eda_cli.stubs.part import Part
from eda_cli.stubs.positions import Positions
from eda_cli.stubs.reactions import Follows, Later, Reactions
from eda_cli.stubs.rebuild import rebuild
from eda_cli.stubs.store import Store, store_path

Said = Sequence[Mapping[str, Any]]  # the events that own code said
Answer = Said | Failure

ORPHANS_S = 1.0  # how often somebody looks for what replicas that are gone left unpublished


@dataclass(slots=True)
class _Outcome:
    """What came of a batch."""

    handled: list[Delivery] = field(default_factory=list)
    passed: list[Delivery] = field(default_factory=list)  # of no interest, or settled by an earlier process
    skipped: list[tuple[Delivery, str]] = field(default_factory=list)
    now: dict[str, list[Event]] = field(default_factory=dict)  # to publish, by topic
    causes: dict[str | None, Delivery] = field(default_factory=dict)  # by the id of what follows
    later: list[tuple[Delivery, list[Later]]] = field(default_factory=list)
    lanes: set[Lane] = field(default_factory=set)  # in which one waits for its retry
    verdicts: list[tuple[Delivery, Failure, Verdict]] = field(default_factory=list)

    def follow(self, delivery: Delivery, follows: Follows) -> None:
        """This is handled, and that follows from it."""
        self.handled.append(delivery)
        for topic, event in follows.now:
            self.now.setdefault(topic, []).append(event)
            self.causes[event.id] = delivery
        if follows.later:
            self.later.append((delivery, follows.later))

    def settled(self) -> list[Delivery]:
        """Those that are done for good."""
        over = [delivery for delivery, _, verdict in self.verdicts if verdict.again_s is None]
        return [*self.passed, *self.handled, *(delivery for delivery, _ in self.skipped), *over]


class Handling:
    """What one consumer's process does with its events. Raises ChannelError and Forgetful."""

    def __init__(self, part: Part, consumer: Consumer, inbox: Inbox) -> None:
        self._part = part
        self._consumer = consumer
        self._inbox = inbox
        self._subscribes, self._accepts = frozenset(consumer.subscribes), frozenset(consumer.accepts)
        self._silent = frozenset(consumer.hears) - self._subscribes
        self._selective = bool(consumer.accepts or self._silent)
        self._store = Store(store_path(part.folder, consumer.name)) if remembers(consumer) else None
        self._fate = Fate(consumer, part.seed, self._store)
        self._positions = Positions()
        self._lost: set[Place] = set()
        self._looked = 0.0
        self._unpublished = False  # stopping was wished while the spool was being published
        self._code: Code | None = None
        self._reactions = Reactions(part.sketch, consumer, part.source) if not consumer.code else None
        if self._store is not None:
            self._copies = Copies(self._store, consumer.keeps)
            if consumer.code:
                self._code = Code(part, consumer, lambda: self._copies.now)
            self._spool = Spool(self._store, part.process)
            self._known = Known(self._store, consumer.idempotent) if consumer.idempotent else None
            self._clockwork = Clockwork(part, consumer, self._store, self._reactions)

    def begin(self) -> bool:
        """Publish what a kill may have left unpublished, and make missing copies; False where stopping was wished."""
        if self._store is None:
            return True
        if self._code is not None and (died := self._code.left()):
            self._fate.died_at(died)
            with self._store.write() as connection:
                self._fate.save(connection)  # at once, as the next process may end at them before it stores anything
            self._code.counted()
        if not self._publish_left(self._spool.left()):
            return False
        self._spool.drop()
        self._clockwork.begin()
        return rebuild(self._part, self._consumer, self._store, self._copies)

    def close(self) -> None:
        """Own code ends with its stub."""
        if self._code is not None:
            self._code.close()
        if self._store is not None:
            self._clockwork.close()
            self._store.close()

    def lose(self, places: Iterable[Place]) -> None:
        """These places belong to others from now on: nothing of them is settled here any more."""
        self._lost.update(places)
        self._positions.drop(places)

    # --- what is wanted

    def wanted(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that mean something to this consumer."""
        if not self._selective:
            return deliveries
        return [delivery for delivery in deliveries if self._reacts(delivery) or self._hears(delivery)]

    def reacts(self, delivery: Delivery) -> bool:
        """Whether it is handled, and not only heard."""
        return not self._selective or self._reacts(delivery)

    def untried(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that have not failed before."""
        if not self._fate.any():
            return deliveries
        return [delivery for delivery in deliveries if not self._fate.tried(delivery)]

    def _reacts(self, delivery: Delivery) -> bool:
        return delivery.topic in self._subscribes and (not self._accepts or delivery.event.type in self._accepts)

    # --- one batch

    def handle(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Sequence[Delivery] | None:
        """Decide on each of them: those that are settled, or None where stopping was wished before it was stored.

        What is not settled is in the inbox again, or comes again.
        """
        outcome = _Outcome()
        self._lost.clear()
        if self._store is None:
            self._decide(deliveries, outcome)
            return self._publish(outcome)
        if self._positions.come(deliveries):
            self._fate.look()
        answers = self._ask(deliveries, goes_on)
        with self._store.write() as connection:
            try:
                self._remembering(self._store, connection, deliveries, answers, outcome)
            finally:
                self._copies.saved()
                self._clockwork.saved()
                if self._known is not None:
                    self._known.saved()
        return self._publish(outcome)

    def _decide(self, deliveries: Sequence[Delivery], outcome: _Outcome) -> None:
        """Without a memory."""
        assert self._reactions is not None
        if not self._reactions and not self._fate.strikes and not self._selective:
            outcome.handled = list(deliveries)
            return
        for delivery in deliveries:
            if outcome.lanes and lane_of(delivery) in outcome.lanes:
                self._inbox.stand_behind(delivery)
            elif not self.reacts(delivery):
                outcome.passed.append(delivery)
            elif (failure := self._fate.strike(delivery)) is not None:
                self._fail(outcome, delivery, failure)
            else:
                try:
                    outcome.follow(delivery, self._reactions.follow(delivery) if self._reactions else _NOTHING)
                except PayloadError as wrong:
                    self._fail(outcome, delivery, Failure(wrong.line))

    def _remembering(self, store: Store, connection: sqlite3.Connection, deliveries: Sequence[Delivery],
                     answers: Mapping[int, Answer] | None, outcome: _Outcome) -> None:
        """With one: all that the batch changes is written in this transaction."""
        settled = self._positions.known(store, deliveries)
        repeated = self._known.find(deliveries) if self._known is not None else ()
        for index, delivery in enumerate(deliveries):
            if self._lost and delivery.partition is not None and Place(delivery.topic, delivery.partition) in self._lost:
                continue  # while own code worked: it is somebody else's now
            if index in settled or not (self._reacts(delivery) or self._hears(delivery)):
                outcome.passed.append(delivery)
            elif outcome.lanes and lane_of(delivery) in outcome.lanes:
                self._inbox.stand_behind(delivery)
            elif index in repeated or (self._known is not None and not self._known.first(delivery)):
                outcome.skipped.append((delivery, "it was handled before"))
            elif answers is None or not self._reacts(delivery):
                self._take(delivery, None, outcome)
            elif index in answers:
                self._take(delivery, answers[index], outcome)
            else:
                self._inbox.put_back(delivery)  # the code was not asked, as one of its key had failed, or did not answer
                if self._known is not None:
                    self._known.forget(delivery)
        for delivery in outcome.handled if self._fate.any() else ():
            self._fate.settled(delivery.identity)
        self._save(connection, outcome)

    def _seen(self, delivery: Delivery) -> Seen:
        seen = seen_of(delivery)
        if self._copies:
            seen.copy, seen.was = self._copies.now, self._copies.before
        return seen

    def _hears(self, delivery: Delivery) -> bool:
        """Whether it is taken in though nothing is to follow from it: it changes a copy, or belongs to a pair."""
        if self._store is None:
            return False
        joins = self._consumer.joins
        return self._copies.keeps(delivery) or (joins is not None and delivery.topic == joins.topic)

    def _take(self, delivery: Delivery, answer: Answer | None, outcome: _Outcome) -> None:
        reacts, seen = self._reacts(delivery), self._seen(delivery)
        follows: Follows | None = _NOTHING
        said, failure = (None, answer) if isinstance(answer, Failure) else (answer, None)
        if answer is None and reacts:
            failure = self._fate.strike(delivery, seen)
        if failure is None:
            try:
                if self._copies:
                    self._copies.fold(delivery, seen)
                follows = self._follow(delivery, seen, said) if reacts else self._clockwork.hear(delivery, seen)
            except (PayloadError, ValueError, ArithmeticError) as wrong:
                failure = Failure(as_failure(wrong).line)
        if failure is not None:
            self._copies.forget()
            if self._known is not None:
                self._known.forget(delivery)
            self._fail(outcome, delivery, failure)
            return
        self._copies.keep()
        if follows is None:
            outcome.skipped.append((delivery, "it is late: its window is closed"))
        else:
            outcome.follow(delivery, follows)

    def _follow(self, delivery: Delivery, seen: Seen, said: Said | None) -> Follows | None:
        """What follows from an event that is handled; None where its window is closed. Raises PayloadError."""
        if self._code is not None:
            assert said is not None
            return Follows(self._code.follow(said, delivery))
        assert self._reactions is not None
        if self._clockwork.gathers:
            return self._clockwork.gather(delivery, seen)
        return self._reactions.follow(delivery, seen) if self._reactions else _NOTHING

    def _save(self, connection: sqlite3.Connection, outcome: _Outcome) -> None:
        now = time.time()
        settled = outcome.settled()
        self._copies.save(connection)
        if self._known is not None:
            self._known.save(connection, now)
        self._spool.write(connection, outcome.now)
        times = self._clockwork.save(connection, settled, outcome.later, now)
        self._positions.settle(connection, settled, self._inbox.waiting(), now, times)
        self._fate.save(connection)

    def _fail(self, outcome: _Outcome, delivery: Delivery, failure: Failure) -> None:
        """Decide what becomes of it: it waits in the inbox, or it is over with it, and maybe a dead letter."""
        verdict = self._fate.failed(delivery, failure, time.time())
        outcome.verdicts.append((delivery, failure, verdict))
        if verdict.again_s is not None:
            self._inbox.again(delivery, time.monotonic() + verdict.again_s)
            if (lane := lane_of(delivery)) is not None:
                outcome.lanes.add(lane)
        elif verdict.letter is not None:
            outcome.now.setdefault(self._consumer.dead_letter, []).append(verdict.letter)

    # --- own code

    def _ask(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Mapping[int, Answer] | None:
        """What own code answers to those that it is to handle; what is not in it has no answer.

        An attempt that is to fail, by the sketch's wish or as the event has ended too many processes, is none of the code's.
        """
        if self._code is None:
            return None
        assert self._store is not None
        known = set(self._positions.known(self._store, deliveries))  # these are not given to it again
        if self._known is not None:
            known.update(self._known.find(deliveries))
        asked: list[int] = []
        answers: dict[int, Answer] = {}
        failed: set[Lane] = set()
        for index, delivery in enumerate(deliveries):
            lane = lane_of(delivery)
            if index in known or not self._reacts(delivery) or lane in failed:
                continue
            failure = self._fate.doomed(delivery) or self._fate.strike(delivery, self._seen(delivery))
            if failure is None:
                asked.append(index)
                continue
            answers[index] = failure
            if lane is not None:
                failed.add(lane)
        for index, answer in self._code.handle([deliveries[index] for index in asked], goes_on):
            answers[asked[index]] = Failure(answer.reason, answer.died) if isinstance(answer, CodeFailure) else answer
        return answers

    # --- publishing and telling

    def _publish(self, outcome: _Outcome) -> Sequence[Delivery] | None:
        refused = self._part.publish(list(outcome.now.items()))
        if refused is None or (refused and not self._refused(outcome, refused)):
            self._unpublished = True
            return None
        settled = outcome.settled()
        self._inbox.settled(settled)
        self._tell(outcome)
        return settled

    def _refused(self, outcome: _Outcome, refused: Mapping[str | None, EventRefused]) -> bool:
        """The channel never takes these: what they follow from has failed for ever. False where stopping was wished."""
        now = time.time()
        failed = {outcome.causes[id_].identity: Failure(wrong.line, forever=True)
                  for id_, wrong in refused.items() if id_ in outcome.causes}
        letters: list[Event] = []
        for delivery in outcome.handled if failed else ():
            if (failure := failed.get(delivery.identity)) is not None:
                verdict = self._fate.failed(delivery, failure, now)
                outcome.verdicts.append((delivery, failure, verdict))
                letters += [verdict.letter] if verdict.letter is not None else []
        outcome.handled = [delivery for delivery in outcome.handled if delivery.identity not in failed]
        if letters:
            batch = {self._consumer.dead_letter: letters}
            if self._store is not None:
                with self._store.write() as connection:
                    self._spool.write(connection, batch)
            more = self._part.publish(list(batch.items()))
            if more is None:
                return False
            refused = {**refused, **more}
        outcome.verdicts = [_unsent(each, refused) for each in outcome.verdicts]
        return True

    def _tell(self, outcome: _Outcome) -> None:
        journal = self._part.journal
        for delivery, failure, verdict in outcome.verdicts:
            fate: dict[str, object] = {"attempt": verdict.attempt}
            if verdict.again_s is not None:
                fate["again_in_s"] = verdict.again_s
            elif verdict.letter is not None:
                fate["dead_letter"] = self._consumer.dead_letter
                journal.count_events("dead_lettered", delivery.topic, 1)
            else:
                fate["given_up"] = True
                journal.count_events("given_up", delivery.topic, 1)
            journal.consumed("failed", [delivery], reason=failure.reason, **fate)
        for delivery, reason in outcome.skipped:
            journal.consumed("skipped", [delivery], reason=reason)
        journal.consumed("handled", outcome.handled)
        journal.flush()

    # --- what the clock brings

    def tick(self, idle_s: float) -> None:
        """What is due by the clock, and what gone replicas left; `idle_s`: for so long nothing came."""
        if self._store is None or self._unpublished:  # nothing more may take the place of what is stored
            return
        now = time.monotonic()
        if now - self._looked >= ORPHANS_S:
            self._looked = now
            for process in self._spool.others():
                if lock.holder(self._part.folder / f"{process}.lock") is None:
                    left = self._spool.of(process)
                    if not self._publish_left(unpacked(left)):
                        return
                    self._spool.drop_of(process, left)
        batch = self._clockwork.due(self._spool, idle_s)
        if batch and not self._publish_left(batch):
            self._unpublished = True
        elif batch or idle_s:
            self._spool.drop()

    def due_in(self) -> float | None:
        """Seconds until something is due by the clock; None where nothing is."""
        return self._clockwork.due_in() if self._store is not None else None

    def _publish_left(self, batch: Batch) -> bool:
        """Publish what no event at hand is the cause of; False where stopping was wished before it was stored."""
        refused = self._part.publish(list(batch.items()))
        for topic, events in batch.items() if refused else ():
            for event in events:
                if refused and (wrong := refused.get(event.id)):
                    self._part.journal.unpublished(topic, event, wrong.line)
        if batch:
            self._part.journal.flush()
        return refused is not None


def _unsent(each: tuple[Delivery, Failure, Verdict], refused: Mapping[str | None, EventRefused]) -> tuple[
        Delivery, Failure, Verdict]:
    """A verdict as it is where the channel does not take its dead letter."""
    delivery, failure, verdict = each
    if verdict.letter is None or (wrong := refused.get(verdict.letter.id)) is None:
        return each
    return delivery, Failure(f"{failure.reason}; its dead letter is refused: {wrong.line}"), Verdict(verdict.attempt, None)


_NOTHING = Follows()


def remembers(consumer: Consumer) -> bool:
    """Whether it has anything to remember beyond its group's position."""
    return bool(consumer.keeps or consumer.idempotent or consumer.window or consumer.joins or consumer.code
                or consumer.retries.max or any(rule.after_s for rule in consumer.rules))
