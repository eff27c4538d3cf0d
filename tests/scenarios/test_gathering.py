"""Events that are gathered: pairs, sessions and items, while the consumers are killed. The truth is taken from the channel."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels import connect
from eda_cli.channels.base import Group
from tests.eventually import eventually
from tests.scenarios.harness import WITNESS, Eda

COUNT = 240
WITHIN_S, GAP_S = 2.0, 0.4
ROUND_S = 0.002  # a broker may tell milliseconds
SKETCH = f"""
name: gathering
topics:
  orders: {{key: $.order}}
  payments: {{key: $.order}}
generators:
  shop:
    publishes: orders
    event: orderPlaced
    body: {{order: seq(1), who: "zipf(6, user-)", items: {{$list: {{sku: "pick(A, B)", amount: 1..9}}, size: 0..3}}}}
    rate: 40/s
    count: {COUNT}
consumers:
  cashier:
    subscribes: orders
    publishes:
      - {{to: payments, event: paymentTaken, share: 40%, after: 0ms..300ms, body: {{order: $.order, sum: 1}}}}
      - {{to: payments, event: paymentTaken, share: 40%, after: 5s, body: {{order: $.order, sum: 2}}}}
  settling:
    subscribes: orders
    replicas: 2
    joins: {{with: payments, by: $.order, within: {WITHIN_S:g}s}}
    publishes: {{to: settled, event: orderSettled, body: {{order: $.order, who: $.who, sum: $joined.sum}}}}
  visits:
    subscribes: orders
    window: {{gap: 400ms, by: $.who, late: 10s}}
    publishes:
      to: visits
      event: visitEnded
      body: {{who: $window.key, from: $window.start, orders: count(), last: max($.order)}}
  picking:
    subscribes: orders
    publishes: {{to: picks, event: itemPicked, each: $.items, body: {{order: $.order, nth: $index, sku: $item.sku}}}}
"""


@pytest.fixture
def eda(everywhere: Eda) -> Eda:
    return everywhere


def moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def once(eda: Eda, topic: str) -> list[dict[str, Any]]:
    """The events of a topic without repeats, which have to be equal."""
    found: dict[str, dict[str, Any]] = {}
    for event in eda.events(topic, "gathering"):
        assert found.setdefault(event["id"], event)["data"] == event["data"]
    return list(found.values())


class Heard:
    """A group that hears orders and payments: when each was published, once or, after a kill, again."""

    def __init__(self, eda: Eda) -> None:
        address = eda.run("gathering").address()
        assert address is not None
        self._channel = connect(address)
        group = Group(f"{WITNESS}pairs", ("orders", "payments"))
        self._channel.declare([], [group])
        self._member = self._channel.subscribe(group)
        self._published: dict[str | None, list[float]] = defaultdict(list)

    def pairs(self, orders: dict[int, dict[str, Any]], payments: list[dict[str, Any]]) -> tuple[set[tuple[int, int]], ...]:
        """Number and sum of the pairs that there have to be, and of those that there may be."""
        ids = {event["id"] for event in (*orders.values(), *payments)}
        eventually(lambda: self._hear() >= ids, 30)
        self._member.close()
        self._channel.close()
        sure, possible = set(), set()
        for payment in payments:
            number, sum_ = payment["data"]["order"], payment["data"]["sum"]
            both = product(self._published[orders[number]["id"]], self._published[payment["id"]])
            apart = [abs(one - other) for one, other in both]
            if max(apart) <= WITHIN_S - ROUND_S:
                sure.add((number, sum_))
            if min(apart) <= WITHIN_S + ROUND_S:
                possible.add((number, sum_))
        return sure, possible

    def _hear(self) -> set[str | None]:
        while deliveries := self._member.poll(0.2, 500).deliveries:
            for delivery in deliveries:
                self._published[delivery.event.id].append(delivery.published)
            self._member.done(deliveries)
        return set(self._published)


def test_pairs_sessions_and_items_are_whole(eda: Eda, tmp_path: Path) -> None:
    path = tmp_path / "gathering.yaml"
    path.write_text(eda.fit(SKETCH))
    eda.up(path, "--scale", "shop=0")
    heard = Heard(eda)
    eda.up(path)
    for victim in ("settling.1", "visits.1", "picking.1", "settling.2", "visits.1", "settling.1"):
        eda.kill("gathering", victim)
    eventually(lambda: next(one["state"] for one in eda.ps("gathering")["parts"] if one["part"] == "shop") == "finished", 60,
               every=0.3)
    orders = {event["data"]["order"]: event for event in eda.events("orders", "gathering")}
    assert len(orders) == COUNT

    sessions = sorted(session for who in {event["data"]["who"] for event in orders.values()} for session in sessions_of(
        [event for event in orders.values() if event["data"]["who"] == who]))
    eventually(lambda: sum(event["data"]["orders"] for event in once(eda, "visits")) == COUNT, 40, every=0.5)
    assert sorted((event["data"]["who"], event["data"]["from"], event["data"]["orders"], event["data"]["last"])
                  for event in once(eda, "visits")) == sessions

    eventually(lambda: not any(eda.lag("gathering").values()), 30, every=0.3)
    payments = once(eda, "payments")
    taken = Counter(event["data"]["sum"] for event in payments)
    assert COUNT * 0.25 < taken[1] < COUNT * 0.55
    assert len(payments) > COUNT * 0.6
    settled = once(eda, "settled")
    pairs = Counter((event["data"]["order"], event["data"]["sum"]) for event in settled)
    sure, possible = heard.pairs(orders, payments)
    assert len(sure) > COUNT * 0.1
    assert sure <= set(pairs) <= possible
    assert set(pairs.values()) == {1}
    assert all(event["correlationid"] == orders[event["data"]["order"]]["id"] for event in settled)

    picks: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for event in once(eda, "picks"):
        picks[event["data"]["order"]].append((event["data"]["nth"], event["data"]["sku"]))
    assert {order: sorted(each) for order, each in picks.items()} == {
        order: [(nth, item["sku"]) for nth, item in enumerate(event["data"]["items"])]
        for order, event in orders.items() if event["data"]["items"]}


def sessions_of(events: list[dict[str, Any]]) -> list[tuple[str, str, int, int]]:
    """Who, since when, how many, and the highest number of each session of one user."""
    sessions: list[list[dict[str, Any]]] = []
    for event in sorted(events, key=moment):
        if sessions and moment(event) - moment(sessions[-1][-1]) <= GAP_S:
            sessions[-1].append(event)
        else:
            sessions.append([event])
    return [(each[0]["data"]["who"], each[0]["time"], len(each), max(event["data"]["order"] for event in each))
            for each in sessions]
