"""Groups of consumers that remember: what they know belongs to their group, and goes where that goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

SETTLES_S = 30.0
SKETCH = """
name: mind
generators: {shop: {publishes: facts, rate: 200/s, count: 40}}
consumers:
  billing: {subscribes: facts, from: earliest, group: first, keeps: {facts: $.id}, idempotent: true, publishes: out}
"""


def published(eda: Eda) -> int:
    return len(eda.events("out", "mind"))


@pytest.fixture
def sketch(embedded: Eda, tmp_path: Path) -> Path:
    """One whose consumer has handled all that there is."""
    path = tmp_path / "mind.yaml"
    path.write_text(SKETCH)
    embedded.up(path)
    eventually(lambda: published(embedded) == 40, SETTLES_S, every=0.2)
    return path


def rows(eda: Eda) -> int:
    return int(eda.lines("copy", "billing", "--json")[0]["rows"])


def test_another_group_handles_all_as_if_for_the_first_time(embedded: Eda, sketch: Path) -> None:
    sketch.write_text(SKETCH.replace("first", "second"))
    embedded.up(sketch)
    eventually(lambda: published(embedded) == 80, SETTLES_S, every=0.2)
    assert rows(embedded) == 40
    ids = [event["id"] for event in embedded.events("out", "mind")]
    assert len(set(ids)) == 40, "what follows is the same each time"


def test_a_group_that_is_set_back_handles_all_again(embedded: Eda, sketch: Path) -> None:
    embedded("scale", "billing=0")
    eventually(lambda: not embedded.ps("mind")["parts"][1].get("pid"), SETTLES_S, every=0.2)
    eventually(lambda: embedded("groups", "reset", "first", "--to", "beginning", code=None).returncode == 0, SETTLES_S)
    embedded("scale", "billing=1")
    eventually(lambda: published(embedded) == 80, SETTLES_S, every=0.2)
    assert rows(embedded) == 40


def test_a_group_that_was_deleted_and_comes_back_handles_all_again(embedded: Eda, sketch: Path) -> None:
    sketch.write_text(SKETCH.partition("consumers")[0] + "consumers: {other: {subscribes: out}}\n")
    embedded.up(sketch)
    eventually(lambda: embedded("groups", "delete", "first", code=None).returncode == 0, SETTLES_S)
    sketch.write_text(SKETCH)
    embedded.up(sketch)
    eventually(lambda: published(embedded) == 80, SETTLES_S, every=0.2)
    assert rows(embedded) == 40
