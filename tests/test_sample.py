"""`eda sample`: what it prints, what it takes, and how it says what it cannot do. Nothing is started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from eda_cli.cli.fields import Field
from eda_cli.event import from_line
from tests.test_cli import run

SKETCH = """
name: shop
topics: {purchases: {key: $.user}}
generators:
  webshop:
    publishes: purchases
    rate: 20/s
    body: {id: uuid(), user: "zipf(20, user-)", paid: 5.00..250.00, express: "pick(true, false)"}
consumers: {billing: {subscribes: purchases}}
"""
DROPPED = SKETCH.replace("rate: 20/s", "faults: {drop: 100%}")
BROKEN = SKETCH.replace("key: $.user", 'key: "{{ 1 // body.none }}"').replace("id: uuid()", "none: 0, id: uuid()")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "sketch.yaml").write_text(SKETCH)
    return tmp_path


def test_events_are_those_of_tail_and_the_same_for_a_seed(here: Path) -> None:
    lines = run("sample", "--seed", "7", cwd=here).stdout.splitlines()
    assert len(lines) == 20
    events = [json.loads(line) for line in lines]
    assert all(event["topic"] == "purchases" and event["partitionkey"] == event["data"]["user"] for event in events)
    assert not {"partition", "offset"} & events[0].keys()
    assert from_line(lines[0]).id == events[0]["id"]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    again = run("sample", "webshop", "sketch.yaml", "--seed", "7", "-n", "3", "--json", cwd=here).stdout.splitlines()
    assert [json.loads(line)["data"] for line in again] == [event["data"] for event in events[:3]]


def test_a_seed_that_is_drawn_is_told(here: Path) -> None:
    done = run("sample", "sketch.yaml", "-n", "1", cwd=here)
    seed = done.stderr.split()[-1]
    assert json.loads(run("sample", "--seed", seed, "-n", "1", cwd=here).stdout)["data"] == json.loads(done.stdout)["data"]


def test_stats_are_a_table_or_an_object_a_field(here: Path) -> None:
    table = run("sample", "--stats", "--seed", "7", cwd=here).stdout.splitlines()
    assert table[0].split() == ["FIELD", "TYPE", "DISTINCT", "MIN", "MEAN", "P50", "P99", "MAX", "VALUES"]
    assert [line.split()[0] for line in table[1:]] == ["$key", "$.id", "$.user", "$.paid", "$.express"]
    done = run("sample", "--stats", "--seed", "7", "-n", "500", "--json", cwd=here)
    fields = [json.loads(line) for line in done.stdout.splitlines()]
    user, paid = fields[2], fields[3]
    assert (user["path"], user["places"], user["types"], user["distinct"]) == ("$.user", 500, {"string": 500}, 20)
    assert user["frequent"][0]["value"] == "user-1"
    assert 5 <= paid["numbers"]["min"] < 20 < paid["numbers"]["mean"] < 240 < paid["numbers"]["max"] <= 250
    assert sum(paid["numbers"]["buckets"]) == 500


@pytest.mark.parametrize(("args", "says"), [
    (("webshp",), ["there is no generator 'webshp'", "did you mean 'webshop'?"]),
    (("billing",), ["'billing' is a consumer", "eda up"]),
    (("webshop", "nothing.yaml"), ["nothing.yaml"]),
    (("-n", "0"), ["-n"]),
])
def test_what_there_is_no_sample_of(here: Path, args: tuple[str, ...], says: list[str]) -> None:
    told = run("sample", *args, cwd=here, code=2).stderr
    assert all(one in told for one in says), told


def test_where_there_are_several_one_is_named(here: Path) -> None:
    (here / "two.yaml").write_text("generators: {a: {publishes: t}, b: {publishes: t}}\nconsumers: {c: {subscribes: t}}\n")
    assert "name one: eda sample a two.yaml\n" in run("sample", "two.yaml", cwd=here, code=2).stderr
    assert "name one: eda sample a two.yaml --stats\n" in run("sample", "--stats", "two.yaml", cwd=here, code=2).stderr
    assert run("sample", "b", "two.yaml", "-n", "2", cwd=here).stdout.count('"source":"/eda/two/b"') == 2
    (here / "none.yaml").write_text("consumers: {c: {subscribes: t}}\n")
    assert "there is no generator" in run("sample", "none.yaml", cwd=here, code=2).stderr


EMPTY = "seed: 1\ngenerators: {shop: {publishes: orders, arrivals: poisson, stages: [{rate: 1/h, for: 1s}]}}\n" \
        "consumers: {c: {subscribes: orders}}\n"


@pytest.mark.parametrize(("sketch", "says"), [(DROPPED, "all of them are dropped"), (BROKEN, "could not be made"),
                                               (EMPTY, "its schedule has none")])
def test_where_nothing_comes_it_is_said_why(here: Path, sketch: str, says: str) -> None:
    (here / "sketch.yaml").write_text(sketch)
    assert says in run("sample", "-n", "5", cwd=here, code=1).stderr
    assert says in run("sample", "-n", "5", "--stats", cwd=here, code=1).stderr


def test_a_generator_that_ends_has_no_more(here: Path) -> None:
    (here / "sketch.yaml").write_text(SKETCH.replace("rate: 20/s", "count: 3"))
    done = run("sample", cwd=here)
    assert len(done.stdout.splitlines()) == 3
    assert "these are all: 3 events" in done.stderr


@pytest.mark.parametrize(("values", "wide", "narrow"), [
    (range(1000, 2000), ["1,000", "1,500", "1,500", "1,989", "1,999", "████████"],
     ["████████", "1,000..1,999, p50 1,500, p99 1,989, mean 1,500"]),
    ([1, 1, 1, 2, 2], ["1", "1.4", "1", "2", "2", "█▆", "1 60%, 2 40%"], ["█▆", "1..2", "1 60%, 2 40%"]),
    ([2e6, 3.5e6, 12e9], ["2M", "4.002G", "3.5M", "12G", "12G", "█      ▅"],
     ["█      ▅", "2M..12G, p50 3.5M, p99 12G, mean 4.002G"]),
])
def test_numbers_have_a_distribution_and_those_that_come_often_are_named(values: Sequence[float], wide: list[str],
                                                                         narrow: list[str]) -> None:
    """Where a terminal is narrow the measures stand in words, the most telling first: what does not fit is cut."""
    from eda_cli.cli.sample import MEASURES, _row

    field = Field("$.n", len(values))
    for value in values:
        field.note(value, "integer")
    columns = _row(field, MEASURES)
    assert (columns[5:-1], columns[-1]) == (tuple(wide[:5]), "  ".join(wide[5:]))
    assert _row(field, ())[-1] == "  ".join(narrow)


def test_what_cannot_be_made_is_told_of_few_events_too(here: Path) -> None:
    (here / "sketch.yaml").write_text(SKETCH.replace("id: uuid()", '$vars: {n: 0..1}, id: "{{ 1 // vars.n }}"'))
    done = run("sample", "--seed", "7", "-n", "6", cwd=here)
    assert len(done.stdout.splitlines()) == 6
    assert "could not be made: '{{ 1 // vars.n }}' cannot be made for 'id': integer division or modulo by zero" in done.stderr
