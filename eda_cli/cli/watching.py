"""What `up` does once a run was brought up: waits until it is ready, shows its events, ends it or detaches.

Over 250 lines because one terminal is followed through all of it, with one handler for its Ctrl-C.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.bus import staying
from eda_cli.cli.said import Said
from eda_cli.cli.waiting import waiting
from eda_cli.errors import EdaError, NotReady
from eda_cli.journal import Listener, Observation, in_order
from eda_cli.runs import lifecycle
from eda_cli.runs.lifecycle import Brought
from eda_cli.technologies import foreign
from eda_cli.view.awaited import Awaited
from eda_cli.view.escape import escaped
from eda_cli.view.lines import Flow, faults_told
from eda_cli.view.picture import Picture

if TYPE_CHECKING:
    from eda_cli.runs.folder import RunFolder
    from eda_cli.sketch.load import Loaded

LOOK_S = 0.025  # how often the journals and the saved sketch are looked at
TOLD = {kind: kind.replace("_", " ") for kind in  # the words of the summary
        ("published", "handled", "skipped", "failed", "dead_lettered", "given_up", "restarts")} | {"behind": "not made in time"}


@dataclass(slots=True)
class Wishes:
    """How to follow. `reload` gives the sketch anew after a save of one of its files, which are at `path` and `schemas`;
    None where nobody watches it; `code` is its own code.
    """

    json: bool
    detach: bool
    for_s: float | None
    wait_s: float
    reload: Callable[[], Loaded] | None
    discard: Callable[[RunFolder], object]  # throws away what a run has on the engine
    path: Path
    schemas: Sequence[Path]
    code: Sequence[str]


def follow(brought: Brought, wishes: Wishes) -> None:
    """Until the run ends, or the user does. Raises EdaError with what made it fail."""
    _Following(brought, wishes).run()


class _Following:
    def __init__(self, brought: Brought, wishes: Wishes) -> None:
        self._brought = brought
        self._run = brought.run
        self._info = brought.run.info()
        self._wishes = wishes
        self._mine = brought.supervisor is not None and not wishes.detach
        self._listener = Listener(brought.run.path, since=brought.since)
        self._said = Said(brought.run.path, brought.run.sketch()) if not wishes.detach else None
        self._flow = Flow(console.out(), brought.run.sketch().replicas(), console.width())
        self._flow.past(self._listener.past)
        self._awaited = Awaited()
        self._early = Picture().see_all(self._listener.past)  # until the first line is shown
        self._begun = time.monotonic()
        self._ready_at: float | None = None
        self._held: list[Observation] = []  # told before it was ready
        self._interrupts = 0
        self._stopping = self._killing = False
        self._files = (wishes.path, *wishes.schemas)
        self._saved = [_stamp(file) for file in self._files]
        self._wake, self._waker = os.pipe()

    def run(self) -> None:
        self._listen()
        try:
            self._wait_ready()
            if self._wishes.detach and not self._ended():
                return
            while not self._ended():
                self._look(LOOK_S)
            self._look(0)
            self._finish()
        except OSError as wrong:
            if not isinstance(wrong, BrokenPipeError) and wrong.errno != errno.EIO:
                raise
            if self._mine:  # nobody sees it any more: the pipe is closed, or the terminal is
                lifecycle.stop(self._run)
            raise BrokenPipeError from None
        finally:
            self._listener.close()

    # --- until it is ready

    def _wait_ready(self) -> None:
        if self._brought.how in ("attached", "applied"):
            self._tell_attached()
        with waiting(f"starting {self._run.name}") as status:
            while not self._ended() and self._ready_at is None and not self._interrupts:
                seen = self._look(LOOK_S, show=False)
                for observation in seen:
                    self._awaited.see(observation)
                    if observation.kind == "ready" and observation.part == "run":
                        self._ready_at = time.monotonic()
                if self._brought.supervisor is None and self._ready_before():
                    self._ready_at = time.monotonic()
                if self._awaited.text:
                    status.update(self._awaited.text, self._awaited.log)
                if self._ready_at is None and time.monotonic() - self._begun > self._wishes.wait_s:
                    self._late()
        if self._ready_at is not None:
            self._header()
        self._show([one for one in self._held if self._wishes.json or one.kind != "starting"])  # that was narrated

    def _ready_before(self) -> bool:
        """Whether a run that was up already is ready: its journal says so, or says nothing of a start any more."""
        state = self._early.state
        return state == "running" or (not state and bool(self._listener.past))

    def _late(self) -> None:
        early = self._early
        late = [name for (name, _), part in early.parts.items() if part.state not in ("running", "finished")]
        late = list(dict.fromkeys(late)) or [name for name, part in early.helpers.items() if part.state == "crashed"]
        failed = {one.part: one.fields for one in self._held if one.kind == "failed" and "what" in one.fields}
        why = [f"{name}: {failed[name]['what']}: {failed[name]['why']}" for name in late if name in failed]
        hint = next((failed[name]["hint"] for name in late if name in failed), "give it longer: --wait-timeout 300")
        if self._brought.supervisor is not None:
            lifecycle.stop(self._run)
        raise NotReady(f"the run '{self._run.name}' was not ready in {self._wishes.wait_s:g} s",
                       "; ".join(why) or f"{self._still(late)}; logs: {self._run.path}",
                       hint)

    def _still(self, late: Sequence[str]) -> str:
        """What it was that was not ready in time."""
        if late:
            return f"still waiting for: {', '.join(late)}"
        log = f"; the broker's last words: {self._awaited.log}" if self._awaited.log else ""
        return f"it came as far as: {self._awaited.text or 'starting'}{log}"

    def _header(self) -> None:
        """A line: name, broker and version, the address for one's own programs, seed. One more: the own code that runs."""
        info, address = self._info, self._run.address() or {}
        version = address.get("version") or version_of(info.broker["kind"])
        if "at" in address:
            where = address["at"]
            if "internal" in address:
                where += f" (from containers: {address['internal']})"
        else:
            where = str(address.get("path", ""))
        console.say(f"{info.name} on {version} · {where} · seed {info.seed}", "bold")
        if self._wishes.code:
            console.say(escaped(f"runs own code: {', '.join(self._wishes.code)}"))

    def _tell_attached(self) -> None:
        for change in self._brought.changed:
            console.say(f"applied: {change}", "green")
        if self._wishes.detach:
            console.say("it is up already" if not self._brought.changed else "it goes on", "dim")
        else:
            console.say("attached to the run that is up; Ctrl-C detaches, eda down ends it", "dim")

    # --- while it runs

    def _look(self, seconds: float, show: bool = True) -> list[Observation]:
        """Wait a moment, then take in what was told and what was wished."""
        if seconds and select.select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 64)
        seen = self._listener.poll()
        if self._said is not None:
            seen = in_order([*self._said.poll(), seen])
        if show:
            self._show(seen)
        else:
            self._held += seen
            self._early.see_all(seen)
        if self._interrupts or self._time_is_up():
            self._stop()
        if show and self._wishes.reload is not None and not self._stopping:
            self._apply_saved(self._wishes.reload)
        return seen

    def _show(self, seen: list[Observation]) -> None:
        if any(observation.kind == "applied" for observation in seen):
            sketch = self._run.sketch()
            self._flow.parts = sketch.replicas()
            if self._said is not None:
                self._said.follow(sketch)
        if self._wishes.detach:
            self._flow.picture.see_all(seen)
            for observation in seen:
                if observation.kind == "warning":
                    console.say(escaped(f"warning: {observation.fields['text']}"), "yellow")
        elif self._wishes.json:
            for observation in seen:
                self._flow.picture.see(observation)
                console.write_line(observation.to_line())
            console.flush()
        else:
            self._flow.resize(console.width())
            self._flow.show(seen)

    def _time_is_up(self) -> bool:
        for_s = self._wishes.for_s
        return for_s is not None and self._ready_at is not None and time.monotonic() - self._ready_at >= for_s

    def _stop(self) -> None:
        if not self._mine:
            console.say(f"{'detached' if self._interrupts else 'time is up'}; the run goes on (eda down ends it)", "dim")
            raise typer.Exit(0)
        pid = self._run.supervisor()
        if pid and not self._stopping:
            self._stopping = True
            os.kill(pid, signal.SIGTERM)  # before a word of it: the terminal may be gone
            where = foreign(self._run.info().broker)
            console.say(f"stopping; {staying(where) if where else 'the events are kept (eda down deletes them)'}", "dim")
        elif pid and self._interrupts > 1 and not self._killing:
            self._killing = True
            os.kill(pid, signal.SIGQUIT)
            console.say("killing what is left (eda down removes what that leaves)", "dim")

    def _apply_saved(self, reload: Callable[[], Loaded]) -> None:
        stamps = [_stamp(file) for file in self._files]
        if stamps == self._saved or stamps[0] is None:
            return
        self._saved = stamps
        try:
            loaded = reload()
            if loaded.files != self._files[1:]:
                self._files = (self._wishes.path, *loaded.files)
                self._saved = [_stamp(file) for file in self._files]
            changed = lifecycle.apply(self._run, loaded.text, loaded.resolved)
        except EdaError as wrong:
            console.report(wrong)
            console.say("what runs goes on unchanged", "dim")
            return
        for change in changed or ("nothing that matters",):
            console.say(f"applied: {change}", "green")

    # --- the end

    def _ended(self) -> bool:
        if self._brought.supervisor is not None:
            return self._brought.supervisor.poll() is not None
        return self._run.supervisor() is None

    def _finish(self) -> None:
        self._flow.say_left_out() if not self._wishes.json else None
        failure = self._flow.picture.failure
        if failure is not None:
            if self._brought.how == "started" and self._ready_at is None:  # there never was a run: nothing is left behind
                lifecycle.remove(self._run, self._wishes.discard)
            raise _Failed(failure)
        self._summary()
        if self._killing:
            raise typer.Exit(130)
        if self._flow.picture.state == "stopped" and not self._stopping:
            console.say("somebody else stopped the run", "dim")
            if self._ready_at is None:
                raise EdaError(f"the run '{self._run.name}' was stopped before it was ready", "not by this command",
                               f"start it again: {self._info.again()}")
        if self._flow.picture.state != "stopped":
            raise EdaError(f"the run '{self._run.name}' ended by itself", f"its supervisor {self._how_it_ended()}",
                           f"go on with the same events: {self._info.again()}")

    def _how_it_ended(self) -> str:
        status = self._brought.supervisor.returncode if self._brought.supervisor is not None else None
        if status is not None and status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"was killed or failed; its log: {self._run.path}/supervisor.log"

    def _summary(self) -> None:
        picture = self._flow.picture
        if not picture.parts:
            return
        sums, faults = picture.by_part(), picture.faults()
        parts = {name: sums[name] for name in dict.fromkeys((*self._flow.parts, *sums)) if name in sums}
        if self._wishes.json:
            told = {name: row | ({"faults": faults[name]} if name in faults else {}) for name, row in parts.items()}
            console.write_json({"kind": "summary", "run": self._run.name, "parts": told, "groups": picture.groups})
            return
        for name, row in parts.items():
            did = ", ".join(f"{row[kind]:,} {word}" for kind, word in TOLD.items() if row[kind])
            did = did.replace(" 1 restarts", " 1 restart")
            console.say(f"  {name}: {did or 'nothing'}")
            if name in faults:
                console.say(f"    faults: {faults_told(faults[name])}")
        for group, lag in picture.groups.items():
            console.say(f"  group {group}: lag {'unknown' if lag is None else f'{lag:,}'}")

    def _listen(self) -> None:
        os.set_blocking(self._waker, False)

        def interrupted(*_: Any) -> None:
            self._interrupts += 1
            with contextlib.suppress(BlockingIOError):
                os.write(self._waker, b"!")

        for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(wanted, interrupted)


class _Failed(EdaError):
    """The run could not go on; what its processes told of it."""

    def __init__(self, told: Any) -> None:
        super().__init__(told.get("what", "the run failed"), told.get("why", ""), told.get("hint", ""))
        self.exit_code = int(told.get("exit_code", 1))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def version_of(kind: str) -> str:
    """What carries events, where its address does not say it."""
    if kind == "embedded":
        import sqlite3

        return f"embedded (SQLite {sqlite3.sqlite_version})"
    return kind
