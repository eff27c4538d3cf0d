"""Own copies: what events make of them, what they are made of anew, and what is seen of them."""

from __future__ import annotations

import sqlite3
from collections import deque
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Consumer, Fails, Fold, Idempotent, Kept, Retries, Rule
from eda_cli.stubs.copying import Copies
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.store import Store, store_path
from tests.stubs.playing import Log
from tests.stubs.queueing import Bare, Queues
from tests.stubs.test_histories import BILL, STOCK, event, live, row, rows_of

KEEPER = Consumer("bill", ("t",), start="earliest", keeps=(Kept("t", (Fold(("t",)),)),))


@pytest.mark.parametrize(("data", "kept"), [
    (b'{"n":1}', {"n": 1}), (b' [1, 2]', [1, 2]), (b"null", None), (b'"a"', "a"), (b'"a', '"a'), (b"plain", "plain"), (b"", ""),
    (b"\xff", "\ufffd"), (b'"\xff', '"\ufffd'),
])
def test_whatever_a_body_is_its_row_is_json(tmp_path: Path, data: bytes, kept: Any) -> None:
    log = Log()
    log.put("t", event(0, data=data, datacontenttype=None), event(3))
    log.logs["t"].reverse()
    one = live(tmp_path, KEEPER, log)
    assert one.journal.counts["handled"] == {"t": 2}
    assert row(tmp_path, "t", "a") == kept
    log.put("t", event(6))  # over a row that was stored
    rule = Rule("u", "seen", {"was": "{{ was.t[body.sku] }}"}, has_body=True)
    live(tmp_path, replace(KEEPER, rules=(rule,)), log)
    assert [made.body()["was"] for made in log.logs["u"]] == [kept]


def test_a_tombstone_deletes_by_its_record_key_and_no_key_is_no_row(tmp_path: Path) -> None:
    log = Log()
    by_sku = Kept("s", (Fold(("t",), "$.sku"),))
    log.put("t", event(0), event(1), event(3, data=None), event(2, key=None), event(4, data=None, key=None), event(5, key=b"x"))
    live(tmp_path, replace(KEEPER, keeps=(*KEEPER.keeps, by_sku)), log)
    assert [row(tmp_path, "t", key) is not None for key in "abcx"] == [False, True, False, True]
    assert [row(tmp_path, "s", key) is not None for key in "abcx"] == [False, True, True, False]


def test_rules_see_the_copy_before_and_after_within_a_batch(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(number) for number in (0, 3, 1, 6)))
    seen = {"now": "{{ copy.stock[body.sku].n }}", "was": "{{ was.stock[body.sku].n | default(0) }}"}
    rule = Rule("u", "seen", seen, has_body=True)
    live(tmp_path, replace(KEEPER, keeps=(STOCK,), rules=(rule,)), log)
    assert [(one.body()["was"], one.body()["now"]) for one in log.logs["u"]] == [(0, 1), (1, 2), (0, 1), (2, 3)]


def test_what_fails_leaves_no_trace(tmp_path: Path) -> None:
    log = Log()
    log.put("t", event(0), event(3, body={"of": 0}), event(6))
    live(tmp_path, replace(BILL, retries=Retries()), log)
    assert row(tmp_path, "stock", "a") == {"n": 2}
    assert [one.body()["nth"] for one in log.logs["u"]] == [1, 2]


# --- made anew


WITH_LOG = [Log, Queues]
OTHER = Kept("stock", (Fold(("t",), "$.sku", {"many": "{{ (was.many | default(0)) + 1 }}"}),))


@pytest.mark.parametrize("channel", WITH_LOG)
def test_a_copy_whose_sketch_changed_is_made_anew_up_to_where_the_group_is(tmp_path: Path, channel: type[Log]) -> None:
    log = channel()
    log.put("t", *(event(3 * number) for number in range(5)))
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    log.put("t", *(event(3 * number) for number in range(5, 7)))
    live(tmp_path, replace(KEEPER, keeps=(OTHER,)), log)
    assert row(tmp_path, "stock", "a") == {"many": 7}


@pytest.mark.parametrize("channel", WITH_LOG)
def test_what_was_handled_ahead_of_one_that_waits_is_in_a_copy_that_is_made_anew(tmp_path: Path, channel: type[Log]) -> None:
    log = channel()
    log.put("t", event(0), *(event(number) for number in (1, 4, 7)))
    waits = replace(KEEPER, keeps=(STOCK,), retries=Retries(9, (3600.0, 3600.0)), fails=Fails(1.0, "body.sku == 'a'"))
    log.caught_up = lambda: rows_of(tmp_path, "ahead") + rows_of(tmp_path, "messages") == 3  # type: ignore[method-assign]
    live(tmp_path, waits, log)
    del log.caught_up
    live(tmp_path, replace(KEEPER, keeps=(OTHER,), retries=Retries(9)), log)
    assert row(tmp_path, "stock", "a") == {"many": 1}
    assert row(tmp_path, "stock", "b") == {"many": 3}


@pytest.mark.parametrize("channel", WITH_LOG)
def test_what_was_handled_while_it_remembered_nothing_is_in_its_copy(tmp_path: Path, channel: type[Log]) -> None:
    log = channel()
    log.put("t", event(0))
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    log.put("t", event(3), event(6))
    live(tmp_path, replace(KEEPER, keeps=()), log)
    log.put("t", event(9))
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    assert row(tmp_path, "stock", "a") == {"n": 4}


def test_what_another_replica_handles_while_one_begins_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    log.put("t", event(0))
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    log.put("t", event(3), event(6))
    groups = log.groups

    def busy() -> Any:
        """The other one settles an event and commits it, just before we are told."""
        with closing(sqlite3.connect(store_path(tmp_path, "bill"))) as connection, connection:
            connection.execute("UPDATE positions SET next = next + 1")
        log.committed["t"] += 1
        return groups()

    monkeypatch.setattr(log, "groups", busy)
    monkeypatch.setattr(log, "read", None)  # the copy is not made anew
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)


@pytest.mark.parametrize("channel", WITH_LOG)
def test_what_an_idempotent_consumer_skipped_is_not_in_a_copy_that_is_made_anew(tmp_path: Path, channel: type[Log]) -> None:
    log = channel()
    log.put("t", *(event(number) for number in (0, 3, 0, 3, 6)))
    once = replace(KEEPER, idempotent=Idempotent())
    live(tmp_path, replace(once, keeps=(STOCK,)), log)
    assert row(tmp_path, "stock", "a") == {"n": 3}
    live(tmp_path, replace(once, keeps=(OTHER,)), log)
    assert row(tmp_path, "stock", "a") == {"many": 3}


@pytest.mark.parametrize("channel", WITH_LOG)
def test_an_interrupted_making_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: type[Log]) -> None:
    monkeypatch.setattr("eda_cli.stubs.rebuild.AT_ONCE", 2)
    log = channel()
    log.put("t", *(event(3 * number) for number in range(5)))
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    read = log.read

    def stops(topic: str, start: Any, end: str) -> Any:
        for batch in read(topic, start, end):
            yield batch[:3]
            log.on_end()
            yield batch[3:]

    log.read = stops  # type: ignore[method-assign]
    live(tmp_path, replace(KEEPER, keeps=(OTHER,)), log)
    assert row(tmp_path, "stock", "a") != {"many": 5}
    log.read = read  # type: ignore[method-assign]
    live(tmp_path, replace(KEEPER, keeps=(OTHER,)), log)
    assert row(tmp_path, "stock", "a") == {"many": 5}
    assert rows_of(tmp_path, "copy") == 1


def warnings(folder: Path) -> int:
    return sum(line["kind"] == "warning" for line in map(orjson.loads, (folder / "bill.1.jsonl").read_bytes().splitlines()))


def test_without_a_log_a_copy_begins_empty_and_that_is_said_once(tmp_path: Path) -> None:
    log = Bare()
    log.put("t", event(0))
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    assert warnings(tmp_path) == 0  # nothing is missed by it
    log.put("t", event(3))
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    assert row(tmp_path, "stock", "a") == {"n": 2}
    for _ in range(2):
        log.put("t", event(6))
        live(tmp_path, replace(KEEPER, keeps=(OTHER,)), log)
        assert warnings(tmp_path) == 1
    assert row(tmp_path, "stock", "a") == {"many": 2}


def test_without_a_log_what_was_handled_before_there_was_a_copy_is_said_to_be_missed(tmp_path: Path) -> None:
    log = Bare()
    log.put("t", event(0))
    live(tmp_path, replace(KEEPER, keeps=()), log)
    live(tmp_path, replace(KEEPER, keeps=(STOCK,)), log)
    assert warnings(tmp_path) == 1


@pytest.mark.parametrize("effect", [False, True])
def test_what_a_broker_gives_later_than_it_seemed_is_not_folded_twice_and_has_its_effect(tmp_path: Path, effect: bool) -> None:
    log = Queues()
    log.put("t", event(0), event(3))
    held, log.ready["t"] = log.ready["t"], deque()  # by a member that is gone, which the broker has not heard of
    rule = Rule("u", "seen", {"n": 1}, has_body=True)
    bill = replace(KEEPER, keeps=(STOCK,), rules=(rule,) if effect else ())
    live(tmp_path, bill, log)
    assert row(tmp_path, "stock", "a") == {"n": 2}
    log.ready["t"] = held
    live(tmp_path, bill, log)
    assert len(log.logs.get("u", ())) == (2 if effect else 0)
    assert row(tmp_path, "stock", "a") == {"n": 2}
    log.put("t", event(6))
    live(tmp_path, bill, log)
    assert row(tmp_path, "stock", "a") == {"n": 3}


def test_what_another_replica_wrote_is_read_anew(tmp_path: Path) -> None:
    replicas = [(store, Copies(store, (STOCK,))) for store in (Store(tmp_path / "store.db"), Store(tmp_path / "store.db"))]
    for turn in (0, 0, 1, 0, 1, 1, 0):
        store, copies = replicas[turn]
        with store.write() as connection:
            copies.opened(store.changed())
            delivery = Delivery(event(0), "t", 0, 0, 0.0)
            copies.fold(delivery, seen_of(delivery))
            copies.keep()
            copies.save(connection)
        copies.saved(True)
    assert [copies.now["stock"].get("a") for _, copies in replicas] == [{"n": 7}, {"n": 6}]  # the last of its own turn
    with replicas[1][0].write():
        replicas[1][1].opened(replicas[1][0].changed())
        assert replicas[1][1].now["stock"].get("a") == {"n": 7}
    for store, _ in replicas:
        store.close()


def test_a_batch_that_is_given_up_leaves_nothing_at_hand(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    copies = Copies(store, (STOCK,))
    delivery = Delivery(event(0), "t", 0, 0, 0.0)
    for stored in (True, False, True):
        copies.opened(store.changed())
        copies.fold(delivery, seen_of(delivery))
        copies.keep()
        if stored:
            with store.write() as connection:
                copies.save(connection)
        copies.saved(stored)
    assert copies.now["stock"].get("a") == {"n": 2}
    store.close()
