"""Events as AMQP 0.9.1 messages, after the CloudEvents AMQP binding. Knows no connection.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md is written for AMQP 1.0:
attributes are application properties `cloudEvents:…`, here headers; `datacontenttype` is content-type, the body the
payload. What AMQP 0.9.1 has no place for stands in headers `eda:…`: the moment of publishing in microseconds, a key that
is no text, several headers of one name, and that there is no body at all. `message-id` names the message, not the event.
A text of more than 255 bytes comes out of a stream of RabbitMQ 4 as bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from pika import BasicProperties

from eda_cli.channels.rabbitmq_values import YEAR_10000
from eda_cli.event import NO_EXTENSIONS, Event

CE = "cloudEvents:"
PUBLISHED, KEY, HEADERS, TOMBSTONE = "eda:published", "eda:key", "eda:headers", "eda:tombstone"
PERSISTENT = 2
_LONGEST_NAME = 255  # bytes, of a header's name and of a content type in AMQP
_LONGEST_HEADERS = 130_000  # bytes: they are one frame, which is 128 KiB at most, and a stream or queue adds some of its own
_COUNTS = ("x-delivery-count", "x-acquired-count")  # how often a queue handed it out: the second from RabbitMQ 4.3 on
_SURE = 60, 20_000  # characters of a name, and of all names and values, that are within those bounds in any encoding

def message_of(event: Event, published: float, named: str) -> tuple[BasicProperties, bytes]:
    """The message of an event that is published at that moment (epoch seconds); `named` is the name of no other message."""
    headers: dict[str, Any] = {PUBLISHED: round(published * 1e6)}
    if event.id is not None:
        headers |= {CE + "specversion": "1.0", CE + "id": event.id, CE + "source": event.source, CE + "type": event.type}
        for attribute in ("time", "subject", "correlationid", "causationid"):
            if (value := getattr(event, attribute)) is not None:
                headers[CE + attribute] = value
        headers |= {CE + extension: value for extension, value in event.extensions.items()}
    if event.key is not None:
        text = _text(event.key)
        if event.id is not None and isinstance(text, str):
            headers[CE + "partitionkey"] = text
        else:
            headers[KEY] = text
    if event.headers:
        headers |= _own(event.headers)
    if event.data is None:
        headers[TOMBSTONE] = True
    properties = BasicProperties(content_type=event.datacontenttype, headers=headers, delivery_mode=PERSISTENT,
                                 message_id=named, timestamp=int(published))
    return properties, event.data or b""


def why_none(properties: BasicProperties) -> str:
    """Why AMQP cannot carry a message of ours with these properties; empty where it can."""
    kind, headers = properties.content_type or "", properties.headers or {}
    longest = max(len(kind), max(map(len, headers), default=0))
    said = sum(map(len, headers)) + sum(len(value) for value in headers.values() if isinstance(value, str | bytes))
    if longest <= _SURE[0] and said <= _SURE[1]:
        return ""
    if any(len(name.encode()) > _LONGEST_NAME for name in (kind, *headers)):
        return f"a content type, and the name of an attribute, have at most {_LONGEST_NAME} bytes there"
    size = sum(map(len, properties.encode()))
    if size > _LONGEST_HEADERS:
        return f"its attributes, key and headers are {size:,} bytes, and RabbitMQ takes {_LONGEST_HEADERS:,}"
    return ""


def event_of(properties: BasicProperties, body: bytes) -> Event:
    """The event of a message; a foreign one where it is none. Never fails, whatever others wrote."""
    given: Mapping[str, Any] = properties.headers or {}
    attributes = {name[len(CE):]: text for name, value in given.items() if name[:12] == CE
                  and isinstance(text := _text(value) if isinstance(value, bytes) else value, str)}
    key = _bytes(given[KEY]) if KEY in given else None
    data = None if given.get(TOMBSTONE) is True and not body else body
    headers = _listed(given.get(HEADERS))
    if headers is None:
        headers = tuple((str(name), _bytes(value)) for name, value in given.items()
                        if name[:12] != CE and name[:4] != "eda:" and name[:9] != "x-stream-" and name not in _COUNTS)
    take = attributes.pop
    id_, source, type_ = take("id", None), take("source", None), take("type", None)
    if not (id_ and source and type_ and take("specversion", None)):
        return Event(None, None, None, None, data, key, None, headers=headers)
    if (text := take("partitionkey", None)) is not None:
        key = text.encode()
    return Event(id_, source, type_, take("time", None), data, key, properties.content_type, take("subject", None),
                 take("correlationid", None), take("causationid", None), attributes or NO_EXTENSIONS, headers)


def name_of(properties: BasicProperties, event: Event) -> str | None:
    """Of this message and no other. Others may give one message-id to many, so what they say counts, too; None has none."""
    given: str | None = properties.message_id
    if not given or isinstance((properties.headers or {}).get(PUBLISHED), int):
        return given
    said = repr((properties.timestamp, event.key, event.headers, event.data))
    return f"{given}/{blake2b(said.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def published_of(properties: BasicProperties) -> float:
    """When it was published (epoch seconds); of somebody else's message what it says, or now."""
    moment = (properties.headers or {}).get(PUBLISHED)
    if isinstance(moment, int):
        return moment / 1e6
    told = properties.timestamp
    if isinstance(told, int) and told >= YEAR_10000:
        told /= 1_000  # AMQP has seconds there, and many write milliseconds
    return float(told) if isinstance(told, int | float) and told < YEAR_10000 else time.time()


def _own(headers: tuple[tuple[str, bytes | None], ...]) -> dict[str, Any]:
    """As headers of the message, for everybody; and as one list where a table of a stream would not give them back."""
    texts = {name: _text(value) for name, value in headers if value is not None}
    own = {name: text for name, text in texts.items() if isinstance(text, str) and len(name.encode()) <= _LONGEST_NAME
           and not name.startswith((CE, "eda:", "x-"))}
    names = [name for name, _ in headers]
    if sorted(own) != names:  # a broker sorts them by name
        own[HEADERS] = json.dumps([[name, None if value is None else value.decode("latin-1")] for name, value in headers])
    return own


def _listed(text: Any) -> tuple[tuple[str, bytes | None], ...] | None:
    try:
        return tuple((name, None if value is None else value.encode("latin-1")) for name, value in json.loads(text))
    except (ValueError, TypeError, AttributeError):
        return None


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _bytes(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()
