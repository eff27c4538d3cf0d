"""Where text goes: what was asked for to stdout, narration and errors to stderr. Knows no command."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from eda_cli.errors import EdaError, SketchError

if TYPE_CHECKING:
    from rich.console import Console


@cache
def out() -> Console:
    """For what was asked for. Obeys NO_COLOR, FORCE_COLOR and TERM=dumb; no colour where it is no terminal."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # what that means is decided where errors become exit codes

    return Piped(highlight=False, markup=False, emoji=False)


@cache
def err() -> Console:
    """For narration, progress, warnings and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(text: str, style: str = "") -> None:
    """A line of narration."""
    err().print(text, style=style or None, soft_wrap=True)


def write_line(data: bytes) -> None:
    """A line of machine-readable output, as it is."""
    sys.stdout.buffer.write(data + b"\n")


def flush() -> None:
    sys.stdout.buffer.flush()


def write_json(value: Any) -> None:
    """One JSON object as one line."""
    import orjson

    write_line(orjson.dumps(value))


def report(error: EdaError) -> None:
    """What, why and what to do: one line each; each problem of a sketch on a line of its own."""
    from eda_cli.view.escape import escaped

    if isinstance(error, SketchError):
        for problem in error.problems:
            say(escaped(problem.text(error.file)), "red")
        many = len(error.problems)
        say(f"eda: {many} {'problem' if many == 1 else 'problems'} in {error.file}; nothing was started")
        return
    for index, line in enumerate(str(error).splitlines()):
        say(f"eda: {escaped(line)}" if index == 0 else f"  {escaped(line)}", "red" if index == 0 else "")


def close_quietly() -> None:
    """Whoever read our output is gone: nothing more is written, not even at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
