"""A consumer and the events that others wrote: what cannot be handled fails alone, and nothing waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import Delivery, Event
from eda_cli.journal import last_observations
from eda_cli.sketch.resolved import Consumer, Resolved, Rule, Topic
from eda_cli.stubs import consumer
from tests.stubs.playing import Memory, part

TIME = "2026-11-24T09:30:00.000000Z"


def heard(offset: int, data: bytes = b'{"n":1}', **fields: Any) -> Delivery:
    about: dict[str, Any] = {"id": str(offset), "source": "/x", "type": "made", "time": TIME, "data": data}
    return Delivery(Event(**{**about, **fields}), "t", 0, offset, 1_700_000_000.0)


def run(folder: Path, rule: Rule, deliveries: list[Delivery], channel: Memory, **fields: Any) -> tuple[Memory, dict[str, Any]]:
    bill = Consumer("bill", ("t",), "bill", rules=(rule,), **fields)
    sketch = Resolved("shop", {"kind": "embedded"}, 7, {"t": Topic("t"), "u": Topic("u")}, {}, {}, {"bill": bill})
    channel.waiting.append(deliveries)
    one = part(folder, sketch, "bill", 1, channel)
    channel.on_end = one.stop.wish
    assert not consumer.run(one)
    return channel, one.journal.counts


@pytest.mark.parametrize("takes", [None, (0.0, 0.0)])
def test_what_is_never_taken_fails_its_cause_alone(tmp_path: Path, takes: tuple[float, float] | None) -> None:
    channel = Memory()
    channel.refuses = lambda event: event.body()["n"] == 2
    rule = Rule("u", "billed", {"n": "$.n"}, has_body=True)
    deliveries = [heard(number, b'{"n":%d}' % number) for number in range(4)]
    _, counts = run(tmp_path, rule, deliveries, channel, takes=takes)
    assert sorted(channel.handled, key=lambda one: one.offset or 0) == deliveries
    assert channel.numbers() == [0, 1, 3]
    assert counts == {"received": {"t": 4}, "published": {"u": 3}, "failed": {"t": 1}, "given_up": {"t": 1}, "handled": {"t": 3}}
    (failed,) = [seen for seen in last_observations(tmp_path / "bill.1.jsonl") if seen.kind == "failed"]
    assert (failed.fields["offset"], failed.fields["reason"]) == (2, "never: it is refused")


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+01:00", "yesterday", None])
def test_a_time_that_is_none_is_the_moment_of_publishing(tmp_path: Path, time: str | None) -> None:
    channel, counts = run(tmp_path, Rule("u", "billed", {"at": "now()"}, has_body=True), [heard(0, time=time)], Memory())
    assert counts["handled"] == {"t": 1}
    assert [event.time for event in channel.stored] == ["2023-11-14T22:13:20.000000Z"]


@pytest.mark.parametrize("time", [
    "2026-11-24T09:30:00.123456Z", "2026-11-24T10:30:00.123456+01:00", "2026-11-24 09:30:00.123456Z",
    "2026-W48-2T09:30:00.12345Z",
    "2026-11-24T09:30:61.123456Z", "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00.000000Z", "yesterday", None])
def test_what_follows_has_the_time_of_its_cause_whether_asked_for_or_not(tmp_path: Path, time: str | None) -> None:
    said = []
    for number, body in enumerate(({"at": "now()"}, {"n": 1})):
        (folder := tmp_path / str(number)).mkdir()
        channel, _ = run(folder, Rule("u", "billed", body, has_body=True), [heard(0, time=time)], Memory())
        said.append([event.time for event in channel.stored])
    assert said[0] == said[1]


@pytest.mark.parametrize(("rule", "reason"), [
    (Rule("u", "billed", key="$.deep", has_key=True), "JSON"),
    (Rule("u", "billed", headers={"x": "$.deep"}), "JSON"),
    (Rule("u", "$.deep"), "no event type"),
    (Rule("u", "$.line"), "no event type"),
    (Rule("u", "billed", {"at": "now(-1h)"}, has_body=True), "year 0"),
    (Rule("u", "billed", {"x": "{{ 1 // body.zero }}"}, has_body=True), "zero"),
])
def test_a_poison_event_fails_and_the_next_is_handled(tmp_path: Path, rule: Rule, reason: str) -> None:
    deep = b"[" * 300 + b"]" * 300
    poison = heard(0, b'{"deep":%b,"line":"a\\nb","zero":0}' % deep, time="0001-01-01T00:00:00Z")
    fine = heard(1, b'{"deep":"d","line":"l","zero":1}')
    channel, counts = run(tmp_path, rule, [poison, fine], Memory())
    assert (counts["failed"], counts["handled"]) == ({"t": 1}, {"t": 1})
    assert sorted(channel.handled, key=lambda one: one.offset or 0) == [poison, fine]
    assert [event.causationid for event in channel.stored] == ["1"]
    (failed,) = [seen for seen in last_observations(tmp_path / "bill.1.jsonl") if seen.kind == "failed"]
    assert reason in failed.fields["reason"]
