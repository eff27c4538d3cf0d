"""Joins: who meets whom, in whatever order and batch they come."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from eda_cli.event import Event
from eda_cli.sketch.resolved import Consumer, Fold, Join, Kept, Rule
from tests.stubs.playing import Log
from tests.stubs.queueing import CHANNELS
from tests.stubs.test_histories import event, live, rows_of

PAIRING = Consumer("bill", ("t",), start="earliest", joins=Join("paid", "$.sku", "$.sku", 60.0),
                   rules=(Rule("u", "paired", {"ours": "$id", "theirs": "$joined.n"}, has_body=True),))


def paid(number: int) -> Event:
    return event(number, id=f"p{number}", body={"n": number})


def pairs(log: Log) -> set[tuple[str, int]]:
    return {(one.body()["ours"], one.body()["theirs"]) for one in log.logs.get("u", ())}


@pytest.mark.parametrize("order", list(itertools.permutations(["t0", "t3", "p0", "p1"])))
@pytest.mark.parametrize("together", [True, False])
def test_counterparts_meet_whichever_comes_first(tmp_path: Path, order: Sequence[str], together: bool) -> None:
    log = Log()
    for one in order:
        number = int(one[1:])
        log.put("t" if one[0] == "t" else "paid", event(number) if one[0] == "t" else paid(number))
        if not together:
            live(tmp_path, PAIRING, log)
    live(tmp_path, PAIRING, log)
    assert pairs(log) == {("0", 0), ("3", 0)}
    assert len({one.id for one in log.logs["u"]}) == 2
    assert len(log.logs["u"]) == 2


def test_those_too_far_apart_do_not_meet(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(3 * number) for number in range(100)))
    log.put("paid", *(paid(0 if number == 80 else 1) for number in range(100)))  # published a second apart each
    live(tmp_path, PAIRING, log)
    assert pairs(log) == {(str(3 * number), 0) for number in range(20, 100)}


def test_counterparts_meet_after_a_long_time_in_which_nobody_was_there(tmp_path: Path) -> None:
    log = Log()
    log.put("t", event(0))
    live(tmp_path, PAIRING, log)
    with closing(sqlite3.connect(tmp_path / "bill.memory.db", isolation_level=None)) as connection:
        connection.execute("UPDATE pairs SET at = 0")
    live(tmp_path, PAIRING, log)  # looks at the clock
    log.put("paid", paid(0))
    live(tmp_path, PAIRING, log)
    assert pairs(log) == {("0", 0)}


def test_topics_that_are_only_kept_and_types_that_are_not_accepted_meet_nobody(tmp_path: Path) -> None:
    log = Log()
    kept = Kept("prices", (Fold(("prices", "t"), "$.sku"),))
    log.put("t", event(0), event(3, type="other"))
    log.put("prices", event(6, id="price"))
    log.put("paid", paid(0))
    live(tmp_path, replace(PAIRING, accepts=("made",), keeps=(kept,)), log)
    assert pairs(log) == {("0", 0)}


def test_what_has_no_key_meets_nobody_and_a_failing_rule_fails_its_event_alone(tmp_path: Path) -> None:
    log = Log()
    rule = Rule("u", "paired", {"ours": "$id", "theirs": "$joined.n", "x": "{{ 1 // body.of }}"}, has_body=True)
    nobody = replace(paid(0), data=b"{}", id="nobody")
    log.put("paid", paid(0), nobody)
    live(tmp_path, replace(PAIRING, rules=(rule,)), log)
    log.put("t", replace(nobody, id="0"), event(3, body={"of": 0}), event(6))
    counts = live(tmp_path, replace(PAIRING, rules=(rule,)), log).journal.counts
    assert pairs(log) == {("6", 0)}
    assert counts["given_up"] == {"t": 1}
    assert rows_of(tmp_path, "pairs") == 2


@pytest.mark.parametrize("channel", CHANNELS)
def test_foreign_events_that_wait_are_not_taken_for_each_other(tmp_path: Path, channel: type[Log]) -> None:
    log = channel()
    log.put("paid", *(replace(paid(number), id=None, source=None, type=None, time=None) for number in (0, 0)))
    live(tmp_path, PAIRING, log)
    log.put("t", event(0))
    live(tmp_path, PAIRING, log)
    assert len({one.id for one in log.logs["u"]}) == 2
