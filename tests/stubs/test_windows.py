"""Windows: what they gather, when they close, and what comes too late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from eda_cli.event import Delivery, epoch, rfc3339
from eda_cli.payloads import PayloadError
from eda_cli.sketch.resolved import Consumer, Rule, Window
from eda_cli.stubs import windows as module
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.store import Store
from eda_cli.stubs.windows import Closed, Windows
from tests.stubs.playing import Log
from tests.stubs.test_histories import event, live, rows_of

ALL = ("count()", "max($.n)", "mean($.n)", "min($.n)", "sum($.n)")
T0 = 1_700_000_000.0  # a multiple of 10


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


def at(moment: float, key: str = "a", **body: Any) -> Delivery:
    made = event(0, id=f"{moment}/{key}", key=key.encode(), time=rfc3339(moment))
    made.data = orjson.dumps({"n": 1, **body})
    return Delivery(made, "t", 0, 0, moment)


def add(store: Store, windows: Windows, *deliveries: Delivery) -> list[float | None]:
    """One batch."""
    with store.write() as connection:
        windows.opened(store.changed())
        moments = [windows.add(one, seen_of(one)) for one in deliveries]
        windows.save(connection)
        windows.saved(True)
    return moments


def close(store: Store, windows: Windows, upto: float) -> list[Closed]:
    with store.write() as connection:
        return windows.close(connection, upto)


def shown(closed: Sequence[Closed]) -> list[tuple[str, float, float, int]]:
    return [(one.key.decode(), _epoch(one.seen.window.start), _epoch(one.seen.window.end), one.seen.window.results["count()"])
            for one in closed if one.seen.window is not None]


def _epoch(text: str) -> float:
    return epoch(text) - T0


def test_a_tumbling_window_has_its_begin_and_not_its_end(store: Store) -> None:
    windows = Windows(store, Window(every_s=10.0), ALL)
    add(store, windows, at(T0), at(T0 + 9.999), at(T0 + 10), at(T0 + 3, "b"))
    assert shown(close(store, windows, T0 + 9.9)) == []
    assert shown(close(store, windows, T0 + 10)) == [("a", 0, 10, 2), ("b", 0, 10, 1)]
    assert shown(close(store, windows, inf)) == [("a", 10, 20, 1)]


def test_late_events_are_taken_until_the_window_closed(store: Store) -> None:
    windows = Windows(store, Window(every_s=10.0, late_s=5.0), ALL)
    add(store, windows, at(T0))
    assert windows.next_end() == T0 + 15
    assert close(store, windows, T0 + 14.9) == []
    assert add(store, windows, at(T0 + 1)) == [T0 + 1]
    assert shown(close(store, windows, T0 + 15)) == [("a", 0, 10, 2)]
    assert add(store, windows, at(T0 + 2), at(T0 + 2, "b"), at(T0 + 11)) == [None, None, T0 + 11]
    assert add(Store(store._path), Windows(store, Window(every_s=10.0, late_s=5.0), ALL), at(T0 + 3)) == [None]


def test_aggregates(store: Store) -> None:
    windows = Windows(store, Window(every_s=10.0), ALL)
    for values in ([3, 1.5], [None, 8]):
        add(store, windows, *(at(T0 + index, n=value) for index, value in enumerate(values)))
    (closed,) = close(store, windows, inf)
    assert closed.seen.window is not None
    assert closed.seen.window.results == {
        "count()": 4, "max($.n)": 8, "mean($.n)": 12.5 / 3, "min($.n)": 1.5, "sum($.n)": 12.5}


def test_a_value_of_the_wrong_kind_changes_nothing(store: Store) -> None:
    windows = Windows(store, Window(every_s=10.0), ALL)
    add(store, windows, at(T0))
    with store.write() as connection:
        with pytest.raises(PayloadError, match="needs numbers"):
            windows.add(wrong := at(T0, n=[1]), seen_of(wrong))
        windows.save(connection)
        windows.saved(True)
    assert shown(close(store, windows, inf)) == [("a", 0, 10, 1)]


def test_a_session_ends_after_its_gap_and_one_in_between_makes_two_of_them_one(store: Store) -> None:
    windows = Windows(store, Window(gap_s=5.0), ALL)
    add(store, windows, at(T0), at(T0 + 12))
    assert rows(store) == 2
    add(store, windows, at(T0 + 4), at(T0 + 8))
    assert rows(store) == 1
    (closed,) = close(store, windows, T0 + 17)
    assert shown([closed]) == [("a", 0, 17, 4)]
    assert closed.seen.window is not None and closed.seen.window.results["sum($.n)"] == 4


def rows(store: Store) -> int:
    found: int = store.rows("SELECT count(*) FROM windows")[0][0]
    return found


def test_a_late_event_takes_no_session_along_that_waits_for_its_turn_to_close(store: Store,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    windows = Windows(store, Window(gap_s=5.0), ALL)
    add(store, windows, *(at(T0, key) for key in "abc"))
    assert shown(close(store, windows, inf)) == [("a", 0, 5, 1), ("b", 0, 5, 1)]
    assert add(store, windows, at(T0, "c")) == [None]
    assert shown(close(store, windows, inf)) == [("c", 0, 5, 1)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(moments=some.lists(some.tuples(some.integers(0, 60), some.sampled_from("ab"), some.booleans()), max_size=20),
       gap=some.sampled_from([None, 3.0, 7.0]))
def test_what_is_gathered_does_not_depend_on_batches(tmp_path: Path, moments: list[tuple[int, str, bool]],
                                                     gap: float | None) -> None:
    (tmp_path / "any.db").unlink(missing_ok=True)
    store = Store(tmp_path / "any.db")
    windows = Windows(store, Window(gap_s=gap) if gap else Window(every_s=10.0), ALL)
    batch: list[Delivery] = []
    for moment, key, ends in moments:
        batch.append(at(T0 + moment, key))
        if ends:
            add(store, windows, *batch)
            batch = []
    add(store, windows, *batch)
    found = sorted(shown(close(store, windows, inf)))
    store.close()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"any.db{suffix}").unlink(missing_ok=True)
    wished: list[tuple[str, float, float, int]] = []
    for key in "ab":
        for moment in sorted(moment for moment, its, _ in moments if its == key):
            start, end = (moment, moment + gap) if gap else (moment // 10 * 10, moment // 10 * 10 + 10)
            if wished and wished[-1][0] == key and (moment <= wished[-1][2] if gap else start == wished[-1][1]):
                _, begin, _, many = wished.pop()
                wished.append((key, begin, end, many + 1))
            else:
                wished.append((key, start, end, 1))
    assert found == wished


# --- in a consumer


GAUGE = Consumer("bill", ("t",), start="earliest", window=Window(every_s=10.0, time="$.at"),
                 rules=(Rule("u", "summed", {"n": "sum($.n)", "of": "$window.key"}, has_body=True),))


@pytest.mark.parametrize(("window", "poison"), [
    (Window(every_s=10.0, time="$.at"), {"at": -1e20}),
    (Window(every_s=10.0, time="$.at"), {"at": 1e300}),
    (Window(every_s=10.0, time="$.at"), {"at": "0001-01-01T00:00:00+01:00"}),
    (Window(every_s=10.0, time="$.at"), {"at": "9999-12-31T23:59:59Z"}),
    (Window(every_s=10.0, time="$.at"), {"at": None}),
    (Window(every_s=10.0, time="{{ 1 // body.zero }}"), {"zero": 0}),
    (Window(every_s=10.0, by="{{ 1 // body.zero }}"), {"zero": 0}),
    (Window(every_s=10.0, by="$.deep"), {"deep": orjson.Fragment(b"[" * 254 + b"]" * 254)}),
    (Window(every_s=10.0), {"n": "x"}),
])
def test_a_poison_event_fails_alone(tmp_path: Path, window: Window, poison: dict[str, Any]) -> None:
    log = Log()
    fine = {"n": 1, "at": "2026-11-24T09:30:00Z", "zero": 1, "deep": "d"}
    log.put("t", event(0, body=fine), event(3, body={**fine, **poison}), event(6, body=fine))
    one = live(tmp_path, replace(GAUGE, window=window), log, lambda _: not rows_of(tmp_path, "windows"))
    assert one.journal.counts["failed"] == {"t": 1}
    assert [made.body()["n"] for made in log.logs["u"]] == [2]


@pytest.mark.parametrize("number", [2**63, -(2**63)])
def test_a_sum_may_be_larger_than_a_json_number(tmp_path: Path, number: int) -> None:
    log = Log()
    log.put("t", *(event(3 * index, body={"n": number, "at": 0}) for index in range(4)))
    live(tmp_path, GAUGE, log, lambda _: not rows_of(tmp_path, "windows"))
    assert [made.body()["n"] for made in log.logs["u"]] == [4.0 * number]


@pytest.mark.parametrize("window", [Window(every_s=10.0), Window(gap_s=5.0)])
def test_what_another_replica_gathered_is_not_forgotten(tmp_path: Path, window: Window) -> None:
    stores = [Store(tmp_path / "store.db") for _ in range(2)]
    replicas = [(store, Windows(store, window, ALL)) for store in stores]
    for turn in (0, 0, 1, 0, 1, 1, 0):
        add(*replicas[turn], at(T0 + 1))
    assert [count for *_, count in shown(close(*replicas[0], upto=inf))] == [7]
    assert add(*replicas[1], at(T0 + 1)) == [None]  # it is closed for everybody
    for store in stores:
        store.close()


def test_more_windows_than_are_kept_at_hand(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 4)
    windows = Windows(store, Window(every_s=10.0), ALL)
    for _ in range(3):
        for number in range(20):
            add(store, windows, at(T0 + number * 10, f"k{number % 7}"))
    assert [count for *_, count in shown(close(store, windows, inf))] == [3] * 20
