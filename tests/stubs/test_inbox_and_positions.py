"""Inbox and positions, whatever happens to a member: every event is decided once, none of a key overtakes another.

A machine plays two members that share a store. Places move between them, and who lost one may learn of it late; members are
killed in between, and events fail, come again, are given up, or come back without an answer. One machine has logs, whose
groups have a position; the other queues, which hand out again what was not acknowledged.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eda_cli.channels.base import Place
from eda_cli.channels.ledger import Ledger
from eda_cli.event import Delivery, Event
from eda_cli.stubs.inbox import Inbox, Lane, lane_of
from eda_cli.stubs.positions import Positions
from eda_cli.stubs.store import Store

PLACES = (Place("t", 0), Place("v", 0))
KEYS = (b"a", b"b", None)
FATES = ("fine", "again", "silent")  # silent: it is decided, and own code says nothing to those of its key behind it


class Member:
    """What one process holds. `thinks` are the places that it takes for its own."""

    def __init__(self) -> None:
        self.inbox, self.positions, self.ledger = Inbox(), Positions(), Ledger()
        self.read: dict[Place, int] = {}
        self.thinks: set[Place] = set()


def number(delivery: Delivery) -> int:
    """Which event of its place it is."""
    return int(delivery.event.id or "")


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / "store.db")
        self.logs: dict[Place, list[Delivery]] = {place: [] for place in PLACES}
        self.committed: dict[Place, int] = defaultdict(int)
        self.owner: dict[Place, int] = {}
        self.members = [Member(), Member()]
        self.decided: dict[Place, list[int]] = {place: [] for place in PLACES}  # in the order of deciding
        self.now = 0.0

    def teardown(self) -> None:
        try:
            self._all_is_decided_in_the_end()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    @initialize()
    def share(self) -> None:
        for place in PLACES:
            self._give(place, 0)

    @rule(place=some.sampled_from(PLACES), keys=some.lists(some.sampled_from(KEYS), min_size=3, max_size=12))
    def publish(self, place: Place, keys: list[bytes | None]) -> None:
        log = self.logs[place]
        for key in keys:
            self._publish(place, Event(f"{len(log)}", f"/{place}", "made", None, b"1", key))

    def _publish(self, place: Place, event: Event) -> None:
        self.logs[place].append(Delivery(event, *place, number(Delivery(event, *place, None, 0.0)), 0.0))

    def poll(self, who: int, many: int) -> None:
        member = self.members[who]
        for place in sorted(member.thinks):
            if self.owner[place] == who:  # a broker gives nothing to who is out
                member.inbox.put(self._hand_out(member, place, many))

    def _hand_out(self, member: Member, place: Place, many: int) -> list[Delivery]:
        start = member.read[place]
        found = self.logs[place][start:start + many]
        member.read[place] = start + len(found)
        member.ledger.handed_out(place, [one.offset for one in found if one.offset is not None])
        return found

    @rule(who=some.integers(0, 1), many=some.integers(0, 6), batches=some.lists(some.tuples(
        some.sampled_from([1, 2, 100]), some.lists(some.sampled_from(FATES), min_size=1, max_size=5)), min_size=1, max_size=4))
    def work(self, who: int, many: int, batches: list[tuple[int, list[str]]]) -> None:
        self.poll(who, many)
        for at_most, fates in batches:
            self._work(who, at_most, "", fates)

    @rule(who=some.integers(0, 1), many=some.integers(1, 6), stored=some.booleans(),
          fates=some.lists(some.sampled_from(FATES), min_size=1, max_size=5))
    def work_and_die(self, who: int, many: int, stored: bool, fates: list[str]) -> None:
        self.poll(who, many)
        self._work(who, 100, "behind" if stored else "before", fates)

    @rule(seconds=some.sampled_from([0.5, 5.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(who=some.integers(0, 1))
    def commit(self, who: int) -> None:
        for place, offset in self.members[who].ledger.moved().items():
            if self.owner[place] == who:
                self.committed[place] = offset

    @rule(place=some.sampled_from(PLACES), told=some.booleans())
    def move(self, place: Place, told: bool) -> None:
        """To the other one; the one that had it may learn of it later."""
        had = self.owner[place]
        if place in self.members[1 - had].thinks:
            self._lose(1 - had, place)  # who has it anew has heard that it was lost
        self._give(place, 1 - had)
        if told:
            self._lose(had, place)

    @rule(who=some.integers(0, 1))
    def learn(self, who: int) -> None:
        for place in [place for place in self.members[who].thinks if self.owner[place] != who]:
            self._lose(who, place)

    @rule(who=some.integers(0, 1))
    def kill(self, who: int) -> None:
        self.members[who] = Member()
        for place, owner in self.owner.items():
            if owner == who:
                self._give(place, who)

    @invariant()
    def each_is_decided_once_and_in_the_order_of_its_key(self) -> None:
        for place, decided in self.decided.items():
            assert len(set(decided)) == len(decided)
            for key in KEYS[:2]:
                same = [offset for offset in decided if self.logs[place][offset].event.key == key]
                assert same == sorted(same)

    @invariant()
    def no_position_passes_what_is_not_decided(self) -> None:
        for topic, partition, next_ in self.store.rows("SELECT topic, partition, next FROM positions"):
            assert set(range(next_)) <= set(self.decided[Place(topic, partition)])
        for topic, partition, offset in self.store.rows("SELECT topic, partition, offset FROM ahead"):
            assert offset in self.decided[Place(topic, partition)]
        for place, offset in self.committed.items():
            assert set(range(offset)) <= set(self.decided[place])

    def _done(self, member: Member, settled: list[Delivery]) -> None:
        member.ledger.done(settled)

    def _give(self, place: Place, who: int) -> None:
        self.owner[place] = who
        self.members[who].thinks.add(place)
        self.members[who].read[place] = self.committed[place]

    def _lose(self, who: int, place: Place) -> None:
        member = self.members[who]
        member.thinks.discard(place)
        member.inbox.lose([place])
        member.positions.drop([place])
        member.ledger.drop(place)

    def _work(self, who: int, at_most: int, killed: str, fates: list[str]) -> int:
        """One batch, as `handling` does it."""
        member = self.members[who]
        batch = member.inbox.take(self.now, at_most)
        settled: list[Delivery] = []
        decided: list[Delivery] = []
        waits: set[Lane] = set()
        silent: set[Lane] = set()
        with self.store.write() as connection:
            known = member.positions.known(self.store, batch)
            for index, delivery in enumerate(batch):
                lane, fate = lane_of(delivery), fates[index % len(fates)]
                if index in known:
                    settled.append(delivery)
                elif lane is not None and lane in waits:
                    member.inbox.stand_behind(delivery)
                elif lane is not None and lane in silent:
                    member.inbox.put_back(delivery)
                elif fate == "again":
                    member.inbox.again(delivery, self.now + 1.0)
                    waits |= {lane} if lane is not None else set()
                else:
                    settled.append(delivery)
                    decided.append(delivery)
                    silent |= {lane} if lane is not None and fate == "silent" else set()
            member.positions.settle(connection, settled, member.inbox.waiting(), 0.0)
            if killed == "before":
                connection.execute("ROLLBACK")
                connection.execute("BEGIN")
        if killed != "before":
            for one in decided:
                self.decided[Place(one.topic, one.partition)].append(number(one))
        if killed:
            self.kill(who)
        else:
            member.inbox.settled(settled)
            self._done(member, settled)
        return len(batch)

    def _all_is_decided_in_the_end(self) -> None:
        for who in (0, 1):
            self.learn(who)
        for _ in range(1_000):
            self.now += 10.0
            for who in (0, 1):
                self.poll(who, 100)
                self._work(who, 100, "", ["fine"])
                self.commit(who)
            if all(self.committed[place] == len(log) for place, log in self.logs.items()):
                break
        for place, log in self.logs.items():
            assert sorted(self.decided[place]) == list(range(len(log))), place
            assert self.committed[place] == len(log)
        self.each_is_decided_once_and_in_the_order_of_its_key()
        self.no_position_passes_what_is_not_decided()
        assert not any(len(member.inbox) for member in self.members)
        assert self.store.rows("SELECT count(*) FROM ahead") == [(0,)]


class Queues(Machine):
    """The same with queues: `committed` is how many from the first on are acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: dict[Place, list[int]] = {place: [] for place in PLACES}
        self.held: dict[Place, set[int]] = {place: set() for place in PLACES}
        self.done: dict[int, set[tuple[Place, int]]] = {0: set(), 1: set()}  # by member, and not acknowledged yet

    def _publish(self, place: Place, event: Event) -> None:
        self.ready[place].append(len(self.logs[place]))
        self.logs[place].append(Delivery(event, *place, None, 0.0, None, event.id))

    def _hand_out(self, member: Member, place: Place, many: int) -> list[Delivery]:
        numbers, self.ready[place] = self.ready[place][:many], self.ready[place][many:]
        self.held[place].update(numbers)
        return [self.logs[place][number] for number in numbers]

    def _done(self, member: Member, settled: list[Delivery]) -> None:
        self.done[self.members.index(member)].update((Place(one.topic, one.partition), number(one)) for one in settled)

    @rule(who=some.integers(0, 1))
    def commit(self, who: int) -> None:
        for place, one in self.done[who]:
            if self.owner[place] == who:
                self.held[place].discard(one)
        self.done[who] = set()
        for place, log in self.logs.items():
            self.committed[place] = min((*self.ready[place], *self.held[place]), default=len(log))

    def _give(self, place: Place, who: int) -> None:
        super()._give(place, who)
        self.ready[place] = sorted(self.held[place]) + self.ready[place]
        self.held[place] = set()

    def _lose(self, who: int, place: Place) -> None:
        super()._lose(who, place)
        self.done[who] = {done for done in self.done[who] if done[0] != place}

    @rule(who=some.integers(0, 1))
    def kill(self, who: int) -> None:
        self.done[who] = set()
        super().kill(who)

    @invariant()
    def no_count_passes_what_is_not_decided(self) -> None:
        for topic, partition, settled in self.store.rows("SELECT topic, partition, settled FROM counts"):
            assert set(range(settled)) <= set(self.decided[Place(topic, partition)])


for machine in (Machine, Queues):
    machine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None,
                                         suppress_health_check=[HealthCheck.too_slow])
test_members_that_share_a_store = pytest.mark.timeout(240)(Machine.TestCase)
test_members_that_share_queues = pytest.mark.timeout(240)(Queues.TestCase)
