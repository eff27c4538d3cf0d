"""Events as Kafka records, in the binary mode of the CloudEvents Kafka binding. Knows no client.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md: attributes are
headers `ce_…` in UTF-8, `datacontenttype` is the header `content-type`, the body is the value and the record
key is the partition key. A record without the four required attributes is foreign: its headers stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from eda_cli.event import NO_EXTENSIONS, Event, from_line

Header = tuple[str, bytes | None]

STRUCTURED = "application/cloudevents+json"
_SPECVERSION = ("ce_specversion", b"1.0")


@lru_cache(maxsize=1024)  # an event's source, type and content type repeat from event to event
def _same(source: str, type_: str, content_type: str | None) -> tuple[Header, ...]:
    same = (_SPECVERSION, ("ce_source", source.encode()), ("ce_type", type_.encode()))
    return same if content_type is None else (*same, ("content-type", content_type.encode()))


def headers_of(event: Event) -> list[Header]:
    """The record headers of an event."""
    if event.id is None:
        return list(event.headers)
    assert event.source is not None and event.type is not None
    headers: list[Header] = [*_same(event.source, event.type, event.datacontenttype), ("ce_id", event.id.encode())]
    if event.time is not None:
        headers.append(("ce_time", event.time.encode()))
    if event.correlationid is not None:
        headers.append(("ce_correlationid", event.correlationid.encode()))
    if event.causationid is not None:
        headers.append(("ce_causationid", event.causationid.encode()))
    if event.subject is not None:
        headers.append(("ce_subject", event.subject.encode()))
    if event.extensions:
        headers += [(f"ce_{name}", value.encode()) for name, value in event.extensions.items()]
    if event.headers:
        headers += event.headers
    return headers


def event_of(key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> Event:
    """The event of a record; a foreign one where it is none. Never fails, whatever others wrote."""
    attributes: dict[str, str] = {}
    rest: list[Header] = []
    try:
        for header in headers:
            name, raw = header
            if raw is not None and (name[:3] == "ce_" or name == "content-type"):
                if name in attributes:
                    return _foreign(key, value, headers)
                attributes[name] = raw.decode()
            else:
                rest.append(header)
    except UnicodeDecodeError:
        return _foreign(key, value, headers)
    take = attributes.pop
    content_type = take("content-type", None)
    id_, source, type_ = take("ce_id", None), take("ce_source", None), take("ce_type", None)
    if not (id_ and source and type_ and take("ce_specversion", None)):
        return _structured(key, value, content_type, headers, rest) or _foreign(key, value, headers)
    take("ce_partitionkey", None)  # some write it besides the key, which it is
    event = Event(id_, source, type_, take("ce_time", None), value, key, content_type)
    if attributes:
        event.correlationid, event.causationid = take("ce_correlationid", None), take("ce_causationid", None)
        event.subject = take("ce_subject", None)
        event.extensions = {name[3:]: text for name, text in attributes.items()} or NO_EXTENSIONS
    if rest:
        event.headers = tuple(rest)
    return event


def _foreign(key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> Event:
    return Event(None, None, None, None, value, key, None, headers=tuple(headers))


def _structured(key: bytes | None, value: bytes | None, content_type: str | None, headers: Sequence[Header],
                rest: Sequence[Header]) -> Event | None:
    """The whole event in the value, as others may write it."""
    if value is None or content_type is None or not content_type.startswith(STRUCTURED):
        return None
    try:
        event = from_line(value)
    except ValueError:
        return None
    event.key = key if key is not None else event.key
    event.headers = tuple(rest)
    return event if event.id is not None else None
