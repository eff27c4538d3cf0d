"""An event and its delivery, with their JSON form. Knows CloudEvents 1.0, and no channel.

The JSON form is one line: the CloudEvents JSON format plus the coordinates `topic`, `partition`, `offset`.
Other headers are `headers: [[name, value], ...]`; a body stands in `data` when its JSON gives back the same
bytes, else in `data_base64`; no body at all is a tombstone. An event without the required CloudEvents
attributes is foreign, and stays so. Over 250 lines because the way out and the way back are read together.
"""

from __future__ import annotations

import base64
import binascii
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

JSON_TYPE = "application/json"
NO_EXTENSIONS: Mapping[str, str] = {}

_COORDINATES = frozenset({"topic", "partition", "offset"})
_KNOWN = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "partitionkey", "key_base64",
     "correlationid", "causationid", "headers", "data", "data_base64"}
) | _COORDINATES


@dataclass(slots=True)
class Event:
    """What happened. `data` is the encoded body, None is a tombstone; `key` is the record key, None is no key.

    A foreign event (one that carries no CloudEvents header) has `id`, `source` and `type` None.
    `headers` are the headers that are not CloudEvents attributes; a value is None where the wire had null.
    `partition` is a wish of the publisher, None lets the key decide.
    """

    id: str | None
    source: str | None
    type: str | None
    time: str | None  # RFC 3339 in UTC with microseconds
    data: bytes | None
    key: bytes | None = None
    datacontenttype: str | None = JSON_TYPE
    subject: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    extensions: Mapping[str, str] = field(default_factory=lambda: NO_EXTENSIONS)
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None

    @property
    def foreign(self) -> bool:
        return self.id is None

    def body(self) -> Any:
        """The decoded body: a JSON value, or text or bytes where it is no JSON; None for a tombstone."""
        return decode_body(self.data)


@dataclass(slots=True)
class Delivery:
    """An event as a channel handed it over: where it lies and when it was published (epoch seconds)."""

    event: Event
    topic: str
    partition: int | None
    offset: int | None
    published: float
    tag: Any = None  # the channel's own, for acknowledging
    message: str | None = None  # where there is no offset: the broker's own name of this message, the same when it comes again

    @property
    def identity(self) -> str:
        """`source/id`, or for a foreign event the place in the log or the name of the message: equal means the same event."""
        event = self.event
        if event.id is not None:
            return f"{event.source}/{event.id}"
        if self.offset is None:
            return f"{self.topic}/{self.message or self._content()}"
        return f"{self.topic}/{self.partition}/{self.offset}"

    def _content(self) -> str:
        """What nobody gave a name is told by what it says, and when: mostly the same when it comes again."""
        said = repr((self.published, self.event.key, self.event.headers, self.event.data))
        return blake2b(said.encode(), digest_size=16).hexdigest()


def now() -> str:
    """The time, as an event carries it."""
    return rfc3339(clock.time())


_second = (0, "")  # formatting the second is most of the cost, and many events share one


def rfc3339(epoch_seconds: float) -> str:
    """RFC 3339 in UTC with microseconds: `2026-11-24T09:30:00.123456Z`. Raises ValueError outside the years 1 to 9999."""
    global _second
    micros = round(epoch_seconds * 1_000_000)
    whole, rest = divmod(micros, 1_000_000)
    if _second[0] != whole:
        _second = (whole, datetime.fromtimestamp(whole, UTC).isoformat()[:19])
    return f"{_second[1]}.{rest:06d}Z"


def epoch(rfc3339_time: str) -> float:
    """Epoch seconds of an RFC 3339 time. Raises ValueError."""
    moment = datetime.fromisoformat(rfc3339_time)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def encode_key(key: Any) -> bytes | None:
    """A string as it is, null is no key, anything else compact JSON. Raises ValueError."""
    if key is None:
        return None
    return key.encode() if isinstance(key, str) else encode_json(key)


def encode_json(value: Any) -> bytes:
    """Compact JSON. Raises ValueError where JSON cannot say it, as it is nested too deep, say."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as wrong:
        raise ValueError(f"cannot be written as JSON: {wrong}") from None


def decode_body(data: bytes | None) -> Any:
    """JSON where it is JSON, else text, else the bytes; None stays None."""
    if data is None:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data


def to_line(event: Event, delivery: Delivery | None = None) -> bytes:
    """The event as one line of JSON, without the newline."""
    line: dict[str, Any] = {}
    if event.id is not None:
        line["specversion"] = "1.0"
    for name in ("id", "source", "type", "time", "subject", "datacontenttype"):
        if (value := getattr(event, name)) is not None:
            line[name] = value
    if event.key is not None:
        try:
            line["partitionkey"] = event.key.decode()
        except UnicodeDecodeError:
            line["key_base64"] = _base64(event.key)
    if event.correlationid is not None:
        line["correlationid"] = event.correlationid
    if event.causationid is not None:
        line["causationid"] = event.causationid
    line.update((name, value) for name, value in event.extensions.items() if name not in _KNOWN)
    if event.headers:
        line["headers"] = [[name, _header_out(value)] for name, value in event.headers]
    if event.data is not None:
        line.update(_data_out(event))
    if delivery is not None:
        line.update(topic=delivery.topic, partition=delivery.partition, offset=delivery.offset)
    return orjson.dumps(line)


def is_event_line(value: Any) -> bool:
    """Whether a JSON value is an event as `to_line` writes it, and not a bare body."""
    return isinstance(value, dict) and ("specversion" in value or value.keys() >= _COORDINATES)


def from_line(line: bytes | str | Mapping[str, Any]) -> Event:
    """The event of one line as `to_line` wrote it. Raises ValueError that says what is wrong."""
    value = line if isinstance(line, Mapping) else orjson.loads(line)
    if not isinstance(value, Mapping):
        raise ValueError("an event is a JSON object")
    if "specversion" not in value and value.get("id") is not None:
        raise ValueError("an event with an 'id' needs 'specversion': \"1.0\"")
    if "specversion" in value:
        for name in ("id", "source", "type"):
            if not isinstance(value.get(name), str) or not value[name]:
                raise ValueError(f"an event needs '{name}', a string that is not empty")
    if value.get("time") is not None:
        _checked_time(value["time"])
    extensions = {name: _extension_in(name, given) for name, given in value.items()
                  if name not in _KNOWN and given is not None}  # null is unset, says the JSON format
    return Event(
        id=_text(value, "id"), source=_text(value, "source"), type=_text(value, "type"),
        time=_text(value, "time"), data=_data_in(value), key=_key_in(value),
        datacontenttype=_text(value, "datacontenttype"), subject=_text(value, "subject"),
        correlationid=_text(value, "correlationid"), causationid=_text(value, "causationid"),
        extensions=extensions or NO_EXTENSIONS, headers=_headers_in(value.get("headers", [])),
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unbase64(name: str, text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as wrong:
        raise ValueError(f"'{name}' is not base64: {wrong}") from wrong


def _text(value: Mapping[str, Any], name: str) -> str | None:
    given = value.get(name)
    if given is not None and not isinstance(given, str):
        raise ValueError(f"'{name}' is a string")
    return given


def _checked_time(time: Any) -> None:
    try:
        epoch(time)
    except (TypeError, ValueError) as wrong:
        raise ValueError(f"'time' is not an RFC 3339 time: {time!r}") from wrong


def _extension_in(name: str, given: Any) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, str | int):
        return str(given)
    raise ValueError(f"the extension '{name}' is a string, an integer or a boolean")


def _header_out(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": _base64(value)}


def _headers_in(given: Any) -> tuple[tuple[str, bytes | None], ...]:
    shape = ValueError("'headers' is a list of [name, value] pairs")
    if not isinstance(given, list):
        raise shape
    headers: list[tuple[str, bytes | None]] = []
    for pair in given:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise shape
        name, value = pair
        if isinstance(value, dict):
            headers.append((name, _unbase64("headers", value.get("base64"))))
        elif value is None or isinstance(value, str):
            headers.append((name, None if value is None else value.encode()))
        else:
            raise ValueError(f"the header '{name}' is a string, null or {{base64: …}}")
    return tuple(headers)


def says_json(datacontenttype: str | None) -> bool:
    """Whether an event claims that its body is JSON; one that says nothing claims nothing."""
    return bool(datacontenttype) and not _is_text(datacontenttype)


def _is_text(datacontenttype: str | None) -> bool:
    """Whether `data` is the body itself, and not JSON (JSON event format 1.0.2, 3.1)."""
    kind = (datacontenttype or JSON_TYPE).partition(";")[0].strip().lower()
    return not kind.endswith(("/json", "+json"))


def _data_out(event: Event) -> dict[str, Any]:
    data = event.data
    assert data is not None
    if _is_text(event.datacontenttype):
        try:
            return {"data": data.decode()}
        except UnicodeDecodeError:
            return {"data_base64": _base64(data)}
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {"data_base64": _base64(data)}
    return {"data": orjson.Fragment(data)} if _same_json(value, data) else {"data_base64": _base64(data)}


def _same_json(value: Any, data: bytes) -> bool:
    """Whether the value's JSON is these bytes; one nested too deep to be written is not."""
    try:
        return encode_json(value) == data
    except ValueError:
        return False


def _data_in(value: Mapping[str, Any]) -> bytes | None:
    if value.get("data_base64") is not None:
        return _unbase64("data_base64", value["data_base64"])
    if "data" not in value:
        return None
    if _is_text(value.get("datacontenttype")) and isinstance(value["data"], str):
        return value["data"].encode()
    return encode_json(value["data"])


def _key_in(value: Mapping[str, Any]) -> bytes | None:
    if value.get("key_base64") is not None:
        return _unbase64("key_base64", value["key_base64"])
    return encode_key(value.get("partitionkey"))
