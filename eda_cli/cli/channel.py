"""The channel of a run, as commands talk to it: opened, its topics named right, places in it understood."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from eda_cli.cli import end_in_order
from eda_cli.errors import UnknownTopic, Unreachable, UsageError

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, Start, TopicInfo
    from eda_cli.runs.folder import RunFolder
    from eda_cli.technologies import Ability


def open_channel(run: RunFolder) -> EventChannel:
    """The channel of a run that is up. Raises Unreachable while its broker has not answered yet."""
    from eda_cli.channels import connect

    address = run.address()
    if address is None:
        raise Unreachable(f"the broker of '{run.name}' is not ready yet", "", "wait for: eda ps")
    channel = connect(address)
    end_in_order()
    return channel


def with_channel(run: RunFolder, work: Callable[[EventChannel], object]) -> None:
    """Do something with the channel of a run that is up."""
    channel = open_channel(run)
    try:
        work(channel)
    finally:
        channel.close()


def demand(run: RunFolder, ability: Ability, what: str, hint: str = "") -> None:
    """Raises UsageError, with the reason, where the broker of the run cannot do what is asked."""
    from eda_cli.technologies import why_not

    if why := why_not(run.info().broker["kind"], ability):
        raise UsageError(what, why, hint)


def demand_start(run: RunFolder, start: Start, option: str) -> None:
    """The same where something is to begin at a place that lies before now."""
    from eda_cli.technologies import Ability

    if start.at != "end":
        demand(run, Ability.REPLAY, f"{option} cannot go back here", f"what comes from now on: {option} end")
    if start.at == "time":
        demand(run, Ability.SEEK_TIME, f"{option} cannot name a time here", f"for example: {option} beginning")


def missing_topic_hint(channel: EventChannel, wanted: list[str]) -> None:
    """Raises UnknownTopic with a suggestion where one of these topics is not there."""
    from eda_cli.sketch.words import did_you_mean

    there = [topic.name for topic in channel.topics()]
    for name in wanted:
        if name not in there:
            raise UnknownTopic(name, f"topics: {', '.join(there) or 'none'}",
                               did_you_mean(name, there, "see them with: eda topics"))


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


def check_start(start: Start, topics: Sequence[TopicInfo], option: str) -> None:
    """Raises UsageError where a start is an offset that none of the partitions which are read has."""
    read = [(topic.name, part) for topic in topics for part in topic.partitions if start.partition in (None, part.number)]
    if start.at == "offset" and read and not any(part.first <= start.value <= part.end for _, part in read):
        raise UsageError(f"{option} {start.value:.0f} is an offset that is not there", "there are " + ", ".join(
            f"{name}[{part.number}] {part.first}..{part.end}" for name, part in read), f"for example: {option} beginning")
