"""`ps`, `logs`, `topics` and `groups`: what is there, looked at and not remembered."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Json, Run, complete_group, complete_part, complete_topic
from eda_cli.errors import EdaError, UnknownTopic, UsageError

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, Start
    from eda_cli.journal import Observation
    from eda_cli.runs.folder import RunFolder
    from eda_cli.sketch.resolved import Consumer, Generator

FOLLOW_S = 0.05


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: eda ps · eda ps --json")(ps)
    app.command(epilog="Examples: eda logs · eda logs invoicing -f · eda logs -n 20")(logs)
    app.command(epilog="Examples: eda topics · eda topics create refunds --partitions 6 · eda topics delete refunds")(topics)
    app.command(epilog="Examples: eda groups · eda groups reset invoicing --to beginning · "
                       "eda groups reset invoicing --to @-10m")(groups)


# --- ps


def ps(json: Json = False) -> None:
    """Runs and their processes: what is alive, what crashed, how far it came."""
    from eda_cli.runs.folder import all_runs

    rows = [_run_row(run) for run in all_runs()]
    if json:
        for row in rows:
            console.write_json(row)
        return
    if not rows:
        console.say("there is no run; start one with: eda up")
    for row in rows:
        _print_run(row)


def _run_row(run: RunFolder) -> dict[str, Any]:
    """The truth about a run: held locks say what is alive, journals what it did, the channel how far groups are."""
    from eda_cli.view.picture import Picture

    alive = run.alive()
    picture = Picture().see_all(run.last_told())
    info, sketch = run.info(), run.sketch()
    up = "supervisor" in alive
    if up:
        state = "running" if picture.state == "running" else "starting"
    else:
        state = "stopped" if picture.state == "stopped" else "crashed"
    lags = _lags(run) if up and state == "running" else picture.groups
    parts = []
    for generator in sketch.generators.values():
        parts += _part_rows(run, picture, generator, "generator", alive)
    for consumer in sketch.consumers.values():
        for row in _part_rows(run, picture, consumer, "consumer", alive):
            parts.append(row | {"lag": lags.get(consumer.group)})
    helpers = [{"process": process, "pid": pid} for process, pid in alive.items()
               if process in ("supervisor", "keeper", "stubs")]
    return {"run": run.name, "state": state, "broker": info.broker["kind"], "address": run.address(),
            "seed": info.seed, "sketch": info.path, "parts": parts, "processes": helpers,
            "failure": dict(picture.failure) if picture.failure and not up else None}


def _part_rows(run: RunFolder, picture: Any, part: Generator | Consumer, kind: str,
               alive: dict[str, int]) -> list[dict[str, Any]]:
    if part.external:
        return [{"part": part.name, "kind": kind, "state": "external"}]
    return [_part_row(run, picture, part.name, kind, replica, part.replicas, alive)
            for replica in range(1, part.replicas + 1)]


def _part_row(run: RunFolder, picture: Any, name: str, kind: str, replica: int, replicas: int,
              alive: dict[str, int]) -> dict[str, Any]:
    process = f"{name}.{replica}"
    seen = picture.parts.get((name, replica if replicas > 1 else 0)) or picture.parts.get((name, replica))
    told = seen.state if seen else "starting"
    row: dict[str, Any] = {"part": name if replicas == 1 else process, "kind": kind, "pid": alive.get(process)}
    if process in alive:
        row["state"] = "running"
        row["up_s"] = round(time.time() - (run.path / f"{process}.lock").stat().st_mtime, 1)
    else:
        row["state"] = told if told in ("finished", "stopped", "crashed") else \
            "crashed" if told == "running" or "supervisor" not in alive else "starting"
    if seen:
        row |= {kind: seen.total(kind) for kind in ("published", "handled", "failed") if seen.total(kind)}
        row["restarts"] = picture.restarts.get(name, 0)
        if row["state"] == "crashed" and seen.reason:
            row["reason"] = seen.reason
    return row


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
    from rich.table import Table

    from eda_cli.view.escape import escaped

    address = row["address"] or {}
    where = address.get("bootstrap") or address.get("path") or "-"
    console.out().print(f"{row['run']}: {row['state']} on {address.get('version') or row['broker']} · {where} · "
                        f"{escaped(row['sketch'])}", style="bold", soft_wrap=True)
    if row["failure"]:
        console.out().print(f"  it failed: {escaped(str(row['failure'].get('what')))}", style="red", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("PART", "STATE", "PID", "UP"):
        table.add_column(column, no_wrap=True)
    for column in ("PUBLISHED", "HANDLED", "FAILED", "RESTARTS", "LAG"):
        table.add_column(column, justify="right", no_wrap=True)
    for part in row["parts"]:
        lag = part.get("lag", "")
        table.add_row(
            part["part"], part["state"] + (f" ({part['reason']})" if "reason" in part else ""),
            str(part.get("pid") or ""), _up(part.get("up_s")),
            *(f"{part[kind]:,}" if part.get(kind) else "" for kind in ("published", "handled", "failed", "restarts")),
            "?" if lag is None else str(lag))
    console.out().print(table)


def _up(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"


# --- logs


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


# --- topics


def topics(
    action: Annotated[str | None, typer.Argument(metavar="[create|delete]", help="Without it: list them.")] = None,
    names: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC]...", autocompletion=complete_topic)] = None,
    partitions: Annotated[int, typer.Option("--partitions", min=1, max=1000, help="Of a topic that is created.")] = 3,
    compacted: Annotated[bool, typer.Option("--compacted", help="Keep the last event of each key.")] = False,
    retention: Annotated[str | None, typer.Option("--retention", metavar="TIME", help="Keep events so long: 1h, 7d.")] = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """The topics of a run, with their partitions and how many events they hold; or create and delete some."""
    from eda_cli.runs.lifecycle import find

    found = find(run)
    if action is None:
        with_channel(found, lambda channel: _list_topics(channel.topics(), json))
    elif action == "create":
        _create_topics(found, names, partitions, compacted, retention)
    elif action == "delete":
        _delete_topics(found, names)
    else:
        raise UsageError(f"'{action}' is nothing to do with topics", "known: create, delete", "list them with: eda topics")


def _list_topics(found: Any, json: bool) -> None:
    from rich.table import Table

    if json:
        for topic in found:
            console.write_json({"topic": topic.name, "events": topic.events, "compacted": topic.compacted,
                                "retention_s": topic.retention_s,
                                "partitions": [part._asdict() for part in topic.partitions]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("TOPIC", "PARTITIONS", "EVENTS", "OFFSETS"):
        table.add_column(column, justify="left" if column in ("TOPIC", "OFFSETS") else "right")
    for topic in found:
        table.add_row(topic.name, str(len(topic.partitions)) if topic.partitions else "?",
                      "?" if topic.events is None else f"{topic.events:,}",
                      " ".join(f"{part.first}..{part.end}" for part in topic.partitions[:12]))
    console.out().print(table)


def _create_topics(run: RunFolder, names: list[str] | None, partitions: int, compacted: bool,
                   retention: str | None) -> None:
    from eda_cli.channels.base import Topic
    from eda_cli.payloads import parse_duration

    retention_s = None
    if retention is not None:
        try:
            retention_s = parse_duration(retention)
        except ValueError as wrong:
            raise UsageError(f"--retention {retention} is no time", str(wrong), "for example: 7d") from None
    for name in _named(names):
        check_topic_name(name)

    def create(channel: EventChannel) -> None:
        there = {topic.name for topic in channel.topics()}
        if taken := [name for name in names or () if name in there]:
            raise EdaError(f"the topic '{taken[0]}' exists already", "", "list them with: eda topics")
        channel.declare([Topic(name, partitions, retention_s, compacted) for name in names or ()], [])
        for name in names or ():
            console.say(f"created {name} with {partitions} partitions")

    with_channel(run, create)


def _delete_topics(run: RunFolder, names: list[str] | None) -> None:
    sketch = run.sketch()
    for name in _named(names):
        if name in sketch.topics:
            raise EdaError(f"the topic '{name}' belongs to the sketch that runs", "its parts use it",
                           "take it out of the sketch first")

    def delete(channel: EventChannel) -> None:
        missing_topic_hint(channel, list(names or ()))
        channel.remove(list(names or ()), [])
        for name in names or ():
            console.say(f"deleted {name}")

    with_channel(run, delete)


def _named(names: list[str] | None) -> list[str]:
    if not names:
        raise UsageError("which topic?", "no name was given", "for example: eda topics create refunds")
    return names


# --- groups


def groups(
    action: Annotated[str | None, typer.Argument(metavar="[reset]", help="Without it: list them.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="[GROUP]", autocompletion=complete_group)] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="WHERE",
                                           help="beginning, end, an offset, @time or @-10m.")] = None,
    topic: Annotated[list[str] | None, typer.Option("--topic", help="Only this topic's positions.",
                                                    autocompletion=complete_topic)] = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """The groups of a run, where they are and how far behind; or set where one goes on (its members must be stopped)."""
    from eda_cli.runs.lifecycle import find

    found = find(run)
    if action is None:
        with_channel(found, lambda channel: _list_groups(channel.groups(), json))
    elif action == "reset":
        if name is None or to is None:
            raise UsageError("which group, and where to?", "reset needs a group and --to",
                             "for example: eda groups reset invoicing --to beginning")
        start = parse_start(to, "--to")
        with_channel(found, lambda channel: _reset(channel, name, topic or [], start))
    else:
        raise UsageError(f"'{action}' is nothing to do with groups", "known: reset", "list them with: eda groups")


def _reset(channel: EventChannel, name: str, topics: list[str], start: Start) -> None:
    known = {group.name for group in channel.groups()}
    if name not in known:
        raise EdaError(f"there is no group '{name}'", f"groups: {', '.join(sorted(known)) or 'none'}")
    channel.reset(name, topics, start)
    console.say(f"{name} goes on from there")


def _list_groups(found: Any, json: bool) -> None:
    from rich.table import Table

    if json:
        for group in found:
            console.write_json({"group": group.name, "members": group.members, "lag": group.lag, "places": [
                {"topic": one.place.topic, "partition": one.place.partition, "committed": one.committed,
                 "end": one.end, "lag": one.lag, "member": one.member} for one in group.places]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("GROUP", "MEMBERS", "PLACE", "COMMITTED", "END", "LAG"):
        table.add_column(column, justify="left" if column in ("GROUP", "PLACE") else "right")
    for group in found:
        table.add_row(group.name, str(group.members), "", "", "", _number(group.lag), style="bold")
        for one in group.places:
            table.add_row("", "", f"{one.place.topic}[{one.place.partition}]", _number(one.committed),
                          _number(one.end), _number(one.lag))
    console.out().print(table)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


# --- what other commands use as well


def open_channel(run: RunFolder) -> EventChannel:
    """The channel of a run that is up. Raises Unreachable while its broker has not answered yet."""
    from eda_cli.channels import connect
    from eda_cli.errors import Unreachable

    address = run.address()
    if address is None:
        raise Unreachable(f"the broker of '{run.name}' is not ready yet", "", "wait for: eda ps")
    return connect(address)


def with_channel(run: RunFolder, work: Any) -> None:
    channel = open_channel(run)
    try:
        work(channel)
    finally:
        channel.close()


def missing_topic_hint(channel: EventChannel, wanted: list[str]) -> None:
    """Raises UnknownTopic with a suggestion where one of these topics is not there."""
    from difflib import get_close_matches

    there = [topic.name for topic in channel.topics()]
    for name in wanted:
        if name not in there:
            close = get_close_matches(name, there, 1)
            raise UnknownTopic(name, f"topics: {', '.join(there) or 'none'}",
                               f"did you mean '{close[0]}'?" if close else "see them with: eda topics")


def check_topic_name(name: str) -> None:
    """Raises UsageError where no topic can have this name."""
    from eda_cli.sketch.kinds import TOPIC, Misfit

    try:
        TOPIC.read(name)
    except Misfit as wrong:
        raise UsageError(f"'{name}' cannot be a topic's name", str(wrong) or f"it must be {TOPIC.expected}",
                         "for example: purchases") from None


def parse_start(text: str, option: str) -> Start:
    """`beginning|end|N|-N|@time`. Raises UsageError."""
    from eda_cli.channels.base import Start
    from eda_cli.event import epoch
    from eda_cli.payloads import parse_duration

    if text in ("beginning", "end"):
        return Start(text)  # type: ignore[arg-type]
    if text.lstrip("-").isdigit() and text.count("-") <= 1:
        return Start("last", -int(text)) if text.startswith("-") else Start("offset", int(text))
    if text.startswith("@"):
        try:
            if text.startswith("@-"):
                return Start("time", time.time() - parse_duration(text[2:]))
            return Start("time", float(text[1:]) if text[1:].replace(".", "", 1).isdigit() else epoch(text[1:]))
        except ValueError:
            pass
    raise UsageError(f"{option} {text} is no place in a topic",
                     "known: beginning, end, an offset such as 42, -10 for the last ten, @2026-11-24T09:30:00Z or @-10m",
                     f"for example: {option} beginning")

