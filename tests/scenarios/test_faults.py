"""A generator with every fault there is: its shares, its counts and what consumers make of it. The truth is in the log."""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import epoch
from tests.eventually import eventually
from tests.scenarios.harness import READY_S, Eda

COUNT = 600
SHARES = {"duplicate": 0.1, "drop": 0.1, "late": 0.1, "out_of_order": 0.1, "corrupt": 0.05, "null_key": 0.1}
SKETCH = f"""
name: faulty
seed: 7
topics: {{purchases: {{key: $.user}}}}
events: {{purchaseCreated: {{user: "zipf(20, user-)", paid: 5.00..250.00}}}}
generators:
  webshop:
    publishes: purchases
    event: purchaseCreated
    rate: 200/s
    count: {COUNT}
    replicas: 2
    faults: {{duplicate: 10%, drop: 10%, late: {{share: 10%, by: 1m..2m}}, out_of_order: {{share: 10%, by: 200ms..400ms}},
             corrupt: 5%, null_key: 10%}}
consumers:
  billing:
    subscribes: purchases
    from: earliest
    idempotent: true
    retries: {{max: 1, backoff: 10ms}}
    dead_letter: purchases.dlq
    publishes: {{to: bills, event: billSent, body: {{amount: "{{{{ body.paid }}}}"}}}}
  ledger:
    subscribes: purchases
    from: earliest
    dead_letter: ledger.dlq
    publishes: {{to: entries, event: entryMade, body: {{amount: $.paid}}}}
  watch: {{subscribes: purchases, from: earliest}}
  meter:
    subscribes: purchases
    from: earliest
    window: {{every: 5s, late: 1s}}
    publishes: {{to: meters, event: metered, body: {{many: count()}}}}
"""


def rows(eda: Eda, part: str) -> list[dict[str, Any]]:
    return [row for row in eda.ps("faulty")["parts"] if row["part"].partition(".")[0] == part]


def finished(eda: Eda) -> bool:
    return all(row["state"] == "finished" for row in rows(eda, "webshop")) and not any(
        eda.lag("faulty").get(group) for group in ("billing", "ledger", "watch", "meter"))


@pytest.mark.timeout(240)
def test_consumers_meet_every_fault_and_the_journal_counts_what_is_in_the_log(eda: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "faulty.yaml"
    sketch.write_text(SKETCH)
    began = time.time()
    eda.up(sketch)
    eventually(lambda: finished(eda), READY_S, every=0.3)
    counted: Counter[str] = sum((Counter(row["faults"]) for row in rows(eda, "webshop")), Counter())
    for fault, share in SHARES.items():
        assert abs(counted[fault] - COUNT * share) < 5 * math.sqrt(COUNT * share * (1 - share)), fault

    events = eda.events("purchases", "faulty")
    by_id = {event["id"]: event for event in events}
    times = Counter(event["id"] for event in events)
    corrupt = {id for id, event in by_id.items() if "data_base64" in event}
    assert len(by_id) == COUNT - counted["drop"]
    assert Counter(times.values()) == {1: len(by_id) - counted["duplicate"], 2: counted["duplicate"]}
    assert len(corrupt) == counted["corrupt"]
    assert sum("partitionkey" not in event for event in by_id.values()) == counted["null_key"]
    assert sum(epoch(event["time"]) < began - 30 for event in by_id.values()) == counted["late"]
    assert sum(row["published"] for row in rows(eda, "webshop")) == len(events)

    billing, = rows(eda, "billing")
    assert billing["handled"] == len(by_id) - len(corrupt)
    again = billing["dead_lettered"] - len(corrupt)  # duplicates that came while the first was waiting for its next attempt
    assert 0 <= again <= sum(times[id] > 1 for id in corrupt)
    assert billing["skipped"] == counted["duplicate"] - again
    assert billing["failed"] == 2 * billing["dead_lettered"]
    assert {event["id"] for event in eda.events("purchases.dlq", "faulty")} == corrupt

    ledger, = rows(eda, "ledger")
    garbled = Counter({id: many for id, many in times.items() if id in corrupt})
    assert ledger["dead_lettered"] == ledger["failed"] == garbled.total()
    assert ledger["handled"] == len(events) - garbled.total()
    letters = eda.events("ledger.dlq", "faulty")
    assert Counter(letter["id"] for letter in letters) == garbled
    assert all("its body is no JSON: " in dict(letter["headers"])["dead-letter-reason"] for letter in letters)
    entries = eda.events("entries", "faulty")
    assert len(entries) == ledger["handled"]
    assert all(5 <= entry["data"]["amount"] <= 250 for entry in entries), "nulls of what is no JSON"
    watch, = rows(eda, "watch")
    assert (watch["handled"], watch.get("failed", 0)) == (len(events), 0)

    late = sum(epoch(event["time"]) < began - 30 for event in events)

    def metered() -> tuple[int, int]:
        """How many came too late for their window, and how many are in windows that are closed."""
        return rows(eda, "meter")[0].get("skipped", 0), sum(one["data"]["many"] for one in eda.events("meters", "faulty"))

    eventually(lambda: sum(metered()) == len(events), 30, every=0.3)
    assert metered()[0] <= late  # some find their window open still: a partition knew no later moment yet


@pytest.mark.timeout(240)
def test_what_is_held_back_survives_its_killed_stub(embedded: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "held.yaml"
    sketch.write_text("""
name: held
seed: 7
generators: {shop: {publishes: t, rate: 100/s, count: 100, faults: {out_of_order: {share: 30%, by: 4s..5s}}}}
""")
    embedded.up(sketch)

    def row() -> dict[str, Any]:
        return next(iter(embedded.ps("held")["parts"]))

    eventually(lambda: row().get("faults", {}).get("out_of_order", 0) >= 15, 30)
    embedded.kill("held", "shop.1")
    eventually(lambda: row()["state"] == "finished", 30)
    assert len({event["id"] for event in embedded.events("t", "held")}) == 100
    told = {line["id"] for line in embedded.lines("logs", "shop", "--json") if "out_of_order" in line.get("faults", ())}
    assert row()["faults"] == {"out_of_order": len(told)}


@pytest.mark.timeout(120)
def test_faults_are_a_knob_and_publish_has_none(embedded: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "sketch.yaml"
    sketch.write_text("name: knob\ngenerators: {shop: {publishes: t, rate: 100/s, faults: {drop: 100%}}}\n")
    embedded.up(sketch)

    def faults() -> dict[str, int]:
        return next(iter(embedded.ps("knob")["parts"])).get("faults", {})

    dropped = eventually(lambda: faults().get("drop"), 10)
    assert embedded.events("t", "knob") == []
    embedded("publish", "t")
    assert len(embedded.events("t", "knob")) == 1
    embedded("set", "shop.faults={duplicate: 100%}")
    eventually(lambda: faults().get("duplicate", 0) > 10, 10)
    assert faults()["drop"] >= (dropped or 0)
    embedded("set", "shop.faults={}")
    eventually(lambda: len({one["id"] for one in embedded.lines("tail", "t", "-o", "-6", "-e", "--json", "-p", "0")}) == 6, 10)
