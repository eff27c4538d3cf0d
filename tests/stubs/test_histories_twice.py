"""The same life, killed twice: what the second process was to finish is finished by the third."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from eda_cli.sketch.resolved import Fails, Idempotent, Rule
from tests.stubs.playing import Killed, Log
from tests.stubs.queueing import CHANNELS
from tests.stubs.test_histories import BILL, equal_bytes, event, killed_at, live, row, rows_of

MANY = 6


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=some.lists(some.integers(1, 60), min_size=2, max_size=5), idempotent=some.booleans(),
       channel=some.sampled_from(CHANNELS))
def test_killed_again_and_again_it_has_its_effect_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[int],
                                                       idempotent: bool, channel: type[Log]) -> None:
    folder, log = Path(mkdtemp(dir=tmp_path)), channel()
    bill = replace(BILL, idempotent=Idempotent() if idempotent else None, fails=Fails(0.3),
                   rules=(*BILL.rules, Rule("later", "reminded", after_s=(0.001, 0.003))))
    log.put("t", *(event(index, body={"of": index % 5}) for index in range(MANY)))
    for step in steps:
        with killed_at(step, log, monkeypatch), suppress(Killed):
            live(folder, bill, log, lambda one: not rows_of(folder, "timers"))
    live(folder, bill, log, lambda one: not rows_of(folder, "timers"))
    letters = {one.id for one in log.logs["dlq"]}
    wished = {str(index) for index in range(MANY)}
    kept = Counter("abc"[index % 3] for index in range(MANY) if str(index) not in letters)
    assert {key: row(folder, "stock", key)["n"] for key in kept} == kept
    assert {one.causationid for one in log.logs["u"]} == wished - letters
    assert all(equal_bytes(events) for name, events in log.logs.items() if name != "dlq")
    for table in ("spools", "timers", "ahead", "attempts"):
        assert rows_of(folder, table) == 0, table
