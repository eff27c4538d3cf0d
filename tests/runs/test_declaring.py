"""Which sketch is made live when: told as histories, the clock in hand."""

from __future__ import annotations

import pytest

from eda_cli.runs.declaring import Declaring, Wished
from eda_cli.sketch.resolved import Resolved

FIRST, SECOND, THIRD = (Wished(Resolved(name, {}, 1, {}, {}, {}, {}), ids=(name,)) for name in ("a", "b", "c"))


def test_one_at_a_time_and_the_newest_wish_next() -> None:
    declaring = Declaring(FIRST)
    assert declaring.begin(0) is FIRST
    declaring.wish(SECOND)
    declaring.wish(THIRD)
    assert declaring.begin(0) is None
    assert declaring.declared() is FIRST
    assert declaring.begin(0) is None, "its process has not ended"
    assert declaring.exited(0) is None
    third = declaring.begin(0)
    assert third is not None and third.sketch is THIRD.sketch
    assert third.ids == ("b", "c"), "who waits for the forgotten one is answered, too"
    assert declaring.declared() is third
    assert not declaring.idle
    assert declaring.exited(0) is None
    assert declaring.begin(0) is None
    assert declaring.due_in(0) is None
    assert declaring.idle


def test_what_died_without_a_word_comes_again_later_each_time() -> None:
    declaring = Declaring(FIRST)
    declaring.begin(0)
    first = declaring.exited(10)
    assert first
    assert declaring.begin(10) is None
    assert declaring.due_in(10) == pytest.approx(first)
    assert declaring.begin(10 + first) is FIRST
    assert (declaring.exited(20) or 0) > first
    assert declaring.begin(30) is FIRST
    declaring.declared()
    declaring.exited(30)
    declaring.wish(SECOND)
    declaring.begin(40)
    assert declaring.exited(40) == first


@pytest.mark.parametrize("answered", [True, False])
def test_what_was_interrupted_is_begun_again_if_it_had_no_answer(answered: bool) -> None:
    declaring = Declaring(FIRST)
    declaring.begin(0)
    if answered:
        declaring.declared()
    declaring.interrupted()
    assert declaring.begin(0) is (None if answered else FIRST)


def test_a_newer_wish_replaces_what_was_interrupted() -> None:
    declaring = Declaring(FIRST)
    declaring.begin(0)
    declaring.wish(SECOND)
    declaring.interrupted()
    second = declaring.begin(0)
    assert second is not None and (second.sketch, second.ids) == (SECOND.sketch, ("a", "b"))


def test_a_change_that_is_refused_before_the_first_was_declared_gives_way_to_it() -> None:
    declaring = Declaring(FIRST)
    declaring.wish(SECOND)
    second = declaring.begin(0)
    assert second is not None and second.sketch is SECOND.sketch
    assert declaring.refused() is second
    declaring.exited(0)
    assert declaring.begin(0) is FIRST
    assert declaring.refused() is FIRST
    declaring.exited(0)
    assert declaring.begin(0) is None


def test_a_change_that_is_refused_later_leaves_what_runs() -> None:
    declaring = Declaring(FIRST)
    declaring.begin(0)
    declaring.declared()
    declaring.exited(0)
    declaring.wish(SECOND)
    declaring.begin(0)
    declaring.refused()
    declaring.exited(0)
    assert declaring.begin(0) is None
