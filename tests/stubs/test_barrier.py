"""Whether something did not come: certain only once all that was published before is handled."""

from __future__ import annotations

from pathlib import Path

import pytest

from eda_cli.channels.base import Place
from eda_cli.stubs import barrier
from eda_cli.stubs.barrier import Barrier
from eda_cli.stubs.store import Store, store_path
from tests.stubs.playing import Log
from tests.stubs.test_histories import event

SESSION_S = 6.0  # so long a Kafka counts a member that died, and gives its places to nobody else
DEALT_S = 3.0  # until they are given to others, on a busy machine


def test_a_member_that_waits_for_its_places_takes_nothing_for_missing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, clock = Log(), [1000.0]
    log.put("t", event(0))
    monkeypatch.setattr("eda_cli.stubs.barrier.time.time", lambda: clock[0])
    store = Store(store_path(tmp_path, "bill"))
    one = Barrier(log, "bill", ["t"], store)  # type: ignore[arg-type]
    for waited in (0.0, SESSION_S, SESSION_S + DEALT_S):
        clock[0] = 1000.0 + waited
        assert not one.reach(999.0, idle_s=waited)
    with store.write() as connection:
        connection.execute("INSERT INTO positions (topic, partition, next, at) VALUES (?, ?, 1, 0)", Place("t", 0))
    assert one.reach(999.0, idle_s=0.0)
    store.close()


def test_a_gap_behind_the_last_event_is_not_waited_for_for_ever(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, clock = Log(), [1000.0]
    log.put("t", event(0))
    monkeypatch.setattr("eda_cli.stubs.barrier.time.time", lambda: clock[0])
    store = Store(store_path(tmp_path, "bill"))
    one = Barrier(log, "bill", ["t"], store)  # type: ignore[arg-type]
    assert not one.reach(999.0, idle_s=0.0)
    clock[0] += barrier.GIVE_IN_S
    assert not one.reach(999.0, idle_s=0.0)  # something comes
    assert one.reach(999.0, idle_s=barrier.GIVE_IN_S)
    store.close()
