"""Who ends a run while somebody else begins it, and what the end of a terminal, a disk or an engine does to it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from eda_cli import lock
from tests.eventually import eventually
from tests.scenarios.harness import READY_S, Eda
from tests.scenarios.test_life import SMALL, write

FOLDER_GONE_S = 20.0  # it is looked at every 2 s, then all is stopped in order


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "small.yaml", SMALL)


def hang(eda: Eda, process: str) -> int:
    """A process that will not end in order: its run takes long to stop."""
    pid = eda.pid("small", process)
    os.kill(pid, signal.SIGSTOP)
    return pid


def up(eda: Eda, sketch: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return eda("up", str(sketch), "--broker", "embedded", *args)


@pytest.mark.parametrize("how", [("--keep",), ()])
def test_up_waits_for_a_run_that_is_ending(embedded: Eda, small: Path, how: tuple[str, ...]) -> None:
    embedded.up(small)
    hang(embedded, "billing.1")
    down = embedded.start("down", *how)
    eventually(embedded.run("small").ending, 5)
    told = up(embedded, small, "-d").stderr
    assert down.wait(20) == 0
    assert "it is up already" not in told
    assert embedded.ps("small")["state"] == "running"


def test_two_downs_at_once_are_one(embedded: Eda, small: Path) -> None:
    embedded.up(small)
    hang(embedded, "billing.1")
    both = [embedded.start("down", "--run", "small") for _ in range(2)]
    told = [one.communicate(timeout=30)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    assert sorted("is gone already" in each for each in told) == [False, True]
    assert embedded.lines("ps", "--json") == []


def test_a_change_that_comes_during_the_start_is_applied_after_it(embedded: Eda, small: Path) -> None:
    terminal = embedded.start("up", str(small), "--broker", "embedded", stdout=subprocess.DEVNULL)
    eventually(lambda: embedded.run("small").supervisor(), 10)
    write(small, SMALL.replace("consumers: {", "consumers: {mailer: {subscribes: mails}, ").replace("rate: 50/s", "rate: 60/s"))
    up(embedded, small, "-d")
    parts = {part["part"]: part for part in embedded.ps("small")["parts"]}
    assert {"shop", "billing", "mailer"} == parts.keys()
    assert embedded.lines("topics", "--json")[0]["topic"] == "mails"
    assert not [one for one in embedded.lines("logs", "--json") if one["kind"] == "crashed"]
    terminal.send_signal(signal.SIGINT)
    assert terminal.wait(20) == 0


def test_fresh_without_an_engine_throws_nothing_away(embedded: Eda, small: Path) -> None:
    embedded.up(small)
    eventually(lambda: len(embedded.events("purchases", "small")) > 5, 20, every=0.3)
    embedded("down", "--keep")
    embedded.environ["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    told = embedded("up", str(small), "--fresh", "--broker", "kafka", code=4).stderr
    assert "no container engine answers" in told
    up(embedded, small, "-d")
    assert len(embedded.events("purchases", "small")) > 5


def test_ctrl_c_while_it_is_starting_is_a_clean_stop(embedded: Eda, small: Path) -> None:
    for _ in range(3):
        terminal = embedded.start("up", str(small), "--broker", "embedded")
        eventually(lambda: embedded.run("small").supervisor(), 10)
        terminal.send_signal(signal.SIGINT)
        _, told = terminal.communicate(timeout=20)
        assert (terminal.returncode, "Traceback" in told) == (0, False), told
        assert embedded.ps("small")["state"] == "stopped"


def test_a_terminal_window_that_is_closed_stops_the_run_in_order(embedded: Eda, small: Path) -> None:
    ours, theirs = pty.openpty()
    terminal = subprocess.Popen([sys.executable, "-m", "eda_cli", "up", str(small), "--broker", "embedded"], env=embedded.environ,
                                stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)))
    os.close(theirs)
    shown = b""
    while b"billing" not in shown:
        shown += os.read(ours, 65536)
    os.close(ours)
    terminal.wait(20)
    assert embedded.ps("small")["state"] == "stopped"
    assert embedded.processes() == []


def test_a_declare_that_is_killed_is_done_again_and_ends_with_its_run(embedded: Eda, small: Path) -> None:
    embedded.up(small)
    embedded("down", "--keep")
    database = sqlite3.connect(embedded.home / "small" / "events.db", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        write(small, SMALL.replace("consumers: {", "consumers: {mailer: {subscribes: mails}, "))
        terminal = embedded.start("up", str(small), "--broker", "embedded", stdout=subprocess.DEVNULL)
        pid = eventually(lambda: lock.holder(embedded.home / "small" / "declare.lock"), READY_S)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: lock.holder(embedded.home / "small" / "declare.lock") not in (None, 0, pid), READY_S)
        terminal.send_signal(signal.SIGINT)
        assert terminal.wait(20) == 0
        assert embedded.processes() == []
    finally:
        database.close()
    assert "making topics and groups: killed by SIGKILL" in embedded("logs").stdout
    up(embedded, small, "-d")
    assert "mails" in {one["topic"] for one in embedded.lines("topics", "--json")}


@pytest.mark.timeout(200)
def test_a_run_whose_folder_is_deleted_ends_and_nothing_of_it_is_left(eda: Eda, small: Path) -> None:
    eda.up(small)
    run_id = eda.run("small").info().id
    shutil.rmtree(eda.home / "small", ignore_errors=True)
    eventually(lambda: not eda.processes(), FOLDER_GONE_S)
    if eda.broker == "kafka":
        swept = subprocess.run([sys.executable, "-m", "eda_cli.channels", "sweep", run_id], check=True, capture_output=True)
        assert json.loads(swept.stdout)["containers"] == []


def test_a_run_whose_folder_was_made_anew_by_another_leaves_that_alone(embedded: Eda, small: Path) -> None:
    embedded.up(small)
    old = set(embedded.run("small").alive().values())
    (embedded.home / "small").rename(embedded.home.parent / "elsewhere")
    embedded.up(small)
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in old), FOLDER_GONE_S)
    before = len(embedded.events("purchases", "small"))
    eventually(lambda: len(embedded.events("purchases", "small")) > before, 20, every=0.3)
    assert embedded.ps("small")["state"] == "running"
    assert not embedded.run("small").ending()
