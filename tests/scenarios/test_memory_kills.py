"""Consumers that remember, killed again and again under load: nothing has its effect twice, and nothing is lost.

Ten kills for each of `EDA_TRIALS` (2; `bench/trials` tries 10, a hundred kills). The truth is taken from the channel.
"""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

KILLS = 10 * int(os.environ.get("EDA_TRIALS", "2"))
COUNT = 60 * KILLS
TWICE = 40  # events that are published again, with the same ids
VICTIMS = ("clerk.1", "clerk.2", "clerk.3", "gauge.1", "gauge.2")
SKETCH = f"""
name: memory
topics:
  facts: {{key: $.who}}
  receipts: {{key: $.who}}
generators:
  source:
    publishes: facts
    event: factStated
    body: {{number: seq(0), who: "zipf(30, user-)", worth: 1..100}}
    rate: 120/s
    count: {COUNT}
consumers:
  clerk:
    subscribes: facts
    from: earliest
    replicas: 3
    idempotent: true
    fails: 2%
    retries: {{max: 20, backoff: 20ms}}
    keeps:
      who: {{from: facts, key: $.who, set: {{n: "{{{{ (was.n | default(0)) + 1 }}}}",
                                             worth: "{{{{ (was.worth | default(0)) + body.worth }}}}"}}}}
      facts: $.number
    publishes:
      - {{to: receipts, event: receiptGiven, body: {{who: $.who, nth: "{{{{ copy.who[body.who].n }}}}"}}}}
      - {{to: reminders, event: reminded, after: 1s, body: {{number: $.number}}}}
  gauge:
    subscribes: facts
    from: earliest
    replicas: 2
    idempotent: true
    window: {{every: 1s, by: $.who, late: 20s}}
    publishes: {{to: sums, event: sumMade, body: {{who: $window.key, events: count(), worth: sum($.worth)}}}}
"""


def once(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By id; a repeat has to be equal in all but its place."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        said = {name: value for name, value in event.items() if name not in ("partition", "offset")}
        assert found.setdefault(event["id"], said) == said, "a repeat is another event"
    return found


@pytest.fixture
def eda(everywhere: Eda) -> Eda:
    return everywhere


def test_a_hundred_kills_change_nothing(eda: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "memory.yaml"
    sketch.write_text(eda.fit(SKETCH))
    eda.up(sketch)
    dice = random.Random(1)
    for kill in range(KILLS):
        victim = dice.choice(VICTIMS)
        eda.kill("memory", victim)
        if kill == KILLS // 2:
            eventually(lambda: len(eda.events("facts", "memory")) >= TWICE, 60, every=0.2)
            some = eda.events("facts", "memory")[-TWICE:]
            eda("publish", "facts", "-", "--run", "memory", stdin="\n".join(map(json.dumps, some)))

    eventually(lambda: next(part["state"] for part in eda.ps("memory")["parts"] if part["part"] == "source") == "finished", 60)
    eventually(lambda: eda.lag("memory") == {"clerk": 0, "gauge": 0}, 60)
    facts = once(eda.events("facts", "memory"))
    assert {fact["data"]["number"] for fact in facts.values()} == set(range(COUNT))
    assert len(eda.events("facts", "memory")) >= COUNT + TWICE
    eventually(lambda: len(once(eda.events("reminders", "memory"))) == COUNT, 30)
    whole = sum(fact["data"]["worth"] for fact in facts.values())
    eventually(lambda: sum(each["data"]["worth"] for each in once(eda.events("sums", "memory")).values()) >= whole, 60)

    people: dict[str, list[int]] = defaultdict(list)
    for fact in facts.values():
        people[fact["data"]["who"]].append(fact["data"]["worth"])
    rows = {row["key"]: row["row"] for row in eda.lines("copy", "clerk", "who", "--json", "--run", "memory")}
    assert rows == {who: {"n": len(worths), "worth": sum(worths)} for who, worths in people.items()}
    kept = {row["key"]: row["row"] for row in eda.lines("copy", "clerk", "facts", "--json", "--run", "memory")}
    assert kept == {str(fact["data"]["number"]): fact["data"] for fact in facts.values()}

    receipts = once(eda.events("receipts", "memory")).values()
    assert sorted(each["causationid"] for each in receipts) == sorted(facts)
    nth: dict[str, list[int]] = defaultdict(list)
    for receipt in receipts:
        nth[receipt["data"]["who"]].append(receipt["data"]["nth"])
    counted = {who: list(range(1, len(each) + 1)) for who, each in people.items()}
    assert {who: sorted(each) for who, each in nth.items()} == counted

    assert sorted(each["causationid"] for each in once(eda.events("reminders", "memory")).values()) == sorted(facts)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for each in once(eda.events("sums", "memory")).values():
        sums[each["data"]["who"]][0] += each["data"]["events"]
        sums[each["data"]["who"]][1] += each["data"]["worth"]
    assert json.loads(json.dumps(sums)) == {who: [len(worths), sum(worths)] for who, worths in people.items()}
    assert eda.ps("memory")["state"] == "running"
