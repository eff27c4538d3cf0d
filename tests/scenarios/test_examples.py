"""The examples of others, as sketches: each runs, and each of its topics gets events. Several run side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from eda_cli.journal import Observation
from eda_cli.sketch.load import load
from tests.eventually import eventually
from tests.scenarios.harness import Eda, told, wrong
from tests.test_examples import EXAMPLES, named

AT_ONCE = 6
PUBLISHED_S = 60.0  # on a busy machine; the slowest chain of an example takes 2 s, the longest pause before an event 5 s

GROUPS = [EXAMPLES[at:at + AT_ONCE] for at in range(0, len(EXAMPLES), AT_ONCE)]

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("paths", GROUPS, ids=lambda paths: "+".join(map(named, paths)))
def test_each_topic_gets_events_and_nothing_goes_wrong(embedded: Eda, paths: list[Path]) -> None:
    sketches = {path: load(path).resolved for path in paths}
    for path in paths:
        embedded.start("up", str(path), "--broker", embedded.broker, "-d")
    for path, sketch in sketches.items():
        def published(name: str = sketch.name, wished: frozenset[str] = frozenset(sketch.topics)) -> bool:
            return {one.fields["topic"] for one in seen(embedded, name) if one.kind == "published"} >= wished

        eventually(published, PUBLISHED_S, every=0.2)
        assert wrong(seen(embedded, sketch.name)) == [], path


def seen(eda: Eda, name: str) -> list[Observation]:
    return told(eda, name) if (eda.home / name).exists() else []
