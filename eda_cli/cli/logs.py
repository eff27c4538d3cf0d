"""`logs`: what `up` showed, again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Json, Run, complete_part, with_examples
from eda_cli.cli.said import Log
from eda_cli.errors import UsageError

if TYPE_CHECKING:
    from eda_cli.journal import Observation
    from eda_cli.view.lines import Flow

FOLLOW_S = 0.05
SETTLED_S = 0.3  # what is followed is shown so much later: until then another part may write of an earlier moment


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
    from eda_cli.runs.finding import find_any
    from eda_cli.view.lines import Flow

    found = find_any(run)
    sketch = found.sketch()
    known = {*sketch.generators, *sketch.consumers, "run", "keeper", "stubs", "publish"}
    if unknown := [part for part in parts or () if part not in known]:
        from eda_cli.sketch.words import did_you_mean

        raise UsageError(f"there is no part '{unknown[0]}'", f"parts of {found.name}: {', '.join(sorted(known))}",
                         did_you_mean(unknown[0], known))
    heard = _Heard(found.path, set(parts or known))
    flow = Flow(console.out(), sketch.replicas(), console.width())
    told = heard.poll(SETTLED_S if follow else 0)
    _write(deque(told, lines)) if json else _show(flow, told, lines)
    up = True
    while follow and up:
        console.flush()
        time.sleep(FOLLOW_S)
        up = found.supervisor() is not None  # before the last look: nothing is told after it
        told = heard.poll(SETTLED_S if up else 0)
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

        self._listener, self._parts = Listener(folder), parts
        self._folder = folder
        self._logs: dict[Path, Log] = {}
        self._held: list[Observation] = []

    def poll(self, settled_s: float) -> list[Observation]:
        """What was told since the last call, but what is younger than `settled_s`; never waits."""
        from eda_cli.event import rfc3339
        from eda_cli.journal import in_order

        for path in self._folder.glob("*.log"):
            if path not in self._logs:
                self._logs[path] = Log(path)
        moment = time.time()
        told = in_order([self._held, self._listener.poll(), *(log.read() for log in self._logs.values())])
        settled, now = rfc3339(moment - settled_s), rfc3339(moment)
        young = (index for index, one in enumerate(told) if settled < one.time <= now)  # of the future: a clock was set back
        end = next(young, len(told)) if settled_s else len(told)
        self._held = told[end:]
        return [one for one in told[:end] if one.part in self._parts]
