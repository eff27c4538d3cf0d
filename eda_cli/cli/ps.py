"""`ps`: runs and their processes, looked at and not remembered."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.channel import open_channel
from eda_cli.cli.options import Json, Run, with_examples
from eda_cli.errors import EdaError, NoRun

if TYPE_CHECKING:
    from eda_cli.runs.folder import RunFolder
    from eda_cli.sketch.resolved import Consumer, Generator, Resolved
    from eda_cli.view.picture import PartPicture, Picture

COUNTS = ("published", "handled", "failed", "restarts")
RARE = ("skipped", "dead_lettered", "given_up", "behind")  # a column only where there is one
HEADS = {"dead_lettered": "DEAD", "given_up": "GIVEN UP"}  # short, for 80 columns


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda ps",
                "eda ps --run shop --json"))(ps)


def ps(run: Run = None, json: Json = False) -> None:
    """Runs and their parts: what is alive, and how far it came. Below it why a part crashed, and the knobs turned since up."""
    from eda_cli.runs.finding import find_any
    from eda_cli.runs.folder import all_runs

    runs = [find_any(run)] if run is not None else all_runs()
    rows = [row for one in runs for row in _run_rows(one)]
    if json:
        for row in rows:
            console.write_json(row)
        return
    if not rows:
        console.say("there is no run; start one with: eda up")
    for index, row in enumerate(rows):
        if index:
            console.out().print()
        _print_run(row)


def _run_rows(run: RunFolder) -> list[dict[str, Any]]:
    try:
        return [_run_row(run)]
    except (NoRun, FileNotFoundError):  # it was taken down meanwhile
        return []


def _run_row(run: RunFolder) -> dict[str, Any]:
    """The truth about a run: held locks say what is alive, journals what it did, the channel how far groups are."""
    from eda_cli.view.picture import Picture

    alive = run.alive()
    up = "supervisor" in alive
    told = run.last_told()
    picture = Picture().see_all(told)
    if up and (not told or picture.supervisor not in (None, alive["supervisor"])):
        picture.begin()  # its supervisor has told nothing yet: what stands there is of one before it
    info, sketch = run.info(), run.sketch()
    ended = "stopped" if picture.state == "stopped" else "crashed"
    state = (picture.state or "running") if up else ended
    keeper = picture.helpers.get("keeper")
    away = keeper.reason if up and keeper is not None and keeper.state == "crashed" else None
    lags = _lags(run) if up and state == "running" else picture.groups
    parts = []
    for generator in sketch.generators.values():
        parts += _part_rows(run, picture, generator, "generator", alive)
    for consumer in sketch.consumers.values():
        for row in _part_rows(run, picture, consumer, "consumer", alive):
            parts.append(row | {"lag": lags.get(sketch.group_of(consumer))})
    helpers = [{"process": process, "pid": pid} for process, pid in alive.items()
               if process in ("supervisor", "keeper", "stubs")]
    return {"run": run.name, "state": state, "broker": info.broker["kind"], "address": run.address(),
            "seed": info.seed, "sketch": info.path, "parts": parts, "processes": helpers,
            "scaled_away": _scaled_away(sketch, picture),
            "broker_away": away, "failure": dict(picture.failure) if picture.failure and not up else None}


def _part_rows(run: RunFolder, picture: Picture, part: Generator | Consumer, kind: str,
               alive: dict[str, int]) -> list[dict[str, Any]]:
    knobs = {"paused": part.paused, "touched": dict(part.touched)}
    if part.external or not part.replicas:
        return [{"part": part.name, "kind": kind, "state": "external" if part.external else "scaled to 0", **knobs}]
    rows = [_part_row(run, picture, part.name, kind, replica, part.replicas, alive) | knobs
            for replica in range(1, part.replicas + 1)]
    return [row | {"state": "paused"} if part.paused and row["state"] == "running" else row for row in rows]


def _part_row(run: RunFolder, picture: Picture, name: str, kind: str, replica: int, replicas: int,
              alive: dict[str, int]) -> dict[str, Any]:
    process = f"{name}.{replica}"
    seen = picture.parts.get((name, replica))
    told = seen.state if seen else "starting"
    row: dict[str, Any] = {"part": name if replicas == 1 else process, "kind": kind, "pid": alive.get(process)}
    if process in alive:
        row["state"] = "running"
        row["up_s"] = round(max(0.0, time.time() - (run.path / f"{process}.lock").stat().st_mtime), 1)
    elif seen and told == "stopped" and seen.reason:
        row["state"] = "failed"  # it can do no more, and is not started again
    elif told in ("finished", "stopped", "crashed"):
        row["state"] = told
    elif "supervisor" in alive:
        row["state"] = "crashed" if told == "running" else "starting"
    else:
        row["state"] = "stopped" if picture.state == "stopped" else "crashed"
    if seen:
        row |= _counts(seen)
        row |= {"faults": dict(seen.faults)} if seen.faults else {}
        row["restarts"] = picture.restarts.get(process, 0)
        if row["state"] in ("crashed", "failed") and seen.reason:
            row["reason"] = seen.reason
    return row


def _scaled_away(sketch: Resolved, picture: Picture) -> dict[str, dict[str, int]]:
    """What replicas did that are wished no more, by part."""
    sums: dict[str, Counter[str]] = {}
    parts: dict[str, Generator | Consumer] = {**sketch.generators, **sketch.consumers}
    for (name, replica), seen in picture.parts.items():
        if name in parts and replica > parts[name].replicas and (counts := _counts(seen)):
            sums.setdefault(name, Counter()).update(counts)
    return {name: dict(counts) for name, counts in sums.items()}


def _counts(seen: PartPicture) -> dict[str, int]:
    """How many of each kind, of those that it has."""
    return {kind: seen.total(kind) for kind in (*COUNTS[:-1], *RARE) if seen.total(kind)}


def _lags(run: RunFolder) -> dict[str, int | None]:
    try:
        channel = open_channel(run)
        try:
            return {group.name: group.lag for group in channel.groups()}
        finally:
            channel.close()
    except EdaError:
        return {}


def _print_run(row: dict[str, Any]) -> None:
    from eda_cli.view.escape import escaped
    from eda_cli.view.lines import faults_told

    address = row["address"] or {}
    out = console.out()
    out.print(f"{row['run']}: {row['state']} on {address.get('version') or row['broker']}", style="bold", soft_wrap=True)
    where = {"at": address.get("at"), "events": address.get("path"), "sketch": row["sketch"]}
    for name, place in where.items():
        if place:
            out.print(f"  {name:<7}{escaped(place)}", style="dim", soft_wrap=True)
    if row["broker_away"]:
        out.print(f"  keeper: {escaped(row['broker_away'])}", style="red", soft_wrap=True)
    if row["failure"]:
        out.print(f"  it failed: {escaped(str(row['failure'].get('what')))}", style="red", soft_wrap=True)
    _print_parts(row["parts"])
    for part in row["parts"]:
        if "reason" in part:
            out.print(f"  {part['part']} {part['state']}: {escaped(part['reason'])}", style="red", soft_wrap=True)
    for part in row["parts"]:
        if "faults" in part:
            out.print(f"  {part['part']} faults: {faults_told(part['faults'])}", style="dim", soft_wrap=True)
    for name, counts in row["scaled_away"].items():
        did = ", ".join(f"{many:,} {kind.replace('_', ' ')}" for kind, many in counts.items())
        out.print(f"  {name}: {did} by replicas that were scaled away", style="dim", soft_wrap=True)
    for name, knobs in {_name(part): part["touched"] for part in row["parts"] if part["touched"]}.items():
        turned = " ".join(f"{key}={text}" for key, text in knobs.items())
        out.print(f"  {name}: {escaped(turned)}", style="dim", soft_wrap=True)


def _print_parts(parts: list[dict[str, Any]]) -> None:
    told: set[str] = set()
    lines = []
    counts = [kind for kind in (*COUNTS[:-1], *RARE, COUNTS[-1]) if kind in COUNTS or any(part.get(kind) for part in parts)]
    names = [HEADS.get(kind, kind.upper()) for kind in counts]
    for part in parts:
        name = _name(part)
        lag = "" if "lag" not in part or name in told else "?" if part["lag"] is None else str(part["lag"])
        told.add(name)  # the lag is that of the group: once for all replicas
        lines.append((part["part"], part["state"], str(part.get("pid") or ""), _up(part.get("up_s")),
                      *(f"{part[kind]:,}" if part.get(kind) else "" for kind in counts), lag))
    console.print_table(("PART", "STATE", "PID", "UP", *names, "LAG"), lines, right=("PID", "UP", *names, "LAG"))


def _name(row: dict[str, Any]) -> str:
    """Of the part, whichever replica it is."""
    name: str = row["part"].partition(".")[0]
    return name


def _up(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"
