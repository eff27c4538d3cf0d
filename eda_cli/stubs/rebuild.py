"""Makes own copies out of the log: a new one, one whose sketch changed, one that was deleted. Publishes nothing.

A copy is a fold of the log up to the group's position, whoever wrote those events and whenever the consumer came. Where
the channel cannot replay, a copy begins empty, and that is said. Where groups have no offsets, nothing tells what was
handled while the consumer remembered nothing: it forgets all when such a life begins (`handling`), as it does for a topic
that was deleted by eda; one that others deleted and made anew is not noticed there.
"""

from __future__ import annotations

import heapq
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from eda_cli import lock
from eda_cli.channels.base import Place, Start
from eda_cli.errors import UnknownTopic
from eda_cli.event import Delivery
from eda_cli.payloads import PayloadError
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.copying import Copies, digest_of
from eda_cli.stubs.forgetting import in_group
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.interest import Interest
from eda_cli.stubs.known import hash_of
from eda_cli.stubs.part import Part
from eda_cli.stubs.settled import Settled
from eda_cli.stubs.store import Store, forget_topics, set_meta
from eda_cli.technologies import Ability, why_not

AT_ONCE = 1_000  # events folded in one transaction


def rebuild(part: Part, consumer: Consumer, store: Store, copies: Copies) -> bool:
    """Make what is missing; replicas wait for the one that does. False where stopping was wished meanwhile.

    Raises ChannelError and Forgetful.
    """
    while (fd := lock.take(part.folder / f"{consumer.name}.rebuild.flock", patience_s=0.2)) is None:
        if part.stop.wished:
            return False
    try:
        in_group(store, part.sketch.group_of(consumer))
        can, digest = part.channel.can, digest_of(consumer.keeps)
        if Ability.OFFSETS in can:
            _forget_what_is_gone(part, consumer, store)
        if not consumer.keeps:
            return True
        by_offset = _Handled(part, consumer, store) if Ability.OFFSETS in can else None
        had = store.meta("copies")
        if had == digest and not (by_offset is not None and by_offset.missed):
            return True
        with store.write() as connection:
            connection.execute("DELETE FROM copy")
            set_meta(connection, "copies", None)
        handled: _Handled | Settled | None = by_offset
        if Ability.REPLAY not in can:
            _say_empty(part, had is not None)
        elif by_offset is None:
            handled = Settled(part, consumer, _kept(consumer), store)
        if handled and Ability.REPLAY in can and not _fold_all(part, consumer, store, copies, handled):
            return False
        with store.write() as connection:
            if handled:
                handled.save(connection)
            set_meta(connection, "copies", digest)
        return True
    finally:
        os.close(fd)


def _say_empty(part: Part, discarded: bool) -> None:
    """To whom misses something by it: rows that were there, or events that were handled before there was a copy."""
    if discarded or part.journal.counts.get("handled"):
        why = why_not(part.sketch.broker["kind"], Ability.REPLAY) or "the channel cannot replay"
        part.journal.tell("warning", text=f"its copies begin empty, without the events before: {why}")


class _Handled:
    """Which events the group has handled: those before its position, and some that were ahead of one that waits.

    `missed` are the positions that it has come to while it remembered nothing.
    """

    def __init__(self, part: Part, consumer: Consumer, store: Store) -> None:
        committed = _committed(part, consumer)  # before our own, that other replicas move on meanwhile, and those first
        upto = {Place(topic, partition): next_ for topic, partition, next_ in
                store.rows("SELECT topic, partition, next FROM positions")}
        self.missed = {place: next_ for place, next_ in committed.items() if next_ > upto.get(place, 0)}
        self._upto = {**upto, **self.missed}
        self._ahead = set(store.rows("SELECT topic, partition, offset FROM ahead"))

    def __bool__(self) -> bool:
        return any(self._upto.values()) or bool(self._ahead)

    def of(self, batch: Sequence[Delivery]) -> Iterable[Delivery]:
        return filter(self._has, batch)

    def save(self, connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO positions (topic, partition, next) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
                               " SET next = max(next, excluded.next)",
                               [(*place, next_) for place, next_ in self.missed.items()])

    def _has(self, one: Delivery) -> bool:
        if one.partition is None or one.offset is None:
            return False
        return one.offset < self._upto.get(Place(one.topic, one.partition), 0) or \
            (one.topic, one.partition, one.offset) in self._ahead


def _kept(consumer: Consumer) -> Collection[str]:
    return {topic for copy in consumer.keeps for fold in copy.folds for topic in fold.topics}


def _committed(part: Part, consumer: Consumer) -> Mapping[Place, int]:
    """How far the channel knows the group to be in each place of what is kept."""
    group, kept = part.sketch.group_of(consumer), _kept(consumer)
    return {one.place: one.committed or 0 for info in part.channel.groups() if info.name == group
            for one in info.places if one.place.topic in kept}


def _fold_all(part: Part, consumer: Consumer, store: Store, copies: Copies, handled: _Handled | Settled) -> bool:
    logs: Iterator[Delivery] = heapq.merge(*(_log(part, topic, handled) for topic in sorted(_kept(consumer))),
                                           key=lambda one: one.published)
    if consumer.idempotent is not None:
        logs = _once(logs, consumer.idempotent.last, Interest(consumer, copies))
    while True:
        stored = False
        with store.write() as connection:
            copies.opened(store.changed())
            try:
                for number, delivery in enumerate(logs, 1):
                    with suppress(PayloadError):  # it failed when it was handled, too
                        copies.fold(delivery, seen_of(delivery))
                        copies.keep()
                    copies.forget()
                    if number == AT_ONCE:
                        break
                else:
                    number = 0
                copies.save(connection)
                stored = True
            finally:
                copies.saved(stored)
        if part.stop.wished:
            return False
        if not number:
            return True


def _log(part: Part, topic: str, handled: _Handled | Settled) -> Iterator[Delivery]:
    with suppress(UnknownTopic):
        for batch in part.channel.read(topic, Start("beginning"), "stored"):
            yield from handled.of(batch)


def _once(logs: Iterator[Delivery], last: int, interest: Interest) -> Iterator[Delivery]:
    """Without those that an idempotent consumer has skipped, as it remembers the last so many ids."""
    known: OrderedDict[bytes, None] = OrderedDict()
    for delivery in logs:
        if (id_ := hash_of(delivery, interest)) not in known:
            known[id_] = None
            if len(known) > last:
                known.popitem(last=False)
            yield delivery


def _forget_what_is_gone(part: Part, consumer: Consumer, store: Store) -> None:
    """Positions beyond the end of a topic are those of one that was deleted and made anew."""
    known = store.rows("SELECT topic, partition, next FROM positions")
    if not known:
        return
    ends = {Place(topic.name, one.number): one.end for topic in part.channel.topics() for one in topic.partitions}
    gone = {topic for topic, partition, next_ in known if next_ > ends.get(Place(topic, partition), 0)}
    if gone:
        with store.write() as connection:
            forget_topics(connection, gone)
