"""Messages of a channel without offsets: known once they are settled, counted, and forgotten when they cannot come again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from eda_cli.channels.base import Place
from eda_cli.event import Delivery, Event
from eda_cli.stubs import messages as module
from eda_cli.stubs.positions import Positions
from eda_cli.stubs.store import Store, forget_topics

T = Place("t", None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


def some(*names: int | None, topic: str = "t", partition: int | None = None) -> list[Delivery]:
    return [Delivery(Event(None, None, None, None, b""), topic, partition, None, float(name or 0), None,
                     None if name is None else f"m{name}") for name in names]


def settle(store: Store, positions: Positions, deliveries: list[Delivery], waiting: Collection[int] = (),
           now: float = 0.0) -> None:
    with store.write() as connection:
        positions.settle(connection, deliveries, {T: waiting} if waiting else {}, now)


def counted(store: Store) -> list[tuple[object, ...]]:
    return store.rows("SELECT topic, partition, settled, published FROM counts ORDER BY topic, partition")


def test_what_is_settled_is_known_to_whoever_gets_it_again(store: Store) -> None:
    settle(store, Positions(), some(1, 2))
    assert Positions().known(store, some(2, 3, 1, 2)) == {0, 2, 3}
    assert Positions().known(store, some(1, topic="v")) == set()
    assert Positions().known(store, some(*range(3, 1_300), 1)) == {1_297}


def test_what_has_no_name_is_never_known_and_its_content_tells_it(store: Store) -> None:
    settle(store, Positions(), some(None))
    assert Positions().known(store, some(None)) == set()
    one, same = some(None, None)
    other = Delivery(Event(None, None, None, None, b"other"), "t", None, None, 0.0)
    assert one.identity == same.identity != other.identity


def test_each_place_is_counted_and_what_comes_twice_once(store: Store) -> None:
    settle(store, Positions(), [*some(1, 2), *some(3, partition=0)])
    settle(store, Positions(), some(2, 5))
    assert counted(store) == [("t", -1, 3, 5.0), ("t", 0, 1, 3.0)]


def test_what_is_settled_behind_one_that_waits_is_counted_once_that_is_settled(store: Store) -> None:
    positions = Positions()
    settle(store, positions, some(1))
    settle(store, positions, some(3, 4), waiting=[77])
    settle(store, positions, some(5), waiting=[77, 78])
    assert counted(store) == [("t", -1, 1, 1.0)]
    settle(store, positions, some(2), waiting=[78])
    assert counted(store) == [("t", -1, 3, 4.0)]  # what was settled with the second one stays behind it
    settle(store, positions, some(6))
    assert counted(store) == [("t", -1, 6, 6.0)]


def test_what_cannot_come_again_is_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST", 5)
    monkeypatch.setattr(module, "_PRUNE_EVERY", 1)
    positions = Positions()
    settle(store, positions, some(*range(10)), now=0.0)
    settle(store, positions, some(10), now=module.FOR_S)  # the others are of the last minutes
    assert len(Positions().known(store, some(*range(11)))) == 11
    settle(store, positions, some(11), now=module.FOR_S + 1)
    assert Positions().known(store, some(*range(12))) == {7, 8, 9, 10, 11}
    settle(store, positions, some(12), now=10 * module.FOR_S)
    assert Positions().known(store, some(*range(13))) == {8, 9, 10, 11, 12}


def test_of_a_topic_that_is_begun_anew_nothing_is_known(store: Store) -> None:
    settle(store, Positions(), [*some(1), *some(1, topic="v")])
    with store.write() as connection:
        forget_topics(connection, ["t"])
    assert Positions().known(store, some(1)) == set()
    assert Positions().known(store, some(1, topic="v")) == {0}
    assert counted(store) == [("v", -1, 1, 1.0)]
