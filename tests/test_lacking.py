"""Commands on a broker that lacks something: refused with the registry's reason, or what is possible is done and said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from eda_cli.channels.base import GroupInfo, GroupPlace, Place, Polled, Start
from eda_cli.cli import groups, membership, tail, topics
from eda_cli.cli.channel import demand, demand_start
from eda_cli.cli.chosen import Chosen
from eda_cli.cli.formats import shower
from eda_cli.errors import UsageError
from eda_cli.event import Delivery, Event
from eda_cli.technologies import TECHNOLOGIES, Ability

WHY = "it keeps no log"
RUN: Any = SimpleNamespace(info=lambda: SimpleNamespace(broker={"kind": "embedded"}))
ALL = Chosen(None, None, None)


@pytest.fixture(autouse=True)
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = dict.fromkeys((Ability.REPLAY, Ability.PARTITIONS, Ability.SEEK_TIME, Ability.COMPACTION), WHY)
    monkeypatch.setitem(TECHNOLOGIES, "embedded", replace(TECHNOLOGIES["embedded"], lacks=lacks))  # type: ignore[arg-type]


@pytest.mark.parametrize("refused", [
    lambda: demand(RUN, Ability.REPLAY, "no"),
    lambda: demand_start(RUN, Start("beginning"), "-o"),
    lambda: demand_start(RUN, Start("last", 5), "-o"),
    lambda: demand_start(RUN, Start("time", 5), "--to"),
    lambda: tail._check_usage(RUN, "7", None, None),
    lambda: tail._check_usage(RUN, "beginning", "mine", None),
    lambda: tail._check_usage(RUN, None, None, 0),
    lambda: topics._create_topics(RUN, ["refunds"], 3, True, None),
])
def test_what_it_cannot_do_is_wrong_usage_with_the_reason(refused: Callable[[], object]) -> None:
    with pytest.raises(UsageError) as wrong:
        refused()
    assert wrong.value.why == WHY and wrong.value.exit_code == 2


def test_from_now_on_goes_everywhere() -> None:
    demand_start(RUN, Start("end"), "-o")
    tail._check_usage(RUN, "end", None, None)
    tail._check_usage(RUN, "stored", "mine", None)
    demand(RUN, Ability.LAG, "no")


@pytest.mark.parametrize("wanted", [ALL, Chosen("ann", None, None)])
def test_tail_shows_what_comes_from_now_on_and_says_why(wanted: Chosen, capsys: pytest.CaptureFixture[str]) -> None:
    nobody: Any = None
    assert tail._start(RUN, nobody, ["t"], None, None, None, wanted) == Start("end")
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{WHY}: shown is what comes from now on\n")


def test_a_created_topic_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    channel: Any = SimpleNamespace(can=TECHNOLOGIES["embedded"].can, topics=list,
                                   declare=lambda topics, groups: ["kept for ever"])
    monkeypatch.setattr(topics, "with_channel", lambda run, work: work(channel))
    topics._create_topics(RUN, ["refunds"], 5, False, "7d")
    assert capsys.readouterr().err.splitlines() == ["warning: kept for ever", "created refunds"]


def test_a_place_without_partitions_is_its_topic(capsys: pytest.CaptureFixture[str]) -> None:
    groups._list_groups([GroupInfo("bill", 1, [GroupPlace(Place("purchases", None), None, None, None, None)])], json=False)
    assert capsys.readouterr().out.splitlines()[2].split() == ["purchases", "?", "?", "?"]
    shower(False, False, r"%t %p %o\n")(Delivery(Event(None, None, None, None, b""), "t", None, None, 0.0))
    assert capsys.readouterr().out == "t - -\n"


@pytest.mark.parametrize(("lag", "polls"), [(0, 2), (None, 3)])
def test_a_group_is_at_its_end_when_nothing_is_left_or_comes_any_more(monkeypatch: pytest.MonkeyPatch, lag: int | None,
                                                                      polls: int) -> None:
    now = iter(range(100))
    monkeypatch.setattr(membership, "time", SimpleNamespace(monotonic=lambda: next(now) / 2))
    delivery = Delivery(Event(None, None, None, None, b""), "t", None, None, 0.0)
    batches: list[Sequence[Delivery]] = [[delivery], [], [], [], []]
    subscription: Any = SimpleNamespace(poll=lambda timeout, at_most: Polled(batches.pop(0)))
    channel: Any = SimpleNamespace(groups=lambda: [GroupInfo("g", 1, [GroupPlace(Place("t", None), None, None, lag, None)])])
    assert len(list(membership.polled(channel, subscription, "g", ["t"], stop_at_end=True))) == polls
