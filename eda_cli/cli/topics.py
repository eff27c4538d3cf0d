"""`topics` and `groups`: what the channel holds, and how far its groups are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.channel import check_topic_name, missing_topic_hint, parse_start, with_channel
from eda_cli.cli.options import Json, Run, complete_group, complete_topic, with_examples
from eda_cli.errors import EdaError, UsageError

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, Start
    from eda_cli.runs.folder import RunFolder
    from eda_cli.sketch.resolved import Resolved


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda topics",
                "eda topics create refunds --partitions 6",
                "eda topics delete refunds"))(topics)
    app.command(epilog=with_examples(
                "eda groups",
                "eda groups reset invoicing --to beginning",
                "eda groups reset invoicing --to @-10m"))(groups)


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
        _refuse_foreign(found.sketch(), name)
        with_channel(found, lambda channel: _reset(channel, name, topic or [], start))
    else:
        raise UsageError(f"'{action}' is nothing to do with groups", "known: reset", "list them with: eda groups")


def _refuse_foreign(sketch: Resolved, group: str) -> None:
    own = sorted({sketch.group_of(part) for part in sketch.consumers.values()})
    if sketch.guest and group not in own:
        raise EdaError(f"the group '{group}' is not one of this run", "eda changes nothing of others on a Kafka that it "
                       "did not start", f"groups of this run: {', '.join(own) or 'none'}")


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
