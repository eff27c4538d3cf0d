"""Consumers that gather (windows, joins) or wait (deadlines), killed at each of their steps: nothing twice, nothing lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from eda_cli.sketch.resolved import Consumer, Join, Rule, Window
from eda_cli.stubs import clockwork
from tests.stubs.playing import Killed, Log
from tests.stubs.queueing import CHANNELS
from tests.stubs.test_histories import equal_bytes, event, killed_at, live, rows_of

TUMBLING = Consumer("bill", ("t",), start="earliest", window=Window(every_s=10.0, time="$.at"), rules=(
    Rule("u", "summed", {"n": "count()", "of": "$window.key", "from": "$window.start"}, has_body=True),))
SESSIONS = replace(TUMBLING, window=Window(gap_s=4.0, time="$.at"))
PAIRS = Consumer("bill", ("t",), start="earliest", joins=Join("paid", "$.sku", "$.sku", 60.0), rules=(
    Rule("u", "paired", {"ours": "$id", "theirs": "$joined.n"}, has_body=True),))
DEADLINES = Consumer("bill", ("t",), start="earliest", rules=(
    Rule("u", "overdue", after_s=(0.03, 0.03), unless={"paid": "$key"}),))


def history(channel: type[Log]) -> Log:
    """Of the keys a, b and c in turn; b is paid, and c a moment too early."""
    log = channel()
    log.put("t", *(event(number, body={"at": 1_700_000_000 + 5 * number}) for number in range(9)))
    for number, key in enumerate(["c", *"xxxxxxx", "b", "b"]):
        log.put("paid", event(9, id=f"p{number}", key=key.encode(), body={"n": number, "sku": key}))
    return log


def told(log: Log) -> list[tuple[object, ...]]:
    """What was published, each event once."""
    return sorted({one.id: (one.causationid, *map(str, one.body().values())) for one in log.logs.get("u", ())}.values())


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("bill", [TUMBLING, SESSIONS, PAIRS, DEADLINES], ids=["tumbling", "sessions", "pairs", "deadlines"])
def test_killed_at_any_step_it_tells_what_it_would_have_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                             bill: Consumer, channel: type[Log]) -> None:
    monkeypatch.setattr(clockwork, "IDLE_S", 0.02)
    monkeypatch.setattr(clockwork, "LOOK_S", 0.005)
    monkeypatch.setattr("eda_cli.stubs.barrier.ASK_EVERY_S", 0.005)
    monkeypatch.setattr("eda_cli.stubs.barrier.QUIET_S", 0.02)

    def lives(folder: Path, log: Log) -> None:
        live(folder, bill, log, lambda _: rows_of(folder, "windows") == rows_of(folder, "timers") == 0)

    (tmp_path / "whole").mkdir()
    lives(tmp_path / "whole", whole := history(channel))
    assert told(whole)
    for number in range(1, 100):
        folder, log = tmp_path / str(number), history(channel)
        folder.mkdir()
        with killed_at(number, log, monkeypatch) as steps, suppress(Killed):
            lives(folder, log)
        if steps.left > 0:
            break
        lives(folder, log)
        assert told(log) == told(whole), number
        assert equal_bytes(log.logs["u"])
        assert rows_of(folder, "spools") == 0
    assert number > 8
