"""What one generator looks up of another, in processes that are killed: it was published before, and once is once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.eventually import eventually
from tests.scenarios.harness import Eda

ENOUGH = 40  # payments after the last kill
KILLS = 8
SKETCH = """
name: lookups
seed: 5
generators:
  shop: {publishes: orders, event: orderPlaced, rate: 60/s, replicas: 2, body: {id: uuid(), total: 1..100}}
  bank:
    publishes: payments
    event: orderPaid
    rate: 20/s
    replicas: 2
    body:
      $vars: {order: {$lookup: orders, where: "body.total > 30", once: true}}
      order: $vars.order.id
      total: $vars.order.total
      other: {$lookup: orders, path: $.id, last: 50}
"""
SAME = """
name: same
seed: 5
generators:
  shop: {publishes: orders, event: orderPlaced, rate: 50/s, body: {id: uuid(), total: 1..100}}
  bank:
    publishes: payments
    event: orderPaid
    every: 20ms..40ms
    count: 150
    key: $.number
    body:
      number: seq(0)
      order: {$lookup: orders, path: $.id, last: 40, else: none}
      low: {$lookup: orders, path: $.total, where: "body.total < 50", distribution: recent}
      before: {$lookup: payments, path: $key, else: first}
      own: {$lookup: orders, path: $.id, once: true}
"""
VICTIMS = ("shop.1", "shop.2", "bank.1", "bank.2")


def bodies(eda: Eda, topic: str, run: str) -> list[Any]:
    """What was published, each event once; a repeat has to say the same."""
    found: dict[str, Any] = {}
    for event in eda.events(topic, run):
        assert found.setdefault(event["id"], event["data"]) == event["data"], "a repeat is another event"
    return list(found.values())


def test_kills_let_nothing_be_looked_up_that_was_not_published_nor_once_twice(eda: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "lookups.yaml"
    sketch.write_text(SKETCH)
    eda.up(sketch)
    for kill in range(KILLS):
        eda.kill("lookups", VICTIMS[kill % len(VICTIMS)])
    least = len(eda.events("payments", "lookups")) + ENOUGH
    paid = eventually(lambda: len(found := bodies(eda, "payments", "lookups")) >= least and found, 60)
    orders = {order["id"]: order["total"] for order in bodies(eda, "orders", "lookups")}
    assert len({one["order"] for one in paid}) == len(paid)
    assert all(orders[one["order"]] == one["total"] > 30 for one in paid)
    assert all(one["other"] in orders for one in paid)


def test_two_runs_of_one_seed_choose_the_same(eda: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "same.yaml"
    sketch.write_text(SAME)
    told: list[list[dict[str, Any]]] = []
    for run in ("one", "other"):
        eda.up(sketch, "--name", run)
        eventually(lambda run=run: len(eda.events("payments", run)) >= 150, 60)
        told.append(sorted((event["data"] for event in eda.events("payments", run)), key=lambda body: int(body["number"])))
        eda("down", "--run", run)
    assert told[0] == told[1]
    sample = [event["data"] for event in eda.lines("sample", "bank", str(sketch), "-n", "150")]
    assert sample == told[0]
    assert len({body["order"] for body in told[0]}) > 40
    assert {body["before"] for body in told[0]} > {"first", "0"}
    assert len({body["own"] for body in told[0]}) == 150


def test_an_event_by_hand_looks_up_what_is_there(embedded: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "hand.yaml"
    sketch.write_text("name: hand\ngenerators:\n  shop: {publishes: orders, body: {id: seq(7)}, rate: 50/s, count: 3}\n"
                      "  bank: {publishes: payments, body: {of: {$lookup: orders, path: $.id}}, after: 1h}\n"
                      "  vain: {publishes: nothing, rate: 10/s, body: {$lookup: orders, where: body.id > 99}}\n")
    embedded.up(sketch)
    eventually(lambda: "3 events of shop" in embedded("logs").stdout, 30)
    embedded("publish", "payments")
    told = embedded("logs").stdout
    assert "nothing to look up in 'orders' where body.id > 99: 3 events of shop were looked at, 0 of them are meant" in told
    vain = eventually(lambda: next((part for part in embedded.ps("hand")["parts"] if "reason" in part), None), 30)
    assert (vain["part"], vain["state"]) == ("vain", "failed")
    assert vain["reason"].startswith("there is nothing to look up in 'orders' where body.id > 99")
    assert [event["data"]["of"] in (7, 8, 9) for event in embedded.events("payments", "hand")] == [True]
    assert "3 events of it were looked at" in embedded("publish", "nothing", code=1).stderr
