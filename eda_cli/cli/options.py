"""Options that several commands share, and how they complete. Knows no command."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.errors import ChannelError, UsageError
from eda_cli.sketch.resolved import Resolved
from eda_cli.technologies import TECHNOLOGIES

if TYPE_CHECKING:
    from eda_cli.runs.folder import RunFolder


def with_examples(*lines: str) -> str:
    """What stands below a command's help, a line each."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def seconds_of(text: str, option: str) -> float:
    """What an option that takes a time says. Raises UsageError."""
    from eda_cli.payloads import parse_duration

    try:
        return parse_duration(text)
    except ValueError as wrong:
        raise UsageError(f"{option} {text} is no time", str(wrong), f"for example: {option} 10s") from None


def complete_run(incomplete: str) -> Iterable[str]:
    """The runs of this home."""
    from eda_cli.runs.folder import all_runs

    return [run.name for run in all_runs() if run.name.startswith(incomplete)]


def complete_topic(incomplete: str) -> Iterable[str]:
    """The topics of the sketches, and what else is there where looking is cheap: on the embedded channel."""
    from eda_cli.runs.folder import all_runs

    names = {name for run in all_runs() for name in (*run.sketch().topics, *_embedded_topics(run))}
    return sorted(name for name in names if name.startswith(incomplete))


def _embedded_topics(run: RunFolder) -> list[str]:
    from eda_cli.channels import connect

    address = run.address()
    if address is None or "path" not in address or not Path(address["path"]).exists():
        return []
    with suppress(ChannelError), closing(connect(address)) as channel:
        return [topic.name for topic in channel.topics()]
    return []


def complete_type(incomplete: str) -> Iterable[str]:
    """The event types of the sketches."""
    types = {type_ for sketch in _sketches() for type_ in sketch.events}
    types |= {event for sketch in _sketches() for part in sketch.generators.values() for event in part.events}
    types |= {rule.event for sketch in _sketches() for part in sketch.consumers.values() for rule in part.rules}
    return sorted(type_ for type_ in types if type_ and not type_.startswith("$") and type_.startswith(incomplete))


def complete_broker(incomplete: str) -> Iterable[str]:
    """What `--broker` takes."""
    return [name for name in ("auto", *TECHNOLOGIES) if name.startswith(incomplete)]


def complete_pulled(incomplete: str) -> Iterable[str]:
    """The brokers that have an image."""
    return [name for name, one in TECHNOLOGIES.items() if one.image is not None and name.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], Iterable[str]]:
    """Completes these words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def complete_part(incomplete: str) -> Iterable[str]:
    """The generators and consumers of the sketches."""
    return [name for sketch in _sketches() for name in (*sketch.generators, *sketch.consumers)
            if name.startswith(incomplete)]


def complete_keeper(incomplete: str) -> Iterable[str]:
    """The consumers of the sketches that keep a copy."""
    return [name for sketch in _sketches() for name, part in sketch.consumers.items()
            if part.keeps and name.startswith(incomplete)]


def complete_kept(incomplete: str) -> Iterable[str]:
    """The own copies of all consumers of the sketches."""
    names = {kept.name for sketch in _sketches() for part in sketch.consumers.values() for kept in part.keeps}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_scale(incomplete: str) -> Iterable[str]:
    """What `--scale` takes, up to the number."""
    return [f"{name}=" for name in complete_part(incomplete)]


def complete_knob(incomplete: str) -> Iterable[str]:
    """What `set` takes, up to the value."""
    from eda_cli.sketch.knobs import KNOBS

    found = [f"{name}.{key}=" for sketch in _sketches() for name in sketch.replicas()
             for key in KNOBS["generator" if name in sketch.generators else "consumer"]]
    return [knob for knob in found if knob.startswith(incomplete)]


def complete_process(incomplete: str) -> Iterable[str]:
    """What `kill` takes: parts, and the replicas of those that have several."""
    found = [*complete_part("")]
    found += [f"{part}.{replica}" for sketch in _sketches() for part, replicas in sketch.replicas().items()
              for replica in range(1, replicas + 1) if replicas > 1]
    return [process for process in found if process.startswith(incomplete)]


def complete_group(incomplete: str) -> Iterable[str]:
    """The groups of the sketches."""
    names = {sketch.group_of(part) for sketch in _sketches() for part in sketch.consumers.values()}
    return sorted(name for name in names if name.startswith(incomplete))


def _sketches() -> list[Resolved]:
    from eda_cli.runs.folder import all_runs

    return [run.sketch() for run in all_runs()]


Run = Annotated[str | None, typer.Option("--run", metavar="NAME", envvar="EDA_RUN", show_envvar=False,
                                         help="Which run, where several are up (or EDA_RUN, as eda env sets it).",
                                         autocompletion=complete_run)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Sketch = Annotated[Path, typer.Argument(metavar="SKETCH", show_default=False, help="The sketch; default: sketch.yaml here.")]
