"""`topics`: what the channel holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.channel import check_topic_name, demand, missing_topic_hint, with_channel
from eda_cli.cli.options import Json, Run, complete_topic, one_of, with_examples
from eda_cli.errors import EdaError, UsageError
from eda_cli.technologies import Ability

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel
    from eda_cli.runs.folder import RunFolder


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda topics",
                "eda topics create refunds --partitions 6",
                "eda topics delete refunds"))(topics)


def topics(
    action: Annotated[str | None, typer.Argument(metavar="create|delete", help="Without it: list them.",
                                                    autocompletion=one_of("create", "delete"))] = None,
    names: Annotated[list[str] | None, typer.Argument(metavar="TOPIC", autocompletion=complete_topic)] = None,
    partitions: Annotated[int, typer.Option("--partitions", min=1, max=1000, help="Of a topic that is created.")] = 3,
    compacted: Annotated[bool, typer.Option("--compacted", help="Keep the last event of each key.")] = False,
    retention: Annotated[str | None, typer.Option("--retention", metavar="TIME", help="Keep events so long: 1h, 7d.")] = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """List the topics of a run, or create and delete some. Listed are their partitions and how many events they hold.

    They are listed of a run that stopped, too, where that needs no broker to be started.
    """
    from eda_cli.runs.finding import find, find_kept

    if action is None:
        with_channel(find_kept(run), lambda channel: _list_topics(channel.topics(), json))
        return
    found = find(run)
    if action == "create":
        _create_topics(found, names, partitions, compacted, retention)
    elif action == "delete":
        _delete_topics(found, names)
    else:
        raise UsageError(f"'{action}' is nothing to do with topics", "known: create, delete", "list them with: eda topics")


def _list_topics(found: Any, json: bool) -> None:
    if json:
        for topic in found:
            console.write_json({"topic": topic.name, "events": topic.events, "compacted": topic.compacted,
                                "retention_s": topic.retention_s,
                                "partitions": [part._asdict() for part in topic.partitions]})
        return
    rows = [(topic.name, str(len(topic.partitions)) if topic.partitions else "?",
             "?" if topic.events is None else f"{topic.events:,}",
             " ".join(f"{part.first}..{part.end}" for part in topic.partitions)) for topic in found]
    console.print_table(("TOPIC", "PARTITIONS", "EVENTS", "OFFSETS"), rows, right=("PARTITIONS", "EVENTS"))


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
    for name in _named(names, "create"):
        check_topic_name(name)
    if compacted:
        demand(run, Ability.COMPACTION, "--compacted keeps the last event of each key", "leave it out")

    def create(channel: EventChannel) -> None:
        there = {topic.name for topic in channel.topics()}
        if taken := [name for name in names or () if name in there]:
            raise EdaError(f"the topic '{taken[0]}' exists already", "", "list them with: eda topics")
        hints = channel.declare([Topic(name, partitions, retention_s, compacted) for name in names or ()], [])
        for hint in hints:
            console.say(f"warning: {hint}", "yellow")
        divided = f" with {partitions} partition{'s' * (partitions > 1)}" if Ability.PARTITIONS in channel.can else ""
        for name in names or ():
            console.say(f"created {name}{divided}")

    with_channel(run, create)


def _delete_topics(run: RunFolder, names: list[str] | None) -> None:
    from eda_cli.stubs.forgetting import topic_is_gone

    sketch = run.sketch()
    for name in _named(names, "delete"):
        if name in sketch.topics:
            raise EdaError(f"the topic '{name}' belongs to the sketch that runs", "its parts use it",
                           "take it out of the sketch first")

    def delete(channel: EventChannel) -> None:
        missing_topic_hint(channel, list(names or ()))
        channel.remove(list(names or ()), [])
        topic_is_gone(run.path, list(names or ()))
        for name in names or ():
            console.say(f"deleted {name}")

    with_channel(run, delete)


def _named(names: list[str] | None, action: str) -> list[str]:
    if not names:
        raise UsageError("which topic?", "no name was given", f"for example: eda topics {action} refunds")
    return names
