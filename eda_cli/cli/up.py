"""`up` and `down`: a sketch comes alive, and goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console
from eda_cli.cli.bus import staying
from eda_cli.cli.options import Json, Run, Sketch, complete_broker, complete_scale, seconds_of, with_examples
from eda_cli.cli.waiting import waiting
from eda_cli.cli.wished import Knobs, decide, load
from eda_cli.errors import NoRun, UsageError
from eda_cli.technologies import foreign

if TYPE_CHECKING:
    from eda_cli.runs.folder import RunFolder

DEFAULT_SKETCH = Path("sketch.yaml")


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda up",
                "eda up shop.yaml --broker embedded",
                "eda up -d --wait-timeout 60",
                "eda up --for 10s --json",
                "eda up --watch"))(up)
    app.command(epilog=with_examples(
                "eda down",
                "eda down --run shop",
                "eda down --keep",
                "eda down --all"))(down)


def up(
    sketch: Sketch = DEFAULT_SKETCH,
    broker: Annotated[str | None, typer.Option("--broker", metavar="NAME", autocompletion=complete_broker,
                                               help="embedded, kafka, …: in place of the sketch's.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name for this run.")] = None,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Start it and leave it running.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Apply each change of the sketch when it is saved.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away the events of the last run.")] = False,
    for_: Annotated[str | None, typer.Option("--for", metavar="TIME", help="Stop after this time: 10s, 5m.")] = None,
    scale: Annotated[list[str] | None, typer.Option("--scale", metavar="PART=N", autocompletion=complete_scale,
                                                    help="Another number of replicas; 0 stops it.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed of all random values.")] = None,
    wait_timeout: Annotated[float, typer.Option("--wait-timeout", metavar="SECONDS", min=0.1,
                                                help="How long to wait until all is ready.")] = 120.0,
    no_create: Annotated[bool, typer.Option("--no-create", help="Make no topic on a bus that already runs.")] = False,
    json: Json = False,
) -> None:
    """Start a sketch and show its events as they flow.

    Ctrl-C stops it and keeps the events. On a run that is up it applies what changed in the sketch, and shows its
    events; Ctrl-C then only detaches.
    """
    from eda_cli.cli import watching
    from eda_cli.runs import lifecycle
    from eda_cli.sketch.own_code import own_code

    if detach and (watch or for_ is not None):
        raise UsageError("-d does not go with --watch or --for", "it leaves the run to itself, and nobody would look",
                         "leave out -d")
    knobs = Knobs(broker, name, tuple(scale or ()), seed)
    seconds = seconds_of(for_, "--for") if for_ is not None else None
    path = sketch.resolve()
    with waiting(f"reading {sketch}") as status:
        loaded = load(sketch, knobs)
        if no_create and not loaded.resolved.guest:
            raise UsageError("--no-create is for a bus that already runs",
                             "the broker of this sketch is eda's own, and begins empty", "leave it out")
        if fresh and loaded.resolved.guest:
            console.say("warning: on a bus that eda did not start the events of the last run stay; the run begins anew",
                        "yellow")
        wanted = lifecycle.Wanted(
            loaded.resolved, path, loaded.text, lambda: decide(loaded.resolved, path.parent, creates=not no_create),
            fresh=fresh, leashed=not detach, named=name is not None, on_wait=status.update)
        status.update(f"starting {loaded.resolved.name}")
        brought = lifecycle.up(wanted, on_discard=sweep)
    watching.follow(brought, watching.Wishes(
        json=json, detach=detach, for_s=seconds, wait_s=wait_timeout,
        reload=(lambda: load(sketch, knobs)) if watch else None, discard=sweep, path=sketch, schemas=loaded.files,
        code=own_code(loaded.resolved, loaded.places)))


def down(
    run: Run = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the events: the next up goes on with them.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every run of this home.")] = False,
    json: Json = False,
) -> None:
    """Stop a run and delete its events; says what is gone."""
    from eda_cli.runs import finding, folder

    for one in folder.all_runs() if all_ else [finding.find_any(run)]:
        try:
            _down(one, keep, json)
        except NoRun:  # two at once: it is gone, which was wished
            console.say(f"{one.name} is gone already")


def _down(run: RunFolder, keep: bool, json: bool) -> None:
    from eda_cli.runs import lifecycle
    from eda_cli.view.picture import Picture

    broker, alive = run.info().broker, run.alive()
    kept = "its events are kept" if keep else ""
    if where := foreign(broker):
        kept = staying(where)
    processes, containers, events = len(alive), int(bool(broker.get("kept")) and "keeper" in alive), 0

    def discard(gone: RunFolder) -> None:
        nonlocal containers, events
        events = 0 if kept else Picture().see_all(gone.last_told()).published()
        containers = max(containers, sweep(gone))

    with waiting(f"stopping {run.name}"):
        if keep:
            lifecycle.stop(run)
        else:
            lifecycle.remove(run, discard)
    if json:
        console.write_json({"run": run.name, "processes": processes, "containers": containers, "events": events})
        return
    gone = [_many(processes, "process", "processes")]
    gone += [_many(containers, "container", "containers")] if containers else []
    gone += [_many(events, "event", "events")] if events else []
    console.say("; ".join(filter(None, (f"{run.name} is down: {', '.join(gone)}", kept))))


def sweep(run: RunFolder) -> int:
    """Remove what a run that stopped left on the engine; how many containers that were."""
    if not run.info().broker.get("kept"):
        return 0
    from eda_cli.channels.containers import Engine

    engine = Engine.connect()
    try:
        return len(engine.sweep(run.info().id, volumes=True)["containers"])
    finally:
        engine.close()


def _many(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
