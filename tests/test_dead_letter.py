"""A dead letter says why, and gives back the event that it was."""

from __future__ import annotations

from dataclasses import replace

from eda_cli.dead_letter import HEADERS, REASON_LIMIT, dead_letter, redriven, revived, said
from eda_cli.event import Delivery, Event

EVENT = Event("1", "/eda/shop/web", "purchaseCreated", "2026-11-24T09:30:00.000000Z", b'{"n":1}', b"ann", subject="s",
              correlationid="0", causationid="0", extensions={"traceid": "t"}, headers=(("own", b"1"), ("own", None)))
DELIVERY = Delivery(EVENT, "purchases", 1, 42, 0.0)
ONCE = ("redriven", b"1")


def test_it_says_why_and_keeps_the_event() -> None:
    letter = dead_letter(DELIVERY, "no money: 5 €", 4, "billing", 1_764_000_000.5)
    assert letter.headers == (
        ("own", b"1"), ("own", None), ("dead-letter-reason", "no money: 5 €".encode()), ("dead-letter-attempts", b"4"),
        ("dead-letter-topic", b"purchases"), ("dead-letter-partition", b"1"), ("dead-letter-offset", b"42"),
        ("dead-letter-consumer", b"billing"), ("dead-letter-time", b"2025-11-24T16:00:00.500000Z"))
    assert replace(letter, headers=EVENT.headers) == EVENT
    assert said(letter, "dead-letter-reason") == "no money: 5 €"
    assert revived(letter) == ("purchases", replace(EVENT, headers=(*EVENT.headers, ONCE)))


def test_one_that_fails_again_says_only_how_it_failed_last() -> None:
    first = dead_letter(DELIVERY, "first", 1, "billing", 0)
    again = dead_letter(Delivery(first, "purchases", 0, 7, 0.0), "second", 2, "shipping", 1)
    assert sorted(name for name, _ in again.headers if name != "own") == sorted(HEADERS)
    assert said(again, "dead-letter-reason") == "second"
    assert revived(again) == ("purchases", replace(EVENT, headers=(*EVENT.headers, ONCE)))


def test_it_is_counted_how_often_one_is_redriven() -> None:
    event = EVENT
    for times in range(4):
        assert redriven(event) == times
        back = revived(dead_letter(Delivery(event, "purchases", 0, times, 0.0), "no", 1, "billing", 0))
        assert back is not None
        event = back[1]
    for foreign in (None, b"", b"-1", b"1.5", "٣".encode(), b"9" * 100, b"\xff"):
        assert redriven(replace(EVENT, headers=(("redriven", foreign),))) == 0


def test_a_foreign_event_stays_foreign_and_a_channel_without_places_names_none() -> None:
    foreign = Event(None, None, None, None, b"\xff", None, partition=3)
    letter = dead_letter(Delivery(foreign, "raw", None, None, 0.0), "no JSON", 1, "billing", 0)
    assert {name for name, _ in letter.headers} == set(HEADERS) - {"dead-letter-partition", "dead-letter-offset"}
    assert revived(letter) == ("raw", replace(foreign, partition=None, headers=(ONCE,)))


def test_a_long_reason_is_cut_and_what_is_no_utf_8_does_no_harm() -> None:
    letter = dead_letter(DELIVERY, "\udcff" + "ä" * 5_000, 1, "billing", 0)
    assert said(letter, "dead-letter-reason") == "?" + "ä" * (REASON_LIMIT - 1)
    assert said(Event(None, None, None, None, None, headers=(("x", b"\xff"),)), "x") == "\ufffd"


def test_what_has_no_header_is_no_dead_letter() -> None:
    assert revived(EVENT) is None
    for value in (None, b""):
        assert revived(replace(EVENT, headers=(("dead-letter-topic", value),))) is None
