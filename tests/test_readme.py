"""Documentation that cannot lie: every command is in the README and has help with examples, and what pages show runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TOUR = (ROOT / "docs" / "tour.md").read_text()
SKETCHES = ROOT / "sketches"
SHOP = (SKETCHES / "shop.yaml").read_text()


def commands() -> list[str]:
    from eda_cli.cli.app import app

    return sorted(command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme_and_has_help_with_examples(command: str) -> None:
    assert re.search(rf"\beda {command}\b", README), f"eda {command} is not in the README"
    told = subprocess.run([sys.executable, "-m", "eda_cli", command, "--help"], capture_output=True, text=True, check=True)
    assert f"eda {command}" in told.stdout.split("Example")[-1], "its help has no example"


def examples(page: str) -> list[str]:
    return [line.removeprefix("$ ") for block in re.findall(r"```console\n(.*?)```", page, re.S)
            for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("page", "at_least"), [(README, 15), (TOUR, 40)], ids=["README.md", "tour.md"])
def test_the_examples_run_as_they_stand(tmp_path: Path, page: str, at_least: int) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "eda").write_text(f'#!/bin/sh\nexec {sys.executable} -m eda_cli "$@"\n')
    (bin_ / "eda").chmod(0o755)
    environ = {"PATH": f"{bin_}:/usr/bin:/bin", "EDA_HOME": str(tmp_path / "home"), "HOME": str(tmp_path),
               "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    assert len(examples(page)) >= at_least
    try:
        for example in examples(page):
            done = subprocess.run(["bash", "-o", "pipefail", "-c", example], cwd=tmp_path, env=environ, timeout=60,
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL)
            assert done.returncode == 0, f"$ {example}\n{done.stdout[-2000:]}{done.stderr}"
            assert "Traceback" not in done.stderr
    finally:
        subprocess.run([bin_ / "eda", "down", "--all"], env=environ, capture_output=True)


def test_the_sketch_in_the_readme_is_the_example() -> None:
    assert SHOP in README


def test_each_example_sketch_is_named_where_one_looks_for_it() -> None:
    told = subprocess.run([sys.executable, "-m", "eda_cli", "init", "--help"], capture_output=True, text=True, check=True)
    offered = re.search(r"an example:([^.]+)\.", " ".join(told.stdout.split()).replace("- ", "-"))
    assert offered is not None
    sketches = {path.stem for path in SKETCHES.rglob("*.yaml")}
    assert set(re.findall(r"[a-z-]+", offered[1])) == sketches
    assert set(re.findall(r"^\| \[`([a-z-]+)`\]", README, re.M)) == sketches
