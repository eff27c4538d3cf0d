"""What a generator looks up where nothing runs: others play along, as far as they are needed."""

from __future__ import annotations

from itertools import islice
from typing import Any

from eda_cli.event import Event
from eda_cli.payloads import PayloadError
from eda_cli.sketch.resolved import Generator, Resolved, Topic
from eda_cli.stubs.rehearsal import MOST_IN_VAIN, rehearsed
from eda_cli.stubs.sampling import sampled, wanted_of

NOW = 1_700_000_000.0


def looked_up(lookup: dict[str, Any], many: int = 50, name: str = "bank", **more: Generator) -> list[Any]:
    """What the events of the generator find, or why they could not be made."""
    parts = {"shop": Generator("shop", "orders", "made", {"n": "seq(0)"}, rate=10.0),
             "bank": Generator("bank", "payments", "made", {"n": "seq(0)", "found": lookup}, rate=10.0)} | more
    topics = {one.publishes: Topic(one.publishes) for one in parts.values()}
    sketch = Resolved("shop", {"kind": "embedded"}, 7, topics, {}, parts, {})
    part = parts[name]
    events = sampled(rehearsed(sketch, name, 7, NOW), part, 7, islice(wanted_of(part, 7, NOW), many))
    return [one.body()["found"] if isinstance(one, Event) else one for one in events]


def test_what_happened_a_second_before_is_found() -> None:
    found = looked_up({"$lookup": "orders", "path": "$.n", "last": 5})
    assert found == looked_up({"$lookup": "orders", "path": "$.n", "last": 5})
    assert all(max(0, number - 15) <= one <= max(0, number - 10) for number, one in enumerate(found))


def test_each_event_is_used_once_and_in_turn() -> None:
    assert looked_up({"$lookup": "orders", "path": "$.n", "once": True, "where": "body.n % 2 == 0"}) == list(range(0, 100, 2))


def test_a_generator_looks_up_what_it_said_itself() -> None:
    found = looked_up({"$lookup": "payments", "path": "$.n", "else": -1, "last": 1})
    assert found == [-1] * 10 + list(range(40))


def test_who_looks_each_other_up_ends() -> None:
    back = {"$lookup": "payments", "path": "$.n", "else": -1}
    shop = Generator("shop", "orders", "made", {"n": "seq(0)", "of": back}, rate=10.0)
    found = looked_up({"$lookup": "orders", "path": "$.n", "last": 1}, shop=shop)
    assert found == [max(0, number - 10) for number in range(50)]


def test_what_never_comes_is_told_and_not_waited_for() -> None:
    found = looked_up({"$lookup": "orders", "where": "body.n < 0"}, many=3)
    assert all(isinstance(one, PayloadError) and f"{MOST_IN_VAIN:,} events" in one.line for one in found)
