"""`logs`: what `up` showed, again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Json, Run, complete_part, with_examples
from eda_cli.errors import UsageError

if TYPE_CHECKING:
    from eda_cli.journal import Observation

FOLLOW_S = 0.05


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda logs",
                "eda logs invoicing -f",
                "eda logs -n 20"))(logs)


def logs(
    parts: Annotated[list[str] | None, typer.Argument(metavar="[PART]...", help="Only these parts.",
                                                      autocompletion=complete_part)] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is told from now on.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last so many lines.")] = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """What up showed: flow lines and what the parts said on stderr, in the order of time."""
    from eda_cli.journal import Listener
    from eda_cli.runs.lifecycle import find_any

    found = find_any(run)
    sketch = found.sketch()
    known = {*sketch.generators, *sketch.consumers, "run", "keeper", "stubs", "publish"}
    if unknown := [part for part in parts or () if part not in known]:
        raise UsageError(f"there is no part '{unknown[0]}'", f"parts of {found.name}: {', '.join(sorted(known))}")
    wanted = set(parts or known)
    listener = Listener(found.path)
    logs_seen = _Logs(found.path)
    show = _LogLines(sketch, json)
    seen = sorted((*listener.poll(), *logs_seen.read()), key=lambda one: one.time)
    told = [one for one in seen if one.part in wanted and show.has_line(one)]
    for one in told[-lines:] if lines else told if lines is None else []:
        show(one)
    while follow:
        console.flush()
        time.sleep(FOLLOW_S)
        for one in sorted((*listener.poll(), *logs_seen.read()), key=lambda one: one.time):
            if one.part in wanted and show.has_line(one):
                show(one)
        if found.supervisor() is None:
            return


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
            with path.open("rb") as file:
                file.seek(self._at.get(path, 0))
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._at[path] = self._at.get(path, 0) + whole
            stamp = ""
            for line in data[:whole].decode(errors="replace").splitlines():
                first, _, rest = line.partition(" ")
                if len(first) == 27 and first.endswith("Z") and first[:4].isdigit():
                    stamp, line = first, rest
                found.append(Observation("log", stamp, part, {"text": line, "replica": int(replica or 0)}))
        return found


class _LogLines:
    """Prints observations as `up` does, or as JSON."""

    def __init__(self, sketch: Any, json: bool) -> None:
        from eda_cli.view.lines import COLOURS

        self._json = json
        names = [*sketch.generators, *sketch.consumers]
        self._colours = {part: COLOURS[index % len(COLOURS)] for index, part in enumerate(names)}

    def has_line(self, seen: Observation) -> bool:
        from eda_cli.view.lines import line_of

        return self._json or line_of(seen, "") is not None

    def __call__(self, seen: Observation) -> None:
        from eda_cli.view.lines import line_of

        if self._json:
            console.write_line(seen.to_line())
        elif line := line_of(seen, self._colours.get(seen.part, "bold"), 14):
            console.out().print(line, soft_wrap=True)
