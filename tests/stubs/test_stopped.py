"""Stopping in the middle: what is stored and not published yet is kept, and published by the next process, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eda_cli.channels.base import Receipt
from eda_cli.errors import PublishError
from eda_cli.sketch.resolved import Retries, Rule
from tests.stubs.playing import Log
from tests.stubs.test_histories import BILL, event, live, rows_of

FINE = replace(BILL, keeps=(), retries=Retries(1), rules=(Rule("u", "billed"),))


@pytest.mark.parametrize("timers", [0, 1])
def test_what_could_not_be_published_is_published_by_the_next_process(tmp_path: Path, timers: int) -> None:
    log = Log()
    log.put("t", *(event(number) for number in range(3)))
    log.away = True
    wished: list[str] = []

    def step(name: str) -> None:
        if name == "publish" and len(wished) >= 2:
            log.on_end()
        wished.append(name)

    log.step = step
    bill = replace(FINE, rules=(*FINE.rules, *[Rule("later", "reminded", after_s=(0.0, 0.0))] * timers))
    live(tmp_path, bill, log)
    assert log.stored == []
    assert rows_of(tmp_path, "spools") == 1
    log.away, log.step = False, lambda name: None
    live(tmp_path, bill, log, lambda one: not rows_of(tmp_path, "timers"))
    assert [one.causationid for one in log.logs["u"]] == ["0", "1", "2"]
    assert len(log.logs.get("later", ())) == 3 * timers


def test_who_stops_cleanly_publishes_nothing_again(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(number) for number in range(3)))
    live(tmp_path, FINE, log)
    live(tmp_path, FINE, log)
    assert len(log.logs["u"]) == 3
    stopping = replace(FINE, takes=(0.0, 0.0))
    log.put("t", *(event(number) for number in range(3, 6)))
    log.step = lambda name: log.on_end() if name == "published" else None
    live(tmp_path, stopping, log)
    live(tmp_path, stopping, log)
    log.step = lambda name: None
    live(tmp_path, stopping, log)
    assert [one.causationid for one in log.logs["u"]] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("remembers", [False, True])
def test_the_dead_letter_of_what_is_refused_waits_for_the_broker(tmp_path: Path, remembers: bool) -> None:
    log = Log()
    log.put("t", event(0), event(1))
    log.refuses = lambda one: one.type == "billed" and one.causationid == "0"
    bill = replace(FINE, retries=Retries(int(remembers)))

    def step(name: str) -> None:
        if name == "published" and len(log.stored) == 1:  # the other one; the broker goes away before the letter
            log.away = True
        elif name == "publish" and log.away:
            log.on_end()

    log.step = step
    live(tmp_path, bill, log)
    assert [one.causationid for one in log.stored] == ["1"]
    log.away, log.step = False, lambda name: None
    live(tmp_path, bill, log)
    assert [one.id for one in log.logs["dlq"]] == ["0"]


def test_a_letter_that_is_refused_is_told_as_given_up(tmp_path: Path) -> None:
    log = Log()
    log.put("t", event(0, body={"of": 0}), event(1))
    log.refuses = lambda one: one.id == "0"
    counts = live(tmp_path, replace(BILL, retries=Retries()), log).journal.counts
    assert counts["given_up"] == {"t": 1}
    assert "dead_lettered" not in counts


def test_of_letters_without_an_id_none_is_lost_where_some_are_stored(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(number, id=None, source=None, type=None, time=None, body={"of": 0}) for number in (0, 3, 6)))
    flush = log.flush

    def half(timeout: float) -> list[Receipt]:
        log.flush = flush  # type: ignore[method-assign]
        log._care = log._care[:2]
        raise PublishError("not all are stored", receipts=flush(timeout))

    log.flush = half  # type: ignore[method-assign]
    live(tmp_path, replace(BILL, retries=Retries()), log)
    assert [one.key for one in log.logs["dlq"]][-3:] == [b"a"] * 3
    assert len(log.logs["dlq"]) == 5
