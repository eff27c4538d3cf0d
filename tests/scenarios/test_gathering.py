"""Events that are gathered: pairs, sessions and items, while the consumers are killed. The truth is taken from the channel."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

COUNT = 240
WITHIN_S, GAP_S = 2.0, 0.4
SURE_S = 1.6  # how far from the limit the moments of two events have to be: those of publishing lie behind them
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


def test_pairs_sessions_and_items_are_whole(eda: Eda, tmp_path: Path) -> None:
    path = tmp_path / "gathering.yaml"
    path.write_text(eda.fit(SKETCH))
    eda.up(path, "--scale", "shop=0")  # pairs go by when events were published, which for the first of them is when all are there
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
    early = {event["data"]["order"] for event in payments
             if moment(event) - moment(orders[event["data"]["order"]]) < WITHIN_S - SURE_S}
    assert COUNT * 0.25 < len(early) < COUNT * 0.55
    assert len(payments) > COUNT * 0.6
    settled = once(eda, "settled")
    assert {event["data"]["order"] for event in settled if event["data"]["sum"] == 1} >= early
    assert [event for event in settled if event["data"]["sum"] == 2] == []
    assert len({event["data"]["order"] for event in settled}) == len(settled)
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
