"""Whole histories of a consumer that remembers: killed before and behind each step, it has its effect once and loses nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from eda_cli.event import Event
from eda_cli.journal import Journal
from eda_cli.sketch.resolved import Consumer, Fails, Fold, Idempotent, Kept, Resolved, Retries, Rule, Topic
from eda_cli.stubs import consumer
from eda_cli.stubs.part import Part
from eda_cli.stubs.store import Store, store_path
from tests.stubs.playing import Killed, Log, let_go, part
from tests.stubs.queueing import CHANNELS

TIME = "2026-11-24T09:30:00.000000Z"
STOCK = Kept("stock", (Fold(("t",), "$.sku", {"n": "{{ (was.n | default(0)) + 1 }}"}),))
BILL = Consumer("bill", ("t",), start="earliest", keeps=(STOCK,), retries=Retries(2, (0.001, 0.002)), dead_letter="dlq",
                rules=(Rule("u", "billed", {"nth": "{{ copy.stock[body.sku].n }}", "x": "{{ 8 // body.of }}"}, has_body=True),))


def sketch_of(bill: Consumer) -> Resolved:
    names = {"t", "u", "dlq", *bill.hears, *(rule.to for rule in bill.rules)}
    return Resolved("shop", {"kind": "embedded"}, 7, {name: Topic(name) for name in names}, {}, {}, {"bill": bill})


def event(number: int, **fields: Any) -> Event:
    body = {"sku": "abc"[number % 3], "of": 1, **fields.pop("body", {})}
    about: dict[str, Any] = {"id": str(number), "source": "/x", "type": "made", "time": TIME, "data": orjson.dumps(body),
                             "key": body["sku"].encode()}
    return Event(**{**about, **fields})


def live(folder: Path, bill: Consumer, log: Log, also: Callable[[Part], bool] = lambda one: True) -> Part:
    """One life of the consumer: until all is done, or it is killed."""
    one = part(folder, sketch_of(bill), "bill", 1, log)
    log.on_end = one.stop.wish
    log.over = lambda: log.polls > 5_000 or (log.caught_up() and also(one))
    log.polls = 0
    try:
        assert not consumer.run(one)
    except Killed:
        log.close = lambda: None  # type: ignore[method-assign]
        raise
    finally:
        let_go(one)
    assert log.polls < 5_000, "it has not come to an end"
    return one


def row(folder: Path, name: str, key: str) -> Any:
    with closing(sqlite3.connect(store_path(folder, "bill"))) as connection:
        found = connection.execute("SELECT row FROM copy WHERE name = ? AND key = ?", (name, key)).fetchone()
    return orjson.loads(found[0]) if found else None


def rows_of(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(store_path(folder, "bill"))) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


class Steps:
    """Counts the steps of a life, and ends it at one of them."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed(name)


@contextmanager
def killed_at(number: int, log: Log, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """A life that ends at its nth step, whichever that is: before or behind a commit, a publication, a line, or done."""
    steps = Steps(number)
    write, flush = Store.write, Journal.flush

    @contextmanager
    def writing(self: Store) -> Iterator[sqlite3.Connection]:
        with write(self) as connection:
            yield connection
            steps("commit")
        steps("committed")

    def flushing(self: Journal) -> None:
        steps("journal")
        flush(self)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", writing)
        patch.setattr("eda_cli.stubs.settled.LOOK_S", 0.001)
        patch.setattr(Journal, "flush", flushing)
        log.step = steps
        yield steps
    log.step = lambda name: None
    log.close = lambda: type(log).close(log)  # type: ignore[method-assign]


def equal_bytes(events: list[Event]) -> bool:
    """Whether what was published more than once is the same each time."""
    made: dict[Any, Any] = {}
    return all(made.setdefault(one.id, (one.data, one.key, one.time)) == (one.data, one.key, one.time) for one in events)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("idempotent", [None, Idempotent()])
def test_killed_at_any_step_it_has_its_effect_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                   idempotent: Idempotent | None, channel: type[Log]) -> None:
    bill = replace(BILL, idempotent=idempotent, fails=Fails(0.3), rules=(
        *BILL.rules, Rule("later", "reminded", after_s=(0.001, 0.003))))
    for number in range(1, 200):
        folder, log = tmp_path / str(number), channel()
        folder.mkdir()
        log.put("t", *(event(index, body={"of": index % 5}) for index in range(6)))
        with killed_at(number, log, monkeypatch) as steps, suppress(Killed):
            live(folder, bill, log, lambda one: not rows_of(folder, "timers"))  # noqa: B023
        if steps.left > 0:
            break
        live(folder, bill, log, lambda one: not rows_of(folder, "timers"))  # noqa: B023
        billed, letters = log.logs["u"], {one.id for one in log.logs["dlq"]}
        assert letters >= {"0", "5"}  # 8 // 0
        kept = Counter("abc"[index % 3] for index in range(6) if str(index) not in letters)
        assert {key: row(folder, "stock", key)["n"] for key in kept} == kept
        assert {one.causationid for one in billed} == {str(index) for index in range(6)} - letters
        assert {one.causationid for one in log.logs["later"]} == {str(index) for index in range(6)} - letters
        assert all(equal_bytes(events) for events in log.logs.values())
        assert sorted(one.body()["nth"] for one in {one.id: one for one in billed}.values() if one.key == b"a") == \
            list(range(1, kept["a"] + 1))
        for table in ("spools", "timers", "ahead", "attempts"):
            assert rows_of(folder, table) == 0, table
    else:
        raise AssertionError("a life has more steps than were tried")
    assert number > 20
