"""`set`, `scale`, `pause`, `resume`, `restart` and `kill`: a run that is up is touched, its sketch stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Run, complete_knob, complete_part, complete_process, complete_scale, with_examples
from eda_cli.errors import EdaError, UsageError

if TYPE_CHECKING:
    from eda_cli.runs.folder import RunFolder
    from eda_cli.runs.touches import Touch
    from eda_cli.sketch.knobs import Turned


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda set webshop.rate=50/s",
                "eda set webshop.every=200ms..2s invoicing.takes=2s",
                "eda set webshop.stages='[{rate: 5/s..60/s, for: 10s}, {rate: 60/s, for: 1m}]'",
                "eda set invoicing.retries='{max: 3, backoff: 200ms}'"))(set)
    app.command(epilog=with_examples(
                "eda scale shipping=4",
                "eda scale shipping=0 invoicing=2"))(scale)
    app.command(epilog=with_examples(
                "eda pause webshop",
                "eda pause invoicing shipping"))(pause)
    app.command(epilog=with_examples("eda resume webshop"))(resume)
    app.command(epilog=with_examples("eda restart invoicing"))(restart)
    app.command(epilog=with_examples(
                "eda kill invoicing",
                "eda kill shipping.2"))(kill)


def set(
    knobs: Annotated[list[str], typer.Argument(metavar="PART.KEY=VALUE", help="What to turn, and what to.",
                                               autocompletion=complete_knob)],
    run: Run = None,
) -> None:
    """Turn knobs of parts while they run.

    Those of a generator are rate, every, stages, repeat, arrivals, count, after and replicas: with another clock its
    schedule begins anew, and its numbers go on. Those of a consumer are takes, fails, retries,
    dead_letter, idempotent, accepts, timeout and replicas. A value is written as in the sketch. The part keeps it when
    it crashes or is restarted; `eda up` brings back what the file says.
    """
    from eda_cli.sketch.knobs import fields_of, turn

    turned = []
    found = _find(run)
    live = found.sketch()
    given: dict[tuple[str, ...], str] = {}
    for knob in knobs:
        path, equals, text = knob.partition("=")
        part, dot, key = path.partition(".")
        if not (equals and dot and part and key):
            raise UsageError(f"{knob} is not PART.KEY=VALUE", "", "for example: eda set webshop.rate=50/s")
        turned.append(turn(live, part, key, text.strip(), found.name, found.text()))
        if (other := given.setdefault((part, *fields_of(key)), knob)) is not knob:
            raise UsageError(f"{other} and {knob} exclude each other", "", "give one of them")
        live = _touched(turned[-1:]).over(live)
    _turn(found, turned)


def scale(
    parts: Annotated[list[str], typer.Argument(metavar="PART=N", help="Parts, and how many replicas each has.",
                                               autocompletion=complete_scale)],
    run: Run = None,
) -> None:
    """Another number of replicas for parts while they run; 0 stops one."""
    from eda_cli.sketch.knobs import scale as scaled

    found = _find(run)
    turned = []
    for given in parts:
        part, equals, number = given.partition("=")
        if not equals:
            raise UsageError(f"{given} is not PART=N", "N is a number from 0 to 100", "for example: eda scale shipping=4")
        turned.append(scaled(found.sketch(), part, number, found.name))
    _turn(found, turned)


Parts = Annotated[list[str], typer.Argument(metavar="PART", help="Generators and consumers.", autocompletion=complete_part)]


def pause(parts: Parts, run: Run = None) -> None:
    """Hold parts until they are resumed. A generator publishes nothing, a consumer stays in its group and handles nothing."""
    _hold(_find(run), parts, True)


def resume(parts: Parts, run: Run = None) -> None:
    """Let paused parts go on. A generator makes up for nothing: it goes on where its schedule was."""
    _hold(_find(run), parts, False)


def restart(parts: Parts, run: Run = None) -> None:
    """Stop parts in order and start them again."""
    from eda_cli.runs.touches import Touch
    from eda_cli.sketch.knobs import part_of

    found = _find(run)
    sketch = found.sketch()
    for part in parts:
        part_of(sketch, part, found.name)
        if not sketch.replicas()[part]:
            raise EdaError(f"'{part}' has no process", "it is scaled to 0", f"start one with: eda scale {part}=1")
    names = tuple(dict.fromkeys(parts))
    _hand_over(found, Touch(tuple({"part": part, "text": "restarted"} for part in names), restart=names))
    for part in names:
        console.say(f"{part}: restarted")


def kill(
    parts: Annotated[list[str], typer.Argument(metavar="PART[.N]", help="Parts, or single replicas of them.",
                                               autocompletion=complete_process)],
    run: Run = None,
) -> None:
    """Kill the processes of parts, and see them come back. It is SIGKILL: for the run a crash like any other."""
    from eda_cli.runs.touches import Touch

    found = _find(run)
    alive = found.alive()
    victims = list(dict.fromkeys(victim for given in parts for victim in _processes(found, given, alive)))
    told = tuple({"part": process.rpartition(".")[0], "replica": int(process.rpartition(".")[2]), "text": "killed"}
                 for process in victims)
    _hand_over(found, Touch(told, kill=tuple(victims)))
    replicas = found.sketch().replicas()
    for process in victims:
        part = process.rpartition(".")[0]
        console.say(f"{part if replicas[part] == 1 else process}: killed (process {alive[process]})")


def _processes(run: RunFolder, given: str, alive: dict[str, int]) -> list[str]:
    """The processes that are meant by PART or PART.N, and are alive. Raises UsageError, EdaError."""
    from eda_cli.sketch.knobs import part_of

    sketch = run.sketch()
    name, dot, number = given.partition(".")
    part_of(sketch, name, run.name)
    replicas = sketch.replicas()[name]
    every = [f"{name}.{replica}" for replica in range(1, replicas + 1)]
    if dot and given not in every:
        raise UsageError(f"there is no replica '{number}' of '{name}'", f"it has {replicas}",
                         f"for example: eda kill {every[0]}" if every else f"start one with: eda scale {name}=1")
    victims = [process for process in ([given] if dot else every) if process in alive]
    if not victims:
        raise EdaError(f"'{given}' has no process that could be killed", "it is not running", "see how it is: eda ps")
    return victims


def hold(run: RunFolder, parts: Iterable[str], paused: bool) -> list[str]:
    """Pause or resume parts; those of which it was not true before. Raises EdaError."""
    from eda_cli.runs.touches import Touch
    from eda_cli.sketch.knobs import part_of

    sketch = run.sketch()
    names = tuple(dict.fromkeys(parts))
    for name in names:
        part_of(sketch, name, run.name)
    done = "paused" if paused else "resumed"
    before = {name: (sketch.generators.get(name) or sketch.consumers[name]).paused for name in names}
    if turned := [name for name in names if before[name] != paused]:
        _hand_over(run, Touch(tuple({"part": name, "text": done} for name in turned),
                              fields={name: {"paused": paused} for name in turned}))
    return turned


def _hold(run: RunFolder, parts: Iterable[str], paused: bool) -> None:
    names = tuple(dict.fromkeys(parts))
    turned = hold(run, names, paused)
    done = "paused" if paused else "resumed"
    for name in names:
        console.say(f"{name}: {done}" if name in turned else f"{name}: it {'is' if paused else 'was not'} paused"
                    + (" already" if paused else ""))


def _turn(run: RunFolder, turned: list[Turned]) -> None:
    """Hand the knobs over, and say what happened."""
    from eda_cli.sketch.knobs import warnings
    from eda_cli.view.escape import escaped

    touch = _touched(turned)
    live = run.sketch()
    for warning in warnings(live, touch.over(live)):
        console.say(escaped(f"warning: {warning}"), "yellow")
    _hand_over(run, touch)
    for one in turned:
        console.say(escaped(f"{one.part}: {one.said}"))


def _touched(turned: list[Turned]) -> Touch:
    from eda_cli.runs.touches import Touch

    fields: dict[str, dict[str, Any]] = {}
    typed: dict[str, dict[str, str]] = {}
    topics: dict[str, Any] = {}
    for one in turned:
        fields.setdefault(one.part, {}).update(one.fields)
        typed.setdefault(one.part, {})[one.key] = one.text
        topics.update(one.topics)
    told = tuple({"part": one.part, "text": f"set {one.key}={one.text}"} for one in turned)
    return Touch(told, fields, typed, topics)


def _hand_over(run: RunFolder, touch: Touch) -> None:
    from eda_cli.runs.handing import TOUCHES, hand_over

    hand_over(run, TOUCHES, touch.to_json())


def _find(name: str | None) -> RunFolder:
    from eda_cli.runs.finding import find

    return find(name)
