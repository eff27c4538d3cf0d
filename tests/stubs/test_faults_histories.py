"""Faults of a generator around kills, stops, scaling and knobs: told as histories, without processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from pickle import dumps
from typing import Any
from zlib import crc32

import pytest

from eda_cli.channels.base import Receipt
from eda_cli.errors import PublishError
from eda_cli.journal import last_counts, last_observations
from eda_cli.sketch.resolved import Faults, Generator, Resolved, Spread, Topic
from eda_cli.stubs import generator
from eda_cli.stubs.faults import Drawn, drawer
from eda_cli.stubs.numbers import Numbers, Spool
from eda_cli.stubs.part import Part
from eda_cli.stubs.shelf import Shelf
from tests.stubs.playing import Killed, Log, Memory, let_go, part

COUNT = 40
FAULTS = Faults(duplicate=0.2, drop=0.2, late=Spread(0.2, (5.0, 60.0)), out_of_order=Spread(0.3, (0.001, 0.05)), corrupt=0.2,
                null_key=0.2)
SKETCH = Resolved("shop", {"kind": "embedded"}, 7, {"t": Topic("t", key="k-{{ body.n }}")}, {}, {
    "web": Generator("web", "t", "made", {"n": "seq(0)", "some": "normal(5, 2)"}, rate=float("inf"), count=COUNT, faults=FAULTS)},
    {})
STEPS = ("claim", "store", "shelved", "publish", "published", "stored")


def with_web(**fields: Any) -> Resolved:
    return replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], **fields)})


def drawn() -> dict[int, Drawn]:
    draw = drawer(FAULTS, 7, "web")
    return {number: one for number in range(COUNT) if (one := draw(number))}


def faulted() -> dict[str, int]:
    """What the journals are to count: each fault once for each number, and of what is dropped only that."""
    counts: Counter[str] = Counter()
    for one in drawn().values():
        if one.drop:
            counts["drop"] += 1
        else:
            counts += Counter({"duplicate": one.duplicate, "late": bool(one.late_s), "out_of_order": bool(one.hold_s),
                               "corrupt": one.corrupt, "null_key": one.null_key})
    return dict(counts)


def counted(folder: Path) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for path in folder.glob("*.jsonl"):
        counts += Counter(last_counts(path).get("faulted", {}))
    return dict(counts)


def played(folder: Path, sketch: Resolved, channel: Memory, replica: int = 1, stop_at: int | None = None) -> bool:
    """One life of a replica's process; whether it finished. It is told to stop when it publishes for the `stop_at`-th time."""
    one = part(folder, sketch, "web", replica, channel)
    tries = iter(range(1, 10_000))

    def look() -> None:
        if next(tries) == stop_at:
            one.stop.wish()

    channel.on_publish = look
    try:
        return generator.run(one)
    finally:
        let_go(one)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 8)


@pytest.fixture
def clean(tmp_path: Path, small: None) -> Memory:
    """What is published where nobody is killed."""
    channel = Memory()
    folder = tmp_path / "clean"
    folder.mkdir()
    assert played(folder, SKETCH, channel)
    return channel


def many_of(channel: Memory) -> Counter[str | None]:
    return Counter(event.id for event in channel.stored)


def test_what_was_drawn_is_what_came(clean: Memory, tmp_path: Path) -> None:
    made = drawn()
    dropped = sum(one.drop for one in made.values())
    twice = sum(one.duplicate and not one.drop for one in made.values())
    assert dropped
    assert twice
    assert len(many_of(clean)) == COUNT - dropped
    assert len(clean.stored) == COUNT - dropped + twice
    assert counted(tmp_path / "clean") == faulted()
    plain = Memory()
    folder = tmp_path / "plain"
    folder.mkdir()
    assert played(folder, with_web(faults=None), plain)
    untouched = {f"k-{number}".encode() for number in range(COUNT) if number not in made}
    bodies = {event.key: (event.id, event.data) for event in plain.stored}
    assert {event.key: (event.id, event.data) for event in clean.stored if event.key in untouched} == {
        key: bodies[key] for key in untouched}


def test_lines_tell_the_faults_of_their_events(clean: Memory, tmp_path: Path) -> None:
    lines = [seen.fields for seen in last_observations(tmp_path / "clean" / "web.1.jsonl") if seen.kind == "published"]
    told = {line["id"]: set(line.get("faults", ())) for line in lines}
    again = {event.id: "duplicate" for event, many in ((one, many_of(clean)[one.id]) for one in clean.stored) if many > 1}
    assert {id for id, faults in told.items() if "duplicate" in faults} == set(again)
    assert sum("late" in faults for faults in told.values()) == faulted()["late"]


@pytest.mark.parametrize("kill", [f"{step} {moment}" for step in STEPS for moment in ("first", "second", "late")])
def test_a_kill_at_any_step_loses_nothing_and_holds_nothing_twice(kill: str, tmp_path: Path, clean: Memory,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, moment = kill.split()
    left = {"first": 1, "second": 2, "late": 6}[moment]

    def step(name: str) -> None:
        nonlocal left
        left -= name == wanted
        if name == wanted and left == 0:
            raise Killed

    _stepping(monkeypatch, step)
    channel = Log()
    channel.step = step
    before = many_of(clean)
    with pytest.raises(Killed):
        played(tmp_path, SKETCH, channel)
    batch, _ = Spool(tmp_path, "web.1").pending()
    assert played(tmp_path, SKETCH, channel)
    after = many_of(channel)
    assert after.keys() == before.keys()
    more = {id for id in after if after[id] != before[id]}
    assert all(after[id] == 2 * before[id] for id in more)
    assert more == ({event.id for event in batch.events} if wanted in ("published", "stored") else set())
    assert {(event.id, event.data, event.key) for event in channel.stored} == {
        (event.id, event.data, event.key) for event in clean.stored}
    assert counted(tmp_path) == faulted()


def _stepping(monkeypatch: pytest.MonkeyPatch, step: Callable[[str], object]) -> None:
    """`step` is called behind each claim, each stored batch and what is held with it, and before it is marked as published."""
    claim, store, stored, put = Numbers.claim, Spool.store, Spool.stored, Shelf.put
    monkeypatch.setattr(Shelf, "put", lambda *given: (put(*given), step("shelved"))[0])
    monkeypatch.setattr(Numbers, "claim", lambda *given: (claim(*given), step("claim"))[0])
    monkeypatch.setattr(Spool, "store", lambda *given: (store(*given), step("store"))[0])
    monkeypatch.setattr(Spool, "stored", lambda *given: (step("stored"), stored(*given))[1])


def held_all(folder: Path, hold_s: float = 0.3) -> None:
    """A life in which all of eight events are held back."""
    channel = Memory()
    one = part(folder, with_web(faults=Faults(out_of_order=Spread(1.0, (hold_s, hold_s))), count=8), "web", 1, channel)
    store = Spool.store
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spool, "store", lambda *given: (store(*given), one.stop.wish())[0])
        assert not generator.run(one)
    let_go(one)
    assert channel.stored == []


def test_what_is_held_when_it_is_stopped_comes_after_the_next_start(tmp_path: Path, small: None) -> None:
    held_all(tmp_path)
    channel = Memory()
    assert played(tmp_path, with_web(faults=None, count=8), channel)  # the faults are turned off meanwhile
    assert channel.numbers() == list(range(8))
    assert counted(tmp_path) == {"out_of_order": 8}


def test_what_an_earlier_version_held_comes_too(tmp_path: Path, small: None) -> None:
    """Given a spool with all that is held, and no other file."""
    held_all(tmp_path)
    batch, _ = Spool(tmp_path, "web.1").pending()
    for path in tmp_path.glob("web.held.db*"):
        path.unlink()
    old = dumps((0, 8, [], {}, list(batch.held.more), {"out_of_order": 8}, None, None), 5)
    (tmp_path / "web.1.spool").write_bytes(b"D" + crc32(old).to_bytes(4, "big") + old)
    channel = Memory()
    assert played(tmp_path, with_web(faults=None, count=8), channel)
    assert channel.numbers() == list(range(8))
    assert counted(tmp_path) == {"out_of_order": 8}


def test_a_batch_is_as_large_as_what_it_changes_however_much_is_held(tmp_path: Path, small: None,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    store = Spool.store
    monkeypatch.setattr(Spool, "store", lambda *given: (
        store(*given), sizes.append((tmp_path / "web.1.spool").stat().st_size))[0])
    sketch = with_web(faults=Faults(out_of_order=Spread(1.0, (0.5, 0.5))), count=400)
    channel = Memory()
    assert played(tmp_path, sketch, channel)
    assert sorted(channel.numbers()) == list(range(400))
    assert len(sizes) >= 50
    assert max(sizes[40:50]) < 2 * max(sizes[:10])


def test_what_a_replica_held_is_inherited_and_counted_once(tmp_path: Path, small: None) -> None:
    two = with_web(replicas=2)
    channel = Memory()
    assert not played(tmp_path, two, channel, 2, stop_at=2)
    assert not played(tmp_path, two, channel, 1, stop_at=2)
    assert played(tmp_path, SKETCH, channel)
    clean = Memory()
    folder = tmp_path / "clean"
    folder.mkdir()
    assert played(folder, SKETCH, clean)
    assert many_of(channel) == many_of(clean)
    assert counted(tmp_path) == faulted()


@pytest.mark.parametrize("replicas", [1, 4])
def test_the_same_numbers_have_faults_whatever_the_replicas(replicas: int, tmp_path: Path, clean: Memory,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 3)
    channel = Memory()
    for _ in range(4):  # each of them publishes a few, in turn
        for replica in range(1, replicas + 1):
            played(tmp_path, with_web(replicas=replicas), channel, replica, stop_at=1)
    for replica in range(1, replicas + 1):
        assert played(tmp_path, with_web(replicas=replicas), channel, replica)
    assert many_of(channel) == many_of(clean)
    assert counted(tmp_path) == faulted()


def test_an_orphan_of_two_kills_is_taken_over_once(tmp_path: Path, clean: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a replica that was killed before it counted, scaled away, and its heir killed before the orphan was dropped."""
    def die(*_: Any) -> None:
        raise Killed

    channel = Memory()
    with monkeypatch.context() as patch:
        patch.setattr(Part, "publish", die)
        with pytest.raises(Killed):
            played(tmp_path, with_web(replicas=2), channel, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Numbers, "drop", die)
        with pytest.raises(Killed):
            played(tmp_path, SKETCH, channel)
    assert played(tmp_path, SKETCH, channel)
    assert many_of(channel) == many_of(clean)
    assert counted(tmp_path) == faulted()


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """The process ends at this step of those by which held events get from one replica to another."""
    left = number

    def around(whose: type, name: str) -> Callable[..., Any]:
        wrapped = getattr(whose, name)

        def called(*given: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return wrapped(*given)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for whose, name in ((Spool, "store"), (Shelf, "put"), (Numbers, "drop"), (Spool, "forget")):
            patch.setattr(whose, name, around(whose, name))
        with pytest.raises(Killed):
            yield


@pytest.mark.parametrize("step", range(1, 13))
def test_what_replicas_hold_survives_that_they_go_and_come(step: int, tmp_path: Path, clean: Memory) -> None:
    """Given two replicas that hold events, one that takes over and is killed at a step of it, and three of them then."""
    channel = Memory()
    for replica in (1, 2):
        assert not played(tmp_path, with_web(replicas=2), channel, replica, stop_at=2)
    with killed_at(step):
        played(tmp_path, SKETCH, channel)
    played(tmp_path, SKETCH, channel, stop_at=1)
    for replica in (3, 2, 1):
        assert played(tmp_path, with_web(replicas=3), channel, replica)
    assert many_of(channel) == many_of(clean)
    assert counted(tmp_path) == faulted()


class Half(Memory):
    """A channel that stores only the first half of what it is given, once."""

    def flush(self, timeout: float) -> list[Receipt]:
        if self.stored:
            return super().flush(timeout)
        self._care, lost = self._care[:len(self._care) // 2], self._care[len(self._care) // 2:]
        raise PublishError("half of it", unstored=[event.id for _, event in lost], receipts=super().flush(timeout))


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_second_copy_that_was_not_stored_comes_again(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.part.RETRY_S", (0.001, 0.002))
    channel = Half()
    assert played(tmp_path, with_web(faults=Faults(duplicate=1.0), count=count), channel)
    assert channel.numbers() == [number for number in range(count) for _ in range(2)]
    assert last_counts(tmp_path / "web.1.jsonl") == {"published": {"t": 2 * count}, "faulted": {"duplicate": count}}
