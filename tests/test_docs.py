"""`docs/abilities.md` says what the registry says, `docs/sketch.md` what the schema says, links lead somewhere.

After a change of one: `EDA_WRITE_EXPECTED=1 pytest tests/test_docs.py`, then read the difference.
"""

from __future__ import annotations

import os
import re
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import Event
from eda_cli.payloads.functions import FUNCTIONS
from eda_cli.sketch.load import load_text
from eda_cli.sketch.schema import schema
from eda_cli.stubs.sampled_lookups import Others
from eda_cli.stubs.sampling import sampled, wanted_of
from eda_cli.technologies import TECHNOLOGIES, Ability

ROOT = Path(__file__).parent.parent
ABILITIES = ROOT / "docs" / "abilities.md"
ADD = ROOT / "docs" / "add-a-channel.md"
LANGUAGE = ROOT / "docs" / "sketch.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BEGIN, END = "<!-- from the registry -->\n", "<!-- until here -->\n"
UNTOLD = {"Broker", "Nothing", "Tls", *(name.title() for name in TECHNOLOGIES)}  # docs/brokers.md tells of these
TABLE = re.compile(r"(<!-- (?:keys of (\w+)|functions) -->\n).*?(?=<!-- until here -->)", re.S)
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


def flow(value: Any) -> str:
    """As one writes it inside of `{…}` or `[…]`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if re.search(r"[{}, ]", str(value)) else str(value)


def keys_of(form: dict[str, Any]) -> str:
    """A table of the keys of one part of a sketch."""
    form = next((one for one in form.get("anyOf", ()) if "properties" in one), form)
    lines = ["| key | what it says | for example |", "|---|---|---|"]
    for key, one in form["properties"].items():
        says = one["description"] + (f" Default: `{flow(one['default'])}`." if "default" in one else "")
        examples = ", ".join(f"`{example if isinstance(example, str) else flow(example)}`" for example in one.get("examples", ()))
        cells = (cell.replace("|", "\\|") for cell in (f"`{key}`", says, examples))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def functions() -> str:
    rows = [f"| `{one.signature}` | {one.help} |" for one in FUNCTIONS.values()]
    return "\n".join(["| value | gives |", "|---|---|", *rows]) + "\n"


def test_the_keys_are_those_of_the_schema_and_the_functions_those_there_are() -> None:
    forms = schema()
    parts = {"Sketch": forms, **forms["$defs"]}
    tables = {None: functions(), **{name: keys_of(form) for name, form in parts.items() if name not in UNTOLD}}
    expected = TABLE.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n", LANGUAGE.read_text())
    if os.environ.get("EDA_WRITE_EXPECTED"):
        LANGUAGE.write_text(expected)
    assert LANGUAGE.read_text() == expected
    assert {found[2] for found in TABLE.finditer(expected)} == tables.keys()


def anchors_in(path: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors_in(there), target
    assert page == PAGES[0] or "(../README.md" in page.read_text(), "it does not lead back"


def sketches_in(path: Path) -> list[str]:
    blocks = re.findall(r"```yaml\n(.*?)```", path.read_text(), re.S)
    return [block for block in blocks if block.startswith(("generators:", "topics:"))]


@pytest.mark.parametrize("sketch", [sketch for page in PAGES for sketch in sketches_in(page)])
def test_the_sketches_that_explain_are_well(sketch: str) -> None:
    loaded = load_text(sketch, "docs.yaml", {})
    assert not [one for one in loaded.warnings if "nobody subscribes" not in one.what]
    for generator in loaded.resolved.generators.values():
        made = sampled(Others(loaded.resolved, 7, 0.0).maker(generator), generator, 7, wanted_of(generator, 7, 0.0))
        assert all(isinstance(one, Event) for one in islice(made, 20))


def test_the_changelog_says_nothing_twice() -> None:
    """Two who mend one line leave both of theirs behind, and what followed it."""
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    starts = [line[:20] for line in lines if line]
    assert [start for start in starts if starts.count(start) > 1] == []
    assert [line for above, line in pairwise(lines) if above.endswith(".") and re.match(r"  [a-z]", line)] == []
    assert [line for line in lines if len(line) > 140] == []
