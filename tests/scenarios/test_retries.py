"""Events that fail: tried again, dead-lettered, redriven, with exact counts; nothing stands still, nothing overtakes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from eda_cli.technologies import Ability
from tests.eventually import eventually
from tests.scenarios.harness import Eda

COUNT = 300
SKETCH = f"""
name: retries
topics:
  facts: {{key: $.who}}
  checked: {{key: $.who}}
  sent: {{key: $.who}}
generators:
  source:
    publishes: facts
    event: factStated
    body: {{number: seq(0), who: "zipf(12, user-)", bad: chance(10%)}}
    rate: 200/s
    count: {COUNT}
consumers:
  checker:
    subscribes: facts
    from: earliest
    fails: {{when: body.bad}}
    retries: {{max: 2, backoff: 20ms}}
    dead_letter: facts.dlq
    publishes: {{to: checked, event: factChecked, body: {{number: $.number, who: $.who}}}}
  sender:
    subscribes: facts
    from: earliest
    replicas: 2
    fails: 30%
    retries: {{max: 30, backoff: 5ms..40ms}}
    publishes: {{to: sent, event: factSent, body: {{number: $.number, who: $.who}}}}
  skipper:
    subscribes: facts
    from: earliest
    fails: {{when: body.bad}}
"""


@pytest.fixture
def eda(everywhere: Eda) -> Eda:
    return everywhere


def counts(eda: Eda, part: str) -> dict[str, int]:
    """Of a part, its replicas together."""
    sums: dict[str, int] = defaultdict(int)
    for row in eda.ps("retries")["parts"]:
        if row["part"].partition(".")[0] == part:
            for kind in ("handled", "failed", "dead_lettered", "given_up", "published"):
                sums[kind] += row.get(kind, 0)
    return dict(sums)


def settled(eda: Eda) -> bool:
    states = {row["part"]: row["state"] for row in eda.ps("retries")["parts"]}
    return states["source"] == "finished" and set(eda.lag("retries").values()) == {0}


def in_order(facts: list[dict[str, Any]], follows: list[dict[str, Any]]) -> None:
    """What follows stands in the order of its causes, for each key."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in sorted(follows, key=lambda event: (event["partition"], event["offset"])):
        numbers[event["data"]["who"]].append(event["data"]["number"])
    assert {who: sorted(each) for who, each in numbers.items()} == dict(numbers)
    causes = {fact["id"] for fact in facts}
    assert len(follows) == len(facts)
    assert {event["causationid"] for event in follows} == causes


def test_what_fails_is_retried_in_order_dead_lettered_and_redriven(eda: Eda, tmp_path: Path) -> None:
    sketch = tmp_path / "retries.yaml"
    sketch.write_text(eda.fit(SKETCH))
    eda.up(sketch)
    eventually(lambda: settled(eda), 60, every=0.3)
    facts = eda.events("facts", "retries")
    bad = {fact["id"]: fact for fact in facts if fact["data"]["bad"]}
    good = [fact for fact in facts if not fact["data"]["bad"]]
    assert len(facts) == COUNT
    assert 10 < len(bad) < 60

    assert counts(eda, "checker") == {"handled": len(good), "failed": 3 * len(bad), "dead_lettered": len(bad), "given_up": 0,
                                      "published": len(good) + len(bad)}
    in_order(good, eda.events("checked", "retries"))
    letters = eda.events("facts.dlq", "retries")
    assert {letter["id"] for letter in letters} == set(bad)
    assert len(letters) == len(bad)
    for letter in letters:
        headers = dict(letter["headers"])
        origin = bad[letter["id"]]
        assert headers["dead-letter-reason"] == "it fails, as the sketch says"
        assert headers["dead-letter-attempts"] == "3"
        lay = {"partition": Ability.PARTITIONS, "offset": Ability.OFFSETS}
        assert {name: headers.get(f"dead-letter-{name}") for name in ("topic", "consumer", *lay)} == {
            "topic": "facts", "consumer": "checker",
            **{name: str(origin[name]) if ability in eda.can else None for name, ability in lay.items()}}
        assert [letter[name] for name in ("source", "type", "time", "partitionkey", "data")] == [
            origin[name] for name in ("source", "type", "time", "partitionkey", "data")]

    sender = counts(eda, "sender")
    assert (sender["handled"], sender["given_up"], sender["dead_lettered"]) == (COUNT, 0, 0)
    assert sender["failed"] > 30
    in_order(facts, eda.events("sent", "retries"))
    skipper = counts(eda, "skipper")
    assert (skipper["handled"], skipper["failed"], skipper["given_up"]) == (len(good), len(bad), len(bad))

    if not eda.replays:
        assert "cannot be read again" in eda("redrive", "facts.dlq", "--run", "retries", code=2).stderr
        return
    sketch.write_text(SKETCH.replace("    fails: {when: body.bad}\n", ""))
    eda.up(sketch)
    one = next(iter(bad))
    assert "1 event" in eda("redrive", "facts.dlq", "--id", one, "--run", "retries").stderr
    eventually(lambda: counts(eda, "checker")["handled"] == len(good) + 1, 20, every=0.2)
    eda("redrive", "facts.dlq", "--run", "retries")
    eventually(lambda: counts(eda, "checker")["handled"] == COUNT, 20, every=0.2)
    eda("redrive", "facts.dlq", "--run", "retries")
    eventually(lambda: settled(eda), 20, every=0.3)
    again = eda.events("facts", "retries")
    assert len(again) == COUNT + len(bad)
    assert [fact["headers"] for fact in again if "headers" in fact] == [[["redriven", "1"]]] * len(bad)
    assert counts(eda, "checker")["handled"] == COUNT
    assert {event["causationid"] for event in eda.events("checked", "retries")} == {fact["id"] for fact in facts}
