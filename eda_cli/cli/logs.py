"""`logs`: what `up` showed, again."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Json, Run, complete_part, with_examples
from eda_cli.errors import UsageError

if TYPE_CHECKING:
    from eda_cli.journal import Observation
    from eda_cli.view.lines import Flow

FOLLOW_S = 0.05


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda logs",
                "eda logs invoicing -f",
                "eda logs -n 20"))(logs)


def logs(
    parts: Annotated[list[str] | None, typer.Argument(metavar="PART", help="Only these parts.",
                                                      autocompletion=complete_part)] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is told from now on.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last so many lines.")] = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """What up showed, and what the parts said on stderr. It stands in the order of time."""
    from eda_cli.runs.lifecycle import find_any
    from eda_cli.view.lines import Flow

    found = find_any(run)
    sketch = found.sketch()
    known = {*sketch.generators, *sketch.consumers, "run", "keeper", "stubs", "publish"}
    if unknown := [part for part in parts or () if part not in known]:
        raise UsageError(f"there is no part '{unknown[0]}'", f"parts of {found.name}: {', '.join(sorted(known))}")
    heard = _Heard(found.path, set(parts or known))
    flow = Flow(console.out(), sketch.replicas(), console.width())
    told = heard.poll()
    _write(deque(told, lines)) if json else _show(flow, told, lines)
    up = True
    while follow and up:
        console.flush()
        time.sleep(FOLLOW_S)
        up = found.supervisor() is not None  # before the last look: nothing is told after it
        told = heard.poll()
        flow.resize(console.width())
        _write(told) if json else flow.show(told)
    if follow and not json:
        flow.say_left_out()


def _show(flow: Flow, told: Sequence[Observation], last: int | None) -> None:
    """The lines of what was told, or only the last ones; what the journals left out is counted at the end of all."""
    from eda_cli.view.lines import line_of

    if last is None:
        flow.show(told, every=True)
        flow.say_left_out()
        return
    flow.past(told)
    for one in deque((one for one in told if line_of(one, "") is not None), last):
        flow.line(one)


def _write(told: Iterable[Observation]) -> None:
    for one in told:
        console.write_line(one.to_line())


class _Heard:
    """What some parts of a run told: their journals and their logs, in the order of time."""

    def __init__(self, folder: Path, parts: Collection[str]) -> None:
        from eda_cli.journal import Listener

        self._listener, self._logs, self._parts = Listener(folder), _Logs(folder), parts

    def poll(self) -> list[Observation]:
        """What was told since the last call; never waits."""
        from eda_cli.journal import in_order

        told = in_order([self._listener.poll(), self._logs.read()])
        return [one for one in told if one.part in self._parts]


class _Logs:
    """The `.log` files of a run, read as observations of the kind `log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at: dict[Path, int] = {}

    def read(self) -> list[Observation]:
        from eda_cli.journal import Observation

        found = []
        for path in self._folder.glob("*.log"):
            name, _, replica = path.stem.partition(".")
            part = {"supervisor": "run"}.get(name, name)
            at = self._at.get(path, 0)
            with path.open("rb") as file:
                at = at if at <= file.seek(0, os.SEEK_END) else 0  # it turned over
                file.seek(at)
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._at[path] = at + whole
            stamp = ""
            for line in data[:whole].decode(errors="replace").splitlines():
                first, _, rest = line.partition(" ")
                if len(first) == 27 and first.endswith("Z") and first[:4].isdigit():
                    stamp, line = first, rest
                found.append(Observation("log", stamp, part, {"text": line, "replica": int(replica or 0)}))
        return found
