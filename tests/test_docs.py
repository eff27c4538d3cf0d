"""`docs/abilities.md` says what the registry says, and `docs/add-a-channel.md` stays short.

After a change of the registry: `EDA_WRITE_EXPECTED=1 pytest tests/test_docs.py`, then read the difference.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

import pytest

from eda_cli.event import Event
from eda_cli.sketch.load import load_text
from eda_cli.stubs.sampled_lookups import Others
from eda_cli.stubs.sampling import sampled, wanted_of
from eda_cli.technologies import TECHNOLOGIES, Ability

ROOT = Path(__file__).parent.parent
ABILITIES = ROOT / "docs" / "abilities.md"
ADD = ROOT / "docs" / "add-a-channel.md"
BEGIN, END = "<!-- from the registry -->\n", "<!-- until here -->\n"
SCREEN = 45  # lines


def table() -> str:
    """One table of abilities per channel, and below it the reason for each gap."""
    lines = ["| | " + " | ".join(one.title for one in TECHNOLOGIES.values()) + " |", "|---" * (len(TECHNOLOGIES) + 1) + "|"]
    for ability in Ability:
        cells = ("no" if ability in one.lacks else "yes" for one in TECHNOLOGIES.values())
        lines.append(f"| {ability.value} | " + " | ".join(cells) + " |")
    gaps = [f"- {one.title}, no {ability.value}: {why}." for one in TECHNOLOGIES.values() for ability, why in one.lacks.items()]
    return "\n".join([*lines, *([""] if gaps else []), *gaps]) + "\n"


def test_the_abilities_are_those_of_the_registry() -> None:
    before, rest = ABILITIES.read_text().split(BEGIN)
    _, after = rest.split(END)
    expected = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if os.environ.get("EDA_WRITE_EXPECTED"):
        ABILITIES.write_text(expected)
    assert ABILITIES.read_text() == expected


def test_every_channel_has_a_version_it_was_tested_with() -> None:
    tested = ABILITIES.read_text().split(END)[1]
    assert set(re.findall(r"^\| ([a-z]+) \|", tested, re.M)) >= TECHNOLOGIES.keys()


def test_how_to_add_a_channel_fits_one_screen_and_names_what_is_there() -> None:
    text = ADD.read_text()
    assert len(text.splitlines()) <= SCREEN
    for path in re.findall(r"`((?:eda_cli|tests|docs)/[\w/.]+)`", text):
        assert (ROOT / path).exists() or "nats" in path, f"{path} is not there"


def sketches_in(path: Path) -> list[str]:
    blocks = re.findall(r"```yaml\n(.*?)```", path.read_text(), re.S)
    return [block for block in blocks if block.startswith(("generators:", "topics:"))]


@pytest.mark.parametrize("sketch", [*sketches_in(ROOT / "README.md"), *sketches_in(ROOT / "docs" / "generators.md")])
def test_the_sketches_that_explain_are_well(sketch: str) -> None:
    loaded = load_text(sketch, "docs.yaml", {})
    assert not [one for one in loaded.warnings if "nobody subscribes" not in one.what]
    for generator in loaded.resolved.generators.values():
        made = sampled(Others(loaded.resolved, 7, 0.0).maker(generator), generator, 7, wanted_of(generator, 7, 0.0))
        assert all(isinstance(one, Event) for one in islice(made, 20))
