"""`tail -g`: taking part in a group. What is shown there is done, no more and no less. Knows no technology."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eda_cli.cli import console
from eda_cli.errors import UsageError

if TYPE_CHECKING:
    from eda_cli.channels.base import EventChannel, Subscription
    from eda_cli.event import Delivery
    from eda_cli.sketch.resolved import Resolved

POLL_S = 0.1
QUIET_S = 1.0  # nothing came for so long: taken for the end where nobody knows what is left
AT_MOST = 500  # events held at once


def subscribed(sketch: Resolved, group: str) -> list[str]:
    """The topics that come to a group of the sketch; none for a group that the sketch does not have."""
    return sorted({topic for part in sketch.consumers.values() if sketch.group_of(part) == group
                   for topic in part.hears})


def refuse_other_topics(sketch: Resolved, group: str, topics: Sequence[str]) -> None:
    """Raises UsageError where a group of the sketch would get a topic that its consumers never read: it would lag for ever."""
    own = subscribed(sketch, group)
    if own and (others := [topic for topic in topics if topic not in own]):
        raise UsageError(f"the group '{group}' does not subscribe to '{others[0]}'",
                         f"it belongs to the sketch, and subscribes to {', '.join(own)}",
                         f"take another group: eda tail {others[0]} -g mine")


@contextmanager
def membership(channel: EventChannel, group: str, topics: Sequence[str], offset: str | None) -> Iterator[Subscription]:
    """Be a member of the group; what is done is stored in the end. Raises UsageError."""
    from contextlib import closing

    from eda_cli.channels.base import Group

    if offset not in (None, "stored", "beginning", "end"):
        raise UsageError(f"-o {offset} does not go with a group", "a group goes on where it is; a new one begins at "
                         "beginning or end", "set its position with: eda groups reset")
    if offset in ("beginning", "end") and _has_position(channel, group, topics):
        console.say(f"the group '{group}' goes on where it is; to set it back: eda groups reset {group} --to {offset}", "dim")
    wished = Group(group, tuple(topics), "earliest" if offset == "beginning" else "latest")
    channel.declare([], [wished])
    with closing(channel.subscribe(wished)) as subscription:
        yield subscription


def polled(channel: EventChannel, subscription: Subscription, group: str, topics: Sequence[str],
           stop_at_end: bool) -> Iterator[Sequence[Delivery]]:
    """What the group hears; empty batches while waiting."""
    came = time.monotonic()
    while True:
        deliveries = subscription.poll(POLL_S, AT_MOST).deliveries
        yield deliveries
        if deliveries:
            came = time.monotonic()
        elif stop_at_end and _at_end(channel, group, topics, time.monotonic() - came):
            return


def _has_position(channel: EventChannel, group: str, topics: Sequence[str]) -> bool:
    return any(one.place.topic in topics and one.committed is not None
               for info in channel.groups() if info.name == group for one in info.places)


def _at_end(channel: EventChannel, group: str, topics: Sequence[str], quiet_s: float) -> bool:
    return all(quiet_s >= QUIET_S if one.lag is None else one.lag == 0 for info in channel.groups() if info.name == group
               for one in info.places if one.place.topic in topics)
