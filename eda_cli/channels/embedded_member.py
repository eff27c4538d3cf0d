"""A member's subscription on the embedded channel: polling, heartbeat, hand-over. Knows no table."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from sqlite3 import Connection

from eda_cli.channels import embedded_group as group_table
from eda_cli.channels.base import Group, Place, Polled
from eda_cli.channels.embedded_log import Log, look_again, page
from eda_cli.channels.embedded_store import Store
from eda_cli.channels.ledger import Ledger
from eda_cli.errors import ChannelError
from eda_cli.event import Delivery

LOOK_S = 0.003  # between two looks at the file
LAZY_S = 0.010  # the same, for who has seen nothing for long
BUSY_S = 1.0  # so long after the last event a member still looks often
LOOK_FILE_S = 1.0  # whether the file is still there
COMMIT_S = 0.1  # what is done is stored this often


@dataclass(slots=True)
class _Held:
    """A partition this member has: what it has read of it, and its end when last looked at."""

    log: Log
    place: Place
    position: int


class Member:
    """Membership in a group, with its own connection; another one beats in a thread."""

    def __init__(self, path: str, group: Group) -> None:
        self._group = group
        self._store = Store(path)
        self._ledger = Ledger()
        self._held: dict[int, _Held] = {}
        self._unstored: dict[int, int] = {}
        self._stale = True
        self._committed = self._active = self._looked = time.monotonic()
        self._turn = 0
        self._closed = False
        try:
            self._join()
        except BaseException:
            self._store.close()
            raise
        self._heart = _Heart(path, self._group_id, self._member)

    def poll(self, timeout: float, at_most: int) -> Polled:
        if self._closed:
            raise ChannelError("the subscription is closed")
        deadline = time.monotonic() + timeout
        while True:
            lost = self._follow()
            if lost:
                return Polled((), lost)
            deliveries = self._fetch(at_most)
            now = time.monotonic()
            if deliveries:
                self._active = now
            if now - self._committed >= COMMIT_S:
                self._commit(now)
            if deliveries or now >= deadline:
                return Polled(deliveries)
            time.sleep(min(self._pause(now), deadline - now))

    def done(self, deliveries: Sequence[Delivery]) -> None:
        self._ledger.done(deliveries)
        now = time.monotonic()
        if now - self._committed >= COMMIT_S:
            self._commit(now)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._heart.stop()
        try:
            with self._store.write() as connection:
                self._store_done(connection)
                group_table.leave(connection, self._group_id, self._member)
        finally:
            self._store.close()

    def _pause(self, now: float) -> float:
        idle = now - self._active
        return LOOK_S if idle < BUSY_S else min(LAZY_S, LOOK_S * idle / BUSY_S)

    def _follow(self) -> frozenset[Place]:
        """Look at what others changed: the partitions' ends and whose they are. Returns the places lost."""
        now = time.monotonic()
        if now - self._looked >= LOOK_FILE_S:
            self._looked = now
            self._store.look()
        self._stale |= self._store.changed()
        if not self._stale:
            return frozenset()
        generation, member = group_table.standing(self._store, self._group_id, self._member)
        lost: frozenset[Place] = frozenset()
        if not member:
            lost = self._drop(self._held)
            self._join()
            self._heart.member = self._member
        elif generation != self._generation:
            lost = self._hand_over(generation)
        look_again(self._store, [held.log for held in self._held.values()])
        self._stale = not member
        return lost

    def _join(self) -> None:
        with self._store.write() as connection:
            self._group_id, self._member = group_table.join(connection, self._group)
        self._generation = -1

    def _hand_over(self, generation: int) -> frozenset[Place]:
        """Let go what is wanted for others, with what is done there stored; take over what is ours now."""
        with self._store.write() as connection:
            self._store_done(connection)
            group_table.let_go(connection, self._group_id, self._member)
            owned = group_table.owned(connection, self._group_id, self._member)
        self._unstored.clear()
        self._generation = generation
        lost = self._drop(self._held.keys() - owned.keys())
        for id_, (log, position) in owned.items():
            if id_ not in self._held:
                self._held[id_] = _Held(log, Place(log.topic, log.number), position)
        return lost

    def _drop(self, ids: Iterable[int]) -> frozenset[Place]:
        dropped = [self._held.pop(id_) for id_ in list(ids)]
        for held in dropped:
            self._ledger.drop(held.place)
            self._unstored.pop(held.log.id, None)
        return frozenset(held.place for held in dropped)

    def _fetch(self, at_most: int) -> list[Delivery]:
        """Of each partition in turn its share, so that a full one does not starve the others."""
        waiting = [held for held in self._held.values() if held.position < held.log.end]
        deliveries: list[Delivery] = []
        self._turn += 1
        for index in range(len(waiting)):
            held = waiting[(index + self._turn) % len(waiting)]
            share = -(-(at_most - len(deliveries)) // (len(waiting) - index))
            if share <= 0:
                break
            found = page(self._store, held.log, held.position, share)
            if found:
                offsets = [delivery.offset for delivery in found if delivery.offset is not None]
                self._ledger.handed_out(held.place, offsets)
                held.position = offsets[-1] + 1
                deliveries += found
            else:
                held.position = held.log.end
        return deliveries

    def _commit(self, now: float) -> None:
        self._committed = now
        self._gather()
        if self._unstored:
            with self._store.write() as connection:
                self._store_done(connection)
            self._unstored.clear()

    def _gather(self) -> None:
        """What is done, until it is stored: a failed transaction forgets nothing."""
        ids = {held.place: id_ for id_, held in self._held.items()}
        self._unstored.update((ids[place], offset) for place, offset in self._ledger.moved().items())

    def _store_done(self, connection: Connection) -> None:
        self._gather()
        group_table.commit(connection, self._group_id, self._member, self._unstored.items())


class _Heart:
    """Renews the lease of a member, whatever its own thread does, and gives up those who do not."""

    def __init__(self, path: str, group: int, member: int) -> None:
        self.member = member
        self._path = path
        self._group = group
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _beat(self) -> None:
        store: Store | None = None
        before, awake_since = time.monotonic(), 0.0
        while not self._stopping.wait(group_table.BEAT_S):
            # What fails here fails in the member's own thread too, which can tell; the next beat tries again.
            with suppress(ChannelError):
                store = store or Store(self._path)
                with store.write(group_table.BEAT_S) as connection:
                    now = time.monotonic()
                    group_table.renew(connection, self.member, now)
                    if now - before >= group_table.LEASE_S / 2:
                        awake_since = now
                    if now - awake_since >= group_table.LEASE_S:
                        # Who has slept judges nobody for a while: with the machine, the others were asleep too.
                        group_table.expire(connection, self._group, now)
                before = now
        if store is not None:
            store.close()
