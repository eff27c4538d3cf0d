"""Makes own copies out of the log: a new one, one whose sketch changed, one that was deleted. Publishes nothing.

A copy is a fold of the log up to the group's position, whoever wrote those events and whenever the consumer came. Where
the channel cannot replay, a copy begins empty.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from eda_cli import lock
from eda_cli.channels.base import Ability, Place, Start
from eda_cli.errors import UnknownTopic
from eda_cli.event import Delivery
from eda_cli.payloads import PayloadError
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.copying import Copies, digest_of
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.part import Part
from eda_cli.stubs.store import Store, forget_topics, set_meta

AT_ONCE = 1_000  # events folded in one transaction


def rebuild(part: Part, consumer: Consumer, store: Store, copies: Copies) -> bool:
    """Make what is missing; replicas wait for the one that does. False where stopping was wished meanwhile.

    Raises ChannelError and Forgetful.
    """
    while (fd := lock.take(part.folder / f"{consumer.name}.rebuild.flock", patience_s=0.2)) is None:
        if part.stop.wished:
            return False
    try:
        _forget_what_is_gone(part, consumer, store)
        digest = digest_of(consumer.keeps)
        if not consumer.keeps or store.meta("copies") == digest:
            return True
        upto = _positions(part, consumer, store)
        with store.write() as connection:
            connection.execute("DELETE FROM copy")
            set_meta(connection, "copies", None)
        if Ability.REPLAY in part.channel.can and any(upto.values()) and not _fold_all(part, store, copies, upto):
            return False
        with store.write() as connection:
            set_meta(connection, "copies", digest)
        return True
    finally:
        os.close(fd)


def _positions(part: Part, consumer: Consumer, store: Store) -> Mapping[Place, int]:
    """How far the group is in each place of what is kept: what it remembers, else what is committed."""
    kept = {topic for copy in consumer.keeps for fold in copy.folds for topic in fold.topics}
    group = part.sketch.group_of(consumer)
    upto = {one.place: one.committed or 0 for info in part.channel.groups() if info.name == group
            for one in info.places if one.place.topic in kept}
    upto.update((Place(topic, partition), next_) for topic, partition, next_ in
                store.rows("SELECT topic, partition, next FROM positions") if topic in kept)
    return upto


def _fold_all(part: Part, store: Store, copies: Copies, upto: Mapping[Place, int]) -> bool:
    topics = sorted({place.topic for place in upto})
    logs = heapq.merge(*(_log(part, topic, upto) for topic in topics), key=lambda one: one.published)
    while True:
        stored = False
        with store.write() as connection:
            copies.begin(store.changed())
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


def _log(part: Part, topic: str, upto: Mapping[Place, int]) -> Iterator[Delivery]:
    with suppress(UnknownTopic):
        for batch in part.channel.read(topic, Start("beginning"), "stored"):
            for one in batch:
                if one.partition is not None and one.offset is not None and \
                        one.offset < upto.get(Place(topic, one.partition), 0):
                    yield one


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
