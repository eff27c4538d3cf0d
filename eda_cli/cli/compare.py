"""`compare`: one sketch with one seed on several brokers, one after another, and what each made of it side by side.

Knows the registry, and no technology.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console, end_in_order
from eda_cli.cli.bus import staying
from eda_cli.cli.options import Json, Sketch, complete_broker, seconds_of, with_examples
from eda_cli.errors import EdaError, SketchError, UsageError
from eda_cli.technologies import TECHNOLOGIES

if TYPE_CHECKING:
    from eda_cli.cli.trial import Trial
    from eda_cli.sketch.load import Loaded


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda compare shop.yaml",
                "eda compare shop.yaml --brokers embedded,kafka --for 30s",
                "eda compare --json"))(compare)


def compare(
    sketch: Sketch = Path("sketch.yaml"),
    brokers: Annotated[str | None, typer.Option("--brokers", metavar="NAME,...", autocompletion=complete_broker,
                                                help="On which ones; default: all that can run here.")] = None,
    for_: Annotated[str, typer.Option("--for", metavar="TIME", help="How long the generators publish on each.")] = "10s",
    seed: Annotated[int | None, typer.Option("--seed", help="The seed of all random values.")] = None,
    json: Json = False,
) -> None:
    """Run a sketch on several brokers and compare what each made of it.

    They run one after another. An event is lost where a group that had to handle it did not, although nothing in it was
    at work any more. Nothing is left afterwards: each run is taken down, and its events with it, but on a bus that
    eda did not start.
    """
    from eda_cli.cli.comparison import Told, table
    from eda_cli.cli.trial import Interrupts
    from eda_cli.cli.wished import read

    for_s, named = seconds_of(for_, "--for"), _named(brokers)
    loaded = read(sketch)
    if seed is None:
        seed = loaded.resolved.seed if loaded.resolved.seed is not None else secrets.randbelow(1_000_000)
    trials = _trials(sketch, loaded, seed, named)
    told: list[Told] = []
    with Interrupts() as interrupts:
        for trial in trials:
            console.say(f"{trial.broker}: {for_}, seed {seed} …", "dim")
            one = trial.run(for_s, interrupts)
            if trial.stays_on:
                console.say(f"{trial.broker}: {staying(trial.stays_on)}", "yellow")
            if interrupts.wished:
                break
            told.append(one)
            if json:
                console.write_json(one.to_json())
                console.flush()
    if told and not json:
        table(told)
    if interrupts.wished:
        console.say("interrupted; nothing is left running", "dim")
        raise typer.Exit(130)
    if any(one.error is not None for one in told):
        raise typer.Exit(1)


def _named(brokers: str | None) -> list[str] | None:
    if brokers is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in brokers.split(",") if name.strip()))
    if wrong := [name for name in names if name not in TECHNOLOGIES]:
        from eda_cli.sketch.words import did_you_mean

        raise UsageError(f"there is no broker '{wrong[0]}'", f"known: {', '.join(TECHNOLOGIES)}",
                         did_you_mean(wrong[0], TECHNOLOGIES, "for example: --brokers embedded,kafka"))
    if not names:
        raise UsageError("--brokers names none", f"known: {', '.join(TECHNOLOGIES)}", "for example: --brokers embedded,kafka")
    return names


def _trials(path: Path, loaded: Loaded, seed: int, named: list[str] | None) -> list[Trial]:
    """One for each broker; images are pulled here, before any clock runs.

    One that was not asked for by name is left out where it cannot be had, with a line that says why.
    """
    from eda_cli.cli.trial import Trial

    trials = []
    for broker in named or TECHNOLOGIES:
        trial = Trial(path, loaded, broker, seed)
        end_in_order()  # a pull is ended in order
        trial.prepare()
        if trial.error is not None and named is None:
            console.say(f"left out: {broker}: {_reason(trial.error)}", "yellow")
        else:
            trials.append(trial)
    return trials


def _reason(error: EdaError) -> str:
    from eda_cli.view.escape import escaped

    if isinstance(error, SketchError):
        return escaped("; ".join(problem.text(error.file) for problem in error.problems))
    return escaped(error.line)
