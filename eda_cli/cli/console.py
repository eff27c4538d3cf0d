"""Where text goes: what was asked for to stdout, narration and errors to stderr. Knows no command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from eda_cli.errors import EdaError, Problem, SketchError

if TYPE_CHECKING:
    from rich.console import Console

NARROW = 8  # columns of a text in a table, at least
INDENT = "  "  # of the lines on which a long one goes on


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


@cache
def on_terminal() -> bool:
    """Whether stdout is a terminal. FORCE_COLOR gives a pipe colours, and nothing else that a terminal has."""
    return sys.stdout.isatty()


def width() -> int | None:
    """Columns of the terminal that stdout is; None where it is none: there no line is cut."""
    return out().width if on_terminal() else None


def can_spin() -> bool:
    """Whether stderr is a terminal on which something can move."""
    return sys.stderr.isatty() and not err().is_dumb_terminal


def say(text: str, style: str = "") -> None:
    """A line of narration."""
    err().print(text, style=style or None, soft_wrap=True)


def write_problem(problem: Problem, file: str, warns: bool = False) -> None:
    """What is wrong with a sketch, or looks it, where that was asked for."""
    _print_problem(out(), sys.stdout.isatty(), problem, file, warns)


def say_problem(problem: Problem, file: str, warns: bool = False) -> None:
    """The same as narration."""
    _print_problem(err(), sys.stderr.isatty(), problem, file, warns)


def _print_problem(to: Console, on_terminal: bool, problem: Problem, file: str, warns: bool) -> None:
    from eda_cli.view.escape import escaped

    text, style = escaped(problem.text(file, "warning" if warns else "")), "yellow" if warns else "red"
    for line in _broken(to, text, INDENT) if on_terminal else [text]:
        to.print(line, style=style, soft_wrap=True)


def print_under(head: str, text: str, style: str) -> None:
    """What was asked for, as one line; on a terminal all of the text stands to the right of its head."""
    for line in _broken(out(), text, " " * len(head), head) if sys.stdout.isatty() else [head + text]:
        out().print(line, style=style, soft_wrap=True)


def _broken(to: Console, text: str, indent: str, head: str = "") -> Iterator[str]:
    """Its lines on a terminal, which would break them in the middle of a word: the first behind the head, the others indented."""
    from rich.text import Text

    for index, line in enumerate(Text(text).wrap(to, max(NARROW, to.width - len(indent)))):
        yield (indent if index else head) + line.plain.rstrip()


def events(many: int) -> str:
    """So many, in words."""
    return "1 event" if many == 1 else f"{many:,} events"


def write_line(data: bytes) -> None:
    """A line of JSON, byte by byte; for a terminal what it could obey is escaped in it."""
    if on_terminal():
        from eda_cli.view.escape import escaped_json

        data = escaped_json(data.decode()).encode()
    sys.stdout.buffer.write(data + b"\n")


def flush() -> None:
    if sys.stdout is not None:  # it may be closed: `eda check >&-`
        sys.stdout.buffer.flush()


def write_json(value: Any) -> None:
    """One JSON object as one line."""
    import orjson

    write_line(orjson.dumps(value))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str],
                bold: Callable[[Sequence[str]], bool] = lambda row: False) -> None:
    """Rows below their heads, without columns that are empty; those of `right` are numbers, which stand at the right.

    On a terminal a row is one line: what does not fit is cut, first the widest texts. Else nothing is cut.
    """
    from rich.cells import cell_len

    kept = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    wide = {index: max(cell_len(row[index]) for row in (columns, *rows)) for index in kept}
    limit = width()
    if limit is not None:
        _narrow(wide, limit - 2 * (len(kept) - 1), {index for index in kept if columns[index] not in right})

    def line(row: Sequence[str]) -> str:
        cells = {index: _cut(row[index], wide[index]) for index in kept}
        gaps = {index: " " * (wide[index] - cell_len(cells[index])) for index in kept}
        whole = "  ".join(gaps[index] + cells[index] if columns[index] in right else cells[index] + gaps[index]
                          for index in kept).rstrip()
        return whole if limit is None else _cut(whole, limit)

    out().print(line(columns), style="dim", soft_wrap=True)
    for row in rows:
        out().print(line(row), style="bold" if bold(row) else None, soft_wrap=True)


def _narrow(wide: dict[int, int], limit: int, texts: Collection[int]) -> None:
    """Make the widest of the texts narrower until all columns fit, but none narrower than NARROW."""
    while sum(wide.values()) > limit:
        widest = max(texts, key=lambda index: wide[index], default=None)
        if widest is None or wide[widest] <= NARROW:
            return
        wide[widest] -= 1


def _cut(text: str, cells: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "…"


def report(error: EdaError) -> None:
    """What, why and what to do: one line each; each problem of a sketch on a line of its own."""
    from eda_cli.view.escape import escaped

    if isinstance(error, SketchError):
        for problem in error.problems:
            say_problem(problem, error.file)
        many = len(error.problems)
        say(f"eda: {many} {'problem' if many == 1 else 'problems'} in {error.file}")
        return
    for index, line in enumerate(str(error).splitlines()):
        say(f"eda: {escaped(line)}" if index == 0 else f"  {escaped(line)}", "red" if index == 0 else "")


def close_quietly() -> None:
    """Whoever read our output is gone: nothing more is written, not even at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
