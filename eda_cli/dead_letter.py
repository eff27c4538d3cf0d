"""A dead letter: an event that nobody could handle, with headers that say why. Pure; knows no channel.

It keeps all that the event said (id, source, type, time, key, body, its own headers), so that taking off the
headers gives the event back. There is no standard for these; the names are eda's, the form is that of Kafka
Connect's dead letter headers: text, a header for each fact. An event that is redriven carries one more, how often.
"""

from __future__ import annotations

from dataclasses import replace

from eda_cli.event import Delivery, Event, rfc3339

REASON = "dead-letter-reason"
ATTEMPTS = "dead-letter-attempts"
TOPIC = "dead-letter-topic"  # where it came from, as are the partition and the offset
CONSUMER = "dead-letter-consumer"
HEADERS = (REASON, ATTEMPTS, TOPIC, "dead-letter-partition", "dead-letter-offset", CONSUMER, "dead-letter-time")
REDRIVEN = "redriven"
REASON_LIMIT = 1_000  # characters


def dead_letter(delivery: Delivery, reason: str, attempts: int, consumer: str, now: float) -> Event:
    """What is published to a dead letter topic when `consumer` has failed `attempts` times, the last time for `reason`.

    `now` is epoch seconds. An event that was redriven and fails again says only how it failed last. A channel without
    partitions or offsets has no such headers. The key decides the partition.
    """
    told = (reason[:REASON_LIMIT], str(attempts), delivery.topic, _number(delivery.partition), _number(delivery.offset),
            consumer, rfc3339(now))
    headers = tuple((name, value.encode(errors="replace")) for name, value in zip(HEADERS, told, strict=True)
                    if value is not None)
    return replace(delivery.event, headers=_own(delivery.event) + headers, partition=None)


def revived(event: Event) -> tuple[str, Event] | None:
    """Where a dead letter came from, and the event as it was there but redriven once more; None where it is no dead letter."""
    topic = said(event, TOPIC)
    if not topic:
        return None
    own = tuple(pair for pair in _own(event) if pair[0] != REDRIVEN)
    return topic, replace(event, headers=(*own, (REDRIVEN, b"%d" % (redriven(event) + 1))), partition=None)


def redriven(event: Event) -> int:
    """How often it was redriven."""
    return number_said(event, REDRIVEN) if event.headers else 0


def said(event: Event, name: str) -> str | None:
    """What a header of a dead letter says, as text; None where it has none."""
    for own, value in reversed(event.headers):  # whoever wrote last has the last word, as Kafka's lastHeader
        if own == name and value is not None:
            return value.decode(errors="replace")
    return None


def number_said(event: Event, name: str) -> int:
    """The number that a header says; 0 where it has none, or says none that eda wrote."""
    text = said(event, name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _own(event: Event) -> tuple[tuple[str, bytes | None], ...]:
    return tuple(pair for pair in event.headers if pair[0] not in HEADERS)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
