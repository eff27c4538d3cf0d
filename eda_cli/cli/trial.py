"""One broker's part of a comparison: a run that is made, watched, drained and removed, whatever happens.

Knows no technology. All runs of a comparison have one name: an event that follows from another has its id, and with it
its random values, from the run's name too, so it is the same on each. Their journals are whole: a line for every event.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eda_cli.cli import console
from eda_cli.cli.channel import with_channel
from eda_cli.cli.compared import NO_LAGS, Compared
from eda_cli.cli.comparison import Told
from eda_cli.cli.knobs import hold
from eda_cli.cli.up import sweep
from eda_cli.cli.waiting import Waiting, waiting
from eda_cli.cli.wished import Knobs, decide, turned
from eda_cli.errors import ChannelError, EdaError, NoRun, NotReady
from eda_cli.journal import WHOLE, Listener
from eda_cli.runs import lifecycle
from eda_cli.runs.folder import RunFolder
from eda_cli.technologies import foreign
from eda_cli.view.awaited import Awaited
from eda_cli.view.escape import escaped

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel
    from eda_cli.sketch.load import Loaded

READY_S = 120.0  # as `up` waits; a pull is not among it
DRAIN_S = 15.0  # how long the groups have for what was published
QUIET_S = 1.0  # nothing open and nothing told for so long: they are done
LOOK_S = 0.05
NAME_LIMIT = 40  # of a run


class Interrupts:
    """Ctrl-C, or whatever else is to end the command: it is only noted, so that no run is left half made."""

    def __init__(self) -> None:
        self.wished = False
        self._wake, self._waker = os.pipe()

    def __enter__(self) -> Interrupts:
        os.set_blocking(self._waker, False)
        self._before = {wanted: signal.signal(wanted, self._note) for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        return self

    def __exit__(self, *_: object) -> None:
        for wanted, before in self._before.items():
            signal.signal(wanted, before)
        os.close(self._wake)
        os.close(self._waker)

    def _note(self, *_: Any) -> None:
        self.wished = True
        with suppress(BlockingIOError):
            os.write(self._waker, b"!")

    def wait(self, seconds: float) -> None:
        """Pass the time; at once, and from then on without waiting, where an end is wished."""
        select.select([self._wake], [], [], seconds)


class _Interrupted(EdaError):
    """The user does not want to wait for it."""


class Trial:
    """A sketch on one broker. `error` is why it cannot be made, or what made it fail."""

    def __init__(self, path: Path, loaded: Loaded, broker: str, seed: int) -> None:
        self.broker = broker
        self.error: EdaError | None = None
        self._path = path
        self._loaded = loaded
        self._seed = seed
        self._name = f"{loaded.resolved.name[:NAME_LIMIT - len('-compare')]}-compare"

    def prepare(self) -> None:
        """Whether the sketch can run there, and its image, if it needs one."""
        try:
            self._loaded = turned(self._loaded, self._path, Knobs(self.broker, self._name, (), self._seed))
            self._decision = decide(self._loaded.resolved, self._path.resolve().parent)
        except EdaError as wrong:
            self.error = wrong

    @property
    def stays_on(self) -> str:
        """The bus that eda did not start, on which all that is published stays; empty where it is eda's own."""
        return foreign(self._loaded.resolved.broker)

    def run(self, for_s: float, interrupts: Interrupts) -> Told:
        """Let its generators publish so long: what came of it. Nothing of it is left then, but what `stays_on` says."""
        told = Told(self.broker, self._seed, for_s)
        run = RunFolder.of(self._name)
        try:
            if self.error is not None:
                raise self.error
            if run.exists() and run.supervisor() is not None:
                self.error = EdaError(f"the run '{run.name}' is up", "another comparison of this sketch is running, it seems",
                                      f"wait for it, or end it: eda down --run {run.name}")
                raise self.error
            _Observed(run, self._wanted(), told, interrupts).observe(for_s)
        except EdaError as wrong:
            told.error = wrong
        return told

    def _wanted(self) -> lifecycle.Wanted:
        return lifecycle.Wanted(self._loaded.resolved, self._path.resolve(), self._loaded.text, lambda: self._decision,
                                fresh=True, named=True)


class _Observed:
    """A run, from making it to removing it."""

    def __init__(self, run: RunFolder, wanted: lifecycle.Wanted, told: Told, interrupts: Interrupts) -> None:
        self._run = run
        self._wanted = wanted
        self._told = told
        self._interrupts = interrupts
        self._fold = Compared(wanted.resolved)
        self._awaited = Awaited()
        self._begun = time.time()

    def observe(self, for_s: float) -> None:
        """Fill in what is told. Raises EdaError, after the run was removed."""
        os.environ[WHOLE] = "1"  # what the supervisor and all its children inherit
        brought: lifecycle.Brought | None = None
        with waiting(f"{self._told.broker}: starting") as status:
            try:
                brought = lifecycle.up(self._wanted, on_discard=sweep)
                self._supervisor = brought.supervisor
                listener = Listener(self._run.path)
                try:
                    self._wait_ready(listener, status)
                    status.update(f"{self._told.broker}: publishing for {for_s:g} s")
                    self._pass(listener, for_s)
                    status.update(f"{self._told.broker}: handling what is left")
                    hold(self._run, self._generators(), paused=True)
                    self._drain(listener)
                finally:
                    listener.close()
            finally:
                del os.environ[WHOLE]
                status.update(f"{self._told.broker}: removing what was made")
                self._remove(brought)

    def _generators(self) -> list[str]:
        return [one.name for one in self._wanted.resolved.generators.values() if one.replicas and not one.external]

    def _look(self, listener: Listener) -> None:
        """Wait a moment and take in what was told. Raises EdaError where it is over."""
        self._interrupts.wait(LOOK_S)
        if self._interrupts.wished:
            raise _Interrupted("interrupted")
        ended = self._supervisor is None or self._supervisor.poll() is not None
        seen = listener.poll()
        self._fold.see_all(seen)
        for one in seen:
            self._awaited.see(one)
            if one.kind == "warning":
                console.say(escaped(f"{self._told.broker}: {one.fields['text']}"), "yellow")
        if (failure := self._fold.picture.failure) is not None:
            raise EdaError(failure.get("what", "the run failed"), failure.get("why", ""), failure.get("hint", ""))
        if ended:
            raise EdaError(f"the run '{self._run.name}' ended by itself", "somebody stopped or killed it")

    def _wait_ready(self, listener: Listener, status: Waiting) -> None:
        deadline = time.monotonic() + READY_S
        while self._fold.ready_at is None:
            self._look(listener)
            if self._awaited.text:
                status.update(f"{self._told.broker}: {self._awaited.text}", self._awaited.log)
            if time.monotonic() > deadline:
                parts = self._fold.picture.parts.items()
                late = ", ".join(dict.fromkeys(name for (name, _), part in parts if part.state == "starting"))
                raise NotReady(f"it was not ready in {READY_S:.0f} s", f"still waiting for: {late or 'the broker'}")
        self._told.ready_s = round(self._fold.ready_at - self._begun, 3)
        with_channel(self._run, self._ask_version)

    def _ask_version(self, channel: EventChannel) -> None:
        self._told.version = channel.version()

    def _pass(self, listener: Listener, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._look(listener)

    def _drain(self, listener: Listener) -> None:
        """Until all that was published is settled and nothing follows any more, or DRAIN_S have passed."""
        deadline, quiet_since, moved = time.monotonic() + DRAIN_S, time.monotonic(), self._fold.moved
        while (now := time.monotonic()) < deadline and (self._fold.open or now - quiet_since < QUIET_S):
            self._look(listener)
            if self._fold.moved != moved:
                moved, quiet_since = self._fold.moved, time.monotonic()
        self._told.figures = figures = self._fold.figures(time.time(), self._lags() if self._fold.open else NO_LAGS)
        if figures.untold:
            raise EdaError(f"the journals miss {figures.untold:,} lines", "what is lost cannot be told from them",
                           "is the disk full?")

    def _lags(self) -> Mapping[str, int | None]:
        """What the channel has left for each group, where it knows."""
        lags: dict[str, int | None] = {}
        with suppress(ChannelError):
            with_channel(self._run, lambda channel: lags.update({group.name: group.lag for group in channel.groups()}))
        return lags

    def _remove(self, brought: lifecycle.Brought | None) -> None:
        """In a hurry where the run failed or the user waits: nothing of it is to be kept."""
        if brought is None:
            return
        if self._told.figures is None and (pid := self._run.supervisor()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        with suppress(NoRun):  # somebody took it down
            lifecycle.remove(self._run, sweep)
        if brought.leash is not None:
            os.close(brought.leash)
        if brought.supervisor is not None:
            brought.supervisor.wait()
