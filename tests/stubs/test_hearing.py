"""What comes to a consumer besides what it handles: it misses none of it, and only what changes something is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from eda_cli.channels.base import Group
from eda_cli.channels.base import Topic as Made
from eda_cli.event import Event
from eda_cli.sketch.resolved import Consumer, Fold, Join, Kept, Resolved, Rule, Topic
from eda_cli.stubs import child, consumer
from tests.stubs.playing import Log, Memory, let_go, part

TIME = "2026-11-24T09:30:00.000000Z"
STOCK = Kept("stock", (Fold(("deliveries",), accepts=("delivered",)),))
WAITING = Rule("late", "paymentMissed", after_s=(60.0, 60.0), unless={"payments": "$.id"})


def sketch(bill: Consumer) -> Resolved:
    topics = ("orders", "deliveries", "payments", "parcels", "late")
    return Resolved("shop", {"kind": "embedded"}, 7, {name: Topic(name) for name in topics}, {}, {}, {"bill": bill})


def heard(kind: str) -> Event:
    return Event(kind, "/x", kind, TIME, b'{"id":1}', b"1")


def test_a_group_has_every_topic_that_its_consumer_hears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared: list[Group] = []

    class Channel(Memory):
        def declare(self, topics: Sequence[Made], groups: Sequence[Group]) -> Sequence[str]:
            declared.extend(groups)
            return ()

    monkeypatch.setattr(child, "_short", lambda folder, process: None)  # it would end this process with its stdin
    monkeypatch.setattr(child, "connect", lambda folder: Channel())
    bill = Consumer("bill", ("orders",), keeps=(STOCK,), joins=Join("parcels", "$.id", "$.id"), rules=(WAITING,))
    child.declare(tmp_path, "declare", sketch(bill).to_json(), lambda kind, **fields: None)
    assert [(group.name, group.topics) for group in declared] == [("bill", ("orders", "deliveries", "parcels", "payments"))]


def told(folder: Path, bill: Consumer, **events: Sequence[str]) -> dict[str, int]:
    """What it tells as handled, by topic; all of it is done."""
    log = Log()
    for topic, kinds in events.items():
        log.put(topic, *map(heard, kinds))
    one = part(folder, sketch(bill), "bill", 1, log)
    log.on_end = one.stop.wish
    assert not consumer.run(one)
    let_go(one)
    assert log.caught_up()
    return one.journal.counts.get("handled", {})


def test_only_what_is_handled_or_changes_something_is_told(tmp_path: Path) -> None:
    bill = Consumer("bill", ("orders",), accepts=("ordered",), start="earliest", keeps=(STOCK,), rules=(WAITING,))
    assert told(tmp_path, bill, orders=["ordered", "shipped"], deliveries=["delivered", "refused"],
                payments=["paid"]) == {"orders": 1, "deliveries": 1}


def test_the_other_half_of_a_pair_is_told(tmp_path: Path) -> None:
    bill = Consumer("bill", ("orders",), start="earliest", joins=Join("parcels", "$.id", "$.id"))
    assert told(tmp_path, bill, parcels=["sent"]) == {"parcels": 1}
