"""`docs/examples.md` names every example, counts its lines, and each is shorter than what it stands for; `check` likes all.

After a change of an example: `EDA_WRITE_EXPECTED=1 pytest tests/test_examples.py`, then read the difference.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eda_cli.cli.app import app
from eda_cli.sketch.load import load

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "examples.md"
EXAMPLES = sorted((DOCS / "examples").rglob("*.yaml"))
ROW = re.compile(r"^\| \[([\w/-]+)\]\(https://github\.com/[^)]+\) \| \[[\w.-]+\]\((examples/[\w/.-]+)\) "
                 r"\| .+ \| (\d+) \| (\d+) \|$", re.M)


def named(path: Path) -> str:
    """`khaos/order-flow`"""
    return f"{path.parent.name}/{path.stem}"


def lines(path: Path) -> int:
    return sum(1 for line in path.read_text().splitlines() if line.strip())


def test_the_page_counts_the_lines_and_each_example_is_the_shorter_one() -> None:
    def counted(row: re.Match[str]) -> str:
        return f"{row[0].removesuffix(f'| {row[4]} |')}| {lines(DOCS / row[2])} |"

    expected = ROW.sub(counted, PAGE.read_text())
    if os.environ.get("EDA_WRITE_EXPECTED"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected
    rows = ROW.findall(expected)
    assert len(rows) == expected.count("](examples/")
    for theirs, ours, there, here in rows:
        assert int(here) < int(there), f"{ours} is not shorter than {theirs}"


def test_the_page_names_every_example() -> None:
    assert {DOCS / ours for _, ours, *_ in ROW.findall(PAGE.read_text())} == set(EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_check_has_nothing_to_say(path: Path) -> None:
    loaded = load(path)
    assert loaded.warnings == ()
    assert path.read_text().startswith("# "), "it does not say what it shows"


MADE = 20


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_each_generator_makes_events(path: Path) -> None:
    for name, generator in load(path).resolved.generators.items():
        told = CliRunner().invoke(app, ["sample", name, str(path), "-n", str(MADE), "--seed", "7"])
        assert told.exit_code == 0, told.output
        events = [json.loads(line) for line in told.stdout.splitlines()]
        assert len(events) == min(MADE, generator.count or MADE)
        assert all(event["topic"] == generator.publishes for event in events)
