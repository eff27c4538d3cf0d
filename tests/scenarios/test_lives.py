"""Lives around SIGKILL and scaling, on real processes: from the log, each is a path of what is declared, step by step."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

COUNT = 2_400  # about 30 s of them
SKETCH = f"""
name: lives
topics:
  orders: {{partitions: 2}}
generators:
  shop:
    publishes: orders
    event: orderCreated
    count: {COUNT}
    replicas: 2
    entities: {{count: 30, have: {{name: uuid()}}}}
    body:
      $states:
        key: seq(1000)
        states:
          created: {{body: {{by: $entity.name, who: $entity, n: 1}}, next: {{paid: 60%, cancelled: 20%}}, after: 300ms..1200ms}}
          paid: {{event: orderPaid, body: {{n: "{{{{ was.n + 1 }}}}"}}, next: {{paid: 30%, shipped: 70%}}, after: 150ms..600ms}}
          shipped: {{event: orderShipped, body: {{n: "{{{{ was.n + 1 }}}}"}}, after: 150ms}}
          cancelled: {{event: orderCancelled, body: $tombstone, after: 150ms}}
consumers:
  log: {{subscribes: orders, from: earliest}}
"""
NEXT = {"orderCreated": {"orderPaid", "orderCancelled"}, "orderPaid": {"orderPaid", "orderShipped"},
        "orderShipped": set(), "orderCancelled": set()}


def told(eda: Eda) -> list[dict[str, Any]]:
    """The events in the order of each partition, without repeats, which are equal."""
    first: dict[str, dict[str, Any]] = {}
    for event in sorted(eda.events("orders", "lives"), key=lambda event: (event["partition"], event["offset"])):
        same = first.setdefault(event["id"], event)
        assert (same.get("data"), same["partitionkey"], same["time"]) == (event.get("data"), event["partitionkey"], event["time"])
    return list(first.values())


@pytest.mark.timeout(240)
def test_killed_and_scaled_each_life_is_told_step_by_step(eda: Eda, tmp_path: Path) -> None:
    path = tmp_path / "lives.yaml"
    path.write_text(SKETCH)
    eda.up(path)
    scales, kills, seen = iter((0, 3, 0, 1, 2)), 0, 0
    while seen < 0.7 * COUNT:  # however fast the machine is: some kills while it speaks
        eda.kill("lives", "shop.1")
        kills += 1
        if scaled := next(scales, 0):
            eda("scale", f"shop={scaled}", "--run", "lives")
        seen = eventually(lambda: (many := len(eda.events("orders", "lives"))) > seen and many, 60)  # noqa: B023
    assert kills > 2
    eventually(lambda: len(told(eda)) >= COUNT, 90, every=0.5)
    events = told(eda)
    assert len(events) == COUNT
    lives: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        lives.setdefault(event["partitionkey"], []).append(event)
    assert len(lives) > 100
    names: dict[int, set[str]] = {}
    for life in lives.values():
        assert life[0]["type"] == "orderCreated"
        for before, after in pairwise(life):
            assert after["type"] in NEXT[before["type"]]
        bodies = [event["data"] for event in life if event["type"] != "orderCancelled"]
        assert [body["n"] for body in bodies] == list(range(1, len(bodies) + 1))
        assert len({(body["who"], body["by"]) for body in bodies}) == 1
        names.setdefault(bodies[0]["who"], set()).add(bodies[0]["by"])
    assert names.keys() == set(range(1, 31))
    assert all(len(same) == 1 for same in names.values())
