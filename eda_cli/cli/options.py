"""Options that several commands share, and how they complete. Knows no command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from eda_cli.sketch.resolved import Resolved


def with_examples(*lines: str) -> str:
    """What stands below a command's help, a line each."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def complete_run(incomplete: str) -> Iterable[str]:
    """The runs of this home."""
    from eda_cli.runs.folder import all_runs

    return [run.name for run in all_runs() if run.name.startswith(incomplete)]


def complete_topic(incomplete: str) -> Iterable[str]:
    """The topics of the sketches that run."""
    return [name for sketch in _sketches() for name in sketch.topics if name.startswith(incomplete)]


def complete_part(incomplete: str) -> Iterable[str]:
    """The generators and consumers of the sketches that run."""
    return [name for sketch in _sketches() for name in (*sketch.generators, *sketch.consumers)
            if name.startswith(incomplete)]


def complete_group(incomplete: str) -> Iterable[str]:
    """The groups of the sketches that run."""
    names = {sketch.group_of(part) for sketch in _sketches() for part in sketch.consumers.values()}
    return sorted(name for name in names if name.startswith(incomplete))


def _sketches() -> list[Resolved]:
    from eda_cli.runs.folder import all_runs

    return [run.sketch() for run in all_runs()]


Run = Annotated[str | None, typer.Option("--run", metavar="NAME", help="Which run, where several are up.",
                                         autocompletion=complete_run)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Sketch = Annotated[Path, typer.Argument(metavar="[SKETCH]", help="The sketch; default: sketch.yaml here.")]
