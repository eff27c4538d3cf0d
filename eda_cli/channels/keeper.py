"""The keeper of a broker: brings its container up, watches it, starts it again. Knows no technology but by its recipe.

It adopts what is there: a container with the run's labels goes on where it was, whoever started it. Killed, it leaves
the container as it is. Its leash gone, it stops the container and keeps it for the next keeper.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from eda_cli.channels import connect
from eda_cli.channels.containers import Container, Engine, EngineRefused, PortTaken, Spec
from eda_cli.channels.keeper_bell import Bell, Ended, Watch
from eda_cli.errors import ChannelError, EdaError, NotReady, Unreachable
from eda_cli.journal import Journal
from eda_cli.log import log, log_libraries
from eda_cli.technologies import TECHNOLOGIES

PROBE_S = 0.03  # between two handshakes
QUIET_S = 5.0  # a broker that has not answered by then is shown by what it logs
LOG_LOOK_S = 1.0  # how often
LOG_SHOWN = 300  # characters of such a line
START_S = 180.0  # until the broker answers, on a machine that is busy
STOP_S = 10  # a broker writes its log out
LEASH_STOP_S = 2  # the supervisor is gone: everything is to be gone within 5 s
BACKOFF_S = (0.5, 10.0)  # between two tries to start it again
SETTLED_S = 30.0  # a broker that answered this long begins its failures anew


class Keeper:
    """One broker of one run. `run` returns the exit status."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = orjson.loads((folder / "run.json").read_bytes())
        self._kind: str = self._run["broker"]["kind"]
        self._recipe = import_module(TECHNOLOGIES[self._kind].recipe)
        self._journal = Journal(folder / "keeper.jsonl", "keeper")
        self._bell = Bell(LEASH_STOP_S + 0.5)
        self._engine: Engine | None = None
        self._container: Container | None = None
        self._watch: Watch | None = None
        self._answered = 0.0  # when it last began to answer
        self._failures = 0

    def run(self) -> int:
        log_libraries()
        self._bell.listen()
        try:
            return self._keep()
        finally:
            self._journal.close()
            self._bell.ended.set()

    def _keep(self) -> int:
        try:
            self._begin()
            while not self._bell.wait(None):
                if self._watch is not None and self._watch.over:
                    self._bring_back()
        except Ended:
            pass
        except EdaError as wrong:
            self._fail(wrong)
            return wrong.exit_code
        return self._end()

    # --- the start

    def _begin(self) -> None:
        """Bring the broker up and say where it is. Raises Unreachable, NotReady; then nothing new is left behind."""
        self._tell_starting("reaching the container engine")
        self._engine = Engine.connect()
        spec = self._spec()
        found = self._engine.find(spec.run_id, spec.role)
        self._container = self._adopt(found, spec) if found else None
        created = self._container is None
        had_data = True
        if self._container is None:
            self._tell_starting(f"starting {spec.image}")
            had_data = self._engine.has_volume(spec.run_id)
            self._container = self._engine.create(spec)
        try:
            self._await_answer()
        except EdaError:
            with suppress(Unreachable):  # why it did not answer is told, not what went wrong in clearing up
                self._clear_up(self._container, created, had_data)
            raise
        self._tell_ready()
        self._report("ready")

    def _clear_up(self, container: Container, created: bool, had_data: bool) -> None:
        """What did not come up does not go on running; what was made for it goes."""
        assert self._engine is not None
        if not created:
            self._engine.stop(container, STOP_S)
            return
        self._engine.remove(container)
        self._engine.leave_network(container.name)
        if not had_data:
            self._engine.sweep(self._run["id"], volumes=True)

    def _spec(self) -> Spec:
        wish = self._run["broker"]
        spec: Spec = self._recipe.spec(self._run["name"], self._run["id"], wish["image"], wish["port"])
        return spec

    def _adopt(self, found: Container, spec: Spec) -> Container | None:
        """The container that is there, running; None where it cannot be used any more and was removed."""
        assert self._engine is not None
        if found.image == spec.image and found.port is not None and spec.port in (None, found.port):
            try:
                if found.state != "running":
                    self._tell_starting(f"starting the container {found.name} again")
                    self._engine.start(found)
                return found
            except (PortTaken, EngineRefused) as wrong:  # its network was pruned, say: a new one finds the same data
                if isinstance(wrong, PortTaken) and spec.port is not None:
                    raise
        self._engine.remove(found)
        return None

    def _await_answer(self) -> None:
        """Until the broker speaks its protocol. Raises ContainerDied, NotReady, Ended."""
        assert self._engine is not None and self._container is not None
        container = self._container
        self._tell_starting(_waits_for(container))
        self._watch = Watch(container, self._bell.ring)
        began = time.monotonic()
        deadline, log_due, last = began + START_S, began + QUIET_S, ""
        while not self._recipe.answers(container.port):
            if self._watch.over:
                raise self._engine.died(self._engine.look(container.id) or container)
            if time.monotonic() > log_due:
                log_due, last = time.monotonic() + LOG_LOOK_S, self._tell_log(container, last)
            if time.monotonic() > deadline:
                raise NotReady(f"the broker in {container.name} did not answer in {START_S:g} s",
                               "\n".join(self._engine.last_log(container)), f"its log: docker logs {container.name}")
            self._bell.pause(PROBE_S)
        self._answered = time.monotonic()

    def _tell_log(self, container: Container, last: str) -> str:
        """Its last log line, told where it is not `last`."""
        assert self._engine is not None
        with suppress(Unreachable):  # the watch hears of that too
            line = next((line for line in reversed(self._engine.last_log(container)) if line.strip()), "")
            if line != last:
                self._journal.tell("starting", text=_waits_for(container), log=line.strip()[:LOG_SHOWN])
            return line
        return last

    # --- afterwards

    def _bring_back(self) -> None:
        """The container ended, or the engine went away: the broker comes back at the same address. Raises Ended."""
        if time.monotonic() - self._answered > SETTLED_S:
            self._failures = 0
        pause = self._backoff() if self._failures else 0.0  # it ends again and again
        self._failures += 1
        told = ""
        while True:
            try:
                self._start_again(pause)
                self._tell_ready()
                return
            except EdaError as wrong:
                if str(wrong) != told:
                    told = str(wrong)
                    self._journal.tell("waiting", text=wrong.line)
                    log(told)
            self._bell.pause(self._backoff())
            self._failures += 1
            pause = 0.0

    def _start_again(self, pause: float) -> None:
        """Let the container run until its broker answers; where it does not run, after a pause."""
        assert self._container is not None
        if self._engine is not None and self._watch is not None and self._watch.lost_engine:
            self._engine.close()
            self._engine = None
        if self._engine is None:
            self._engine = Engine.connect()
        seen = self._engine.look(self._container.id)
        if seen is None or not seen.running:
            reason = "its container is gone" if seen is None else \
                "it ran out of memory" if seen.out_of_memory else f"its container ended with status {seen.exit_code}"
            self._journal.tell("crashed", reason=f"the broker is down: {reason}", again_in_s=pause,
                               log=self._engine.last_log(seen) if seen else [])
            self._bell.pause(pause)
        self._container = (self._adopt(seen, replace(self._spec(), port=self._container.port)) if seen else None) or \
            self._engine.create(replace(self._spec(), port=self._container.port))
        self._await_answer()

    def _backoff(self) -> float:
        first, longest = BACKOFF_S
        return min(longest, first * 2.0 ** min(self._failures - 1, 8))

    # --- the end

    def _end(self) -> int:
        """Stop the container; on a wished stop remove it, its data stay."""
        try:
            if self._container is not None and self._engine is not None:
                self._engine.stop(self._container, LEASH_STOP_S if self._bell.leash_lost else STOP_S)
                if not self._bell.leash_lost:
                    self._engine.remove(self._container)
                    self._engine.leave_network(self._container.name)
        except Unreachable as wrong:
            log(f"could not stop the broker's container: {wrong}")
            self._journal.tell("failed", **_told(wrong))
            return wrong.exit_code
        self._journal.tell("stopped")
        return 0

    def _fail(self, wrong: EdaError) -> None:
        log(str(wrong))
        self._journal.tell("failed", **_told(wrong))
        self._report("failed", **_told(wrong))

    # --- telling

    def _tell_starting(self, text: str) -> None:
        self._journal.tell("starting", text=text)

    def _tell_ready(self) -> None:
        assert self._container is not None and self._container.port is not None
        address = {**self._recipe.address(self._container.name, self._container.port),
                   "ours": True, "run": self._run["name"], "network": self._container.name}
        address["version"] = self._recipe.version(self._container.image) or _version(address)
        new = self._folder / "channel.json.new"
        new.write_bytes(orjson.dumps(address))
        new.chmod(0o600)
        new.rename(self._folder / "channel.json")
        self._journal.tell("ready", address=address["at"], version=address["version"],
                           image=self._container.image, port=self._container.port, container=self._container.name)

    def _report(self, kind: str, **fields: Any) -> None:
        """Tell the supervisor, on the socket that is also the leash."""
        with suppress(OSError):  # nobody listens any more: the leash says so too
            os.write(0, orjson.dumps({"report": kind, "process": "keeper", **fields}) + b"\n")


def _waits_for(container: Container) -> str:
    return f"waiting for {container.image} to answer on port {container.port}"


def _told(wrong: EdaError) -> dict[str, Any]:
    return {"what": wrong.what, "why": wrong.why, "hint": wrong.hint, "exit_code": wrong.exit_code}


def _version(address: dict[str, Any]) -> str:
    """What answers there, for the header of `up`; not worth a failure. Imports the channel, which takes a while."""
    try:
        channel = connect(address)
        try:
            return channel.version()
        finally:
            channel.close()
    except ChannelError as wrong:
        log(f"could not ask for the version: {wrong}")
        return str(address["channel"])
