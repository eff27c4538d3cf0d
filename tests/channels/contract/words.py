"""What the tests of the contract have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from eda_cli.channels.base import EventChannel
from eda_cli.event import Delivery, Event
from eda_cli.technologies import Ability
from tests.channels.acts import Worker, info
from tests.channels.raw import Write

needs = pytest.mark.needs
lacking = pytest.mark.lacking
Open = Callable[[], EventChannel]
Name = Callable[[str], str]
Spawn = Callable[..., Worker]


def numbered(deliveries: Iterable[Delivery]) -> list[int]:
    """Which of `events(…)` came, in their order."""
    return [delivery.event.body()["number"] for delivery in deliveries]


def handled(member: Worker) -> list[list[object]]:
    return [line for line in member.lines() if line[0] not in ("joined", "lost", "idle")]


def dealt(channel: EventChannel, group: str) -> list[int]:
    """How many places each member has; empty while one of them has no owner."""
    owners = Counter(place.member for place in info(channel, group).places)
    return [] if None in owners else sorted(owners.values())


def joined(channel: EventChannel, group: str, partitions_of_each: list[int]) -> bool:
    """Whether so many members are there, and where there are partitions have these many each."""
    return info(channel, group).members == len(partitions_of_each) and (
        Ability.PARTITIONS not in channel.can or dealt(channel, group) == partitions_of_each)


def of_others(topic: str, write_raw: Write) -> list[Event]:
    """Two messages that somebody else wrote, in one partition, as they are to be shown."""
    return [write_raw(topic, 1, None, b"\xff no json", [("trace", b"1"), ("trace", b"2")]),
            write_raw(topic, 1, b"key", None, [])]
