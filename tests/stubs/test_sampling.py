"""What a generator would publish: as it does in a run, in the order of its schedule, and never without end."""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import Event, epoch
from eda_cli.sketch.resolved import Entities, Faults, Generator, Resolved, Spread, Stage, Topic
from eda_cli.stubs import generator
from eda_cli.stubs.sampling import maker, sampled, wanted_of
from tests.stubs.playing import Memory, let_go, part

NOW = 1_700_000_000.0
FAULTS = Faults(duplicate=0.2, drop=0.2, out_of_order=Spread(0.3, (0.3, 2.0)), corrupt=0.2, null_key=0.2)


LIVES = {"$states": {"key": "uuid()", "entities": 5, "start": "created", "states": {
    "created": {"body": {"n": "1..9"}, "next": {"paid": "80%", "gone": "20%"}, "after": "1ms..2ms"},
    "paid": {"event": "paid", "body": {"sum": "5.00..9.00"}, "next": "gone", "after": "1ms"},
    "gone": {"body": {"n": 0}}}}}


def web(**fields: Any) -> Generator:
    return Generator("web", "t", "made", **{"body": {"n": "seq(0)", "some": "normal(5, 2)"}, "rate": 10.0, **fields})


def sample(one: Generator, most: int = 1_000, key: Any = None) -> list[Any]:
    make = maker(Topic("t", key=key), one, 7, "/eda/shop/web", NOW)
    return list(sampled(make, one, 7, islice(wanted_of(one, 7, NOW), most)))


def moments(one: Generator, many: int) -> list[float]:
    return [round(wanted.now - NOW, 6) for wanted in islice(wanted_of(one, 7, NOW), many)]


@pytest.mark.parametrize("fields", [
    {"rate": 5_000.0},
    {"rate": 5_000.0, "entities": Entities(7, {"name": "pick(ann, bob)"}), "body": {"n": "$entity", "who": "$entity.name"}},
    {"rate": None, "every": (0.001, 0.002), "entities": Entities(7)},
    {"rate": None, "body": LIVES, "entities": Entities(5)},
    {"rate": 5_000.0, "body": LIVES, "entities": Entities(5)},
])
def test_a_sample_is_what_a_run_publishes(tmp_path: Path, fields: dict[str, Any]) -> None:
    one = web(**fields, count=200, faults=FAULTS)
    sketch = Resolved("shop", {"kind": "embedded"}, 7, {"t": Topic("t", key="k-{{ body.n }}")}, {}, {"web": one}, {})
    channel = Memory()
    running = part(tmp_path, sketch, "web", 1, channel)
    assert generator.run(running)
    let_go(running)

    def content(events: list[Event]) -> Counter[Any]:
        return Counter((event.id, event.key, event.data, event.type, event.source) for event in events)

    assert content(sample(one, key="k-{{ body.n }}")) == content(channel.stored)


@pytest.mark.parametrize(("fields", "expected"), [
    ({"rate": 2.0}, [0.0, 0.5, 1.0, 1.5]),
    ({"rate": 2.0, "replicas": 2}, [0.0, 0.5, 1.0, 1.5]),
    ({"rate": 2.0, "after_s": 5.0}, [5.0, 5.5, 6.0, 6.5]),
    ({"rate": 2.0, "start": ("ago", 3600.0)}, [-3600.0, -3599.5, -3599.0, -3598.5]),
    ({"rate": 2.0, "start": ("at", NOW + 60)}, [60.0, 60.5, 61.0, 61.5]),
    ({"rate": float("inf")}, [0.0, 0.0, 0.0, 0.0]),
    ({"rate": None, "every": (2.0, 2.0)}, [0.0, 2.0, 4.0, 6.0]),
    ({"rate": 2.0, "entities": Entities(3)}, [0.0, 0.5, 1.0, 1.5]),
    ({"rate": None, "every": (2.0, 2.0), "entities": Entities(1)}, [1.236068, 3.236068, 5.236068, 7.236068]),
    ({"rate": None, "stages": (Stage((1.0, 1.0), 2.0), Stage((10.0, 10.0), 0.2))}, [0.0, 1.0, 2.0, 2.1]),
])
def test_the_moments_are_those_of_the_schedule(fields: dict[str, Any], expected: list[float]) -> None:
    assert moments(web(**fields), 4) == expected


def test_it_ends_where_the_generator_does() -> None:
    assert len(sample(web(count=7))) == 7
    assert len(sample(web(rate=None, stages=(Stage((10.0, 10.0), 1.5),)))) == 15
    assert len(sample(web(), most=250)) == 250
    assert sample(web(faults=Faults(drop=1.0)), most=250) == []


def test_who_is_held_back_is_overtaken_and_comes_in_the_end() -> None:
    events = sample(web(count=50, faults=Faults(out_of_order=Spread(0.3, (0.3, 2.0)))))
    times = [epoch(event.time) for event in events]
    assert times != sorted(times)
    assert sorted(event.body()["n"] for event in events) == list(range(50))


def test_what_cannot_be_made_says_why_and_hinders_no_other() -> None:
    made = sample(web(count=9, body={"n": "seq(0)"}, key="{{ 10 // (body.n % 3) }}", faults=Faults(duplicate=1.0)))
    assert [one.body()["n"] for one in made if isinstance(one, Event)] == [1, 1, 2, 2, 4, 4, 5, 5, 7, 7, 8, 8]
    assert len([one for one in made if not isinstance(one, Event)]) == 3


def test_a_stage_that_is_flat_out_happens_when_it_begins() -> None:
    stages = (Stage((2.0, 2.0), 1.0), Stage((math.inf, math.inf), 1.0), Stage((5.0, 5.0), None))
    assert moments(web(rate=None, stages=stages), 5) == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert moments(web(rate=None, stages=stages[1:]), 2) == [0.0, 0.0]


@pytest.mark.parametrize("fields", [{"every": (3e8, 3e8)}, {"every": (3e8, 3e8), "entities": Entities(3)}])
def test_with_the_calendar_each_schedule_ends(fields: dict[str, Any]) -> None:
    came = sample(web(rate=None, **fields), 5_000)
    assert 800 < len(came) < 2_600
    assert max(event.time for event in came)[:3] == "999"


def test_what_could_not_be_made_comes_before_what_is_made_together_with_it() -> None:
    one = web(body={"n": "{{ 1 // vars.n }}", "$vars": {"n": "0..1"}})
    make = maker(Topic("t"), one, 7, "/eda/shop/web", NOW)
    first = list(islice(sampled(make, one, 7, wanted_of(one, 7, NOW), 4), 4))
    kinds = [isinstance(each, Event) for each in first]
    assert kinds == sorted(kinds)
    assert len(set(kinds)) == 2
