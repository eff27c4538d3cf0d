"""`tail`: what is in topics, and what comes. Knows no technology."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.channel import check_start, demand, demand_start, missing_topic_hint, open_channel, parse_start
from eda_cli.cli.chosen import Chosen
from eda_cli.cli.formats import shower
from eda_cli.cli.membership import membership, polled, refuse_other_topics, subscribed
from eda_cli.cli.options import Json, Run, complete_group, complete_topic, one_of, with_examples
from eda_cli.errors import EdaError, UnknownTopic, UsageError
from eda_cli.technologies import Ability, why_not

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, Start
    from eda_cli.event import Delivery
    from eda_cli.runs.folder import RunFolder

SHOWN_AT_FIRST = 10  # events of each topic that are shown before it follows
AT_ONCE = 500  # events that are written together
LOOK_S = 1.0  # how often it sees whether its run is still up


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda tail",
                "eda tail purchases -o beginning -e --json",
                "eda tail purchases -n 5 -f '%k %s\\n'",
                "eda tail invoices --grep ann -o @-5m"))(tail)


def tail(
    topics: Annotated[list[str] | None, typer.Argument(metavar="TOPIC", help="Without one: all topics.",
                                                       autocompletion=complete_topic)] = None,
    offset: Annotated[str | None, typer.Option("-o", "--offset", metavar="WHERE", help="beginning, end, N, -N (the last N), "
                                               "@TIME (UTC), @-10m, stored (with -g). Default: the last 10, "
                                               "with -k or --grep the beginning.",
                                               autocompletion=one_of("beginning", "end", "stored"))] = None,
    count: Annotated[int | None, typer.Option("-n", "--count", min=1, help="Stop after so many events; without -o these are "
                                              "the last ones.")] = None,
    exit_: Annotated[bool, typer.Option("-e", "--exit", help="Stop at the end instead of following.")] = False,
    group: Annotated[str | None, typer.Option("-g", "--group", help="Take part in this group.",
                                              autocompletion=complete_group)] = None,
    partition: Annotated[int | None, typer.Option("-p", "--partition", min=0, help="Only this partition.")] = None,
    key: Annotated[str | None, typer.Option("-k", "--key", help="Only events with this key.")] = None,
    format_: Annotated[str | None, typer.Option("-f", "--format", help=r"%t topic, %p partition, %o offset, "
                                                r"%k key, %s body, %i id, %e type, %T time, %h headers, %S size, \n.")] = None,
    grep: Annotated[str | None, typer.Option("--grep", metavar="REGEX", help="Only what matches: type, key or body.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Only the bodies, a line each; byte by byte into a pipe.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for topics that are not there yet.")] = False,
    run: Run = None,
    json: Json = False,
) -> None:
    """Show the events of topics and follow them. Times are UTC.

    Moves nobody's position, unless -g takes part in a group. Shows also what a run kept that stopped, where that needs no
    broker to be started.
    """
    from eda_cli.runs.finding import find, find_kept

    found = find_kept(run) if group is None else find(run)
    if found.supervisor() is None and not exit_ and not wait:
        console.say(f"the run '{found.name}' stopped: shown is what it kept", "dim")
        exit_ = True
    wanted = Chosen(key, grep, partition)
    show = shower(json, raw, format_)
    _check_usage(found, offset, group, partition)
    channel = open_channel(found)
    try:
        if group is not None:
            names = _topics(found, channel, topics or subscribed(found.sketch(), group), wait)
            refuse_other_topics(found.sketch(), group, names)
            with membership(channel, group, names, offset) as member:
                _show(polled(channel, member, group, names, exit_), wanted, show, count, found, member.done)
            return
        names = _topics(found, channel, topics or [], wait)
        start = _start(found, channel, names, offset, count, partition, wanted)
        last = count if offset is None and start.at != "end" else None
        batches = _batches(found, channel, names, start, exit_ or last is not None)
        _show(batches if last is None else [_last(batches, wanted, last)], wanted, show, count, found)
    finally:
        channel.close()


def _check_usage(run: RunFolder, offset: str | None, group: str | None, partition: int | None) -> None:
    if offset == "stored" and group is None:
        raise UsageError("-o stored needs a group", "only groups store a position", "for example: -g invoicing -o stored")
    if group is not None and partition is not None:
        raise UsageError("-p does not go with a group", "a group deals its partitions out to its members", "leave out -p")
    if partition is not None:
        demand(run, Ability.PARTITIONS, "-p names a partition", "leave out -p")
    if offset is not None and offset != "stored":
        demand_start(run, parse_start(offset, "-o"), "-o")


def _start(run: RunFolder, channel: EventChannel, names: list[str], offset: str | None, count: int | None,
           partition: int | None, wanted: Chosen) -> Start:
    """Where to begin: what `-o` says, else so that the last events that are wanted are shown. Raises UsageError."""
    from eda_cli.channels.base import Start

    if offset is None and (why := why_not(run.info().broker["kind"], Ability.REPLAY)):
        console.say(f"{why}: shown is what comes from now on", "dim")
        return Start("end", partition=partition)
    start = Start("last", count or SHOWN_AT_FIRST, partition)
    if offset is not None:
        start = replace(parse_start(offset, "-o"), partition=partition)
    elif wanted.chooses:  # what is wanted may lie anywhere
        start = Start("beginning", partition=partition)
    there = [topic for topic in channel.topics() if topic.name in names]
    check_start(start, there, "-o")
    for topic in there if offset is None and count is None and not wanted.chooses else ():
        if topic.events is not None and topic.events > SHOWN_AT_FIRST:
            console.say(f"{topic.name}: last {SHOWN_AT_FIRST} of {topic.events:,}; all: -o beginning", "dim")
    return start


def _topics(run: RunFolder, channel: EventChannel, wished: list[str], wait: bool) -> list[str]:
    """The topics to show. Raises UnknownTopic."""
    if not wished:
        sketch = run.sketch()
        if names := list(sketch.topics) if sketch.guest else [topic.name for topic in channel.topics()]:
            return names
        raise EdaError("there are no topics", f"the run '{run.name}' has none yet")
    told = False
    while True:
        try:
            missing_topic_hint(channel, wished)
            return wished
        except UnknownTopic as missing:
            if not wait:
                raise UnknownTopic(missing.topic, missing.why, f"wait for it with --wait; {missing.hint}") from None
            if run.supervisor() is None:
                raise EdaError(f"the run '{run.name}' ended", f"the topic '{missing.topic}' never came",
                               "start it again with eda up") from None
            if not told:
                console.say(f"waiting for the topic '{missing.topic}' …", "dim")
                told = True
            time.sleep(0.2)


def _batches(run: RunFolder, channel: EventChannel, names: list[str], start: Start, stop_at_end: bool
             ) -> Iterator[Sequence[Delivery]]:
    """The events of all topics; empty batches while waiting."""
    end: Any = "stored" if stop_at_end else "never"
    if len(names) == 1:
        yield from channel.read(names[0], start, end)
        return
    if not stop_at_end:
        yield from _together(run, names, start)
        return
    each = [chain.from_iterable(channel.read(name, start, end)) for name in names]
    in_time = merge(*each, key=lambda delivery: delivery.published)
    while batch := list(islice(in_time, AT_ONCE)):
        yield batch


def _together(run: RunFolder, names: list[str], start: Start) -> Iterator[Sequence[Delivery]]:
    """Several topics followed at once: each by a channel and a thread of its own."""
    arrived: queue.Queue[Sequence[Delivery] | EdaError] = queue.Queue(maxsize=100)

    def follow(name: str) -> None:
        try:
            channel = open_channel(run)
            for batch in channel.read(name, start, "never"):
                if batch:
                    arrived.put(batch)
        except EdaError as wrong:
            arrived.put(wrong)

    for name in names:
        threading.Thread(target=follow, args=(name,), daemon=True).start()
    while True:
        try:
            got = arrived.get(timeout=0.1)
        except queue.Empty:
            yield ()
            continue
        if isinstance(got, EdaError):
            raise got
        yield got


def _last(batches: Iterable[Sequence[Delivery]], wanted: Chosen, count: int) -> list[Delivery]:
    """The last `count` of the events that are shown."""
    return list(deque(filter(wanted, chain.from_iterable(batches)), count))


def _show(batches: Iterable[Sequence[Delivery]], wanted: Chosen, show: Callable[[Delivery], None], count: int | None,
          run: RunFolder, done: Callable[[Sequence[Delivery]], None] = lambda _: None) -> None:
    """Write what is wanted, at most `count` events; `done` gets what was written or passed over, once it is out."""
    left = count
    looked = time.monotonic()
    for batch in batches:
        seen = 0
        for delivery in batch:
            seen += 1
            if wanted(delivery):
                show(delivery)
                left = left - 1 if left is not None else None
                if left == 0:
                    break
        if batch:
            console.flush()
            done(batch[:seen])
        if left == 0:
            return
        if time.monotonic() - looked > LOOK_S:
            looked = time.monotonic()
            if run.supervisor() is None:
                console.say(f"the run '{run.name}' stopped", "dim")
                return
