"""Sketches played for a while, with what they left behind: events, rows of own copies, what was too late. Knows no sketch.

`EDA_SKETCH_S` says for how many seconds each runs (12; `bench/sketches` lets each run for a minute).
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from eda_cli.journal import Observation
from tests.eventually import eventually
from tests.scenarios.harness import Eda, told, wrong

SKETCHES = Path(__file__).parent.parent.parent / "sketches"
RUN_S = float(os.environ.get("EDA_SKETCH_S", "12"))
SETTLED_S = 60.0  # on a busy machine; the longest deadline in a sketch is 10 s
Events = Sequence[dict[str, Any]]


def played(eda: Eda, name: str, settled: Callable[[], bool] = lambda: True, look: Callable[[], object] = lambda: None) -> None:
    """Let a sketch run for its time, `look`ing again and again; then nothing new comes, and what was begun is ended."""
    path = SKETCHES / f"{name}.yaml"
    eda.up(path)
    until = time.monotonic() + RUN_S
    while time.monotonic() < until:
        look()
        time.sleep(0.5)
    generators = [part["part"] for part in eda.ps(name)["parts"] if part["kind"] == "generator"]
    eda.up(path, *(word for part in generators for word in ("--scale", f"{part}=0")))
    eventually(lambda: not any(eda.lag(name).values()) and settled(), SETTLED_S, every=0.5)
    unwished = wrong(told(eda, name))
    assert not unwished, unwished


def rows(eda: Eda, name: str, consumer: str, copy: str) -> dict[str, Any]:
    return {row["key"]: row["row"] for row in eda.lines("copy", consumer, copy, "--json", "--run", name)}


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def by(events: Events, field: str) -> dict[Any, list[dict[str, Any]]]:
    """Events by a field of theirs, each in the order of the log."""
    found: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        found[event["data"][field]].append(event)
    return found


def late(seen: Iterable[Observation], part: str) -> set[str]:
    return {one.fields["id"] for one in seen if one.kind == "skipped" and one.part == part}
