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

from eda_cli import lock
from eda_cli.channels.base import Place
from eda_cli.errors import EventRefused
from eda_cli.event import Delivery, Event
from eda_cli.payloads import PayloadError, Seen
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.answers import GoesOn
from eda_cli.stubs.asking import Answer, Asking, Said
from eda_cli.stubs.clockwork import Clockwork
from eda_cli.stubs.copying import Copies
from eda_cli.stubs.fate import Failure, Fate
from eda_cli.stubs.forgetting import begin_elsewhere
from eda_cli.stubs.forms import as_failure, seen_of
from eda_cli.stubs.inbox import Inbox, lane_of
from eda_cli.stubs.interest import Interest
from eda_cli.stubs.known import Known
from eda_cli.stubs.outbox import Batch, Spool, unpacked
from eda_cli.stubs.outcome import Outcome
from eda_cli.stubs.own_code import Code
from eda_cli.stubs.part import Part
from eda_cli.stubs.positions import Positions
from eda_cli.stubs.reactions import NOTHING, Follows, Reactions
from eda_cli.stubs.rebuild import rebuild
from eda_cli.stubs.store import Store, store_path
from eda_cli.technologies import Ability

ORPHANS_S = 1.0  # how often somebody looks for what replicas that are gone left unpublished


class Handling:
    """What one consumer's process does with its events. Raises ChannelError and Forgetful."""

    def __init__(self, part: Part, consumer: Consumer, inbox: Inbox, code: Code | None) -> None:
        self._part = part
        self._consumer = consumer
        self._inbox = inbox
        self._code = code
        self._keeps = bool(consumer.keeps)
        self._store = Store(store_path(part.folder, consumer.name)) if remembers(consumer) else None
        self._fate = Fate(consumer, part.seed, self._store)
        self._positions = Positions()
        self._lost: set[Place] = set()
        self._looked = 0.0
        self._unpublished = False  # stopping was wished while the spool was being published
        self._reactions = Reactions(part.sketch, consumer, part.source) if code is None else None
        if self._store is None:
            self._interest = Interest(consumer, None)
            return
        self._copies = Copies(self._store, consumer.keeps)
        self._interest = Interest(consumer, self._copies)
        self._spool = Spool(self._store, part.process)
        self._known = Known(self._store, consumer.idempotent, self._interest) if consumer.idempotent else None
        self._clockwork = Clockwork(part, consumer, self._store, self._reactions)
        reacting = self._reactions.follow if self._reactions else None
        self._effect = self._clockwork.gather if self._clockwork.gathers else reacting
        # nothing is to be decided of an event but what it changes, and nothing that could fail comes after that
        self._straight = not (code or consumer.idempotent or self._fate.strikes or self._interest.selective) and (
            not consumer.keeps if self._clockwork.gathers else self._effect is None)
        if code is not None:
            code.rows = self._copies.now
            self._asking = Asking(code, self._interest, self._store, self._positions, self._known, self._fate, self._copies,
                                  self._seen)

    def begin(self) -> bool:
        """Publish what a kill may have left unpublished, and make missing copies; False where stopping was wished."""
        if self._store is None:
            if Ability.OFFSETS not in self._part.channel.can:  # later nothing would tell what is handled meanwhile
                begin_elsewhere(self._part.folder, self._consumer.name, self._consumer.hears)
            return True
        if self._code is not None and (died := self._code.left()):
            self._fate.died_at(died)
            with self._store.write() as connection:
                self._fate.save(connection)  # at once, as the next process may end at them before it stores anything
            self._code.counted()
        if not self._publish_left(self._spool.left()):
            return False
        self._spool.drop()
        if not rebuild(self._part, self._consumer, self._store, self._copies):
            return False
        self._clockwork.begin()
        return True

    def leave(self) -> None:
        """Stopping in order: what is published is not published again."""
        if self._store is not None and not self._unpublished:
            self._spool.drop()

    def close(self) -> None:
        """Let go of the store."""
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
        return self._interest.wanted(deliveries)

    def reacts(self, delivery: Delivery) -> bool:
        """Whether it is handled, and not only heard."""
        return self._interest.reacts(delivery)

    def untried(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that have not failed before."""
        if not self._fate.any():
            return deliveries
        return [delivery for delivery in deliveries if not self._fate.tried(delivery)]

    # --- one batch

    def handle(self, deliveries: Sequence[Delivery], goes_on: GoesOn) -> Sequence[Delivery] | None:
        """Decide on each of them: those that are settled, or None where stopping was wished before it was stored.

        What is not settled is in the inbox again, or comes again.
        """
        outcome = Outcome()
        self._lost.clear()
        if self._store is None:
            self._decide(deliveries, outcome)
            return self._publish(outcome)
        if self._positions.come(deliveries):
            self._fate.look()
        answers = self._asking.ask(deliveries, goes_on) if self._code is not None else None
        stored = False
        try:
            with self._store.write() as connection:
                changed = self._store.changed()
                self._copies.opened(changed)
                self._clockwork.opened(changed)
                self._remembering(self._store, connection, deliveries, answers, outcome)
            stored = True
        finally:
            self._copies.saved(stored)
            self._clockwork.saved(stored)
            if self._known is not None:
                self._known.saved()
        return self._publish(outcome)

    def _decide(self, deliveries: Sequence[Delivery], outcome: Outcome) -> None:
        """Without a memory."""
        assert self._reactions is not None
        if not self._reactions and not self._fate.strikes and not self._interest.selective:
            outcome.handled = list(deliveries)
            return
        for delivery in deliveries:
            if not self.reacts(delivery):
                outcome.passed.append(delivery)
            elif (failure := self._fate.strike(delivery)) is not None:
                self._fail(outcome, delivery, failure)
            else:
                try:
                    outcome.follow(delivery, self._reactions.follow(delivery) if self._reactions else NOTHING)
                except PayloadError as wrong:
                    self._fail(outcome, delivery, Failure(wrong.line))

    def _remembering(self, store: Store, connection: sqlite3.Connection, deliveries: Sequence[Delivery],
                     answers: Mapping[int, Answer] | None, outcome: Outcome) -> None:
        """With one: all that the batch changes is written in this transaction."""
        settled = self._positions.known(store, deliveries)
        repeated = self._known.find(deliveries, time.time()) if self._known is not None else ()
        folded = self._positions.folded(store, deliveries) if self._keeps else ()
        done = 0 if settled or folded else self._straight_on(deliveries)
        outcome.handled += deliveries[:done]
        for index, delivery in enumerate(deliveries[done:] if done else deliveries, done):
            if self._lost and Place(delivery.topic, delivery.partition) in self._lost:
                continue  # while own code worked: it is somebody else's now
            reacts = self._interest.reacts(delivery)
            if index in settled or not (reacts or self._interest.hears(delivery)):
                outcome.passed.append(delivery)
            elif outcome.lanes and lane_of(delivery) in outcome.lanes:
                self._inbox.stand_behind(delivery)
            elif index in repeated or (self._known is not None and not self._known.first(delivery)):
                outcome.skipped.append((delivery, "it was handled before"))
            elif answers is None or not reacts:
                self._take(delivery, reacts, None, outcome, index not in folded)
            elif index in answers:
                self._take(delivery, reacts, answers[index], outcome, index not in folded)
            else:
                self._inbox.put_back(delivery)  # the code was not asked, as one of its key had failed, or did not answer
                if self._known is not None:
                    self._known.forget(delivery)
        for delivery in outcome.handled if self._fate.any() else ():
            self._fate.settled(delivery.identity)
        self._save(connection, outcome)

    def _straight_on(self, deliveries: Sequence[Delivery]) -> int:
        """Handle those from the first on of which nothing is to be decided: how many; the next is taken with care."""
        if not self._straight or self._lost or self._fate.any():
            return 0
        return self._clockwork.gather_on(deliveries) if self._clockwork.gathers else self._copies.fold_on(deliveries)

    def _seen(self, delivery: Delivery) -> Seen:
        seen = seen_of(delivery)
        if self._keeps:
            seen.copy, seen.was = self._copies.now, self._copies.before
        return seen

    def _take(self, delivery: Delivery, reacts: bool, answer: Answer | None, outcome: Outcome, folds: bool) -> None:
        seen = self._seen(delivery)
        follows: Follows | None = NOTHING
        said: Said | None = None
        failure: Failure | None = None
        if answer is None:
            failure = self._fate.strike(delivery, seen) if reacts and self._fate.strikes else None
        elif isinstance(answer, Failure):
            failure = answer
        else:
            said = answer
        if failure is None:
            try:
                if self._keeps and folds:
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
        if self._keeps:
            self._copies.keep()
        if follows is NOTHING:
            outcome.handled.append(delivery)
        elif follows is None:
            outcome.skipped.append((delivery, "it is late: its window is closed"))
        else:
            outcome.follow(delivery, follows)

    def _follow(self, delivery: Delivery, seen: Seen, said: Said | None) -> Follows | None:
        """What follows from an event that is handled; None where its window is closed. Raises PayloadError."""
        if self._code is not None:
            assert said is not None
            return Follows(self._code.follow(said, delivery))
        return self._effect(delivery, seen) if self._effect is not None else NOTHING

    def _save(self, connection: sqlite3.Connection, outcome: Outcome) -> None:
        now = time.time()
        settled = outcome.settled()
        self._copies.save(connection)
        if self._known is not None:
            self._known.save(connection, now)
        self._spool.write(connection, outcome.now)
        times = self._clockwork.save(connection, settled, outcome.later, now)
        self._positions.settle(connection, settled, self._inbox.waiting(), now, times)
        self._fate.save(connection)

    def _fail(self, outcome: Outcome, delivery: Delivery, failure: Failure) -> None:
        """Decide what becomes of it: it waits in the inbox, or it is over with it, and maybe a dead letter."""
        verdict = self._fate.failed(delivery, failure, time.time())
        outcome.verdicts.append((delivery, failure, verdict))
        if verdict.again_s is not None:
            self._inbox.again(delivery, time.monotonic() + verdict.again_s)
            if (lane := lane_of(delivery)) is not None:
                outcome.lanes.add(lane)
        elif verdict.letter is not None:
            outcome.now.setdefault(self._consumer.dead_letter, []).append(verdict.letter)

    # --- publishing and telling

    def _publish(self, outcome: Outcome) -> Sequence[Delivery] | None:
        refused = self._part.publish(list(outcome.now.items()))
        if refused is None or (refused and not self._refused(outcome, refused)):
            self._unpublished = True
            return None
        settled = outcome.settled()
        self._inbox.settled(settled)
        outcome.tell(self._part.journal, self._consumer.dead_letter)
        return settled

    def _refused(self, outcome: Outcome, refused: Mapping[str | None, EventRefused]) -> bool:
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
        outcome.unsent(refused)
        return True

    # --- what the clock brings

    def tick(self, idle: bool) -> None:
        """What is due by the clock, and what gone replicas left; `idle`: nothing came, there is time to tidy up."""
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
        batch = self._clockwork.due(self._spool)
        if batch and not self._publish_left(batch):
            self._unpublished = True
        elif batch or idle:
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


def remembers(consumer: Consumer) -> bool:
    """Whether it has anything to remember beyond its group's position."""
    return bool(consumer.keeps or consumer.idempotent or consumer.window or consumer.joins or consumer.code
                or consumer.retries.max or any(rule.after_s for rule in consumer.rules))
