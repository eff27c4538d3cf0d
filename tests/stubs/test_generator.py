"""A generator around kills, scaling and events that cannot be: told as histories, without processes."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eda_cli.journal import Observation, last_observations
from eda_cli.sketch.resolved import Generator, Resolved, Topic
from eda_cli.stubs import generator
from eda_cli.stubs.part import Part
from tests.stubs.playing import Memory, part

SKETCH = Resolved("shop", {"kind": "embedded"}, 7, {"t": Topic("t")}, {},
                  {"web": Generator("web", "t", "made", {"n": "seq(0)", "at": "now()"}, rate=float("inf"), count=10)}, {})


def with_web(**fields: Any) -> Resolved:
    return replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], **fields)})


def told(folder: Path, kind: str, process: str = "web.1") -> list[Observation]:
    return [seen for seen in last_observations(folder / f"{process}.jsonl") if seen.kind == kind]


def killed_while_publishing(one: Part, channel: Memory) -> None:
    """What a SIGKILL between the stored batch and its publishing leaves behind."""

    def die() -> None:
        raise KeyboardInterrupt

    channel.on_publish = die
    with pytest.raises(KeyboardInterrupt):
        generator.run(one)
    channel.on_publish = lambda: None


def test_a_count_ends(tmp_path: Path) -> None:
    channel = Memory()
    assert generator.run(part(tmp_path, SKETCH, "web", 1, channel))
    assert channel.numbers() == list(range(10))


def test_a_killed_batch_is_published_with_the_same_bytes(tmp_path: Path) -> None:
    channel, other = Memory(), Memory()
    killed_while_publishing(part(tmp_path, SKETCH, "web", 1, channel), channel)
    stopped = part(tmp_path, SKETCH, "web", 1, other)
    other.on_publish = stopped.stop.wish
    generator.run(stopped)
    assert channel.stored == []
    assert other.numbers() == list(range(10))
    again = Memory()
    assert generator.run(part(tmp_path, SKETCH, "web", 1, again))
    assert again.stored == []


def test_scaling_down_loses_no_number_and_makes_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 3)
    two = with_web(replicas=2)
    channel = Memory()
    first = part(tmp_path, two, "web", 1, channel)
    channel.on_publish = first.stop.wish  # it publishes one batch and ends in order
    generator.run(first)
    killed_while_publishing(part(tmp_path, two, "web", 2, channel), channel)
    assert channel.numbers() == [0, 1, 2]
    before = list(channel.stored)

    channel.away = True  # scaled down while the broker is away, and stopped before it is back
    alone = part(tmp_path, SKETCH, "web", 1, channel)
    channel.on_publish = alone.stop.wish
    generator.run(alone)
    channel.away = False
    channel.on_publish = lambda: None
    assert channel.stored == before

    assert generator.run(part(tmp_path, SKETCH, "web", 1, channel))
    assert channel.numbers() == list(range(10))
    assert channel.stored[:3] == before


def test_an_event_that_cannot_be_made_fails_alone(tmp_path: Path) -> None:
    sketch = replace(with_web(), topics={"t": Topic("t", key="{{ 10 // (body.n % 3) }}")})
    channel = Memory()
    one = part(tmp_path, sketch, "web", 1, channel)
    assert generator.run(one)
    assert channel.numbers() == [1, 2, 4, 5, 7, 8]
    assert one.journal.counts == {"failed": {"t": 4}, "published": {"t": 6}}
    assert len(told(tmp_path, "failed")) == 4
    assert all(seen.fields["reason"] and seen.fields["id"] for seen in told(tmp_path, "failed"))


def test_an_event_that_is_never_taken_fails_alone(tmp_path: Path) -> None:
    channel = Memory()
    channel.refuses = lambda event: event.body()["n"] in (0, 4, 5, 9)
    one = part(tmp_path, SKETCH, "web", 1, channel)
    assert generator.run(one)
    assert channel.numbers() == [1, 2, 3, 6, 7, 8]
    assert one.journal.counts == {"failed": {"t": 4}, "published": {"t": 6}}
    assert {seen.fields["reason"] for seen in told(tmp_path, "failed")} == {"never: it is refused"}


def test_a_broker_that_is_away_is_told_once_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.part.RETRY_S", (0.001, 0.002))
    channel = Memory()
    channel.away = True
    tries = iter(range(6))
    channel.on_publish = lambda: setattr(channel, "away", next(tries, None) is not None)
    one = part(tmp_path, SKETCH, "web", 1, channel)
    assert generator.run(one)
    assert channel.numbers() == list(range(10))
    assert [seen.fields["text"] for seen in told(tmp_path, "waiting")] == ["the broker does not answer"]


def test_headers_are_there_when_the_key_is_made(tmp_path: Path) -> None:
    sketch = with_web(headers={"tenant": "acme"}, key="$headers.tenant")
    channel = Memory()
    assert generator.run(part(tmp_path, sketch, "web", 1, channel))
    assert {event.key for event in channel.stored} == {b"acme"}


def test_a_paused_one_is_ready_publishes_nothing_and_leaves_what_a_kill_left(tmp_path: Path) -> None:
    channel = Memory()
    killed_while_publishing(part(tmp_path, SKETCH, "web", 1, channel), channel)
    paused = part(tmp_path, with_web(paused=True), "web", 1, channel)
    ready: list[bool] = []
    paused.ready = lambda: ready.append(True)
    threading.Timer(0.2, paused.stop.wish).start()
    assert not generator.run(paused)
    assert (ready, channel.stored) == ([True], [])
    assert generator.run(part(tmp_path, SKETCH, "web", 1, channel))
    assert channel.numbers() == list(range(10))
