"""Events as STOMP messages, and frames as bytes. Knows no connection.

No binding of CloudEvents names STOMP or JMS. The nearest is the one of AMQP
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md): attributes are message
properties `cloudEvents_…`, which are names that JMS takes and selectors can ask for, and `datacontenttype` is the header
`content-type`; ActiveMQ itself carries messages between AMQP, JMS and STOMP in this form. The record key is the extension
`partitionkey`. Bodies have a length, which makes them BytesMessages, so that any bytes come back as they were.

What has no place there is told in headers of eda: `eda_published` (epoch microseconds), `eda_body: none` (a tombstone),
`eda_key_base64` (a key that is no text), `eda_headers` (a JSON list of all other headers, where STOMP's own would lose
their order, doubles, nulls or bytes). A message without the four required attributes is foreign: its headers stay.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from eda_cli.errors import EventRefused
from eda_cli.event import NO_EXTENSIONS, Event, from_line

STRUCTURED = "application/cloudevents+json"
MARKER = "eda_marker"  # a message that is no event: it makes a queue last
LARGEST_BYTES = 32 * 1024 * 1024  # of one event: a transaction lies in the broker's memory
LINE_BYTES = 10_000  # of one header: the broker takes 10,240
MOST_HEADERS = 1_000  # of a frame; the broker ends the connection over more

_CE = "cloudEvents_"
_CE_OF_OTHERS = "cloudEvents:"  # how AMQP programs wrote it first
_OWN_NAMES = 500  # headers of an event; where there are more, none has its own name
_PIECE = 2_400  # characters of one header, so that it stays within LINE_BYTES however it is escaped
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"})
_PLAIN_NAME = re.compile(r"(?!JMS|AMQ|amq|activemq|cloudEvents|eda_)[A-Za-z_][A-Za-z0-9_.-]{0,200}")
_OF_STOMP = frozenset({  # what the protocol or the broker means by these is its own
    "destination", "receipt", "transaction", "content-length", "content-type", "correlation-id", "reply-to", "expires",
    "priority", "type", "persistent", "message-id", "subscription", "redelivered", "timestamp", "selector", "id", "ack",
    "browser", "transformation", "transformation-error", "original-destination", "retained", "scheduled", "userid"})
_OF_BROKER = frozenset({  # what it adds to a message of others
    "destination", "content-length", "content-type", "expires", "priority", "persistent", "message-id", "subscription",
    "redelivered", "timestamp", "ack", "original-destination", "originalDestination", "transformation",
    "JMSXGroupID", "JMSXGroupSeq", "JMSXUserID"})

Headers = list[tuple[str, str]]


def frame(command: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """A frame of STOMP 1.2."""
    lines = "".join([f"{name.translate(_ESCAPES)}:{value.translate(_ESCAPES)}\n" for name, value in headers])
    return b"%b\n%b\n%b\0" % (command.encode(), lines.encode(), body)


def message(destination: str, transaction: str, published: int, event: Event) -> bytes:
    """The frame that publishes an event; `published` is in epoch microseconds. Raises EventRefused."""
    headers, data = headers_of(event), event.data or b""
    headers += [("destination", destination), ("transaction", transaction), ("persistent", "true"),
                ("eda_published", str(published)), ("content-length", str(len(data)))]
    text = "".join([part for header in headers for part in header])
    if "\0" in text:
        raise EventRefused("ActiveMQ takes no NUL in an attribute of an event", "a header of STOMP cannot hold it", id=event.id)
    if len(text) > _PIECE or len(data) > LARGEST_BYTES:
        _check(event, headers)
    return frame("SEND", headers, data)


def _check(event: Event, headers: Headers) -> None:
    size = len(event.data or b"")
    if size > LARGEST_BYTES:
        raise EventRefused(f"ActiveMQ takes no event of {size:,} bytes", f"its limit is {LARGEST_BYTES:,}",
                           "make the body smaller", id=event.id)
    if len(headers) > MOST_HEADERS:
        raise EventRefused(f"ActiveMQ takes no event of {len(headers):,} headers", f"its limit is {MOST_HEADERS:,}", id=event.id)
    for name, value in headers:
        if len(frame("", [(name, value)])) > LINE_BYTES:
            raise EventRefused(f"ActiveMQ takes no header of {len(value):,} characters", f"'{name}' is too long", id=event.id)


@lru_cache(maxsize=1024)  # an event's source, type and content type repeat from event to event
def _same(source: str, type_: str, content_type: str | None) -> Headers:
    same = [(_CE + "specversion", "1.0"), (_CE + "source", source), (_CE + "type", type_)]
    return same if content_type is None else [*same, ("content-type", content_type)]


def headers_of(event: Event) -> Headers:
    """The message's headers that say what an event's attributes, key and headers are."""
    headers: Headers = []
    if event.id is not None:
        assert event.source is not None and event.type is not None
        headers += _same(event.source, event.type, event.datacontenttype)
        headers.append((_CE + "id", event.id))
        for name in ("time", "subject", "correlationid", "causationid"):
            if (value := getattr(event, name)) is not None:
                headers.append((_CE + name, value))
        headers += [(_CE + name, value) for name, value in event.extensions.items()]
    if event.key is not None:
        headers += _key_out(event.key)
    if event.headers:
        headers += _headers_out(event.headers)
    if event.data is None:
        headers.append(("eda_body", "none"))
    return headers


def _key_out(key: bytes) -> Headers:
    """The key, and the message group by which the broker keeps its order."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(text) > 200:
        group = blake2b(key, digest_size=16).hexdigest()
        exact = [("eda_key_base64", base64.b64encode(key).decode())]
        return [("JMSXGroupID", group), *(exact if "\0" in text else [(_CE + "partitionkey", text)])]
    return [("JMSXGroupID", text or "-"), (_CE + "partitionkey", text)]


def _headers_out(given: Sequence[tuple[str, bytes | None]]) -> Headers:
    """Each in its own name where STOMP can say it, and all of them exactly where it cannot."""
    told: dict[str, str] = {}
    exact: list[tuple[str, Any]] = []
    for name, raw in given:
        value: Any = None
        if raw is not None:
            try:
                value = raw.decode()
            except UnicodeDecodeError:
                value = {"base64": base64.b64encode(raw).decode()}
        exact.append((name, value))
        if isinstance(value, str) and "\0" not in value and len(value) <= _PIECE and _PLAIN_NAME.fullmatch(name) \
                and name not in _OF_STOMP:
            told.setdefault(name, value)
    if len(told) == len(exact) == 1:
        return list(told.items())
    if len(told) > _OWN_NAMES:
        told = {}
    text = orjson.dumps(exact).decode()
    pieces = [text[at:at + _PIECE] for at in range(0, len(text), _PIECE)]
    return [*told.items(), ("eda_headers", pieces[0]), *((f"eda_headers_{number}", each)
                                                        for number, each in enumerate(pieces[1:], 1))]


def published_of(headers: Mapping[str, str]) -> float:
    """When the message was published, in epoch seconds: as eda said, else as the broker did."""
    try:
        return int(headers["eda_published"]) / 1_000_000
    except (KeyError, ValueError):
        stamp = headers.get("timestamp", "")
        return int(stamp) / 1000 if stamp.isdigit() else 0.0


def event_of(headers: Mapping[str, str], body: bytes) -> Event:
    """The event of a message; a foreign one where it is none. Never fails, whatever others wrote."""
    attributes: dict[str, str] = {}
    rest: dict[str, str] = {}
    ours: dict[str, str] = {}
    for name, value in headers.items():
        if name.startswith((_CE, _CE_OF_OTHERS)):
            attributes[name[len(_CE):]] = value
        elif name.startswith("eda_"):
            ours[name] = value
        elif name not in _OF_BROKER:
            rest[name] = value
    data = None if ours.get("eda_body") == "none" and not body else body
    key = _key_in(attributes.pop("partitionkey", None), ours, headers.get("JMSXGroupID"))
    own = _headers_in(ours, rest)
    content_type = headers.get("content-type")
    take = attributes.pop
    required = take("id", None), take("source", None), take("type", None), take("specversion", None)
    if not all(required):
        return _structured(key, data, content_type, own) or _foreign(key, data, headers, own)
    id_, source, type_, _ = required
    event = Event(id_, source, type_, take("time", None), data, key, content_type or take("datacontenttype", None))
    event.headers = own
    if attributes:
        event.correlationid, event.causationid = take("correlationid", None), take("causationid", None)
        event.subject = take("subject", None)
        event.extensions = attributes or NO_EXTENSIONS
    return event


def _foreign(key: bytes | None, data: bytes | None, headers: Mapping[str, str],
             own: tuple[tuple[str, bytes | None], ...]) -> Event:
    told = {name for name, _ in own}
    more = [(name, value.encode()) for name, value in headers.items()
            if name not in told and (name == "content-type" or name.startswith((_CE, _CE_OF_OTHERS)))
            and name != _CE + "partitionkey"]
    return Event(None, None, None, None, data, key, None, headers=(*own, *more))


def _structured(key: bytes | None, data: bytes | None, content_type: str | None,
                own: tuple[tuple[str, bytes | None], ...]) -> Event | None:
    """The whole event in the body, as others may write it."""
    if data is None or content_type is None or not content_type.startswith(STRUCTURED):
        return None
    try:
        event = from_line(data)
    except ValueError:
        return None
    event.key = key if key is not None else event.key
    event.headers = own
    return event if event.id is not None else None


def _key_in(text: str | None, ours: Mapping[str, str], group: str | None) -> bytes | None:
    if "eda_key_base64" in ours:
        try:
            return base64.b64decode(ours["eda_key_base64"], validate=True)
        except (binascii.Error, ValueError):
            return None
    text = group if text is None else text
    return None if text is None else text.encode()


def _headers_in(ours: Mapping[str, str], rest: Mapping[str, str]) -> tuple[tuple[str, bytes | None], ...]:
    if "eda_headers" in ours:
        numbers = range(1, len(ours))
        text = ours["eda_headers"] + "".join(ours.get(f"eda_headers_{number}", "") for number in numbers)
        try:
            return tuple((str(name), base64.b64decode(value["base64"]) if isinstance(value, dict)
                          else None if value is None else str(value).encode()) for name, value in orjson.loads(text))
        except (ValueError, TypeError, KeyError):
            pass  # somebody else wrote it: then the others are what there is
    return tuple((name, value.encode()) for name, value in rest.items())
