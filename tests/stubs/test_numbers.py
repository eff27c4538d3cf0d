"""A number never stands for two events, and a batch survives a kill byte by byte."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.event import Event
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.held import Held, Kept
from eda_cli.stubs.numbers import Batch, Numbers, Spool
from eda_cli.stubs.pace import Pace, Place, curve_of, gaps_of

EVENTS = [Event(str(number), "/s", "t", "2026-11-24T09:30:00.000000Z", b"\x00\xff", b"k", headers=(("a", None),),
                extensions={"x": "y"}) for number in range(3)]


def test_replicas_never_claim_the_same_number(tmp_path: Path) -> None:
    one, two = Numbers(tmp_path, "web", "web.1"), Numbers(tmp_path, "web", "web.2")
    claims = [one.claim(3, None), two.claim(2, None), one.claim(5, None)]
    assert claims == [range(3), range(3, 5), range(5, 10)]
    assert one.claimed() == range(5, 10)
    assert two.claimed() == range(3, 5)
    one.close()
    two.close()


def test_count_bounds_the_claims_of_all(tmp_path: Path) -> None:
    one, two = Numbers(tmp_path, "web", "web.1"), Numbers(tmp_path, "web", "web.2")
    assert [one.claim(6, 10), two.claim(6, 10), one.claim(6, 10)] == [range(6), range(6, 10), range(10, 10)]
    one.close()
    two.close()


def test_the_claims_of_replicas_that_are_gone_are_orphans_until_they_are_dropped(tmp_path: Path) -> None:
    one, two = Numbers(tmp_path, "web", "web.1"), Numbers(tmp_path, "web", "web.2")
    one.claim(1, None)
    two.claim(2, None)
    assert one.orphans(2) == []
    assert one.orphans(1) == ["web.2"]
    assert one.claimed("web.2") == range(1, 3)
    one.drop("web.2")
    assert one.orphans(1) == []
    assert one.claimed("web.2") == range(0)
    one.close()
    two.close()


def test_a_stored_batch_comes_back_equal_until_it_is_done(tmp_path: Path) -> None:
    held = Held()
    held.hold(5.0, Kept(EVENTS[0], ("late",), 2))
    batch = Batch(range(7, 10), EVENTS, {"1": ("corrupt",)}, held.changed(), {"late": 4})
    spool = Spool(tmp_path, "web.1")
    assert spool.pending() == (Batch(), False)
    spool.store(batch)
    assert Spool(tmp_path, "web.1").pending() == (batch, True)
    spool.stored()
    assert Spool(tmp_path, "web.1").pending() == (batch, False)
    spool.close()


def test_a_spoiled_batch_is_no_batch(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "web.1")
    spool.store(Batch(range(1), EVENTS))
    spool.close()
    path = tmp_path / "web.1.spool"
    path.write_bytes(path.read_bytes()[:-1])
    assert spool.pending() == (Batch(), False)


def begun(folder: Path, replica: int = 1, replicas: int = 1, clock: str = "a", origin: float | None = None) -> Place:
    with closing(Numbers(folder, "web", f"web.{replica}")) as numbers:
        return numbers.begin(clock, replicas, origin)


def noted(folder: Path, place: Place, replica: int = 1) -> None:
    with closing(Numbers(folder, "web", f"web.{replica}")) as numbers:
        numbers.note(place)


def test_a_place_is_kept(tmp_path: Path) -> None:
    place = begun(tmp_path)
    assert (place.at, place.next, place.origin) == (0.0, None, None)
    place.at, place.next = 7.5, 8.0
    noted(tmp_path, place)
    assert begun(tmp_path) == place


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "web.numbers").write_text('{"next":7,"claims":{"web.1":[0,7]}}')
    with closing(Numbers(tmp_path, "web", "web.1")) as numbers:
        assert numbers.begun()
        assert numbers.begin("a", 1, None) == Place("a")
        assert numbers.claim(2, None) == range(7, 9)


def test_the_first_replica_begins_for_all_so_that_a_late_one_misses_nothing(tmp_path: Path) -> None:
    first = begun(tmp_path, 1, 2)
    first.next, first.at = 1000.0, 10.0
    noted(tmp_path, first)
    assert begun(tmp_path, 2, 2).next is None


def test_another_clock_begins_at_zero_behind_all_that_was_played(tmp_path: Path) -> None:
    place = begun(tmp_path)
    place.at, place.next = 7.5, 8.0
    noted(tmp_path, place)
    place = begun(tmp_path, clock="b")
    assert place == Place("b", before=7.5)
    place.at = 2.0
    noted(tmp_path, place)
    assert begun(tmp_path, clock="a") == Place("a", before=9.5)


def test_another_clock_goes_on_in_the_past_where_the_old_one_was(tmp_path: Path) -> None:
    place = begun(tmp_path, origin=1000.0)
    place.at = 60.0
    noted(tmp_path, place)
    assert begun(tmp_path, origin=5000.0) == place, "where it began is fixed"
    assert begun(tmp_path, clock="b", origin=5000.0) == Place("b", origin=1060.0, before=60.0)


def test_who_is_wished_no_more_leaves_no_place_for_those_that_come_later(tmp_path: Path) -> None:
    with closing(Numbers(tmp_path, "web", "web.2")) as two:
        gone = two.begin("a", 2, None)
        place = begun(tmp_path, 1, 1)
        two.note(gone)
    place.at, place.next = 60.0, 60.0
    noted(tmp_path, place)
    assert begun(tmp_path, 2, 2).at == 60.0


@settings(deadline=None)
@given(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=5))
def test_scaling_goes_on_with_the_schedule(tmp_path_factory: pytest.TempPathFactory, replicas: list[int]) -> None:
    folder = tmp_path_factory.mktemp("scaled")
    found: list[float] = []
    for many in replicas:
        generator = Generator("web", "t", "made", None, rate=1.0, replicas=many)
        paces = [Pace(curve_of(generator), gaps_of(generator, one, 7), begun(folder, one, many)) for one in range(1, many + 1)]
        for _ in range(2):
            found += [moment for one in paces for moment in one.take(1)]
        for replica, one in enumerate(paces, 1):
            noted(folder, one.place, replica)
    assert sorted(found) == list(range(len(found)))
