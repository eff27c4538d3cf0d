"""`docs/abilities.md` says what the registry says, and `docs/add-a-channel.md` stays short.

After a change of the registry: `EDA_WRITE_EXPECTED=1 pytest tests/test_docs.py`, then read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

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
