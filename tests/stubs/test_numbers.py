"""A number never stands for two events, and a batch survives a kill byte by byte."""

from __future__ import annotations

from pathlib import Path

from eda_cli.event import Event
from eda_cli.stubs.held import Held, Kept
from eda_cli.stubs.numbers import Batch, Numbers, Spool

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
    batch = Batch(range(7, 10), EVENTS, {"1": ("corrupt",)}, held.packed(), {"late": 4})
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
