"""A consumer with own code: what becomes of its events when one fails, ends the process, or moves to somebody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from eda_cli.channels.base import Group, Place, Polled, Subscription
from eda_cli.errors import ChannelError
from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Consumer, Fails, Fold, Idempotent, Kept, Retries, Rule
from eda_cli.stubs.attempts import InProgress
from eda_cli.stubs.handling import Handling
from eda_cli.stubs.inbox import Inbox
from eda_cli.stubs.own_code import Code
from tests.stubs.playing import Killed, Log, part
from tests.stubs.test_histories import STOCK, event, live, row, sketch_of

MAIL = Consumer("bill", ("t",), start="earliest", handler="mail:handle", rules=(Rule("u", "mailed"),))
CODE = """
import sys
def handle(event):
    return sys.modules["tests.stubs.test_own_code_histories"].answer(event)
def look(event, copy):
    return sys.modules["tests.stubs.test_own_code_histories"].answer({**event, "copy": copy})
"""

answer: Callable[[dict[str, Any]], Any] = lambda event: None  # noqa: E731  # what the handler does


@pytest.fixture(autouse=True)
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # as own code does, which nobody else is to notice
    (tmp_path / "mail.py").write_text(CODE)
    (tmp_path / "run.json").write_bytes(orjson.dumps({"name": "shop", "path": str(tmp_path / "sketch.yaml")}))
    yield
    globals()["answer"] = lambda event: None


def answers(how: Callable[[dict[str, Any]], Any]) -> list[str]:
    """From now on the handler answers so; the ids of the events that it is given."""
    given: list[str] = []

    def told(event: dict[str, Any]) -> Any:
        given.append(event["id"])
        return how(event)

    globals()["answer"] = told
    return given


def echo(event: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"of": event["id"]}}


def fails_at(*ids: str) -> Callable[[dict[str, Any]], Any]:
    def how(event: dict[str, Any]) -> Any:
        if event["id"] in ids:
            raise ValueError("not this one")
        return echo(event)

    return how


def test_places_that_are_lost_while_it_works_take_their_events_along(tmp_path: Path) -> None:
    log, mail = Log(), replace(MAIL, subscribes=("t", "v"))
    given = answers(echo)
    one = part(tmp_path, sketch_of(mail), "bill", 1, log)
    code = Code(one, mail)
    handling = Handling(one, mail, Inbox(), code)
    deliveries = [Delivery(event(number), topic, 0, number, 0.0) for number, topic in enumerate("vtvt")]

    def goes_on(seconds: float) -> bool:
        if len(given) == 2:
            handling.lose({Place("v", 0)})
        return True

    assert handling.begin()
    assert handling.handle(deliveries, goes_on) == [deliveries[1], deliveries[3]]
    assert [(one.causationid, one.body()["of"]) for one in log.stored] == [("1", "1"), ("3", "3")]
    handling.close()
    code.close()


@pytest.mark.parametrize("retries", [Retries(), Retries(1, (0.001, 0.001))])
def test_what_comes_behind_a_failure_is_asked_again_in_its_order(tmp_path: Path, retries: Retries) -> None:
    log = Log()
    log.put("t", *(event(number) for number in range(40)))
    given = answers(fails_at("10", "13", "25"))
    counts = live(tmp_path, replace(MAIL, retries=retries), log).journal.counts
    assert sorted(one.body()["of"] for one in log.stored) == sorted(
        str(number) for number in range(40) if number not in (10, 13, 25))
    for key in range(3):
        same = list(dict.fromkeys(one for one in given if int(one) % 3 == key))
        assert same == sorted(same, key=int)
    assert counts["received"] == {"t": 40}
    assert counts["handled"] == {"t": 37}
    assert counts["given_up"] == {"t": 3}


def test_an_attempt_that_is_to_fail_is_none_of_the_code_s(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(number) for number in range(40)))
    given = answers(echo)
    live(tmp_path, replace(MAIL, fails=Fails(0.3), retries=Retries(50, (0.0, 0.0))), log)
    assert sorted(given, key=int) == [str(number) for number in range(40)]
    for key in range(3):
        same = [one for one in given if int(one) % 3 == key]
        assert same == sorted(same, key=int)


@pytest.mark.parametrize("retries", [0, 50])
def test_an_event_that_ends_every_process_is_given_up(tmp_path: Path, retries: int) -> None:
    log = Log()
    log.put("t", event(0), event(1), event(3))

    def how(given: dict[str, Any]) -> Any:
        if given["id"] == "1":
            raise Killed
        return echo(given)

    answers(how)
    mail = replace(MAIL, retries=Retries(retries, (0.001, 0.001)))
    deaths = 0
    while deaths < 20:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("eda_cli.stubs.handler.place_of", _through)
            try:
                counts = live(tmp_path, mail, log).journal.counts
                break
            except Killed:
                deaths += 1
                log.close = lambda: Log.close(log)  # type: ignore[method-assign]
    else:
        raise AssertionError("it is tried for ever")
    assert deaths == 5
    assert counts["given_up"] == {"t": 1}
    assert sorted({one.body()["of"] for one in log.stored}) == ["0", "3"]


def test_a_process_that_ended_once_is_counted_once(tmp_path: Path) -> None:
    log = Log()
    log.put("t", event(0))
    with closing(InProgress(tmp_path / "bill.1.attempt")) as mark:
        mark.begin(["/x/0"])
    given = answers(echo)
    away, subscribe = [ChannelError("away")] * 7, log.subscribe

    def joins(group: Group) -> Subscription:
        if away:
            raise away.pop()
        return subscribe(group)

    log.subscribe = joins  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eda_cli.stubs.consumer.RETRY_S", (0.001, 0.001))
        live(tmp_path, MAIL, log)
    assert given == ["0"]


def _through(wrong: BaseException, folder: Path) -> str:
    """What the handler raised is no failure of its event, but the end of the process."""
    if isinstance(wrong, Killed):
        raise wrong
    return str(wrong)


def test_a_broker_that_goes_away_while_it_works_is_no_death_and_no_failure(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(number) for number in range(3)))
    answers(echo)
    poll, troubles = log.poll, ["broken"] * 12

    def breaks(timeout: float, at_most: int) -> Polled:
        if not at_most and troubles:
            troubles.pop()
            raise ChannelError("away")
        return poll(timeout, at_most)

    log.poll = breaks  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eda_cli.stubs.consumer.RETRY_S", (0.001, 0.001))
        counts = live(tmp_path, MAIL, log).journal.counts
    assert "failed" not in counts
    assert counts["handled"] == {"t": 3}


def test_a_handler_sees_the_copies_behind_its_event(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(number) for number in range(30)))
    log.put("prices", *(event(number, id=f"p{number}", body={"price": number}) for number in range(3)))

    def how(given: dict[str, Any]) -> Any:
        copy, sku = given["copy"], given["data"]["sku"]
        if given["id"] == "7":
            raise ValueError("not this one")
        return {"data": {"nth": copy["stock"][sku]["n"], "price": copy["prices"][sku]["price"]}}

    answers(how)
    prices = Kept("prices", (Fold(("prices",), "$.sku"),))
    log.subscribe = lambda group: Log.subscribe(log, replace(group, topics=("prices", "t")))  # type: ignore[method-assign]
    live(tmp_path, replace(MAIL, handler="mail:look", keeps=(STOCK, prices)), log)
    for key in range(3):
        mine = [one.body() for one in log.logs["u"] if one.key == b"abc"[key:key + 1]]
        assert mine == [{"nth": nth + 1, "price": key} for nth in range(9 if key == 1 else 10)]
    assert row(tmp_path, "stock", "b") == {"n": 9}


def test_repetitions_are_none_of_an_idempotent_consumer_s_code(tmp_path: Path) -> None:
    log = Log()
    log.put("t", *(event(number // 2) for number in range(60)))
    given = answers(fails_at("11"))
    counts = live(tmp_path, replace(MAIL, idempotent=Idempotent()), log).journal.counts
    assert sorted(given, key=int) == sorted([*map(str, range(30)), "11"], key=int)
    assert (counts["handled"], counts["skipped"], counts["given_up"]) == ({"t": 29}, {"t": 29}, {"t": 2})
