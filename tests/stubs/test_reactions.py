"""What follows from an event: for each item, a share of them, later, and unless something came."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import Delivery
from eda_cli.payloads import PayloadError
from eda_cli.sketch.resolved import Consumer, Resolved, Rule, Topic
from eda_cli.stubs.reactions import Follows, Reactions
from tests.stubs.playing import Log
from tests.stubs.test_histories import event, live, rows_of

NAMES = {name: Topic(name) for name in ("t", "u", "paid")}


def follows(delivery: Delivery, *rules: Rule) -> Follows:
    bill = Consumer("bill", ("t",), rules=rules)
    return Reactions(Resolved("shop", {}, 7, NAMES, {}, {}, {"bill": bill}), bill, "/eda/shop/bill").follow(delivery)


def one(number: int = 0, **body: Any) -> Delivery:
    return Delivery(event(number, body=body), "t", 0, number, 0.0)


ITEM = Rule("u", "sold", {"sku": "$item.sku", "nth": "$index", "id": "uuid()"}, has_body=True, each="$.items")


def test_each_item_gives_an_event_of_its_own_and_the_same_one_each_time() -> None:
    delivery = one(items=[{"sku": "x"}, {"sku": "y"}, {"sku": "x"}])
    made = [found for _, found in follows(delivery, ITEM).now]
    assert [(each.body()["sku"], each.body()["nth"]) for each in made] == [("x", 0), ("y", 1), ("x", 2)]
    assert len({each.id for each in made}) == len({each.body()["id"] for each in made}) == 3
    assert follows(delivery, ITEM) == follows(delivery, ITEM)


@pytest.mark.parametrize("items", [[], None])
def test_no_items_give_no_event(items: Any) -> None:
    assert follows(one(items=items), ITEM) == Follows()


def test_what_is_no_list_fails_the_event_and_one_wrong_item_fails_it_whole() -> None:
    with pytest.raises(PayloadError, match="no list"):
        follows(one(items={"sku": "x"}), ITEM)
    with pytest.raises(PayloadError):
        follows(one(items=[1, 0]), replace(ITEM, body={"x": "{{ 1 // item }}"}))


def test_conditions_look_at_the_item() -> None:
    made = follows(one(items=[1, 5, 9]), Rule("u", "sold", {"n": "$item"}, has_body=True, each="$.items", when="item > 3")).now
    assert [found.body() for _, found in made] == [{"n": 5}, {"n": 9}]


def test_rules_with_a_share_are_one_draw_for_those_of_the_same_types() -> None:
    shares = [Rule("u", "most", share=0.7), Rule("u", "some", share=0.3), Rule("u", "half", share=0.5, accepts=("made",)),
              Rule("u", "always")]
    drawn = Counter[str | None]()
    for number in range(2_000):
        kinds = [found.type for _, found in follows(one(number), *shares).now]
        assert kinds.count("most") + kinds.count("some") == 1
        assert kinds.count("always") == 1
        drawn.update(kinds)
    assert 1_300 < drawn["most"] < 1_500
    assert 900 < drawn["half"] < 1_100


def test_what_comes_later_says_when_it_will_happen() -> None:
    (later,) = follows(one(), Rule("u", "reminded", {"at": "now()"}, has_body=True, after_s=(30.0, 30.0))).later
    assert later.after_s == 30.0
    assert later.event.time == "2026-11-24T09:30:30.000000Z" == later.event.body()["at"]
    pauses = {follows(one(number), Rule("u", "reminded", after_s=(1.0, 3.0))).later[0].after_s for number in range(50)}
    assert len(pauses) == 50 and min(pauses) >= 1.0 and max(pauses) <= 3.0


def test_a_deadline_of_nothing_is_no_deadline() -> None:
    rule = Rule("u", "overdue", after_s=(1.0, 1.0), unless={"paid": "$.order"})
    assert follows(one(order="o1"), rule).later[0].unless == [("paid", b"o1")]
    assert follows(one(order=7), rule).later[0].unless == [("paid", b"7")]
    assert follows(one(order=None), rule).later[0].unless == []


@pytest.mark.parametrize("first", ["t", "paid"])
def test_a_deadline_that_is_met_gives_no_event(tmp_path: Path, first: str) -> None:
    log = Log()
    bill = Consumer("bill", ("t",), start="earliest",
                    rules=(Rule("u", "overdue", after_s=(0.2, 0.2), unless={"paid": "$key"}),))
    log.put("t", *(event(number) for number in range(3)))  # of a, b and c
    for number, key in enumerate([b"c", b"x", b"x", b"b"]):  # to c before its cause was there, to b behind it
        log.put("paid", event(9, id=f"p{number}", key=key))
    log.subscribe = lambda group: Log.subscribe(  # type: ignore[method-assign]
        log, replace(group, topics=tuple(sorted(group.topics, key=lambda topic: topic != first))))
    live(tmp_path, bill, log, lambda _: not rows_of(tmp_path, "timers"))
    assert sorted(made.causationid or "" for made in log.logs["u"]) == ["0", "2"]
