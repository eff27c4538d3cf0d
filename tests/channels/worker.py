"""A process that publishes or consumes, and tells each thing done in one JSON line, until its stdin ends.

    python -m tests.channels.worker ADDRESS publisher TOPIC BATCH
    python -m tests.channels.worker ADDRESS member TOPIC GROUP AT_MOST
    python -m tests.channels.worker ADDRESS holder TOPIC GROUP AT_MOST

LEASE_S in the environment shortens the lease of the embedded channel.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from eda_cli.channels import connect, embedded_group
from eda_cli.channels.base import EventChannel, Group
from tests.channels.acts import events

IDLE_S = 0.5  # longer than what is done may wait to be stored
_ended = threading.Event()


def _tell(lines: list[list[object]]) -> None:
    sys.stdout.write("".join(json.dumps(line) + "\n" for line in lines))
    sys.stdout.flush()


def _watch_stdin() -> None:
    while os.read(0, 1):
        pass
    _ended.set()


def _publisher(channel: EventChannel, topic: str, batch: str) -> None:
    """Tells each event that is stored: [id, partition, offset]."""
    while not _ended.is_set():
        channel.publish(topic, events(int(batch), keys=20))
        _tell([[receipt.id, receipt.partition, receipt.offset] for receipt in channel.flush(20)])


def _member(channel: EventChannel, topic: str, group: str, at_most: str) -> None:
    """Tells each event that is handled, before it is done: [id, partition, offset]; and what was lost.

    It is idle once it had nothing to do for a while.
    """
    subscription = channel.subscribe(Group(group, (topic,)))
    _tell([["joined"]])
    busy = float("inf")
    while not _ended.is_set():
        for polled in (subscription.poll(0.05, int(at_most)), subscription.poll(0.005, 0)):
            _tell([["lost", *place] for place in polled.lost])
            _tell([[each.event.id, each.partition, each.offset] for each in polled.deliveries])
            subscription.done(polled.deliveries)
            if polled.deliveries:
                busy = time.monotonic()
        if time.monotonic() - busy > IDLE_S:
            _tell([["idle"]])
            busy = float("inf")
    subscription.close()


def _holder(channel: EventChannel, topic: str, group: str, at_most: str) -> None:
    """Tells each event that comes, and never has done it: [identity, message, partition, offset]."""
    subscription = channel.subscribe(Group(group, (topic,)))
    while not _ended.is_set():
        _tell([[each.identity, each.message, each.partition, each.offset]
               for each in subscription.poll(0.05, int(at_most)).deliveries])
    subscription.close()


def main() -> None:
    address, role, *args = sys.argv[1:]
    if lease := os.environ.get("LEASE_S"):
        embedded_group.LEASE_S, embedded_group.BEAT_S = float(lease), float(lease) / 5
    threading.Thread(target=_watch_stdin, daemon=True).start()
    channel = connect(json.loads(address))
    {"publisher": _publisher, "member": _member, "holder": _holder}[role](channel, *args)
    channel.close()


if __name__ == "__main__":
    main()
