"""The supervisor: keeps what is wished running, and tells what it sees. Knows neither channels nor what a part does.

One thread, one loop: it waits for reports of its two helpers (the broker's keeper and the warm process that
forks the stubs), for signals and for the end of the terminal that it is leashed to, then acts. What to do is
decided by `plan`. Over 250 lines because the life of a run, from start to every kind of end, is told in one place.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from eda_cli import lock, programs
from eda_cli.errors import Futile
from eda_cli.journal import Journal
from eda_cli.log import last_words
from eda_cli.runs.declaring import Declaring, Wished
from eda_cli.runs.folder import ENDING, SUPERVISOR, RunFolder
from eda_cli.runs.handing import TOUCHES, WISH, taken
from eda_cli.runs.helper import Helper
from eda_cli.runs.plan import (
    SETTLED_S,
    Forget,
    Needed,
    Seen,
    Start,
    Step,
    Stop,
    after_exit,
    backoff,
    needed,
    next_due,
    plan,
)
from eda_cli.runs.signals import Signals
from eda_cli.runs.touches import Touch, Touching
from eda_cli.sketch.resolved import Resolved

STOP_S = 5.0  # a stub has this long to end in order, then it is killed
KEEPER_STOP_S = 30.0  # a broker writes its log out
LEASH_LOST_S = 1.0  # the terminal is gone: everything is to be gone within 5 s
LEASH_STOP_S = 5.0  # a keeper whose leash is let go of stops its broker in a hurry
LEFT_S = 3.0  # a stub that lost its leash is gone after 2 s, in whatever way
LEFT_LOOK_S = 0.2
LAG_S = 5.0  # for asking the broker how far the groups came
LOG_LINES = 5  # of a crashed process that are told
CAUSE_S = 2.0  # before a SIGKILL: what was said earlier is not why, and of the signal itself nothing can be said
FOLDER_LOOK_S = 2.0  # how long it may take to notice that the folder is gone

DECLARE = "declare"  # the process that makes topics and groups
KEEPER = ["eda_cli.channels", "keep"]
STUBS = ["eda_cli.stubs"]


class Supervisor:
    """One run. `run` returns the exit status: 0 stopped as wished, else the code of what went wrong."""

    def __init__(self, folder: RunFolder, lock_fd: int, leashed: bool, signals: Signals) -> None:
        self._folder = folder
        self._lock_fd = lock_fd
        self._info = folder.info()
        self._leashed = leashed
        self._journal = Journal(folder.path / "supervisor.jsonl", "run")
        self._sketch = folder.sketch()
        self._needed: dict[str, Needed] = {}
        self._seen: dict[str, Seen] = {}
        self._declaring = Declaring(Wished(self._sketch))
        self._touching = Touching()
        self._helpers: dict[str, Helper] = {}
        self._again: dict[str, float] = {}  # helpers to start again, and when
        self._failures: dict[str, int] = {}  # of helpers, in a row
        self._explained: dict[str, str] = {}  # why processes end, of those that said it
        self._killed: set[str] = set()  # by `eda kill`: nothing that they said is why
        self._channel_ready = not self._info.broker.get("kept")
        self._warm = self._declared = self._told_ready = False
        self._signals = signals
        self._leashed_still = True
        self._left_until = 0.0  # until then, programs may be found whose stubs are gone

    def run(self) -> int:
        self._journal.tell("started", pid=os.getpid(), broker=dict(self._info.broker), seed=self._info.seed)
        if self._info.broker.get("kept"):
            (self._folder.path / "channel.json").unlink(missing_ok=True)
            self._spawn("keeper", KEEPER)
        self._spawn("stubs", STUBS)
        failure: dict[str, Any] | None = None
        while failure is None and not self._signals.stop and self._leashed_still:
            failure = self._turn()
        return self._end(failure)

    # --- one turn of the loop

    def _turn(self) -> dict[str, Any] | None:
        """Wait for something, take it in, act. A failure that ends the run is given back."""
        self._wait()
        if not self._folder_is_ours():
            return {"what": f"the folder of the run '{self._folder.name}' is gone",
                    "why": f"somebody deleted {self._folder.path}",
                    "hint": f"start it anew: {self._info.again()} (eda down ends a run in order)", "exit_code": 1}
        for helper in list(self._helpers.values()):
            for report in helper.reports():
                if failure := self._hear(report):
                    return failure
        if self._signals.take(signal.SIGHUP):
            self._read_changes()
        self._look_after_helpers()
        if time.monotonic() < self._left_until:
            programs.end_left(self._folder.path)
        self._turn_knobs()
        self._declare()
        if self._declared:
            for step in plan(self._needed, self._seen, time.monotonic()) if self._warm else ():
                self._act(step)
            self._tell_when_ready()
        return None

    def _wait(self) -> None:
        now = time.monotonic()
        waits = [next_due(self._seen, now), self._declaring.due_in(now), *(at - now for at in self._again.values())]
        due = [FOLDER_LOOK_S, *(max(0.0, wait) for wait in waits if wait is not None)]
        if now < self._left_until:
            due.append(LEFT_LOOK_S)
        if any(helper.has_said for helper in self._helpers.values()):
            due.append(0.0)
        fds = [*(helper.socket for helper in self._helpers.values()), *([0] if self._leashed else [])]
        readable = self._signals.wait(fds, min(due))
        self._leashed_still = not (self._leashed and 0 in readable and not os.read(0, 1))

    def _folder_is_ours(self) -> bool:
        """Where it was deleted nobody finds this run any more, to end it; one of its name may be somebody else's."""
        return lock.is_there(self._folder.path / f"{SUPERVISOR}.lock", self._lock_fd)

    def _hear(self, report: dict[str, Any]) -> dict[str, Any] | None:
        kind, process = report["report"], report.get("process", "keeper")
        seen = self._seen.get(process)
        match kind:
            case "warm":
                self._warm = True
            case "declared":
                self._apply()
            case "warning":
                self._journal.tell("warning", text=report["text"])
            case "failed":
                return self._failed(process, report)
            case "ready" if process == "keeper":
                self._channel_ready = True
            case "ready" if seen:
                seen.state, seen.since = ("ready" if seen.state == "starting" else seen.state), time.monotonic()
            case "exited" if seen:
                self._exited(process, seen, report["status"])
            case "exited" if process == DECLARE:
                if (pause := self._declaring.exited(time.monotonic())) is not None:  # killed before it said a word
                    self._journal.tell("crashed", reason=f"making topics and groups: {_reason(report['status'])}",
                                       log=self._log_of(DECLARE, report["status"]), again_in_s=pause)
        return None

    def _failed(self, process: str, report: dict[str, Any]) -> dict[str, Any] | None:
        error = {name: report[name] for name in ("what", "why", "hint", "exit_code")}
        if process == DECLARE:
            wished = self._declaring.refused()
            if wished is not None and wished.text is not None:  # a changed sketch was refused: what runs goes on
                self._journal.tell("failed", **error, applying=True, changes=wished.ids)
                return None
        if process in (DECLARE, "keeper") and not self._declared:
            return error
        part = self._seen[process].need.part if process in self._seen else process
        self._journal.tell("failed", **error, part=part)
        self._explained[process] = ": ".join(filter(None, (report["what"], report["why"])))
        return None

    # --- parts

    def _act(self, step: Step) -> None:
        now = time.monotonic()
        match step:
            case Start(process, need):
                before = self._seen.get(process)
                self._seen[process] = Seen("starting", need, now, before.failures if before else 0)
                self._helpers["stubs"].order(
                    {"do": "start", "process": process, "part": need.part, "replica": need.replica})
            case Stop(process):
                self._seen[process].state = "stopping"
                self._helpers["stubs"].order({"do": "stop", "process": process})
            case Forget(process):
                del self._seen[process]

    def _exited(self, process: str, seen: Seen, status: int) -> None:
        after = self._seen[process] = after_exit(seen, status, time.monotonic())
        if seen.state == "stopping":
            again = process in self._needed
            why = self._touching.why.get(seen.need.part, "the sketch has changed")
            self._journal.tell("stopped", **_about(seen.need), **({"again": why} if again else {}))
        elif status == Futile.status:
            self._journal.tell("stopped", **_about(seen.need), reason=self._explained.get(process, ""))
        elif after.state == "crashed":
            self._journal.count("restarts", process)
            log = [] if process in self._explained or process in self._killed else self._log_of(process, status)
            self._journal.tell("crashed", **_about(seen.need), reason=_reason(status), log=log,
                               again_in_s=backoff(after.failures))
        self._explained.pop(process, None)
        self._killed.discard(process)

    def _tell_when_ready(self) -> None:
        if self._told_ready or len(self._seen) < len(self._needed):
            return
        if all(have.state in ("ready", "finished") for have in self._seen.values()):
            self._told_ready = True
            self._journal.tell("ready", address=self._folder.address())

    # --- the sketch

    def _read_changes(self) -> None:
        for wish in taken(self._folder.path, WISH):
            self._declaring.wish(Wished(Resolved.from_json(wish["sketch"]), wish["text"], (wish["id"],)))
        for touch in map(Touch.from_json, taken(self._folder.path, TOUCHES)):
            for told in touch.told:
                self._journal.tell("touched", **told)
            for process in touch.kill:
                if process in self._seen and self._seen[process].alive and (stubs := self._helpers.get("stubs")):
                    stubs.order({"do": "stop", "process": process, "kill": True})
                    self._killed.add(process)
            if not self._touching.hear(touch):
                self._needed = needed(self._sketch, self._touching.restarts)
                self._journal.tell("applied", changes=[touch.id], by_touch=True)

    def _turn_knobs(self) -> None:
        """Once nothing else is on its way. Groups stay as they are, so without a new topic there is nothing to declare,
        and knobs act even while the broker is away."""
        if not (self._touching.waits and self._declared and self._declaring.idle):
            return
        wished = self._touching.wish(self._sketch, self._folder.text())
        if wished.sketch.topics != self._sketch.topics:
            self._declaring.wish(wished)
        else:
            self._make_live(wished, declared=False)

    def _declare(self) -> None:
        """Topics and groups are there before anything that needs them starts."""
        if self._warm and self._channel_ready and (wished := self._declaring.begin(time.monotonic())) is not None:
            self._helpers["stubs"].order({"do": "declare", "sketch": wished.sketch.to_json()})

    def _apply(self) -> None:
        """What was declared is what is wished from now on."""
        wished = self._declaring.declared()
        if wished is not None and wished.text is not None:
            self._make_live(wished, declared=True)
        else:
            self._declared = True
            self._needed = needed(self._sketch, self._touching.restarts)

    def _make_live(self, wished: Wished, declared: bool) -> None:
        assert wished.text is not None
        try:
            self._folder.write_sketch(wished.text, wished.sketch, declared)
        except OSError as wrong:
            self._journal.tell("failed", what="the changed sketch cannot be stored", why=str(wrong), hint="is the disk full?",
                               exit_code=1, applying=True, changes=wished.ids)
            return
        self._sketch = wished.sketch
        self._told_ready = False
        self._journal.tell("applied", changes=wished.ids, by_touch=wished.by_touch)
        if not wished.by_touch:
            self._touching.why.clear()
        self._declared = True
        self._needed = needed(self._sketch, self._touching.restarts)

    # --- helpers

    def _spawn(self, process: str, command: list[str]) -> None:
        self._again.pop(process, None)
        try:
            self._helpers[process] = Helper(
                self._folder.path, process, command,
                lambda pid: self._journal.tell("started", part=process, pid=pid))
        except TimeoutError:  # one of an earlier run is still ending
            self._again[process] = time.monotonic() + backoff(1)

    def _look_after_helpers(self) -> None:
        now = time.monotonic()
        for process, helper in list(self._helpers.items()):
            if (status := helper.ended()) is None:
                continue
            helper.let_go()
            del self._helpers[process]
            failures = 1 if helper.age() >= SETTLED_S else self._failures.get(process, 0) + 1
            self._failures[process], self._again[process] = failures, now + backoff(failures)
            self._journal.tell("crashed", part=process, reason=_reason(status), log=self._log_of(process, status),
                               again_in_s=backoff(failures))
            if process == "stubs":
                self._lose_stubs()
        for process, at in list(self._again.items()):
            if now >= at:
                self._spawn(process, KEEPER if process == "keeper" else STUBS)

    def _lose_stubs(self) -> None:
        """The warm process is gone, and its children with it."""
        self._warm = False
        self._left_until = time.monotonic() + LEFT_S
        self._declaring.interrupted()
        for process, have in self._seen.items():
            if have.alive:
                after = self._seen[process] = after_exit(have, -signal.SIGHUP, time.monotonic())
                if after.failures:
                    self._journal.count("restarts", process)

    def _log_of(self, process: str, status: int) -> list[str]:
        """What it said at last, where that may be why it ended."""
        not_before = time.time() - CAUSE_S if status == -signal.SIGKILL else 0.0
        return last_words(self._folder.path / f"{process}.log", LOG_LINES, not_before)

    # --- the end

    def _end(self, failure: dict[str, Any] | None) -> int:
        # Who comes now waits for the end instead of attaching; who stopped us may hold it already.
        if self._folder_is_ours():
            lock.take(self._folder.path / ENDING, patience_s=0)
        if failure is not None:
            self._journal.tell("failed", **failure)
        if not self._leashed_still:
            self._stop_stubs(LEASH_LOST_S)
            self._end_programs()
            return 1
        self._stop_stubs(STOP_S)
        self._end_programs()
        if keeper := self._helpers.get("keeper"):
            self._stop_keeper(keeper)
        self._journal.tell("stopped")
        self._journal.close()
        return int(failure["exit_code"]) if failure else 0

    def _stop_stubs(self, seconds: float) -> None:
        """Stop all parts, at the latest in so many seconds; what is left then is killed with its leash."""
        stubs = self._helpers.get("stubs")
        if stubs is None:
            return
        stubs.order({"do": "stop", "process": DECLARE, "kill": True})
        alive = {process for process, have in self._seen.items() if have.alive}
        for process in alive:
            stubs.order({"do": "stop", "process": process, "kill": self._signals.kill})
        deadline = time.monotonic() + seconds
        while alive and not self._signals.kill and (left := deadline - time.monotonic()) > 0 and stubs.ended() is None:
            self._hear_until(stubs, left)
            for report in stubs.reports():
                if report["report"] == "exited" and report["process"] in alive:
                    alive.discard(report["process"])
                    self._journal.tell("stopped", **_about(self._seen[report["process"]].need))
        for process in alive:
            stubs.order({"do": "stop", "process": process, "kill": True})
        if self._leashed_still and self._declared and not self._signals.kill and self._folder_is_ours():
            self._tell_lag(stubs)
        stubs.let_go()
        stubs.wait(2.0)

    def _end_programs(self) -> None:
        """Stubs end their programs; those of stubs that were killed are left to us."""
        deadline = time.monotonic() + LEFT_S
        while programs.running(self._folder.path) and time.monotonic() < deadline:
            programs.end_left(self._folder.path)
            time.sleep(0.02)

    def _tell_lag(self, stubs: Helper) -> None:
        """The last word on how far each group came, while the broker still answers."""
        stubs.order({"do": "lag"})
        deadline = time.monotonic() + LAG_S
        while (left := deadline - time.monotonic()) > 0 and stubs.ended() is None and not self._signals.kill:
            self._hear_until(stubs, left)
            for report in stubs.reports():
                if report["report"] == "groups":
                    self._journal.tell("groups", groups=report["groups"])
                if report["report"] == "exited" and report["process"] == "lag":
                    return

    def _stop_keeper(self, keeper: Helper) -> None:
        keeper.terminate()
        deadline = time.monotonic() + KEEPER_STOP_S
        while keeper.ended() is None and not self._signals.kill and (left := deadline - time.monotonic()) > 0:
            self._hear_until(keeper, left)
            keeper.reports()
        keeper.let_go()
        keeper.wait(LEASH_STOP_S)

    def _hear_until(self, helper: Helper, seconds: float) -> None:
        """Until the helper says something or a signal comes, at the latest in so many seconds."""
        if not helper.has_said:
            self._signals.wait([helper.socket], seconds)


def _about(need: Needed) -> dict[str, Any]:
    return {"part": need.part, "replica": need.replica}


def _reason(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def main(path: str, lock_fd: int, leashed: bool) -> int:
    """The supervisor process; `lock_fd` holds its lock."""
    signals = Signals()
    signals.listen()
    lock.sign(lock_fd)  # from now on others know whom to send one
    return Supervisor(RunFolder(Path(path)), lock_fd, leashed, signals).run()
