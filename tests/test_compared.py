"""What became of every event, folded from histories written as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from eda_cli.cli.compared import Compared, GroupFigures, Spread
from eda_cli.cli.comparison import MEASURES, Told, table
from eda_cli.errors import EdaError
from eda_cli.event import epoch, rfc3339
from eda_cli.journal import Observation
from eda_cli.sketch.resolved import Consumer, Generator, Resolved, Topic
from eda_cli.technologies import TECHNOLOGIES

BEGUN = epoch("2026-01-01T00:00:00Z")
LATER = BEGUN + 60  # nobody is at work any more


def sketch(*consumers: Consumer) -> Resolved:
    return Resolved("shop", {"kind": "embedded"}, 1, {"purchases": Topic("purchases")}, {},
                    {"web": Generator("web", "purchases", "purchaseCreated", {})}, {one.name: one for one in consumers})


BILLING = Consumer("billing", ("purchases",))


def told(kind: str, ms: float, part: str, id_: str = "", **fields: Any) -> Observation:
    event = {"topic": "purchases", "id": id_, "type": "purchaseCreated"} if id_ else {}
    return Observation(kind, rfc3339(BEGUN + ms / 1000), part, {**event, **fields})


READY = told("ready", 0, "run", address={})


def published(ms: float, id_: str, key: str | None = None, **fields: Any) -> Observation:
    return told("published", ms, "web", id_, **({"key": key} if key else {}), **fields)


def handled(ms: float, id_: str, after_ms: float = 2.0, part: str = "billing", **fields: Any) -> Observation:
    return told("handled", ms, part, id_, after_ms=after_ms, **fields)


def received(ms: float, id_: str) -> Observation:
    return told("received", ms, "billing", id_, after_ms=1.0)


def billing(history: Iterable[Observation], now: float = LATER, consumer: Consumer = BILLING) -> GroupFigures:
    fold = Compared(sketch(consumer))
    fold.see_all(history)
    return fold.figures(now).groups["billing"]


def test_what_every_group_handled_once_is_as_it_should_be() -> None:
    fold = Compared(sketch(BILLING, Consumer("shipping", ("purchases",))))
    fold.see_all([published(1, "a"), published(2, "b"), *(handled(3, id_) for id_ in "ab"),
                  *(handled(3, id_, part="shipping") for id_ in "ab")])
    seen = fold.figures(LATER)
    assert fold.open == 0
    assert seen.published == {"purchases": 2}
    assert set(seen.groups.values()) == {GroupFigures(2, 0, 0, 0, 0)}


def test_an_event_that_nobody_settled_is_lost_and_one_that_is_held_is_unfinished() -> None:
    assert billing([published(1, "a"), published(2, "b"), handled(3, "b")]) == GroupFigures(1, 1, 0, 0, 0)
    assert billing([published(1, "a"), received(2, "a")]) == GroupFigures(0, 0, 1, 0, 0)


def test_a_group_that_was_at_work_until_now_has_lost_nothing_yet() -> None:
    history = [published(1, "a"), published(2, "b"), handled(1000, "a")]
    assert billing(history, now=BEGUN + 1.5).unfinished == 1
    assert billing(history, now=BEGUN + 5).lost == 1


def test_what_the_channel_has_nothing_left_of_is_lost_though_a_member_took_it_up() -> None:
    fold = Compared(sketch(BILLING))
    fold.see_all([published(1, "a"), published(2, "b"), received(3, "a"), received(4, "b")])
    assert fold.figures(LATER, {"billing": 0}).groups["billing"] == GroupFigures(0, 2, 0, 0, 0)
    assert fold.figures(LATER, {"billing": 1}).groups["billing"] == GroupFigures(0, 1, 1, 0, 0)
    assert fold.figures(LATER, {"billing": None}).groups["billing"] == GroupFigures(0, 0, 2, 0, 0)


@pytest.mark.parametrize(("end", "counted"), [
    (told("skipped", 3, "billing", "a", reason="it was handled before"), "skipped"),
    (told("failed", 3, "billing", "a", reason="no", attempt=4, given_up=True), "given_up"),
    (told("failed", 3, "billing", "a", reason="no", attempt=4, dead_letter="purchases.dlq"), "dead_lettered"),
], ids=["skipped", "given up", "dead letter"])
def test_what_was_decided_otherwise_is_counted_and_not_lost(end: Observation, counted: str) -> None:
    assert billing([published(1, "a"), received(2, "a"), end]) == GroupFigures(0, 0, 0, 0, 0, **{counted: 1})


def test_an_event_that_waits_for_its_retry_is_unfinished() -> None:
    again = told("failed", 3, "billing", "a", reason="no", attempt=1, again_in_s=5.0)
    assert billing([published(1, "a"), received(2, "a"), again]).unfinished == 1


def test_an_event_handled_more_often_than_published_is_duplicated() -> None:
    assert billing([published(1, "a"), handled(2, "a"), handled(3, "a"), handled(4, "a")]).duplicated == 2
    twice = [published(1, "a"), published(1, "a")]
    assert billing([*twice, handled(2, "a"), handled(3, "a")]) == GroupFigures(2, 0, 0, 0, 0)
    assert billing([*twice, handled(2, "a")]).lost == 1


def test_the_consumer_may_tell_of_an_event_before_its_publisher_does() -> None:
    fold = Compared(sketch(BILLING))
    fold.see_all([handled(1, "a"), published(2, "a")])
    assert fold.open == 0
    assert fold.figures(LATER).groups["billing"] == GroupFigures(1, 0, 0, 0, 0)


def test_what_others_published_is_handled_and_nothing_else() -> None:
    assert billing([handled(1, "foreign"), handled(2, "foreign")]) == GroupFigures(2, 0, 0, 0, 0)


def test_a_type_that_the_group_does_not_accept_is_no_loss() -> None:
    choosy = Consumer("billing", ("purchases",), accepts=("refundPaid",))
    assert billing([published(1, "a")], consumer=choosy).lost == 0


def test_groups_whose_members_eda_does_not_run_are_not_judged() -> None:
    fold = Compared(sketch(Consumer("billing", ("purchases",), external=True), Consumer("idle", ("purchases",), replicas=0)))
    fold.see_all([published(1, "a")])
    assert (fold.open, fold.figures(LATER).groups) == (0, {})


def test_behind_a_later_event_of_its_key_is_out_of_order() -> None:
    story = [published(1, "a", "ann"), published(2, "b", "bob"), published(3, "c", "ann")]
    assert billing([*story, handled(4, "b"), handled(5, "a"), handled(6, "c")]).out_of_order == 0
    assert billing([*story, handled(4, "c"), handled(5, "a"), handled(6, "b")]).out_of_order == 1
    keyless = [published(1, "a"), published(2, "b")]
    assert billing([*keyless, handled(4, "b"), handled(5, "a")]).out_of_order == 0


def test_the_order_is_that_of_the_clock_whichever_replica_was_read_first() -> None:
    story = [published(1, "a", "ann"), published(2, "b", "ann")]
    assert billing([*story, handled(9, "b", replica=2), handled(5, "a", replica=1)]).out_of_order == 0


def test_two_publishers_promised_no_order_between_them() -> None:
    one, other = published(1, "a", "ann", replica=1), published(2, "b", "ann", replica=2)
    assert billing([one, other, handled(3, "b"), handled(4, "a")]).out_of_order == 0


def test_a_repeat_is_no_disorder() -> None:
    story = [published(1, "a", "ann"), published(2, "b", "ann")]
    assert billing([*story, handled(3, "a"), handled(4, "b"), handled(5, "a")]) == GroupFigures(3, 0, 0, 1, 0)


def test_latency_is_of_first_times_and_of_what_was_published_once_the_run_was_ready() -> None:
    fold = Compared(sketch(BILLING))
    fold.see_all([published(-5000, "early"), READY, published(10, "a"), handled(20, "early", after_ms=5020.0),
                  received(11, "a"), handled(15, "a", after_ms=5.0), handled(900, "a", after_ms=890.0)])
    assert fold.figures(LATER).handled == Spread(5.0, 5.0)
    assert fold.figures(LATER).received == Spread(1.0, 1.0)
    assert Spread.of(range(1, 101)) == Spread(50, 99)
    assert Spread.of([]) is None


def test_lines_that_miss_are_counted() -> None:
    fold = Compared(sketch(BILLING))
    counted = told("counted", 3, "web", counts={"published": {"purchases": 5}})
    fold.see_all([published(1, "a"), published(2, "b"), counted])
    assert fold.figures(LATER).untold == 3


def test_the_table_fits_four_brokers_in_80_columns_and_says_which_failed(capsys: pytest.CaptureFixture[str]) -> None:
    from eda_cli.cli import console

    console.out.cache_clear()
    fold = Compared(sketch(BILLING))
    fold.see_all([READY, *(published(1, str(n)) for n in range(12345)), *(handled(2, str(n), 1000.0) for n in range(12345)),
                  *(handled(n, "x", 12345.6) for n in range(5))])
    names = [*TECHNOLOGIES] * 4
    seen = [Told(name, 42, 10, "Some Broker 1.2.3", 12.3, fold.figures(LATER)) for name in names[:3]]
    table([*seen, Told(names[3], 42, 10, error=EdaError("the broker does not answer", "it is away", "wait"))])
    lines = capsys.readouterr().out.splitlines()
    console.out.cache_clear()
    assert lines[1].split() == ["events", "published", "12,345", "12,345", "12,345", "–"]
    assert all(len(line) <= 80 for line in lines[:len(MEASURES)])
    assert f"{names[3]} failed: the broker does not answer: it is away; wait" in lines
    assert not any(line.startswith(("unfinished", "crashed", "skipped", "dead", "given")) for line in lines)
    assert lines.count("Some Broker 1.2.3") == 3


def test_on_a_terminal_a_reason_is_wrapped_between_words(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from eda_cli.cli import console

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    console.out.cache_clear()
    table([Told(name, 42, 10, "1.2.3") for name in ("kafka", "activemq")])
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    console.out.cache_clear()
    at = shown.index("  no offsets in groups: a queue of ActiveMQ has no positions, only messages that")
    assert shown[at + 1] == "  are not done yet"
