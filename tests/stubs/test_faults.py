"""Which events have faults, and what is done to them: the same for a seed, in the shares that are asked for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_cli.event import Event
from eda_cli.sketch.resolved import Faults, Spread
from eda_cli.stubs.faults import Drawn, Faulty, drawer, spoiled
from eda_cli.stubs.held import Going, Held, Kept
from eda_cli.stubs.making import Wanted

MANY = 20_000
ALL = Faults(duplicate=0.02, drop=0.01, late=Spread(0.05, (3.0, 60.0)), out_of_order=Spread(0.03, (1.0, 1.0)),
             corrupt=0.004, null_key=0.1)
ASKED = {"drop": 0.01, "duplicate": 0.02, "late_s": 0.05, "hold_s": 0.03, "corrupt": 0.004, "null_key": 0.1}


def drawn(faults: Faults, seed: int = 7) -> list[Drawn | None]:
    draw = drawer(faults, seed, "web")
    return [draw(number) for number in range(MANY)]


def event(number: int, data: bytes | None = b'{"n":1}', key: bytes | None = b"ann") -> Event:
    return Event(f"id-{number}", "/s", "made", "2026-11-24T09:30:00.000000Z", data, key)


def gone_through(faults: Faults | None, events: list[Event], held: Held | None = None,
                 now: float = 100.0) -> tuple[Faulty, Going]:
    faulty = Faulty(faults, 7, "web", Held() if held is None else held, {})
    wanted = [Wanted(number, now + number, number) for number in range(len(events))]
    faulty.earlier(wanted)
    return faulty, faulty.afflict(wanted, events)


@pytest.mark.parametrize("fault", ASKED)
@pytest.mark.parametrize("seed", [7, 8])
def test_each_fault_has_its_share_by_itself(fault: str, seed: int) -> None:
    seen = sum(bool(one and getattr(one, fault)) for one in drawn(ALL, seed))
    share = ASKED[fault]
    assert abs(seen - MANY * share) < 5 * math.sqrt(MANY * share * (1 - share))


def test_faults_are_drawn_independently() -> None:
    half = Faults(duplicate=0.5, drop=0.5, late=Spread(0.5, (1.0, 1.0)), out_of_order=Spread(0.5, (1.0, 1.0)), corrupt=0.5,
                  null_key=0.5)
    names = list(ASKED)
    rows = [[bool(getattr(one, name)) if one else False for name in names] for one in drawn(half)]
    for one in range(len(names)):
        for other in range(one):
            both = sum(row[one] and row[other] for row in rows)
            assert abs(both - MANY / 4) < 5 * math.sqrt(MANY * 3 / 16), (names[one], names[other])


@given(st.sampled_from(["duplicate", "drop", "corrupt", "null_key"]), st.floats(0, 1))
def test_one_fault_changes_nothing_about_the_others(fault: str, share: float) -> None:
    """Given other shares of one fault, each event has the others as before."""
    changed: dict[str, Any] = {fault: share}
    before, after = drawer(ALL, 7, "web"), drawer(replace(ALL, **changed), 7, "web")
    nothing = Drawn(False, False, 0.0, 0.0, False, False, 0.0)
    for number in range(100):
        one, other = before(number) or nothing, after(number) or nothing
        assert one._replace(at=0.0, **{fault: False}) == other._replace(at=0.0, **{fault: False})


def test_how_late_and_how_long_held_is_of_the_range() -> None:
    late = [one.late_s for one in drawn(ALL) if one and one.late_s]
    assert all(3 <= one <= 60 for one in late)
    assert min(late) < 5 < 58 < max(late)
    assert {one.hold_s for one in drawn(ALL) if one and one.hold_s} == {1.0}


def test_late_events_are_wanted_earlier_and_no_others() -> None:
    faulty = Faulty(replace(ALL, late=Spread(0.5, (10.0, 20.0))), 7, "web", Held(), {})
    wanted = [Wanted(number, 1000.0 + number, number) for number in range(200)]
    by = [one.now - other.now for one, other in zip(wanted, faulty.earlier(wanted), strict=True)]
    assert all(not one or 10 <= one <= 20 for one in by)
    assert 60 < sum(map(bool, by)) < 140


def test_drop_wins_and_a_duplicate_is_right_behind_the_first() -> None:
    events = [event(number) for number in range(4)]
    faulty, going = gone_through(Faults(drop=1.0, duplicate=1.0, null_key=1.0), events)
    assert (going.events, faulty.faulted) == ([], {"drop": 4})
    faulty, going = gone_through(Faults(duplicate=1.0), [event(0), event(1)])
    assert going.events == [event(0), event(0), event(1), event(1)]
    assert faulty.faulted == {"duplicate": 2}
    assert going.faults == {"id-0": ("duplicate",), "id-1": ("duplicate",)}


def test_what_cannot_be_spoiled_has_no_fault() -> None:
    faulty, going = gone_through(Faults(corrupt=1.0, null_key=1.0), [event(0, None, None)])
    assert (going.events, going.faults, faulty.faulted) == ([event(0, None, None)], {}, {})


def test_what_is_held_comes_between_the_others_when_it_is_due() -> None:
    held = Held()
    faults = Faults(out_of_order=Spread(1.0, (2.0, 2.0)), duplicate=1.0)
    faulty, going = gone_through(faults, [event(number) for number in range(4)], held)
    assert [one.id for one in going.events] == ["id-0", "id-0", "id-1", "id-1"]  # at 102 and 103: when 2 and 3 were held
    assert len(held) == 2
    assert faulty.faulted == {"duplicate": 4, "out_of_order": 4}
    _, later = gone_through(None, [event(9)], held, now=105.0)
    assert [one.id for one in later.events] == ["id-2", "id-2", "id-3", "id-3", "id-9"]
    assert later.faults["id-2"] == ("duplicate", "out_of_order")


def test_without_faults_nothing_is_done() -> None:
    events = [event(0), event(1)]
    assert gone_through(None, events)[1].events is events


def test_what_is_too_much_to_be_held_goes_out_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.held.MOST_HELD", 3)
    held = Held()
    for number in range(5):
        held.hold(1000.0 + number, Kept(event(number)))
    assert [kept.event.id for kept in held.due(0.0)] == ["id-0", "id-1"]
    assert (len(held), held.pause(1001.0)) == (3, 1.0)


def test_what_is_held_outlives_its_process_in_its_order() -> None:
    held = Held()
    for number in (3, 1, 2):
        held.hold(float(number // 2), Kept(event(number), ("late",), number))
    assert list(Held(held.changed().more).due(9.0)) == [
        Kept(event(1), ("late",), 1), Kept(event(3), ("late",), 3), Kept(event(2), ("late",), 2)]


def test_a_change_says_what_came_and_what_went_and_nothing_of_what_did_both() -> None:
    held = Held()
    for number in range(3):
        held.hold(float(number), Kept(event(number)))
    before = held.changed()
    assert [order for _, order, _ in before.more] == [1, 2, 3]
    assert held.changed() == ([], [])
    held.hold(0.5, Kept(event(3)))
    held.hold(9.0, Kept(event(4)))
    assert len(list(held.due(1.0))) == 3
    assert held.changed() == ([(9.0, 5, before.more[0][2].replace(b"id-0", b"id-4"))], [1, 2])


def test_who_takes_over_holds_nothing_twice() -> None:
    mine, other = Held(), Held()
    mine.hold(1.0, Kept(event(1)))
    other.hold(1.0, Kept(event(1)))
    other.hold(0.5, Kept(event(2)))
    mine.take_over(other)
    assert [kept.event.id for kept in mine.due(2.0)] == ["id-2", "id-1"]
    assert not other
    assert other.changed() == ([], [])


JSON = st.recursive(st.none() | st.booleans() | st.integers(-10**9, 10**9) | st.text(max_size=20),
                    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=4))


@given(JSON, st.floats(0, 1, exclude_max=True))
def test_spoiled_bytes_are_no_json_and_never_none_at_all(value: Any, at: float) -> None:
    data = orjson.dumps(value)
    broken = spoiled(data, at)
    assert broken
    assert broken == spoiled(data, at)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(broken)


def test_both_ways_of_spoiling_happen() -> None:
    data = b'{"n":1,"user":"ann"}'
    assert spoiled(data, 0.2) == b'{"n":1,"\xffser":"ann"}'
    assert spoiled(data, 0.7) == b'{"n":1,'
