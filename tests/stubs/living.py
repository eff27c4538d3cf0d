"""Entities and their lives for tests: a generator that is killed at one of its steps, and what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels.base import Receipt
from eda_cli.event import Event
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Entities, Generator, Resolved, Topic
from eda_cli.stubs import generator
from eda_cli.stubs.numbers import Numbers, Spool
from eda_cli.stubs.standing import Standing
from eda_cli.stubs.stop import Stop
from tests.stubs.playing import Killed, Memory, let_go, part

FLAT_OUT = float("inf")
LIFE = {"$states": {"key": "uuid()", "start": "created", "states": {
    "created": {"body": {"total": "10..400", "id": "uuid()"}, "next": {"paid": "70%", "cancelled": "20%"}, "after": "1ms..5ms"},
    "paid": {"event": "orderPaid", "body": {"by": "pick(card, cash)"}, "next": {"paid": "10%", "shipped": "90%"},
             "after": "2ms"},
    "shipped": {"event": "orderShipped", "after": "1ms..2ms"},
    "cancelled": {"event": "orderCancelled", "body": "$tombstone", "after": "1ms"},
}}}
NEXT = {"made": {"orderPaid", "orderCancelled"}, "orderPaid": {"orderPaid", "orderShipped"},
        "orderShipped": set(), "orderCancelled": set()}
SENSOR = {"n": "1..1000000"}


def sketch(body: Any = SENSOR, entities: int = 5, **fields: Any) -> Resolved:
    """One generator `web` with entities, which publishes to `t`."""
    web = Generator("web", "t", "made", body, rate=FLAT_OUT, count=24, entities=Entities(entities))
    return Resolved("shop", {"kind": "embedded"}, 7, {"t": Topic("t")}, {}, {"web": replace(web, **fields)}, {})


class Channel(Memory):
    """Tells of each step, so that a test can kill there."""

    def __init__(self) -> None:
        super().__init__()
        self.step: Callable[[str], None] = lambda name: None

    def flush(self, timeout: float) -> list[Receipt]:
        self.step("publish")
        receipts = super().flush(timeout)
        self.step("published")
        return receipts

    def once(self) -> list[Event]:
        """The events without repeats, which are equal but for the time."""
        first: dict[str | None, Event] = {}
        for event in self.stored:
            assert first.setdefault(event.id, event) == event
        return list(first.values())


class Impatient(Stop):
    """Whoever waits for other replicas is stopped: they do not run meanwhile."""

    def wait(self, seconds: float) -> bool:
        if seconds == generator.GOING_S:
            self.wish()
        return super().wait(seconds)


def live(folder: Path, wished: Resolved, channel: Channel, replica: int = 1, batches: int | None = None) -> bool:
    """One life of a replica: until it has finished (True), has published so many batches, or is killed."""
    one = part(folder, wished, "web", replica, channel)
    one.stop.__class__ = Impatient
    left = iter(range((batches or 1) - 1))

    def stop() -> None:
        if batches is not None and next(left, None) is None:
            one.stop.wish()

    channel.on_publish = stop
    try:
        return generator.run(one)
    finally:
        let_go(one)


@contextmanager
def killed_at(number: int, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Within it, a replica is killed at its nth step from now on, whichever that is; gives the steps that were done."""
    done: list[str] = []

    def step(name: str) -> None:
        done.append(name)
        if len(done) == number:
            raise Killed(name)

    def around(whose: type, name: str) -> Callable[..., Any]:
        wrapped = getattr(whose, name)

        def called(self: Any, *args: Any) -> Any:
            step(f"before {name}")
            result = wrapped(self, *args)
            step(f"behind {name}")
            return result

        return called

    with monkeypatch.context() as patch:
        for whose, name in ((Numbers, "claim"), (Spool, "store"), (Spool, "stored"), (Standing, "take_in")):
            patch.setattr(whose, name, around(whose, name))
        channel.step = step
        yield done
    channel.step = lambda name: None


def killed_at_each_step(folder: Path, wished: Resolved, monkeypatch: pytest.MonkeyPatch,
                        steps: int) -> Iterator[tuple[Path, Channel]]:
    """A life of its first replica for each step at which it can be killed, at least so many: its folder, and what it
    published until then.
    """
    for number in range(1, 200):
        home, channel = folder / f"killed at {number}", Channel()
        home.mkdir()
        with killed_at(number, channel, monkeypatch) as done, suppress(Killed):
            live(home, wished, channel)
        if len(done) < number:
            assert number > steps, f"it had only the steps {done}"
            return
        yield home, channel
    raise AssertionError("a life has more steps than were tried")


def facts(events: list[Event]) -> list[tuple[Any, ...]]:
    """What events say; when they happened only where that lies in the past."""
    return [(event.id, event.type, event.key, event.data, event.time if str(event.time) < "2026" else "") for event in events]


def identities(entities: int, steps: int) -> dict[str, tuple[int, int]]:
    """The id of each event, with its entity and its step."""
    dice = Dice(7, "web")
    return {dice.roll(f"{entity}/{step}").uuid(): (entity, step)
            for entity in range(1, entities + 1) for step in range(steps)}


def steps_of(events: list[Event], entities: int) -> dict[int, list[int]]:
    """The steps of each entity in the order of its events."""
    known = identities(entities, len(events) + 1)
    steps: dict[int, list[int]] = {}
    for event in events:
        entity, step = known[str(event.id)]
        steps.setdefault(entity, []).append(step)
    return steps


def assert_whole(channel: Channel, entities: int) -> None:
    """No step of any entity is lost or doubled, and each comes behind the one before it."""
    for entity, steps in steps_of(channel.once(), entities).items():
        assert steps == list(range(len(steps))), entity


def assert_lives(events: list[Event]) -> int:
    """The events of each key are a path from the start on declared transitions, and gather fields; gives how many lives."""
    paths: dict[bytes | None, list[Event]] = {}
    for event in events:
        paths.setdefault(event.key, []).append(event)
    assert None not in paths
    for path in paths.values():
        assert path[0].type == "made"
        for before, after in itertools.pairwise(path):
            assert after.type in NEXT[before.type]
            if after.data is not None:
                assert after.body().items() >= {"id": before.body()["id"], "total": before.body()["total"]}.items()
        for event in path:
            fields = {"made": {"total", "id"}, "orderCancelled": set()}.get(event.type, {"total", "id", "by"})
            assert set(event.body() or ()) == fields
    return len(paths)
