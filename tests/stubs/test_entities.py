"""Entities of a generator around kills, stops and scaling: no step is lost or doubled, and values stay the same."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.sketch.resolved import Entities, Generator, Topic
from eda_cli.stubs.lives import Having
from eda_cli.stubs.speakers import by_hand
from eda_cli.stubs.standing import Standing
from tests.stubs.living import (
    LIFE,
    SENSOR,
    Channel,
    assert_lives,
    assert_whole,
    facts,
    killed_at,
    killed_at_each_step,
    live,
    sketch,
    steps_of,
)
from tests.stubs.playing import Killed

OWN_CLOCKS = {"rate": None, "every": (0.001, 0.004)}
PAST = ("at", 1_760_000_000.0)
CLOCKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "by a rate": (SENSOR, {}), "by their own clocks": (SENSOR, OWN_CLOCKS), "lives by a rate": (LIFE, {}),
    "lives by their states": (LIFE, {"rate": None}),
    "in the past by a rate": (LIFE, {"rate": 50.0, "start": PAST}),
    "in the past by their own clocks": (SENSOR, {**OWN_CLOCKS, "start": PAST}),
    "lives in the past": (LIFE, {"rate": None, "start": PAST}),
}
each_clock = pytest.mark.parametrize("body, fields", CLOCKS.values(), ids=CLOCKS.keys())


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 6)


@each_clock
def test_the_same_seed_tells_the_same_twice(tmp_path: Path, body: Any, fields: dict[str, Any]) -> None:
    told = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        channel = Channel()
        assert live(tmp_path / name, sketch(body, **fields), channel)
        told.append(facts(channel.stored))
    assert told[0] == told[1]
    assert len(told[0]) == 24


@each_clock
def test_killed_at_any_step_nothing_is_lost_or_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Any,
                                                       fields: dict[str, Any]) -> None:
    whole, wished = Channel(), sketch(body, **fields)
    (tmp_path / "whole").mkdir()
    assert live(tmp_path / "whole", wished, whole)
    for folder, channel in killed_at_each_step(tmp_path, wished, monkeypatch, 20):
        assert live(folder, wished, channel)
        assert facts(channel.once()) == facts(whole.stored)


@each_clock
def test_four_replicas_tell_the_same_of_each_entity(tmp_path: Path, body: Any, fields: dict[str, Any]) -> None:
    told = []
    for replicas in (1, 4):
        folder, channel = tmp_path / str(replicas), Channel()
        folder.mkdir()
        wished = sketch(body, 8, **{**fields, "replicas": replicas, "count": 10 ** 6})
        for replica in range(1, replicas + 1):
            live(folder, wished, channel, replica, batches=240 // replicas)
        assert_whole(channel, 8)
        assert steps_of(channel.stored, 8).keys() == set(range(1, 9))
        of_all = 5 if wished.generators["web"].rate is None else 4  # by a rate, when somebody speaks depends on the others
        told.append({fact[0]: fact[:of_all] for fact in facts(channel.stored)})
    both = told[0].keys() & told[1].keys()
    assert len(both) > 100
    assert {id: told[0][id] for id in both} == {id: told[1][id] for id in both}


@settings(max_examples=25, deadline=None)
@given(acts=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 30)), max_size=8))
@pytest.mark.parametrize("body", [SENSOR, LIFE], ids=["plain", "lives"])
def test_whatever_happens_count_is_exact_and_each_entity_goes_on(tmp_path_factory: pytest.TempPathFactory, body: Any,
                                                                 acts: list[tuple[int, int, int, int]]) -> None:
    """Scaled up and down, with replicas that come and go, and are killed at any step."""
    folder, channel = tmp_path_factory.mktemp("acts"), Channel()
    wished = sketch(body, count=60)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 3)
        for replicas, replica, batches, kill in acts:
            scaled = replace(wished, generators={"web": replace(wished.generators["web"], replicas=replicas)})
            with killed_at(kill, channel, monkeypatch), suppress(Killed):
                live(folder, scaled, channel, min(replica, replicas), batches)
        for replicas in (3, 3, 1):
            scaled = replace(wished, generators={"web": replace(wished.generators["web"], replicas=replicas)})
            for replica in range(1, replicas + 1):
                live(folder, scaled, channel, replica)
    assert_whole(channel, 5)
    assert len(channel.once()) == 60
    if body is LIFE:
        assert_lives(channel.once())


def test_a_life_is_a_path_of_what_is_declared_and_gathers_fields(tmp_path: Path) -> None:
    channel = Channel()
    assert live(tmp_path, sketch(LIFE, 20, count=2_000), channel)
    assert assert_lives(channel.stored) > 500
    types = Counter(event.type for event in channel.stored)
    assert 0.62 < (types["orderPaid"] * 0.9) / types["made"] < 0.78
    assert 0.14 < types["orderCancelled"] / types["made"] < 0.26


def test_every_entity_speaks_equally_often_where_a_rate_says_when(tmp_path: Path) -> None:
    channel = Channel()
    assert live(tmp_path, sketch(entities=100, count=1_000), channel)
    steps = steps_of(channel.stored, 100)
    assert all(len(of_one) == 10 for of_one in steps.values())
    first = list(steps)[:10]
    assert first != sorted(first)


def test_a_counter_in_the_key_of_a_life_never_repeats(tmp_path: Path) -> None:
    life = {"$states": {**LIFE["$states"], "key": "seq(1000)"}}
    channel = Channel()
    live(tmp_path, sketch(life, count=300), channel, batches=9)
    assert live(tmp_path, sketch(life, count=300), channel)
    assert assert_lives(channel.stored) == len({event.key for event in channel.stored if event.type == "made"})
    assert channel.stored[0].key == b"1000"


def test_fixed_fields_are_drawn_once() -> None:
    web = Generator("web", "t", "made", {}, entities=Entities(3, {"name": "uuid()", "nth": "seq(1)"}))
    one, other = Having(web, 7, 0.0), Having(web, 7, 0.0)
    names = {entity: one.of(entity)["name"] for entity in (1, 2, 3)}
    assert len(set(names.values())) == 3
    assert {entity: other.of(entity)["name"] for entity in (3, 1, 2, 1)} == names
    assert [one.of(entity)["nth"] for entity in (1, 2, 3)] == [1, 2, 3]
    assert Having(web, 8, 0.0).of(1)["name"] != names[1]


def test_a_change_that_is_there_already_changes_nothing(tmp_path: Path) -> None:
    standing = Standing(tmp_path, "web")
    old, new = ("web.1", 1, 1.0, [(1, 1, 2.0, "created", b"a")]), ("web.1", 1, 5.0, [(1, 2, 6.0, "paid", b"b")])
    for change in (old, new, old, new, old):
        standing.take_in(change)
    assert standing.rows(1, 1) == [(1, 2, 6.0, "paid", b"b")]
    assert standing.position("web.1", 1) == 5.0
    assert standing.position("web.2", 2) == 5.0
    standing.close()


def test_an_event_that_cannot_be_made_fails_alone_and_its_entity_goes_on(tmp_path: Path) -> None:
    life = {"$states": {"key": "uuid()", "states": {"created": {"body": {"n": "1..9"}, "next": "paid", "after": "1ms"},
                                                    "paid": {"body": {"by": "card"}, "after": "1ms"}}}}
    wished = sketch(life, 2, key="{{ 10 // (0 if 'by' in body else 1) }}", count=8)
    channel = Channel()
    assert live(tmp_path, wished, channel)
    assert [event.type for event in channel.stored] == ["made"] * 4
    assert_whole_steps = steps_of(channel.stored, 2)
    assert assert_whole_steps == {1: [0, 2], 2: [0, 2]}


def test_an_event_by_hand_is_the_first_one_of_a_life_of_its_own(tmp_path: Path) -> None:
    web = sketch(LIFE).generators["web"]
    made = [by_hand(Topic("t"), web, 7, "/eda/shop/web", lambda lookups: ())(number, 0.0) for number in (3, 3, 4)]
    assert all(not failed and len(events) == 1 for events, failed in made)
    one, same, other = (events[0] for events, _ in made)
    assert facts([one]) == facts([same]) != facts([other])
    assert (one.type, one.body().keys()) == ("made", {"total", "id"})
    channel = Channel()
    assert live(tmp_path, sketch(LIFE, count=200), channel)
    assert {one.id, other.id}.isdisjoint(event.id for event in channel.stored)
    assert {one.key, other.key}.isdisjoint(event.key for event in channel.stored)


def test_lives_take_as_much_memory_as_they_have_fields(tmp_path: Path) -> None:
    entities, used = 500, 0

    def look(step: str) -> None:
        nonlocal used
        channel.stored.clear()
        used = tracemalloc.get_traced_memory()[0]

    channel = Channel()
    channel.step = look
    tracemalloc.start()
    try:
        assert live(tmp_path, sketch(LIFE, entities, count=2 * entities), channel)
    finally:
        tracemalloc.stop()
    assert 0 < used < 2048 * entities


def test_fewer_entities_rest_and_more_begin(tmp_path: Path) -> None:
    channel = Channel()
    live(tmp_path, sketch(entities=5), channel, batches=2)
    live(tmp_path, sketch(entities=2), channel, batches=1)
    assert set(steps_of(channel.stored[12:], 5)) == {1, 2}
    assert live(tmp_path, sketch(entities=6), channel)
    assert steps_of(channel.stored, 6).keys() == {1, 2, 3, 4, 5, 6}
    assert_whole(channel, 6)


