"""What a changed sketch changes, and what stored events forbid: in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from eda_cli.runs.changes import changes, refusals, same_door
from eda_cli.runs.folder import RunInfo
from eda_cli.sketch.resolved import Consumer, Generator, Resolved, Topic

SKETCH = Resolved("shop", {"kind": "auto"}, 1, {"t": Topic("t")}, {"made": {"id": 1}},
                  {"web": Generator("web", "t", "made", {"id": 1})}, {"bill": Consumer("bill", ("t",), "bill")})
AT_A = {"kind": "kafka", "bootstrap_servers": ["a:1"]}


def info(broker: Mapping[str, Any]) -> RunInfo:
    return RunInfo("id", "shop", "/shop.yaml", broker, 1, "2026-11-24T00:00:00.000000Z")


def test_each_change_is_a_line() -> None:
    new = replace(SKETCH, topics={"t": Topic("t", partitions=6), "u": Topic("u")}, events={"made": {"id": 2}},
                  generators={"web": replace(SKETCH.generators["web"], rate=2.0, body={"id": 2})}, consumers={})
    assert changes(SKETCH, new) == [
        "changed topic t: partitions", "added topic u", "changed web: body, rate", "removed bill", "changed event types: made"]
    assert changes(SKETCH, SKETCH) == []


def test_what_was_touched_is_a_change_and_the_words_say_that_the_file_is_back() -> None:
    web, bill = SKETCH.generators["web"], SKETCH.consumers["bill"]
    touched = replace(SKETCH, generators={"web": replace(web, rate=None, every=(1, 1), touched={"every": "1s"}, paused=True)},
                      consumers={"bill": replace(bill, touched={"replicas": "1"})})
    assert changes(touched, SKETCH) == ["changed web: every (what the file says is back), paused (it goes on)",
                                        "changed bill: replicas (what the file says is back)"]
    assert changes(touched, replace(SKETCH, generators={"web": replace(web, count=3)}))[0] == (
        "changed web: count, every (what the file says is back), paused (it goes on)")


@pytest.mark.parametrize(("runs", "wished", "refused"), [
    ({"kind": "embedded"}, {"kind": "auto"}, ""),
    ({"kind": "embedded"}, {"kind": "kafka"}, "broker: embedded runs, kafka is wished"),
    ({"kind": "kafka", "image": "x", "port": None, "kept": True}, {"kind": "kafka"}, ""),
    ({"kind": "kafka", "image": "x", "port": None, "kept": True}, {"kind": "kafka", "image": "y"},
     "broker: kafka (image x) runs, kafka (image y) is wished"),
    ({"kind": "kafka", "image": "x", "port": None, "kept": True}, {"kind": "kafka", "port": 9095},
     "broker: kafka (image x) runs, kafka (port 9095) is wished"),
    ({"kind": "kafka", "image": "x", "port": None, "kept": True}, AT_A,
     "broker: kafka (image x) runs, kafka at a:1 is wished"),
    (AT_A, AT_A, ""),
    (AT_A, {"kind": "auto"}, "broker: kafka at a:1 runs, auto is wished"),
    (AT_A, {"kind": "kafka"}, "broker: kafka at a:1 runs, kafka is wished"),
    (AT_A, {"kind": "kafka", "bootstrap_servers": ["b:1"]}, "broker: kafka at a:1 runs, kafka at b:1 is wished"),
    (AT_A, {**AT_A, "username": "shop", "password": {"env": "P"}, "tls": {}}, ""),
])
def test_the_broker_stays(runs: Mapping[str, Any], wished: Mapping[str, Any], refused: str) -> None:
    assert "; ".join(refusals(SKETCH, replace(SKETCH, broker=wished), info(runs))) == refused


def test_another_password_or_certificate_is_another_way_into_the_same_broker() -> None:
    as_shop = {**AT_A, "username": "shop", "password": {"env": "P"}}
    assert same_door(as_shop, dict(as_shop)) and same_door({"kind": "auto"}, AT_A)
    for other in (AT_A, {**as_shop, "password": {"env": "Q"}}, {**as_shop, "tls": {}}, {**as_shop, "mechanism": "PLAIN"}):
        assert not same_door(as_shop, other)


def test_what_stored_events_forbid() -> None:
    old = replace(SKETCH, topics={"t": Topic("t", 3)})
    new = replace(SKETCH, seed=2, topics={"t": Topic("t", 2, compacted=True)})
    assert refusals(old, new, info({"kind": "embedded"})) == [
        "seed: 1 runs, 2 is wished", "topic t: compacted was false, true is wished", "topic t: 3 partitions cannot become 2"]


def test_a_past_that_has_begun_stays() -> None:
    def of(start: tuple[str, float] | None) -> Resolved:
        return replace(SKETCH, generators={"web": Generator("web", "t", "made", {}, start=start)})

    moved = "generator web: its first event has happened, and 'from' cannot move it"
    for old, new, told in ((("ago", 60.0), ("ago", 90.0), [moved]), (None, ("ago", 90.0), [moved]), (("ago", 60.0), None, []),
                           (("ago", 60.0), ("ago", 60.0), [])):
        assert refusals(of(old), of(new), info({"kind": "embedded"})) == told
    alone = replace(SKETCH, generators={})
    assert refusals(alone, of(("ago", 60.0)), info({"kind": "embedded"})) == []
