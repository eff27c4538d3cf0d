"""What tests do with a channel. Knows no technology."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from eda_cli.channels import connect
from eda_cli.channels.base import EventChannel, Group, Place, Polled, Receipt, Start, Subscription
from eda_cli.errors import ChannelError, PublishError
from eda_cli.event import Delivery, Event, now
from eda_cli.technologies import Ability
from tests.eventually import eventually

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0  # for what a broker does in its own time; the embedded channel needs milliseconds


def event(number: int = 0, **given: Any) -> Event:
    """An event as a generator makes it; `given` replaces what a test cares for."""
    fields: dict[str, Any] = {
        "id": str(uuid.uuid4()), "source": "/eda/shop/webshop", "type": "purchaseCreated", "time": now(),
        "data": b'{"number":%d}' % number,
    }
    return Event(**(fields | given))


def events(count: int, keys: int | None = None, **given: Any) -> list[Event]:
    """So many events in a row; with `keys`, spread over so many of them."""
    return [event(number, **({"key": b"key-%d" % (number % keys)} if keys else {}) | given)
            for number in range(count)]


def publish(channel: EventChannel, topic: str, published: Sequence[Event]) -> list[Receipt]:
    """Publish, and wait until it is stored."""
    channel.publish(topic, published)
    return list(channel.flush(PATIENCE_S))


def stored(channel: EventChannel, topic: str, start: Start | None = None) -> list[Delivery]:
    """All that a read up to what is stored gives."""
    return [each for batch in channel.read(topic, start or Start("beginning"), "stored") for each in batch]


def drain(subscription: Subscription, count: int, seconds: float = PATIENCE_S, done: bool = False) -> list[Delivery]:
    """Poll until so many deliveries came; fails with what there is when they do not.

    With `done` each is done as it comes: what a broker hands out before may be bounded (a window, what was reset first).
    """
    found: list[Delivery] = []
    deadline = time.monotonic() + seconds
    while len(found) < count:
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(found)} of {count} deliveries after {seconds} s: {places(found)}")
        deliveries = subscription.poll(0.1, 500).deliveries
        if done:
            subscription.done(deliveries)
        found += deliveries
    return found


def nothing_more(subscription: Subscription, seconds: float = 0.3) -> None:
    """Fails where the subscription still gives something within so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        more = subscription.poll(left, 500).deliveries
        assert not more, f"more came: {places(more)}"


def share(channel: EventChannel, group: str, members: Sequence[Subscription],
          seconds: float = PATIENCE_S) -> list[Polled]:
    """Poll until all have joined, and where there are partitions share them; gives what was polled meanwhile."""
    polled: list[Polled] = []
    deadline = time.monotonic() + seconds
    while not _shared(channel, group, len(members)):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: {info(channel, group)}")
        polled += [member.poll(0.02, 0) for member in members]
    return polled


def _shared(channel: EventChannel, group: str, count: int) -> bool:
    """Whether each member has a place and every place a member; without partitions, whether so many are there."""
    about = info(channel, group)
    if Ability.PARTITIONS not in channel.can:
        return bool(about.members == count)
    owners = [place.member for place in about.places]
    return None not in owners and len(set(owners)) == count


def info(channel: EventChannel, group: str) -> Any:
    """The group as the channel tells it."""
    found = [each for each in channel.groups() if each.name == group]
    assert found, f"no group {group}"
    return found[0]


def known(channel: EventChannel, ability: Ability, value: T) -> T | None:
    """What a channel tells that has the ability; one that lacks it tells None, and never something instead."""
    return value if ability in channel.can else None


def lag_is(channel: EventChannel, group: str, expected: int) -> None:
    """So many are not done, as far as the channel knows it."""
    assert info(channel, group).lag == known(channel, Ability.LAG, expected)


def nothing_left(channel: EventChannel, group: str, *topics: str) -> None:
    """The group, which has no members, has done all: by its lag, or where that is not known by what a new member gets."""
    lag_is(channel, group, 0)
    if Ability.LAG not in channel.can:
        member = channel.subscribe(Group(group, topics))
        nothing_more(member)
        member.close()


def committed(channel: EventChannel, group: str) -> dict[Place, int | None]:
    return {place.place: place.committed for place in info(channel, group).places}


def ids(deliveries: Iterable[Delivery]) -> list[str | None]:
    return [delivery.event.id for delivery in deliveries]


def places(deliveries: Iterable[Delivery]) -> list[tuple[int | None, int | None]]:
    return [(delivery.partition, delivery.offset) for delivery in deliveries]


def in_order(deliveries: Iterable[Delivery]) -> bool:
    """Whether the offsets of each partition grow."""
    seen: dict[int | None, int] = {}
    for delivery in deliveries:
        assert delivery.offset is not None
        if delivery.offset <= seen.get(delivery.partition, -1):
            return False
        seen[delivery.partition] = delivery.offset
    return True


class Steady:
    """Publishes without a pause in a thread of its own; what is refused is published again."""

    def __init__(self, address: Mapping[str, Any], topic: str) -> None:
        self._address, self._topic = address, topic
        self._stop = threading.Event()
        self.acknowledged: list[str] = []
        self.refused = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        channel = connect(self._address)
        left: list[Event] = []
        while not self._stop.is_set() or left:
            left = left or events(20, keys=5)
            try:
                channel.publish(self._topic, left)
                receipts = channel.flush(3)
            except PublishError as wrong:
                receipts = list(wrong.receipts)
                self.refused += 1
            except ChannelError:
                receipts = []
                self.refused += 1
                self._stop.wait(0.1)
            stored = {receipt.id for receipt in receipts}
            self.acknowledged += [each.id for each in left if each.id in stored and each.id]
            left = [each for each in left if each.id not in stored]
            self._stop.wait(0.01)
        channel.close()

    def grows(self, by: int = 200) -> None:
        """Publishing goes on by itself."""
        before = len(self.acknowledged)
        eventually(lambda: len(self.acknowledged) >= before + by, 60)

    def end(self) -> set[str]:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return set(self.acknowledged)


class Worker:
    """A process of its own on the same channel (`worker.py`): what it did, line by line."""

    def __init__(self, address: Mapping[str, Any], role: str, *args: str) -> None:
        command = [sys.executable, "-m", "tests.channels.worker", json.dumps(dict(address)), role, *args]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._text = b""

    def lines(self) -> list[Any]:
        """What it has told so far."""
        assert self._process.stdout is not None
        self._text += self._process.stdout.read() or b""
        return [json.loads(line) for line in self._text.split(b"\n")[:-1]]

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> list[Any]:
        """End it without a chance to say anything; what it had told by then."""
        self._process.kill()
        self._process.wait()
        return self.lines()

    def end(self) -> list[Any]:
        """Let it close its channel and end; all it told."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        # It may be waiting for somebody to read what it tells.
        eventually(lambda: self.lines() is not None and self._process.poll() is not None, PATIENCE_S)
        assert self._process.returncode == 0
        return self.lines()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
