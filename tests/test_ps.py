"""`ps`: the state of a run that is up is what its own supervisor told, from the first moment on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from eda_cli import lock
from eda_cli.cli.ps import ps
from eda_cli.journal import Journal
from eda_cli.runs import folder
from eda_cli.sketch.resolved import Resolved

EARLIER = 4_000_000  # a process id that no process has


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, int]]:
    """A run whose supervisor's lock is held, and has not been signed yet; its folder and the lock."""
    monkeypatch.setenv("EDA_HOME", str(tmp_path / "home"))
    fd = folder.create(folder.new_info("a", tmp_path / "a.yaml", {"kind": "embedded"}, 1, False), "",
                       Resolved("a", {}, 1, {}, {}, {}, {}), {"channel": "embedded", "path": str(tmp_path / "events.db")})
    assert fd is not None
    yield tmp_path / "home" / "a", fd
    os.close(fd)


def state(capsys: pytest.CaptureFixture[str]) -> str:
    ps("a", json=True)
    told: str = json.loads(capsys.readouterr().out)["state"]
    return told


def test_a_supervisor_that_has_told_nothing_yet_is_starting(run: tuple[Path, int], capsys: pytest.CaptureFixture[str]) -> None:
    fd = run[1]
    assert state(capsys) == "starting"
    lock.sign(fd)
    assert state(capsys) == "starting"


@pytest.mark.parametrize("last", ["ready", "stopped"])
def test_what_an_earlier_supervisor_told_says_nothing_of_this_one(
        run: tuple[Path, int], capsys: pytest.CaptureFixture[str], last: str) -> None:
    at, fd = run
    with closing(Journal(at / "supervisor.jsonl", "run")) as journal:
        journal.tell("started", pid=EARLIER)
        journal.tell(last)
    assert state(capsys) == "starting"
    lock.sign(fd)
    assert state(capsys) == "starting"
    with closing(Journal(at / "supervisor.jsonl", "run")) as journal:
        journal.tell("started", pid=os.getpid())
        assert state(capsys) == "starting"
        journal.tell("ready")
    assert state(capsys) == "running"
