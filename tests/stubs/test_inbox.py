"""What a member holds: whose turn it is, who waits, and who stands behind whom."""

from __future__ import annotations

from eda_cli.channels.base import Place
from eda_cli.event import Delivery, Event
from eda_cli.stubs.inbox import Inbox


def one(offset: int | None, key: bytes | None = b"a", topic: str = "t", partition: int | None = 0) -> Delivery:
    return Delivery(Event(None, None, None, None, b"", key), topic, partition, offset, 0.0)


def offsets(taken: list[Delivery]) -> list[int | None]:
    return [delivery.offset for delivery in taken]


def test_those_of_a_key_wait_behind_one_that_failed_and_others_do_not() -> None:
    inbox = Inbox()
    inbox.put([one(0), one(1), one(2, b"b"), one(3, None)])
    (failed,) = inbox.take(0.0, 1)
    inbox.again(failed, 5.0)
    assert offsets(inbox.take(0.0, 9)) == [2, 3]
    inbox.put([one(4), one(5, None)])
    assert offsets(inbox.take(4.9, 9)) == [5]
    assert (len(inbox), inbox.due_in(4.0), inbox.due_in(6.0)) == (3, 1.0, 0.0)
    assert inbox.waiting() == {Place("t", 0): [0, 1, 4]}
    assert inbox.take(5.0, 9) == [failed]
    assert inbox.take(5.0, 9) == []
    inbox.settled([failed])
    inbox.put([one(6)])
    assert offsets(inbox.take(5.0, 9)) == [1, 4, 6]
    assert inbox.due_in(5.0) is None and not len(inbox)


def test_settling_one_that_came_before_the_failed_one_frees_nobody() -> None:
    inbox = Inbox()
    inbox.put([one(0), one(1), one(2)])
    first, failed, behind = inbox.take(0.0, 9)
    inbox.again(failed, 5.0)
    inbox.stand_behind(behind)
    inbox.settled([first])
    inbox.put([one(3)])
    assert inbox.take(0.0, 9) == []


def test_what_was_taken_before_is_not_there_for_the_first_time() -> None:
    inbox = Inbox()
    inbox.put([one(0), one(1), one(2, b"b")])
    failed, behind, unanswered = taken = inbox.take(0.0, 9)
    assert inbox.first_time(taken) == taken
    inbox.again(failed, 0.0)
    inbox.stand_behind(behind)
    inbox.put_back(unanswered)
    inbox.put([one(3)])
    assert inbox.first_time(inbox.take(0.0, 9)) == [failed]  # that it was tried is known elsewhere
    inbox.settled([failed])
    assert offsets(list(inbox.first_time(inbox.take(0.0, 9)))) == [3]


def test_a_lost_place_takes_along_all_that_is_held_of_it() -> None:
    inbox = Inbox()
    inbox.put([one(0), one(1), one(2, b"b"), one(0, topic="v"), one(1, topic="v"), one(None, partition=None)])
    mine, behind, back, other, others, nowhere = inbox.take(0.0, 9)
    inbox.again(mine, 1.0)
    inbox.stand_behind(behind)
    inbox.put_back(back)
    inbox.again(other, 2.0)
    inbox.stand_behind(others)
    inbox.put_back(nowhere)
    inbox.put([one(7), one(8, b"c")])
    inbox.lose({Place("t", 0)})
    assert (len(inbox), inbox.due_in(0.0)) == (3, 2.0)
    assert inbox.take(2.0, 9) == [other, nowhere]
    inbox.settled([other])
    assert inbox.take(2.0, 9) == [others]
    inbox.put([one(0)])  # it came back
    assert offsets(inbox.take(2.0, 9)) == [0]


def test_what_is_put_back_keeps_its_order_though_it_is_taken_in_parts() -> None:
    inbox = Inbox()
    inbox.put([one(0), one(1), one(2), one(3)])
    for many in (4, 2, 1):
        for taken in inbox.take(0.0, many):
            inbox.put_back(taken)
    assert offsets(inbox.take(0.0, 9)) == [0, 1, 2, 3]


def test_who_stood_behind_is_before_those_of_its_key_that_were_not_looked_at_again() -> None:
    inbox = Inbox()
    inbox.put([one(0), one(1), one(2, b"b"), one(3)])
    for taken in inbox.take(0.0, 9):
        inbox.put_back(taken)
    (failed,) = inbox.take(0.0, 1)
    inbox.again(failed, 0.0)
    inbox.take(-1.0, 1)
    inbox.settled(inbox.take(0.0, 1))
    assert offsets(inbox.take(0.0, 9)) == [1, 3]
