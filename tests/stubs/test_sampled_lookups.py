"""What a sample looks up: other generators, played in one process, however they look each other up."""

from __future__ import annotations

from typing import Any

import pytest

from eda_cli.sketch.resolved import Entities, Faults, Generator, Raw, Resolved, Topic
from eda_cli.stubs.faults import Faulty
from eda_cli.stubs.sampled_lookups import MOST, Others
from eda_cli.stubs.sampling import wanted_of

NOW = 1_800_000_000.0


def made(many: int, bank: Raw, shop: dict[str, Any] | None = None) -> tuple[list[Any], list[str]]:
    """The first bodies of a generator at 10/s, and what went wrong; the other one publishes 20/s."""
    sketch = Resolved("shop", {"kind": "embedded"}, 7, {"orders": Topic("orders"), "payments": Topic("payments")}, {}, {
        "shop": Generator("shop", "orders", "made", **{"body": {"n": "seq(0)"}, "rate": 20.0, **(shop or {})}),
        "bank": Generator("bank", "payments", "paid", bank, rate=10.0)}, {})
    wanted = wanted_of(sketch.generators["bank"], 7, NOW)
    events, failed = Others(sketch, 7, NOW).maker(sketch.generators["bank"])([next(wanted) for _ in range(many)])
    return [event.body() for event in events], [wrong.what for _, _, wrong in failed]


def test_what_happened_until_a_second_before_is_chosen() -> None:
    bodies, _ = made(60, {"$lookup": "orders", "path": "$.n", "else": "none"})
    assert bodies[:10] == ["none"] * 10
    assert bodies[10] == 0
    assert all(body <= 2 * (number - 10) for number, body in enumerate(bodies) if number > 10)
    assert max(bodies[10:]) > 60


def test_the_first_one_is_there_without_else() -> None:
    assert made(11, {"$lookup": "orders", "path": "$.n"})[0] == [0] * 11


def test_generators_that_look_each_other_up_come_to_an_end() -> None:
    bodies, _ = made(50, {"of": {"$lookup": "orders", "else": 0}, "own": {"$lookup": "payments", "path": "$.own", "else": 1}},
                     {"body": {"$lookup": "payments", "path": "$.own", "else": 2}})
    assert {body["of"] for body in bodies} == {0, 1, 2}
    assert {body["own"] for body in bodies} == {1}


@pytest.mark.parametrize("shop", [{"rate": float("inf")}, {"rate": 1000.0}, {"count": 5}])
def test_what_never_comes_is_not_looked_for_without_end(shop: dict[str, Any]) -> None:
    bodies, wrong = made(3, {"$lookup": "orders", "where": "body.n < 0"}, shop)
    assert (bodies, wrong) == ([], ["there is nothing to look up in 'orders'"] * 3)


def test_what_is_always_dropped_is_not_made_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.sampled_lookups.MOST", 300)
    wishes: list[int] = []
    draw = Faulty.earlier

    def counted(self: Faulty, wanted: Any) -> Any:
        wishes.append(len(wanted))
        return draw(self, wanted)

    monkeypatch.setattr(Faulty, "earlier", counted)
    bodies, wrong = made(3, {"$lookup": "orders"}, {"rate": 1000.0, "faults": Faults(drop=1.0)})
    assert (bodies, wrong) == ([], ["there is nothing to look up in 'orders'"] * 3)
    assert sum(wishes) < 1_000  # for all three


def test_who_finds_nothing_looks_no_further_for_those_that_follow() -> None:
    sketch = Resolved("shop", {"kind": "embedded"}, 7, {"orders": Topic("orders"), "payments": Topic("payments")}, {}, {
        "shop": Generator("shop", "orders", "made", {"n": "seq(0)"}, rate=20.0),
        "bank": Generator("bank", "payments", "paid", {"$lookup": "orders", "where": "body.n < 0"}, rate=10.0)}, {})
    make, wanted = Others(sketch, 7, NOW).maker(sketch.generators["bank"]), wanted_of(sketch.generators["bank"], 7, NOW)
    told = [make([next(wanted)])[1][0][2].why for _ in range(5)]
    assert set(told) == {f"{MOST:,} events of it were looked at"}


def test_the_states_of_a_life_look_up_long_after_it_began() -> None:
    looking = {"body": {"of": {"$lookup": "orders", "path": "$.n"}}, "next": "last"}
    states = {"first": {"body": {}, "next": "last"}, "last": looking}
    life = {"$states": {"states": states}}
    sketch = Resolved("shop", {"kind": "embedded"}, 7, {"orders": Topic("orders"), "payments": Topic("payments")}, {}, {
        "shop": Generator("shop", "orders", "made", {"n": "seq(0)"}, rate=20.0),
        "bank": Generator("bank", "payments", "paid", life, rate=10.0, entities=Entities(3))}, {})
    wanted = wanted_of(sketch.generators["bank"], 7, NOW)
    make = Others(sketch, 7, NOW).maker(sketch.generators["bank"])
    said = [event.body() for _ in range(30) for event in make([next(wanted)])[0]]  # one by one, as at a low rate
    assert len(said) == 30
    assert max(body.get("of", 0) for body in said) > 10


def test_once_is_once_and_what_is_dropped_is_not_found() -> None:
    bodies, _ = made(100, {"$lookup": "orders", "path": "$.n", "once": True},
                     {"faults": Faults(drop=0.3, corrupt=0.2, duplicate=0.5)})
    assert len(set(bodies)) == 100
    assert bodies == sorted(bodies)
    assert 120 < bodies[-1] < 180


def test_what_was_heard_is_not_held_for_good() -> None:
    sketch = Resolved("shop", {"kind": "embedded"}, 7, {"orders": Topic("orders"), "payments": Topic("payments")}, {}, {
        "shop": Generator("shop", "orders", "made", {"n": "seq(0)"}, rate=5_000.0),
        "bank": Generator("bank", "payments", "paid", {"$lookup": "orders", "path": "$.n", "last": 10}, rate=2.0)}, {})
    others = Others(sketch, 7, NOW)
    make = others.maker(sketch.generators["bank"])
    stream = others._stream("shop")
    listener, = stream._listeners
    wanted = wanted_of(sketch.generators["bank"], 7, NOW)
    events, _ = make([next(wanted) for _ in range(8)])
    assert [event.body() // 2_500 for event in events] == [0, 0, 0, 0, 1, 2, 3, 4]
    assert len(listener) < 5_000
