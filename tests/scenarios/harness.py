"""The real `eda` in a home of its own, and what is really there: processes, locks, events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eda_cli.journal import Listener, Observation
from eda_cli.runs.folder import RunFolder
from eda_cli.sketch.load import load
from eda_cli.technologies import TECHNOLOGIES, Ability
from tests.eventually import eventually

READY_S = 90.0  # a broker on a busy machine
WITNESS = "witness."  # groups of the tests


class Eda:
    """One `EDA_HOME`, and the commands given in it."""

    def __init__(self, home: Path, broker: str, environ: Mapping[str, str]) -> None:
        self.home = home
        self.broker = broker
        self.environ = {**os.environ, **environ, "EDA_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self.children: list[subprocess.Popen[str]] = []
        self.can = TECHNOLOGIES[broker].can
        self.replays = Ability.REPLAY in self.can
        self._killed: dict[Path, int] = {}  # by the lock that it held
        self._witnessed: dict[tuple[str, str], list[dict[str, Any]]] = {}  # run and topic

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """A command that goes on; it is ended with the test."""
        child = subprocess.Popen([sys.executable, "-m", "eda_cli", *args], env=self.environ, text=True,
                                 **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL,
                                    **options})
        self.children.append(child)
        return child

    def __call__(self, *args: str, code: int | None = 0, stdin: str | bytes | None = None,
                 cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command that ends; its exit code is checked."""
        done = subprocess.run([sys.executable, "-m", "eda_cli", *args], env=self.environ, capture_output=True, text=True,
                              input=stdin, timeout=100, cwd=cwd, stdin=subprocess.DEVNULL if stdin is None else None)
        assert code is None or done.returncode == code, f"eda {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def lines(self, *args: str, **options: Any) -> list[dict[str, Any]]:
        """The JSON lines of a command."""
        return [json.loads(line) for line in self(*args, **options).stdout.splitlines()]

    def up(self, sketch: Path, *args: str) -> None:
        command = ("up", str(sketch), "-d", "--broker", self.broker, "--wait-timeout", str(READY_S), *args)
        if quiet := self._quiet(sketch):
            self(*command, *quiet)
            self._hear(sketch)
        self(*command)

    def up_in_a_terminal(self, sketch: Path, *args: str) -> subprocess.Popen[str]:
        """The same, bound to the terminal that started it; once it runs."""
        command = ("up", str(sketch), "--broker", self.broker, *args)
        quiet = self._quiet(sketch)
        terminal = self.start(*command, *quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        name = load(sketch).resolved.name
        self.wait_until_running(name)
        if quiet:
            self._hear(sketch)
            self(*command, "-d")
        return terminal

    def fit(self, sketch: str) -> str:
        """The sketch as this broker takes it: from the first event on where the log tells, else from the start."""
        return sketch if self.replays else sketch.replace("from: earliest", "from: latest")

    def _quiet(self, sketch: Path) -> Sequence[str]:
        """Where nothing is kept, and nobody hears for the test yet: what keeps the generators of a sketch still."""
        wished = load(sketch).resolved
        if self.replays or all((wished.name, topic) in self._witnessed for topic in wished.topics):
            return ()
        return [word for name in wished.generators for word in ("--scale", f"{name}=0")]

    def _hear(self, sketch: Path) -> None:
        """From now on a group of the test's own hears each topic."""
        wished = load(sketch).resolved
        for topic in wished.topics:
            self._witnessed[wished.name, topic] = []
            self.events(topic, wished.name)

    def ps(self, run: str) -> dict[str, Any]:
        return {row["run"]: row for row in self.lines("ps", "--json")}[run]

    def wait_until_running(self, run: str) -> None:
        eventually(lambda: self.ps(run)["state"] == "running", READY_S, every=0.3)

    def run(self, name: str) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.home / name)

    def pid(self, run: str, process: str) -> int:
        """Of a process that holds its lock."""
        from eda_cli import lock

        return eventually(lambda: lock.holder(self.home / run / f"{process}.lock"), 10)

    def kill(self, run: str, process: str, held: str = "lock") -> int:
        """Not one that was killed before and has not ended yet, but the next one."""
        from eda_cli import lock

        path = self.home / run / f"{process}.{held}"
        pid = eventually(lambda: (found := lock.holder(path)) != self._killed.get(path) and found, READY_S) or 0
        os.kill(pid, signal.SIGKILL)
        self._killed[path] = pid
        return pid

    def events(self, topic: str, run: str) -> list[dict[str, Any]]:
        """All that was published to a topic, once each but for what was published twice."""
        if not self.replays:
            seen = self._witnessed[run, topic]
            seen += self.lines("tail", topic, "-g", f"{WITNESS}{topic}", "-e", "--json", "--run", run)
            return seen
        return self.lines("tail", topic, "-o", "beginning", "-e", "--json", "--run", run)

    def lag(self, run: str) -> dict[str, int | None]:
        return {row["group"]: row["lag"] for row in self.lines("groups", "--json", "--run", run)
                if not row["group"].startswith(WITNESS)}

    def processes(self) -> list[str]:
        """The command lines of all processes that work in this home, by whoever they were started."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.home) in command and entry.name != str(os.getpid()):
                found.append(command)
        return found

    def labelled(self) -> dict[str, list[Any]]:
        """What this home's runs have on the engine."""
        if self.broker == "embedded":
            return {"containers": [], "volumes": [], "networks": []}
        listed = subprocess.run([sys.executable, "-m", "eda_cli.channels", "list"], env=self.environ, check=True,
                                capture_output=True, text=True).stdout
        ids = self.run_ids()
        return {kind: [one for one in rows if not isinstance(one, dict) or one.get("run_id") in ids]
                for kind, rows in json.loads(listed).items() if isinstance(rows, list)}

    def run_ids(self) -> set[str]:
        ids = {json.loads(path.read_text())["id"] for path in self.home.glob("*/run.json")}
        self._ids = getattr(self, "_ids", set()) | ids
        return self._ids

    def end(self) -> None:
        """Whatever the test left is ended, by its id."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        if not self.home.exists() or not any(self.home.iterdir()):
            return
        subprocess.run([sys.executable, "-m", "eda_cli", "down", "--all"], env=self.environ, capture_output=True, timeout=100)


def told(eda: Eda, name: str) -> list[Observation]:
    listener = Listener(eda.run(name).path)
    try:
        return listener.poll()
    finally:
        listener.close()


def wrong(seen: Iterable[Observation]) -> list[Observation]:
    """What nobody wished for: what fails but by the sketch's own `fails`, what is warned of or logged, who waits for a broker."""
    return [one for one in seen if one.kind in ("crashed", "warning", "log")
            or (one.kind == "waiting" and not one.fields["text"].startswith("there is nothing to look up"))
            or (one.kind == "failed" and one.fields.get("reason") != "it fails, as the sketch says")]
