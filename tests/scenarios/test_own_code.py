"""Programs in place of stubs: whoever is killed, none outlives its stub."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from eda_cli import lock
from tests.eventually import eventually
from tests.scenarios.harness import Eda

GONE_S = 8.0  # a supervisor that is killed leaves stubs that end by their leash
# Its child keeps the descriptor that tells of a program: only so it is found where program and stub die at once.
STUBBORN = """
import json, os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"], close_fds=False)
for line in sys.stdin:
    print(json.dumps([{"data": json.loads(line)["data"]}]))
while True:
    time.sleep(1)
"""
HANDLER = """
import subprocess
child = subprocess.Popen(["sleep", "600"])
open("child.pid", "w").write(str(child.pid))
def handle(event):
    return {"data": event["data"]}
"""
SKETCH = """
name: own
topics: {facts: , heard: }
generators:
  source: {publishes: facts, event: factStated, rate: 50/s}
consumers:
  echo:
    subscribes: facts
    run: PYTHON stubborn.py
    publishes: {to: heard, event: factHeard}
  log: {subscribes: heard}
"""


@pytest.fixture
def sketch(tmp_path: Path) -> Path:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    path = tmp_path / "own.yaml"
    path.write_text(SKETCH.replace("PYTHON", sys.executable))
    return path


def program(eda: Eda) -> int:
    """The process group of the program that runs."""
    return eventually(lambda: lock.holder(eda.home / "own" / "echo.1.program.flock") or 0, 20)


def members(group: int) -> list[int]:
    """The processes of a group that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


def heard(eda: Eda) -> int:
    return len(eda.events("heard", "own"))


@pytest.fixture
def running(embedded: Eda, sketch: Path) -> Eda:
    embedded.up(sketch)
    eventually(lambda: heard(embedded) > 3, 20, every=0.2)
    return embedded


KILLED = [["program"], ["echo.1"], ["stubs"], ["echo.1", "stubs"], ["stubs", "echo.1"], ["program", "echo.1", "stubs"],
          ["source.1", "log.1", "echo.1", "stubs"]]


@pytest.mark.parametrize("killed", KILLED, ids="+".join)
def test_it_ends_with_its_stub_and_the_next_one_goes_on(running: Eda, killed: list[str]) -> None:
    first = program(running)
    pids = [first if process == "program" else running.pid("own", process) for process in killed]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not members(first), GONE_S)
    before = heard(running)
    eventually(lambda: heard(running) > before and program(running) != first, 30, every=0.2)


@pytest.mark.parametrize("killed", [["supervisor"], ["supervisor", "stubs"], ["stubs", "echo.1", "supervisor"],
                                    ["supervisor", "echo.1", "stubs", "program"]], ids="+".join)
@pytest.mark.parametrize("ended_by", ["down", "up"])
def test_what_is_left_without_a_supervisor_is_ended_by_down_and_up(running: Eda, sketch: Path, killed: list[str],
                                                                   ended_by: str) -> None:
    first = program(running)
    pids = [first if process == "program" else running.pid("own", process) for process in killed]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    if ended_by == "down":
        running("down", "--run", "own")
        assert not members(first)
    else:
        running.up(sketch)
        assert not members(first)
        assert program(running) != first


def test_it_ends_with_its_run(running: Eda) -> None:
    first = program(running)
    running("down")
    assert not members(first)


def test_it_ends_with_the_terminal(embedded: Eda, sketch: Path) -> None:
    terminal = embedded.start("up", str(sketch), "--broker", "embedded")
    first = program(embedded)
    terminal.kill()
    eventually(lambda: not members(first), GONE_S)


def test_it_is_no_part(running: Eda) -> None:
    assert {part["part"] for part in running.ps("own")["parts"]} == {
        "source", "echo", "log"}
    assert set(running.run("own").alive()) == {"supervisor", "stubs", "source.1", "echo.1", "log.1"}


def test_what_a_handler_started_ends_with_its_stub(embedded: Eda, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HANDLER)
    path = tmp_path / "own.yaml"
    path.write_text(SKETCH.replace("run: PYTHON stubborn.py", "handler: mine:handle"))
    embedded.up(path)
    eventually(lambda: heard(embedded) > 3, 20, every=0.2)
    stub = embedded.pid("own", "echo.1")
    child = int((tmp_path / "child.pid").read_text())
    assert set(members(stub)) == {stub, child}
    os.kill(stub, signal.SIGKILL)
    eventually(lambda: not members(stub), GONE_S)


OWN_CODE = Path(__file__).parents[2] / "sketches" / "own_code"


def test_the_example_issues_the_same_invoices_in_three_languages(embedded: Eda, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.fail("no node") if os.environ.get("CI") else pytest.skip("no node on this machine")
    folder = shutil.copytree(OWN_CODE, tmp_path / "own_code")
    embedded.up(folder / "own-code.yaml")
    topics = ("invoices", "invoices.node", "invoices.sh")

    def issued() -> bool:
        bodies = [{event["causationid"]: event["data"] for event in embedded.events(topic, "own-code")} for topic in topics]
        common = set(bodies[0]) & set(bodies[1]) & set(bodies[2])
        assert all(bodies[0][cause] == bodies[1][cause] == bodies[2][cause] for cause in common)
        return len(common) >= 5

    eventually(issued, 30, every=0.5)


def test_a_program_that_is_not_there_is_named_where_the_run_does_not_get_ready(embedded: Eda, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(SKETCH.replace("PYTHON stubborn.py", "surely-nobody-has-this"))
    told = embedded("up", str(path), "-d", "--broker", "embedded", "--wait-timeout", "6", code=5)
    assert told.stderr.splitlines()[-3:] == [
        "eda: the run 'own' was not ready in 6 s",
        "  echo: the program surely-nobody-has-this cannot be started: there is no such command in PATH",
        "  a file beside the sketch is ./surely-nobody-has-this"]


def test_up_tells_what_it_runs_without_its_secrets(embedded: Eda, sketch: Path) -> None:
    sketch.write_text(sketch.read_text().replace("stubborn.py", "stubborn.py --token=${TOKEN}"))
    embedded.environ |= {"TOKEN": "s3cr3t"}
    told = embedded("up", str(sketch), "-d", "--broker", "embedded").stderr
    assert "runs own code: echo (run " in told and "--token=${TOKEN}" in told
    assert "s3cr3t" not in told


def test_a_program_does_not_outlive_the_folder_of_its_run(running: Eda) -> None:
    group = program(running)
    shutil.rmtree(running.home / "own", ignore_errors=True)
    eventually(lambda: not members(group), 20)
    eventually(lambda: not running.processes(), 20)


def test_up_shows_what_own_code_says(embedded: Eda, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def handle(event):\n    print('heard', event['data']['number'])\n    return []\n")
    path = tmp_path / "own.yaml"
    path.write_text(SKETCH.replace("run: PYTHON stubborn.py", "handler: mine:handle"))
    shown = embedded("up", str(path), "--broker", "embedded", "--for", "2s").stdout
    said = [line.split("heard ")[1] for line in shown.splitlines() if " ● heard " in line]
    assert {"1", "2", "3"} <= set(said), "in the order of each partition, not of all"
    again = embedded("up", str(path), "--broker", "embedded", "--for", "1s").stdout
    assert "● heard 1\n" not in again and "● heard " in again
