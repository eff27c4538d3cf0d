"""Brings a run up and down for whoever asks; the processes do the rest. Knows no technology.

Over 250 lines because starting, changing and ending a run hold the same locks, and are read side by side.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from eda_cli import lock, programs
from eda_cli.errors import EdaError, NoRun, NotReady
from eda_cli.journal import Marks, marks
from eda_cli.runs import folder as folders
from eda_cli.runs.changes import changes, refusals, same_door
from eda_cli.runs.folder import RunFolder, RunInfo
from eda_cli.runs.handing import APPLY_S, LOOK_S, WISH, forget, hand_over
from eda_cli.sketch.resolved import Resolved

STOP_S = 60.0  # a broker may take half a minute to write its log out
ORPHANS_S = 6.0

Decision = tuple[Mapping[str, Any], Mapping[str, Any] | None]  # the broker, and its address where it is known


@dataclass(slots=True)
class Wanted:
    """What `up` was asked for. `decide` is asked for the broker only where a run is made."""

    resolved: Resolved
    path: Path
    text: str
    decide: Callable[[], Decision]
    fresh: bool = False
    leashed: bool = True
    named: bool = False  # by --name, not by the sketch
    on_wait: Callable[[str], object] = lambda text: None  # hears what takes a while


@dataclass(slots=True)
class Brought:
    """What came of it. `supervisor` is the process that was started, None where one was there."""

    how: Literal["started", "resumed", "attached", "applied"]
    run: RunFolder
    supervisor: subprocess.Popen[bytes] | None = None
    leash: int | None = None  # let go of it and the run ends
    changed: tuple[str, ...] = ()
    since: Marks = field(default_factory=dict)  # what is told behind them belongs to this start


def up(wanted: Wanted, on_discard: Callable[[RunFolder], object]) -> Brought:
    """Make the run, go on with one that stopped, or attach to one that is up, applying what changed.

    `on_discard` is called before the events of an old run are thrown away (`fresh`). Raises EdaError where the
    name belongs to another sketch or the change cannot be made.
    """
    run = RunFolder.of(wanted.resolved.name)
    while True:
        try:
            if (brought := _up(wanted, on_discard, run)) is not None:
                return brought
        except (FileNotFoundError, NoRun):
            if run.exists():
                raise


def _up(wanted: Wanted, on_discard: Callable[[RunFolder], object], run: RunFolder) -> Brought | None:
    """None where somebody else was quicker: look again."""
    if not run.exists():
        fd = _create(wanted)
        return _launch("started", run, fd, wanted.leashed, {}) if fd is not None else None
    info = run.info()
    _own(info, wanted.path)
    if wanted.fresh:
        decision = wanted.decide()  # what cannot begin anew is not thrown away
        wanted.on_wait(f"ending the last run of {run.name}")
        remove(run, on_discard)
        wanted.fresh, wanted.decide = False, lambda: decision
        return None
    if run.supervisor() is not None:
        if not run.ending():
            wanted.on_wait(f"applying the sketch to {run.name}")
            return _attach(run, info, wanted)
        wanted.on_wait(f"waiting for the run {run.name} that is about to end")
        _await_end(run)
        return None
    _refuse(run, info, wanted)
    fd = lock.take(run.path / f"{folders.SUPERVISOR}.lock", for_child=True)
    if fd is None:
        return None
    forget(run.path)
    _wait_for_orphans(run)
    since = marks(run.path)
    if wanted.resolved.guest:
        broker, address = wanted.decide()
        run.write_broker(replace(info, broker=broker), address or {})
    run.write_sketch(wanted.text, _seeded(wanted.resolved, info.seed))
    return _launch("resumed", run, fd, wanted.leashed, since)


def _await_end(run: RunFolder) -> None:
    """Until a run that is about to end has ended. Raises NotReady."""
    deadline = time.monotonic() + STOP_S
    while run.ending():
        if time.monotonic() > deadline:
            raise NotReady(f"the run '{run.name}' is ending, and that takes more than {STOP_S:.0f} s",
                           f"its log: {run.path}/supervisor.log", "ask again, or end its processes (eda ps)")
        time.sleep(LOOK_S)


def stop(run: RunFolder) -> bool:
    """Stop the run in order, keep its events; False where it was not up. Raises NotReady, NoRun."""
    with _stopped(run) as was_up:
        return was_up


def remove(run: RunFolder, on_discard: Callable[[RunFolder], object]) -> None:
    """Stop the run and delete its events; `on_discard` is called between, while nobody can start it.

    Raises NotReady, and NoRun where somebody else has removed it.
    """
    with _stopped(run):
        on_discard(run)
        run.delete()


@contextmanager
def _stopped(run: RunFolder) -> Iterator[bool]:
    """The run with nothing alive in it, while nobody can start it; whether it was up."""
    held: list[int] = []
    try:
        try:
            if (ending := lock.take(run.path / folders.ENDING, patience_s=0)) is not None:
                held.append(ending)
            supervisor, was_up = _take_over(run)
        except FileNotFoundError:
            raise NoRun(f"the run '{run.name}' is gone", "somebody else took it down meanwhile") from None
        held.append(supervisor)
        _wait_for_orphans(run)
        yield was_up
    finally:
        for fd in held:
            os.close(fd)


def _take_over(run: RunFolder) -> tuple[int, bool]:
    """Ask the supervisor to end and take its lock: the descriptor, and whether there was one."""
    deadline = time.monotonic() + STOP_S
    asked = False
    while (fd := lock.take(run.path / f"{folders.SUPERVISOR}.lock", patience_s=0, for_child=True)) is None:
        if (pid := run.supervisor()) and not asked:
            os.kill(pid, signal.SIGTERM)
            asked = True
        if time.monotonic() > deadline:
            raise NotReady(f"the run '{run.name}' did not stop in {STOP_S:.0f} s",
                           f"its log: {run.path}/supervisor.log", "ask again, or end its processes (eda ps)")
        time.sleep(LOOK_S)
    return fd, asked


def _wait_for_orphans(run: RunFolder) -> None:
    """Processes whose supervisor is gone end by their leash; what does not is killed. Holds the supervisor's lock.

    So are the programs of stubs that are gone.
    """
    deadline = time.monotonic() + ORPHANS_S
    while (alive := {name: pid for name, pid in run.alive().items() if name != folders.SUPERVISOR}) \
            or (programs.end_left(run.path) and time.monotonic() < deadline + ORPHANS_S):
        for pid in alive.values() if time.monotonic() > deadline else ():
            if pid:
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)


def apply(run: RunFolder, text: str, resolved: Resolved) -> tuple[str, ...]:
    """Bring a changed sketch to a run that is up, part by part; what changed, in words.

    Raises EdaError where it is refused; what runs then goes on unchanged.
    """
    info = run.info()
    guard = lock.take(run.path / "apply.flock", patience_s=APPLY_S)
    if guard is None:
        raise NotReady("another change is being applied", f"it took more than {APPLY_S:.0f} s", "try again")
    try:
        old = run.sketch()
        if refused := refusals(old, resolved, info):
            raise EdaError("this change cannot be made on the events that are there", "; ".join(refused),
                           f"begin anew with: {info.again('--fresh')}")
        if not same_door(resolved.broker, old.broker):
            raise _shut(info)
        resolved = _seeded(resolved, info.seed)
        if changed := changes(old, resolved):
            hand_over(run, WISH, {"sketch": resolved.to_json(), "text": text})
        return tuple(changed)
    finally:
        os.close(guard)


def _create(wanted: Wanted) -> int | None:
    broker, address = wanted.decide()
    seed = wanted.resolved.seed if wanted.resolved.seed is not None else secrets.randbelow(1_000_000)
    info = folders.new_info(wanted.resolved.name, wanted.path, broker, seed, wanted.named)
    return folders.create(info, wanted.text, _seeded(wanted.resolved, seed), address)


def _attach(run: RunFolder, info: RunInfo, wanted: Wanted) -> Brought:
    since = marks(run.path)
    address = wanted.decide()[1] if wanted.resolved.guest else None
    if address and address.get("creates") != (run.address() or {}).get("creates"):
        raise _shut(info)
    changed = apply(run, wanted.text, wanted.resolved)
    return Brought("applied" if changed else "attached", run, changed=changed, since=since)


def _shut(info: RunInfo) -> EdaError:
    """Processes that are connected know no other way in."""
    return EdaError("how a run gets into its broker cannot change while it is up", "its processes are connected",
                    f"stop it and start it again: eda down --keep --run {info.name}; {info.again()}")


def _launch(how: Literal["started", "resumed"], run: RunFolder, fd: int, leashed: bool, since: Marks) -> Brought:
    leash_end, leash = os.pipe()
    with (run.path / "supervisor.log").open("ab") as log:
        supervisor: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "eda_cli.runs", str(run.path), str(fd), "leashed" if leashed else "detached"],
            stdin=leash_end if leashed else subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(fd,),
            start_new_session=True)
    os.close(leash_end)
    os.close(fd)
    if not leashed:
        os.close(leash)
    return Brought(how, run, supervisor, leash if leashed else None, since=since)


def _own(info: RunInfo, path: Path) -> None:
    if info.path != str(path):
        raise EdaError(f"the name '{info.name}' belongs to another sketch", f"it was started from {info.path}",
                       f"give this one a name of its own: eda up --name NAME, or end the other: eda down --run {info.name}")


def _refuse(run: RunFolder, info: RunInfo, wanted: Wanted) -> None:
    if refused := refusals(run.sketch(), wanted.resolved, info):
        raise EdaError(f"the events of the last run of '{info.name}' do not fit this sketch", "; ".join(refused),
                       f"begin anew with: {info.again('--fresh')}")


def _seeded(resolved: Resolved, seed: int) -> Resolved:
    return replace(resolved, seed=seed)
