"""`groups`: how far the groups of a channel are, and where they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.channel import check_start, demand, demand_start, parse_start, with_channel
from eda_cli.cli.options import Json, Run, complete_group, complete_topic, one_of, with_examples
from eda_cli.errors import ChannelError, EdaError, UsageError
from eda_cli.technologies import Ability

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, GroupInfo, Place, Start
    from eda_cli.runs.folder import RunFolder
    from eda_cli.sketch.resolved import Resolved


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda groups",
                "eda groups reset invoicing --to beginning",
                "eda groups reset invoicing --to @-10m",
                "eda groups delete mine"))(groups)


def groups(
    action: Annotated[str | None, typer.Argument(metavar="reset|delete", help="Without it: list them.",
                                                    autocompletion=one_of("reset", "delete"))] = None,
    name: Annotated[str | None, typer.Argument(metavar="GROUP", autocompletion=complete_group)] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="WHERE",
                                           help="beginning, end, an offset, @time or @-10m.",
                                           autocompletion=one_of("beginning", "end"))] = None,
    topic: Annotated[list[str] | None, typer.Option("--topic", help="Only this topic's positions.",
                                                    autocompletion=complete_topic)] = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """List groups and how far behind they are; reset or delete one. Its members must be stopped before."""
    from eda_cli.runs.finding import find, find_kept

    if action is None:
        with_channel(find_kept(run), lambda channel: _list_groups(channel.groups(), json))
        return
    found = find(run)
    if action == "reset":
        if name is None or to is None:
            raise UsageError("which group, and where to?", "reset needs a group and --to",
                             "for example: eda groups reset invoicing --to beginning")
        start = parse_start(to, "--to")
        demand(found, Ability.REPLAY, f"where the group '{name}' goes on cannot be set")
        demand_start(found, start, "--to")
        _refuse_foreign(found.sketch(), name)
        with_channel(found, lambda channel: _reset(channel, found, name, topic or [], start))
    elif action == "delete":
        if name is None:
            raise UsageError("which group?", "no name was given", "for example: eda groups delete mine")
        if name in _own(found.sketch()):
            raise EdaError(f"the group '{name}' belongs to the sketch that runs", "its consumers are in it",
                           "take them out of the sketch first")
        with_channel(found, lambda channel: _delete(channel, found, name))
    else:
        raise UsageError(f"'{action}' is nothing to do with groups", "known: reset, delete", "list them with: eda groups")


def _own(sketch: Resolved) -> list[str]:
    return sorted({sketch.group_of(part) for part in sketch.consumers.values()})


def _refuse_foreign(sketch: Resolved, group: str) -> None:
    own = _own(sketch)
    if sketch.guest and group not in own:
        raise EdaError(f"the group '{group}' is not one of this run", "eda changes nothing of others on a bus that it "
                       "did not start", f"groups of this run: {', '.join(own) or 'none'}")


def _known(channel: EventChannel, name: str) -> GroupInfo:
    known = {group.name: group for group in channel.groups()}
    if name not in known:
        from eda_cli.sketch.words import did_you_mean

        raise EdaError(f"there is no group '{name}'", f"groups: {', '.join(sorted(known)) or 'none'}",
                       did_you_mean(name, known))
    return known[name]


def _reset(channel: EventChannel, run: RunFolder, name: str, topics: list[str], start: Start) -> None:
    from eda_cli.stubs.forgetting import begin_elsewhere

    group, parts = _known(channel, name), _parts(run.sketch(), name)
    read = topics or sorted({one.place.topic for one in group.places})
    check_start(start, [topic for topic in channel.topics() if topic.name in read], "--to")
    try:
        channel.reset(name, topics, start)
    except ChannelError as wrong:
        if group.members and parts:
            again, scaled = run.info().again, " ".join(f"--scale {part}=0" for part in parts)
            wrong.hint = f"stop them with: {again('-d', scaled)}; reset; begin again with: {again('-d')}"
        raise
    for part in parts:
        begin_elsewhere(run.path, part, read)
    left = _known(channel, name).lag
    console.say(f"{name} goes on from there: {'?' if left is None else f'{left:,}'} events to handle")


def _parts(sketch: Resolved, group: str) -> list[str]:
    """The consumers of a group."""
    return [part.name for part in sketch.consumers.values() if sketch.group_of(part) == group]


def _delete(channel: EventChannel, run: RunFolder, name: str) -> None:
    from eda_cli.stubs.forgetting import group_is_gone

    read = sorted({one.place.topic for one in _known(channel, name).places})
    channel.remove([], [name])
    group_is_gone(run.path, name, read)
    console.say(f"deleted {name}")


def _list_groups(found: Any, json: bool) -> None:
    if json:
        for group in found:
            console.write_json({"group": group.name, "members": group.members, "lag": group.lag, "places": [
                {"topic": one.place.topic, "partition": one.place.partition, "committed": one.committed,
                 "end": one.end, "lag": one.lag, "member": one.member} for one in group.places]})
        return
    rows: list[tuple[str, ...]] = []
    for group in found:
        rows.append((group.name, str(group.members), "", "", "", _number(group.lag)))
        rows += [("", "", _said(one.place), _number(one.committed), _number(one.end), _number(one.lag))
                 for one in group.places]
    console.print_table(("GROUP", "MEMBERS", "PLACE", "COMMITTED", "END", "LAG"), rows,
                        right=("MEMBERS", "COMMITTED", "END", "LAG"), bold=lambda row: bool(row[0]))


def _said(place: Place) -> str:
    return place.topic if place.partition is None else f"{place.topic}[{place.partition}]"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
