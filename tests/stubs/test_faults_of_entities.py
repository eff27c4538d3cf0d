"""Faults of a generator with entities: the same events of each entity have them, whoever speaks for it and whoever is killed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import epoch
from eda_cli.journal import last_counts
from eda_cli.sketch.resolved import Faults, Resolved, Spread
from tests.stubs.living import LIFE, SENSOR, Channel, identities, killed_at_each_step, live, sketch

ENTITIES = 8
COMMON = 20  # steps of each entity that are looked at: nothing held back that belongs to them is held any more
FAULTS = Faults(duplicate=0.1, drop=0.1, late=Spread(0.1, (3600.0, 7200.0)), out_of_order=Spread(0.2, (0.002, 0.008)),
                corrupt=0.1, null_key=0.1)
BEGIN, BEFORE = "2025-10-09T09:00:00Z", "2025-10-09T08:30"
CLOCKS: dict[str, tuple[Any, dict[str, Any]]] = {  # in the past, where it is no matter of luck when something happens
    "by their own clocks": (SENSOR, {"rate": None, "every": (0.001, 0.004)}),
    "lives by their states": (LIFE, {"rate": None}),
    "by a rate": (SENSOR, {"rate": 50.0}),
    "lives by a rate": (LIFE, {"rate": 50.0}),
}
Fact = tuple[int, bytes | None, bytes | None, str]
each_clock = pytest.mark.parametrize("body, fields", CLOCKS.values(), ids=CLOCKS.keys())


def faulty(body: Any, **fields: Any) -> Resolved:
    start, key = ("at", epoch(BEGIN)), "k-{{ body.n }}" if body is SENSOR else None
    return sketch(body, ENTITIES, **{"key": key, "start": start, "faults": FAULTS, **fields})


def facts(channel: Channel, exactly: bool) -> dict[int, list[Fact]]:
    """What was published of each entity: step, body, key and when it happened, in its order, repeats of a kill among it.

    Not `exactly`: in any order, and of the time only whether it is late. Both depend on the others where a rate says when.
    """
    known = identities(ENTITIES, 200)
    of_each: dict[int, list[Fact]] = {entity: [] for entity in range(1, ENTITIES + 1)}
    for event in channel.stored:
        entity, step = known[str(event.id)]
        time = str(event.time)
        of_each[entity].append((step, event.data, event.key, time if exactly else str(time < BEFORE)))
    return of_each if exactly else {entity: sorted(rows, key=repr) for entity, rows in of_each.items()}


def counted(folder: Path) -> Counter[str]:
    return sum((Counter(last_counts(path).get("faulted", {})) for path in folder.glob("*.jsonl")), Counter())


@each_clock
def test_the_same_events_of_each_entity_have_faults_whatever_the_replicas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                          body: Any, fields: dict[str, Any]) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 40)
    told = []
    exactly = fields["rate"] is None
    for replicas in (1, 2, 4):
        folder, channel = tmp_path / str(replicas), Channel()
        folder.mkdir()
        for replica in range(1, replicas + 1):
            live(folder, faulty(body, **fields, replicas=replicas, count=10**6), channel, replica, batches=12 // replicas)
        told.append({entity: [row for row in rows if row[0] < COMMON] for entity, rows in facts(channel, exactly).items()})
    assert told[1:] == [told[0]] * 2
    rows = [(entity, *row) for entity, rows in told[0].items() for row in rows]
    assert len({row[:2] for row in rows}) < ENTITIES * COMMON, "none was dropped"
    assert len(set(rows)) < len(rows), "none came twice"
    assert any(key is None for *_, key, _ in rows), "none lost its key"
    assert {when == "True" or when < BEFORE for *_, when in rows} == {True, False}, "none was late"
    assert not exactly or any(rows != sorted(rows, key=step) for rows in told[0].values()), "none was overtaken"


@pytest.mark.parametrize("replicas", [1, 2])
@each_clock
def test_killed_at_any_step_the_same_events_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Any,
                                                      fields: dict[str, Any], replicas: int) -> None:
    """Two of them reach other steps with the same number of events, so that theirs are among those of one that makes more."""
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 12)
    whole, wished = Channel(), faulty(body, **fields, count=36, replicas=replicas)
    (tmp_path / "whole").mkdir()
    assert live(tmp_path / "whole", faulty(body, **fields, count=36 if replicas == 1 else 200), whole)
    made = {entity: set(rows) for entity, rows in facts(whole, False).items()}
    for folder, channel in killed_at_each_step(tmp_path, wished, monkeypatch, 10):
        for replica in range(1, replicas + 1):
            assert live(folder, wished, channel, replica)
        came = {entity: set(rows) for entity, rows in facts(channel, False).items()}
        if replicas == 1:
            assert came == made
            assert counted(folder) == counted(tmp_path / "whole")
        else:
            assert all(came[entity] <= made[entity] for entity in made)


def step(row: Fact) -> int:
    return row[0]
