"""What is looked up across processes: told in any order, killed at any step. Told as histories, without processes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eda_cli.errors import Futile
from eda_cli.event import Event
from eda_cli.payloads import MISSING, Dice, compile_value, lookups_of
from eda_cli.sketch.looking import Demand, demand
from eda_cli.sketch.resolved import Generator, Raw, Resolved, Topic
from eda_cli.stubs import generator
from eda_cli.stubs.lookers import Lookers
from eda_cli.stubs.making import Wanted
from eda_cli.stubs.published import Published, Source, skip
from tests.stubs.playing import Killed, Memory, let_go, part

SHOP = Generator("shop", "orders", "made", {"n": "seq(0)"}, rate=10.0, replicas=2)


def sketch_of(body: Raw, shop: Generator = SHOP, **bank: Any) -> Resolved:
    bank = {"rate": 10.0, **bank}
    return Resolved("shop", {"kind": "embedded"}, 7, {"orders": Topic("orders"), "payments": Topic("payments")}, {},
                    {"shop": shop, "bank": Generator("bank", "payments", "paid", body, **bank)}, {})


class Turning:
    """Stands in for the wish to stop: whoever waits lets the next thing happen; where nothing does, stopping is wished."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)
        self.wished = False

    def wait(self, seconds: float) -> bool:
        if self.steps:
            self.steps.pop(0)()
        else:
            self.wished = True
        return self.wished


class Shop:
    """The generator that is looked up: both of its replicas, telling batch by batch."""

    def __init__(self, folder: Path, generator: Generator = SHOP, keep: Demand | None = None) -> None:
        self.replicas = [Published(folder, generator, f"shop.{replica}", keep or Demand(1000, ())) for replica in (1, 2)]

    def begin(self) -> None:
        for one in self.replicas:
            one.begin(0, 0.0)

    def tell(self, first: int, many: int, replica: int = 0, next_s: float | None = None, missing: int = -1) -> None:
        numbers = range(first, first + many)
        there = [number for number in numbers if number != missing]
        events = [Event(f"e{number}", "/s", "made", None, b'{"n":%d}' % number) for number in there]
        one = self.replicas[replica]
        told = one.packed(numbers, [Wanted(number, 0.0, number) for number in there], events, [number / 10 for number in numbers])
        one.tell(numbers, told, (), numbers.stop / 10 if next_s is None else next_s)

    def end(self) -> None:
        for one in self.replicas:
            one.end()


def lookers_of(folder: Path, sketch: Resolved) -> Lookers:
    bank = sketch.generators["bank"]
    return Lookers(folder, sketch, bank, lookups_of(compile_value(bank.body, "generator")))


def chosen(lookers: Lookers, numbers: range, stop: Any, oldest: int = 0) -> list[Any]:
    """What each event finds; they happen ten times a second."""
    assert lookers.prepare(numbers, [number / 10 for number in numbers], oldest, stop, lambda wrong: "told")
    dice = Dice(7, "bank")
    return [lookers.found[0](dice.roll(number), number) for number in numbers]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sizes=st.lists(st.integers(1, 5), min_size=5, max_size=6), order=st.randoms(use_true_random=False))
def test_what_is_chosen_hangs_neither_on_batches_nor_on_their_order(
        tmp_path_factory: pytest.TempPathFactory, sizes: list[int], order: Any) -> None:
    """Each replica tells its batches in order; which of the two has which, and which one is quicker, is as it comes."""
    found = []
    sketch = sketch_of({"$lookup": "orders", "path": "$.n", "last": 12})
    for late in (False, True):
        folder = tmp_path_factory.mktemp("run")
        shop = Shop(folder)
        shares: tuple[list[tuple[int, int]], ...] = ([], [])
        for first, many in zip(itertools.accumulate(sizes, initial=0), sizes, strict=False):
            shares[order.randrange(2) if late else 0].append((first, many))
        for replica, share in enumerate(shares):
            shop.replicas[replica].begin(0, share[0][0] / 10 if share else inf)
        stop = Turning()
        turns = [replica for replica, share in enumerate(shares) for _ in share]
        order.shuffle(turns)
        for replica in turns:
            first, many = shares[replica].pop(0)
            behind = shares[replica][0][0] / 10 if shares[replica] else inf
            stop.steps.append(partial(shop.tell, first, many, replica, behind))
        while not late and stop.steps:
            stop.wait(0.0)
        lookers = lookers_of(folder, sketch)
        found.append([one for start in range(0, 20, 4) for one in chosen(lookers, range(start, start + 4), stop)])
    assert all(max(0, min(number, sum(sizes)) - 10 - 11) <= one <= max(0, number - 10) for number, one in enumerate(found[0]))
    assert found[0] == found[1]


def test_numbers_that_were_not_published_are_passed_over(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.begin()
    shop.tell(0, 3, missing=1)
    skip(tmp_path, "shop", 3)
    shop.tell(4, 2)
    shop.end()
    lookers = lookers_of(tmp_path, sketch_of({"$lookup": "orders", "path": "$.n", "once": True, "else": "none"}))
    assert chosen(lookers, range(15, 17), Turning()) == [MISSING, MISSING]  # fewer were published
    assert chosen(lookers_of(tmp_path, sketch_of({"$lookup": "orders", "path": "$.n", "once": True})), range(4), Turning()) \
        == [0, 2, 4, 5]


def test_a_gap_is_waited_for_and_given_up_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.published.GAP_S", 0.0)
    shop = Shop(tmp_path)
    shop.begin()
    shop.tell(0, 2)
    shop.tell(4, 2, next_s=50.0)
    ours, theirs = Source(tmp_path, "shop", 2), Source(tmp_path, "shop", 2)
    while len(ours.ahead) < 4:
        ours.read()
    shop.tell(2, 2)  # too late: it was said that nothing was published there
    while len(theirs.ahead) < 4:
        theirs.read()
    assert [told.event.id for told in ours.ahead] == [told.event.id for told in theirs.ahead] == ["e0", "e1", "e4", "e5"]


def test_what_was_published_while_nobody_looked_is_passed_over(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.begin()
    shop.tell(0, 2)
    shop.replicas[0].begin(40, 5.0, range(40, 50))  # another lookup came into the sketch
    shop.tell(50, 2)
    source = Source(tmp_path, "shop", 2)
    source.read()
    assert [told.event.id for told in source.ahead] == ["e0", "e1", "e50", "e51"]


def test_a_source_that_is_silent_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.lookers.PATIENCE_S", 0.0)
    shop = Shop(tmp_path)
    shop.begin()
    shop.tell(0, 3)
    lookers = lookers_of(tmp_path, sketch_of({"$lookup": "orders", "path": "$.n"}))
    waited = Turning(*[lambda: None] * 3)
    assert set(chosen(lookers, range(100, 130), waited)) == {0, 1, 2}
    assert len(waited.steps) >= 2  # and for the other events not at all


def test_of_who_publishes_as_fast_as_it_goes_all_is_seen_that_is_there(tmp_path: Path) -> None:
    flat_out = replace(SHOP, rate=inf)
    shop = Shop(tmp_path, flat_out)
    shop.begin()
    shop.tell(0, 100)
    lookers = lookers_of(tmp_path, sketch_of({"$lookup": "orders", "path": "$.n", "last": 12}, flat_out))
    assert all(one >= 88 for one in chosen(lookers, range(10, 20), Turning()))
    shop.tell(100, 100)
    assert all(one >= 188 for one in chosen(lookers, range(20, 30), Turning()))


def test_a_source_that_stood_still_is_not_waited_for_until_it_is_as_far(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.begin()
    shop.tell(0, 600)
    shop.begin()
    goes_on = Turning(*[partial(shop.tell, 600 + at, 1, next_s=at / 10) for at in range(50)])
    found = chosen(lookers_of(tmp_path, sketch_of({"$lookup": "orders", "path": "$.n", "last": 9})), range(800, 830), goes_on)
    assert all(one >= 590 for one in found)
    assert len(goes_on.steps) >= 48


def test_a_schedule_that_begins_anew_tells_moments_behind_those_before(tmp_path: Path) -> None:
    moments: list[float] = []
    for rate, count in ((100.0, 40), (50.0, 50)):
        shop = replace(SHOP, rate=rate, count=count, replicas=1)
        sketch = sketch_of({"$lookup": "orders"}, shop)
        assert generator.run(part(tmp_path, sketch, "shop", 1, Memory()))
        source = Source(tmp_path, "shop", 1)
        source.read()
        moments = [told.moment / 1e6 for told in source.ahead]
    assert len(moments) == 50
    assert moments == sorted(moments)
    assert moments[40] >= moments[39]


@pytest.mark.parametrize(("start", "least"), [(None, 570), (("ago", 3600.0), 0)])
def test_a_schedule_that_begins_beside_one_of_long_ago_looks_up_what_is_new(
        tmp_path: Path, start: tuple[str, float] | None, least: int) -> None:
    """As after `eda set`, a pause, or where the part is new in the sketch; but what lies in the past looks at its past."""
    shop = Shop(tmp_path)
    shop.begin()
    for first in range(0, 600, 10):
        shop.tell(first, 10)
    channel = Memory()
    sketch = sketch_of({"$lookup": "orders", "path": "$.n", "last": 20}, rate=100.0, count=5, start=start)
    assert generator.run(part(tmp_path, sketch, "bank", 1, channel))
    assert len(channel.stored) == 5
    assert all(event.body() >= least for event in channel.stored)
    assert start is None or all(event.body() == 0 for event in channel.stored)


def test_where_nothing_is_there_it_is_waited_for_and_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.lookers.PATIENCE_S", 0.0)
    lookers = lookers_of(tmp_path, sketch_of({"$lookup": "orders", "path": "$.n", "where": "body.n > 4"}))
    shop = Shop(tmp_path)
    told: list[str] = []
    stop: Any = Turning(shop.begin, lambda: shop.tell(0, 3), lambda: None, lambda: None, lambda: shop.tell(3, 3))
    assert lookers.prepare(range(1), [0.0], 0, stop, lambda wrong: told.append(wrong.what) or "x")
    assert told == ["there is nothing to look up in 'orders' where body.n > 4"]
    assert lookers.found[0](Dice(7), 0) == 5


def test_that_a_source_flat_out_is_awaited_whole_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = replace(SHOP, rate=inf, count=6)
    lookers = lookers_of(tmp_path, sketch_of({"$lookup": "orders", "path": "$.n"}, flat))
    monkeypatch.setattr("eda_cli.stubs.lookers.PATIENCE_S", 0.05)
    shop = Shop(tmp_path, flat)
    told: list[str] = []
    steps = [lambda first=first: shop.tell(first, 1) or time.sleep(0.03) for first in range(6)]  # type: ignore[misc]
    stop: Any = Turning(shop.begin, *steps, shop.end)
    assert lookers.prepare(range(1), [0.0], 0, stop, lambda wrong: told.append(wrong.line) or "x")
    assert told == ["what shop publishes flat out is looked up once all of it is there: nobody knows which of it happens before "
                    "an event"]
    assert lookers.found[0](Dice(7), 0) in range(6)


def test_what_can_never_come_ends_in_an_error(tmp_path: Path) -> None:
    lookers = lookers_of(tmp_path, sketch_of({"$lookup": "orders", "where": "body.n > 4"}))
    shop = Shop(tmp_path)
    shop.begin()
    shop.tell(0, 3)
    shop.end()
    with pytest.raises(Futile, match="nothing to look up in 'orders'") as raised:
        chosen(lookers, range(1), Turning())
    assert raised.value.why == "3 events of shop were looked at, 0 of them are meant"
    assert "else" in raised.value.hint


def test_what_nobody_can_look_up_any_more_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.published._SPARE", 100)
    shop = Shop(tmp_path, keep=Demand(50, ()))
    shop.begin()
    for first in range(0, 5_000, 10):
        shop.tell(first, 10)
    source = Source(tmp_path, "shop", 2)
    source.read()
    assert 200 <= len(source.ahead) <= 400
    assert source.ahead[-1].event.id == "e4999"


def test_what_is_not_used_up_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.published._SPARE", 100)
    monkeypatch.setattr("eda_cli.stubs.lookers.NOTE", 100)
    sketch = sketch_of({"$lookup": "orders", "path": "$.n", "once": True})
    shop = Shop(tmp_path, keep=demand(sketch, "shop"))
    shop.begin()
    lookers = lookers_of(tmp_path, sketch)
    for first in range(0, 3_000, 10):
        shop.tell(first, 10)
        if first % 20 == 0:
            start = first // 2
            assert chosen(lookers, range(start, start + 10), Turning(), oldest=start) == list(range(start, start + 10))
    lookers = lookers_of(tmp_path, sketch)  # killed, and it goes on
    assert chosen(lookers, range(1_500, 1_510), Turning(), oldest=1_500) == list(range(1_500, 1_510))
    source = Source(tmp_path, "shop", 2)
    source.read()
    assert 1_200 <= int(str(source.ahead[0].event.id)[1:]) <= 1_500


BODY = {"n": "seq(0)", "of": {"$lookup": "orders", "path": "$.n", "once": True}}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(deaths=st.lists(st.tuples(st.sampled_from(["shop", "bank"]), st.integers(1, 2), st.integers(1, 3)), max_size=12))
def test_once_never_repeats_and_loses_nothing_around_kills(
        tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, deaths: list[tuple[str, int, int]]) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 3)
    folder = tmp_path_factory.mktemp("run")
    endless = float("inf")
    sketch = sketch_of(BODY, replace(SHOP, rate=endless, count=30), rate=endless, count=30, replicas=2)
    stored: dict[str, list[Event]] = {"shop": [], "bank": []}
    for name, replica, steps in [*deaths, *[(name, replica, 10_000) for name in ("shop", "bank") for replica in (1, 2)]]:
        channel = Memory()
        one = part(folder, sketch, name, replica, channel)
        left = iter(range(steps))

        def step(left: Any = left, one: Any = one) -> None:
            if next(left, None) is None:
                raise Killed

        channel.on_publish = step
        monkeypatch.setattr(one.stop, "wait", lambda seconds, one=one: step() or one.stop.wished) if name == "bank" else None
        try:
            generator.run(one)
        except Killed:
            pass
        finally:
            stored[name] += channel.stored
            let_go(one)
    paid = {event.id: event.body() for event in stored["bank"]}
    assert all(paid[event.id] == event.body() for event in stored["bank"])
    assert sorted(body["n"] for body in paid.values()) == list(range(30))
    assert sorted(body["of"] for body in paid.values()) == list(range(30))
    assert all(body["n"] == body["of"] for body in paid.values())


def test_nothing_is_kept_where_nobody_looks(tmp_path: Path) -> None:
    sketch = sketch_of({"n": "seq(0)"}, replace(SHOP, count=2, rate=1000.0, replicas=1))
    assert generator.run(part(tmp_path, sketch, "shop", 1, Memory()))
    assert not list(tmp_path.glob("*.published.db"))
