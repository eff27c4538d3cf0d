"""How a change comes to the supervisor of a run that is up: a file in its folder, a signal, an answer in its journal.

Knows not what changes. Several changes may be on their way at once: each is a file of its own.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from eda_cli.errors import EdaError, NoRun, NotReady
from eda_cli.journal import Listener, marks
from eda_cli.runs.folder import RunFolder, write

WISH = "wish.json"  # a changed sketch
TOUCHES = "touch-*.json"  # what is done to parts while they run; the names stand in the order of time

APPLY_S = 30.0
LOOK_S = 0.02


def hand_over(run: RunFolder, pattern: str, change: Mapping[str, Any]) -> None:
    """Hand a WISH or one of TOUCHES over and wait until it is live; the journal names it by an `id` that is given to it.

    Raises EdaError where it is refused, NoRun where the run ended meanwhile, NotReady.
    """
    id_ = secrets.token_hex(8)
    name = pattern.replace("*", f"{time.time_ns()}-{id_}")
    listener = Listener(run.path, since=marks(run.path))
    try:
        write(run.path / name, orjson.dumps({**change, "id": id_}))
        told = False
        deadline = time.monotonic() + APPLY_S
        while time.monotonic() < deadline:
            if not told and (pid := run.supervisor()):
                with suppress(ProcessLookupError):  # it ended since: the next look says so
                    os.kill(pid, signal.SIGHUP)
                    told = True
            if _answered(listener, id_):
                return
            if run.supervisor() is None:
                raise NoRun(f"the run '{run.name}' ended meanwhile", "", f"start it with: {run.info().again()}")
            time.sleep(LOOK_S)
        raise NotReady("the change was not applied in time", f"its log: {run.path}/supervisor.log")
    finally:
        listener.close()
        (run.path / name).unlink(missing_ok=True)  # nobody waits for it any more


def _answered(listener: Listener, change: str) -> bool:
    """Whether it is live. Raises EdaError where it was refused."""
    for seen in listener.poll():
        if change not in seen.fields.get("changes", ()):
            continue
        if seen.kind == "failed":
            raise EdaError(seen.fields["what"], seen.fields["why"], seen.fields["hint"])
        if seen.kind == "applied":
            return True
    return False


def taken(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """The changes that were handed over by files of this name, oldest first; each is taken once."""
    found = []
    for path in sorted(folder.glob(pattern)):
        mine = path.with_suffix(".taken")  # another one may come under this name while we read
        with suppress(FileNotFoundError):  # who handed it over gave up
            path.rename(mine)
            found.append(orjson.loads(mine.read_bytes()))
            mine.unlink()
    return found


def forget(folder: Path) -> None:
    """What was handed to a supervisor that is gone is not for the next one."""
    for pattern in (WISH, TOUCHES):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
