"""A topic with something in it."""

from __future__ import annotations

import time
from functools import partial

import pytest

from eda_cli.channels.base import EventChannel, Topic
from eda_cli.technologies import Ability
from tests.channels.acts import event, known, publish
from tests.eventually import eventually


@pytest.fixture
def filled(channel: EventChannel, topic: str) -> list[str]:
    """Thirty events over three partitions (where there are any), published in five moments; their ids in the order of that."""
    channel.declare([Topic(topic, 3)], [])
    published: list[str] = []
    for begin in range(0, 30, 6):
        receipts = publish(channel, topic, [event(number, partition=known(channel, Ability.PARTITIONS, number % 3))
                                            for number in range(begin, begin + 6)])
        published += [str(receipt.id) for receipt in receipts]
        eventually(partial(is_past, receipts[-1].published + 0.003), 5)
    return published


def is_past(moment: float) -> bool:
    return time.time() > moment
