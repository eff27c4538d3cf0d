"""A generator around kills, scaling and events that cannot be: told as histories, without processes."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eda_cli.errors import Futile
from eda_cli.event import epoch
from eda_cli.journal import Observation, last_counts, last_observations
from eda_cli.sketch.resolved import Faults, Generator, Resolved, Stage, Topic
from eda_cli.stubs import generator, numbers
from eda_cli.stubs.numbers import Numbers
from eda_cli.stubs.pace import Pace, Place, curve_of, gaps_of
from eda_cli.stubs.part import Part
from eda_cli.stubs.timing import clock_of
from tests.stubs.playing import Killed, Memory, let_go, part

SKETCH = Resolved("shop", {"kind": "embedded"}, 7, {"t": Topic("t")}, {},
                  {"web": Generator("web", "t", "made", {"n": "seq(0)", "at": "now()"}, rate=float("inf"), count=10)}, {})


def with_web(**fields: Any) -> Resolved:
    return replace(SKETCH, generators={"web": replace(SKETCH.generators["web"], **fields)})


def told(folder: Path, kind: str, process: str = "web.1") -> list[Observation]:
    return [seen for seen in last_observations(folder / f"{process}.jsonl") if seen.kind == kind]


def killed_while_publishing(one: Part, channel: Memory) -> None:
    """What a SIGKILL between the stored batch and its publishing leaves behind."""

    def die() -> None:
        raise KeyboardInterrupt

    channel.on_publish = die
    with pytest.raises(KeyboardInterrupt):
        generator.run(one)
    channel.on_publish = lambda: None


def test_a_count_ends(tmp_path: Path) -> None:
    channel = Memory()
    assert generator.run(part(tmp_path, SKETCH, "web", 1, channel))
    assert channel.numbers() == list(range(10))


def test_who_has_no_values_left_ends_and_says_so(tmp_path: Path) -> None:
    channel = Memory()
    one = part(tmp_path, with_web(body={"n": "seq(0)", "who": "faker.unique.boolean()"}), "web", 1, channel)
    with pytest.raises(Futile, match=r"only 2 different faker\.unique\.boolean\(\)"):
        generator.run(one)
    assert channel.numbers() == [0, 1]


def test_a_killed_batch_is_published_with_the_same_bytes(tmp_path: Path) -> None:
    channel, other = Memory(), Memory()
    killed_while_publishing(part(tmp_path, SKETCH, "web", 1, channel), channel)
    stopped = part(tmp_path, SKETCH, "web", 1, other)
    other.on_publish = stopped.stop.wish
    generator.run(stopped)
    assert channel.stored == []
    assert other.numbers() == list(range(10))
    again = Memory()
    assert generator.run(part(tmp_path, SKETCH, "web", 1, again))
    assert again.stored == []


def test_scaling_down_loses_no_number_and_makes_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 3)
    two = with_web(replicas=2)
    channel = Memory()
    first = part(tmp_path, two, "web", 1, channel)
    channel.on_publish = first.stop.wish  # it publishes one batch and ends in order
    generator.run(first)
    killed_while_publishing(part(tmp_path, two, "web", 2, channel), channel)
    assert channel.numbers() == [0, 1, 2]
    before = list(channel.stored)

    channel.away = True  # scaled down while the broker is away, and stopped before it is back
    alone = part(tmp_path, SKETCH, "web", 1, channel)
    channel.on_publish = alone.stop.wish
    generator.run(alone)
    channel.away = False
    channel.on_publish = lambda: None
    assert channel.stored == before

    assert generator.run(part(tmp_path, SKETCH, "web", 1, channel))
    assert channel.numbers() == list(range(10))
    assert channel.stored[:3] == before


def test_an_event_that_cannot_be_made_fails_alone(tmp_path: Path) -> None:
    sketch = replace(with_web(), topics={"t": Topic("t", key="{{ 10 // (body.n % 3) }}")})
    channel = Memory()
    one = part(tmp_path, sketch, "web", 1, channel)
    assert generator.run(one)
    assert channel.numbers() == [1, 2, 4, 5, 7, 8]
    assert one.journal.counts == {"failed": {"t": 4}, "published": {"t": 6}}
    assert len(told(tmp_path, "failed")) == 4
    assert all(seen.fields["reason"] and seen.fields["id"] for seen in told(tmp_path, "failed"))
    assert [seen.fields["made"] for seen in told(tmp_path, "failed")] == [False] * 4


def test_an_event_that_is_never_taken_fails_alone(tmp_path: Path) -> None:
    channel = Memory()
    channel.refuses = lambda event: event.body()["n"] in (0, 4, 5, 9)
    one = part(tmp_path, SKETCH, "web", 1, channel)
    assert generator.run(one)
    assert channel.numbers() == [1, 2, 3, 6, 7, 8]
    assert one.journal.counts == {"failed": {"t": 4}, "published": {"t": 6}}
    assert {seen.fields["reason"] for seen in told(tmp_path, "failed")} == {"never: it is refused"}


def test_a_broker_that_is_away_is_told_once_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.part.RETRY_S", (0.001, 0.002))
    channel = Memory()
    channel.away = True
    tries = iter(range(6))
    channel.on_publish = lambda: setattr(channel, "away", next(tries, None) is not None)
    one = part(tmp_path, SKETCH, "web", 1, channel)
    assert generator.run(one)
    assert channel.numbers() == list(range(10))
    assert [seen.fields["text"] for seen in told(tmp_path, "waiting")] == ["the broker does not answer"]


def test_headers_are_there_when_the_key_is_made(tmp_path: Path) -> None:
    sketch = with_web(headers={"tenant": "acme"}, key="$headers.tenant")
    channel = Memory()
    assert generator.run(part(tmp_path, sketch, "web", 1, channel))
    assert {event.key for event in channel.stored} == {b"acme"}


def test_a_paused_one_is_ready_publishes_nothing_and_leaves_what_a_kill_left(tmp_path: Path) -> None:
    channel = Memory()
    killed_while_publishing(part(tmp_path, SKETCH, "web", 1, channel), channel)
    paused = part(tmp_path, with_web(paused=True), "web", 1, channel)
    ready: list[bool] = []
    paused.ready = lambda: ready.append(True)
    threading.Timer(0.2, paused.stop.wish).start()
    assert not generator.run(paused)
    assert (ready, channel.stored) == ([True], [])
    assert generator.run(part(tmp_path, SKETCH, "web", 1, channel))
    assert channel.numbers() == list(range(10))


T0 = 1_700_000_000.0  # long past


class Mortal:
    """Ends the process at the steps that it is told, counted over all its lives."""

    def __init__(self, kills: list[int]) -> None:
        self._kills = set(kills)
        self._steps = 0

    def step(self) -> None:
        self._steps += 1
        if self._steps in self._kills:
            raise Killed

    def around(self, acts: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            self.step()
            done = acts(*args, **options)
            self.step()
            return done

        return stepped


@pytest.mark.parametrize("clock", [
    {"rate": 2.0}, {"rate": 2.0, "arrivals": "poisson"}, {"every": (0.1, 2.0), "rate": None},
    {"rate": None, "stages": (Stage((0.0, 5.0), 4.0), Stage((0.0, 0.0), 60.0), Stage((5.0, 5.0), 2.0))}])
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.integers(1, 60), max_size=5))
def test_a_kill_at_any_step_loses_no_event_and_makes_none_of_another_time(
        tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, clock: dict[str, Any],
        kills: list[int]) -> None:
    folder = tmp_path_factory.mktemp("killed")
    mortal, channel = Mortal(kills), Memory()
    sketch = with_web(start=("at", T0), count=20 if not clock.get("stages") else None, **clock)
    moments = gone_through(sketch.generators["web"])
    with monkeypatch.context() as patch:
        patch.setattr("eda_cli.stubs.pace.BATCH", 3)
        patch.setattr(numbers, "_replace", mortal.around(numbers._replace))
        patch.setattr(channel, "publish", mortal.around(channel.publish))
        patch.setattr(channel, "flush", mortal.around(channel.flush))
        finished = False
        while not finished:
            one = part(folder, sketch, "web", 1, channel)
            try:
                finished = generator.run(one)
            except Killed:
                channel._care.clear()
            finally:
                let_go(one)
    told = {event.body()["n"]: event for event in channel.stored}
    assert sorted(told) == list(range(len(moments)))
    assert [epoch(told[number].time or "") for number in sorted(told)] == pytest.approx(moments, abs=1e-5)
    assert all(told[event.body()["n"]] == event for event in channel.stored), "what comes twice is the same event"


def gone_through(web: Generator) -> list[float]:
    """When its events happen, in the life that nothing disturbs."""
    return [T0 + moment for moment in Pace(curve_of(web), gaps_of(web, 1, 7), Place()).take(web.count or 1000)]


def test_the_past_is_made_up_for_and_then_it_is_live(tmp_path: Path) -> None:
    channel = Memory()
    one = part(tmp_path, with_web(rate=10.0, count=None, start=("ago", 600.0)), "web", 1, channel)
    channel.on_publish = lambda: one.stop.wish() if len(channel.stored) >= 6_010 and told(tmp_path, "live") else None
    began = time.time()
    assert not generator.run(one)
    happened = [epoch(event.time or "") for event in channel.stored]
    assert happened[0] == pytest.approx(began - 600, abs=1)
    gaps = [behind - before for before, behind in itertools.pairwise(happened)]
    assert gaps[:5_990] == pytest.approx([0.1] * 5_990, abs=1e-5)
    assert began - 1 < happened[-1] < time.time() + 1
    assert began + 600 > time.time(), "it did not take as long as it tells of"
    assert Numbers(tmp_path, "web", "web.1").begin("other", 1, None).origin is None, "it is live"
    (live,) = told(tmp_path, "live")
    assert 5_995 <= live.fields["events"] <= len(channel.stored), "those that fell due meanwhile are made up for, too"


def test_what_is_told_of_the_past_is_what_was_published_of_it(tmp_path: Path) -> None:
    channel = Memory()
    web = with_web(rate=10.0, count=None, start=("ago", 600.0), faults=Faults(drop=0.5))
    one = part(tmp_path, web, "web", 1, channel)
    stored: list[int] = []  # of the past, then of more

    def go_on() -> None:
        if told(tmp_path, "live"):
            stored.append(len(channel.stored))
            one.stop.wish()

    channel.on_publish = go_on
    assert not generator.run(one)
    assert [seen.fields["events"] for seen in told(tmp_path, "live")] == stored[:1]
    assert 2_500 < stored[0] < 3_500


def test_stages_end_and_have_ended_for_whoever_starts_again(tmp_path: Path) -> None:
    channel = Memory()
    sketch = with_web(rate=None, count=None, stages=(Stage((100.0, 100.0), 0.1),), repeat=2)
    assert generator.run(part(tmp_path, sketch, "web", 1, channel))
    assert channel.numbers() == list(range(20))
    assert generator.run(part(tmp_path, sketch, "web", 1, channel))
    assert channel.numbers() == list(range(20))


def test_another_clock_begins_anew_and_keeps_the_numbers(tmp_path: Path) -> None:
    channel = Memory()
    assert generator.run(part(tmp_path, with_web(rate=None, count=None, stages=(Stage((50.0, 50.0), 0.1),)), "web", 1, channel))
    assert generator.run(part(tmp_path, with_web(rate=None, count=None, stages=(Stage((40.0, 40.0), 0.1),)), "web", 1, channel))
    assert channel.numbers() == list(range(9))


def test_a_stopped_one_goes_on_where_its_schedule_was(tmp_path: Path) -> None:
    channel = Memory()
    web = with_web(rate=None, count=None, stages=(Stage((100.0, 100.0), 0.1), Stage((0.0, 0.0), 3600.0), Stage((1.0, 1.0), 1.0)))
    one = part(tmp_path, web, "web", 1, channel)
    threading.Timer(0.4, one.stop.wish).start()
    assert not generator.run(one)
    numbers = Numbers(tmp_path, "web", "web.1")
    place = numbers.begin(clock_of(web.generators["web"]), 1, None)
    assert 0.2 < place.at < 3600
    assert place.next == 10
    place.at = 3600.05
    numbers.note(place)
    again = part(tmp_path, web, "web", 1, channel)
    channel.on_publish = again.stop.wish
    assert not generator.run(again)
    assert channel.numbers() == list(range(11))


def test_the_wait_before_the_first_event_is_once(tmp_path: Path) -> None:
    channel = Memory()
    one = part(tmp_path, with_web(after_s=3600.0), "web", 1, channel)
    threading.Timer(0.1, one.stop.wish).start()
    assert not generator.run(one)
    assert channel.stored == []
    assert generator.run(part(tmp_path, with_web(after_s=0.01), "web", 1, channel))
    sketch = with_web(after_s=3600.0, count=12)
    assert generator.run(part(tmp_path, sketch, "web", 1, channel))
    assert channel.numbers() == list(range(12))


def test_what_the_end_of_the_stages_cut_off_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + late[0])
    channel = Memory()
    channel.on_publish = lambda: late.__setitem__(0, 60.0)
    sketch = with_web(rate=None, count=None, stages=(Stage((100.0, 100.0), 3.0),))
    one = part(tmp_path, sketch, "web", 1, channel)
    assert generator.run(one)
    counts = last_counts(tmp_path / "web.1.jsonl")
    assert counts["published"]["t"] + counts["behind"]["t"] == 300
    assert counts["behind"]["t"] > 200


@pytest.mark.parametrize("away", [True, False])
def test_whoever_waited_for_the_broker_was_not_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: bool) -> None:
    monkeypatch.setattr("eda_cli.stubs.part.RETRY_S", (0.001, 0.002))
    late, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + late[0])
    channel = Memory()
    one = part(tmp_path, with_web(rate=100.0, count=None), "web", 1, channel)
    tries = itertools.count()

    def publish() -> None:
        match next(tries):
            case 0:
                channel.away = away
                late[0] += 60.0  # the broker is away so long, or just as slow
            case 1:
                channel.away = False
        if len(channel.stored) > 200:
            one.stop.wish()

    channel.on_publish = publish
    assert not generator.run(one)
    behind = told(tmp_path, "behind")
    assert [seen.fields.get("refused", False) for seen in behind] == [away]
    assert behind[0].fields["lost"] == one.journal.counts["behind"]["t"] == pytest.approx(59 * 100, rel=0.05)
    assert away or behind[0].fields["wished"] == pytest.approx(100, rel=0.05)
    assert {event.body()["n"] for event in channel.stored} == set(range(len(channel.stored)))
