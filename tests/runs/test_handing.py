"""How changes come to a supervisor: each once, in their order, and none to the next supervisor."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from eda_cli.errors import EdaError, NoRun
from eda_cli.journal import Journal
from eda_cli.runs import folder as folders
from eda_cli.runs.folder import RunFolder, write
from eda_cli.runs.handing import TOUCHES, WISH, forget, hand_over, taken
from eda_cli.sketch.resolved import Resolved
from tests.eventually import eventually


def test_each_is_taken_once_and_in_the_order_of_time(tmp_path: Path) -> None:
    for name in ("touch-2-a.json", "touch-1-b.json", "touch-3-c.json", WISH):
        write(tmp_path / name, b'{"id": "%s"}' % name.encode())
    (tmp_path / "touch-4-d.json.new").write_bytes(b"half of o")
    assert [one["id"] for one in taken(tmp_path, TOUCHES)] == ["touch-1-b.json", "touch-2-a.json", "touch-3-c.json"]
    assert taken(tmp_path, TOUCHES) == []
    assert len(taken(tmp_path, WISH)) == 1


def test_what_was_handed_to_one_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    for name in ("touch-2-a.json", WISH):
        write(tmp_path / name, b"{}")
    forget(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run whose supervisor is about to say who it is: it gets no signal, its journal is ours."""
    monkeypatch.setenv("EDA_HOME", str(tmp_path))
    info = folders.new_info("shop", tmp_path / "shop.yaml", {"kind": "embedded"}, 1, False)
    assert folders.create(info, "", Resolved("shop", {}, 1, {}, {}, {}, {}), {}) is not None
    return RunFolder.of("shop")


@pytest.mark.parametrize(("kind", "refused"), [("applied", False), ("failed", True)])
def test_who_hands_over_is_answered_by_name(run: RunFolder, kind: str, refused: bool) -> None:
    journal = Journal(run.path / "supervisor.jsonl", "run")
    outcome: list[object] = []

    def hand() -> None:
        try:
            outcome.append(hand_over(run, TOUCHES, {"kill": []}))
        except EdaError as wrong:
            outcome.append(wrong.what)

    waiting = threading.Thread(target=hand)
    waiting.start()
    change = eventually(lambda: taken(run.path, TOUCHES), 5)[0]
    journal.tell("applied", changes=["another"])
    journal.tell("failed", what="of nobody who waits", why="", hint="", exit_code=1)
    assert outcome == []
    journal.tell(kind, changes=["another", change["id"]], what="it cannot be", why="", hint="")
    waiting.join(10)
    assert outcome == (["it cannot be"] if refused else [None])


def test_a_run_that_ends_meanwhile_is_no_run_and_nothing_is_left(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunFolder, "supervisor", lambda self: None)
    with pytest.raises(NoRun):
        hand_over(run, WISH, {})
    assert taken(run.path, WISH) == []


def test_a_run_that_ends_as_it_is_told_is_no_run(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait(10)
    seen = iter([ended.pid])
    monkeypatch.setattr(RunFolder, "supervisor", lambda self: next(seen, None))
    with pytest.raises(NoRun):
        hand_over(run, WISH, {})


def test_a_sketch_that_was_not_declared_keeps_the_time_of_the_one_that_was(run: RunFolder) -> None:
    path, other = run.path / "sketch.json", Resolved("other", {}, 1, {}, {}, {}, {})
    os.utime(path, (1, 1))
    run.write_sketch("text", other, declared=False)
    assert (run.sketch().name, run.text(), path.stat().st_mtime) == ("other", "text", 1)
    run.write_sketch("text", other)
    assert path.stat().st_mtime > 1
