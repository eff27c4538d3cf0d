"""From an event to what values see of it, and from values to the parts of an event. Knows no rule and no channel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from eda_cli.event import Delivery, Event, decode_body, encode_json, encode_key, epoch, rfc3339, says_json
from eda_cli.payloads import (
    TOMBSTONE,
    Context,
    NoJson,
    PayloadError,
    Quick,
    Rows,
    Scope,
    Seen,
    Unreadable,
    Value,
    compile_value,
)

Headers = tuple[tuple[str, bytes | None], ...]
NO_HEADERS: Mapping[str, str | None] = {}
NO_COPIES: Mapping[str, Rows] = {}
_BEYOND = frozenset({"key", "id", "type", "source", "time", "headers", "topic"})
_AS_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")
ITS_BODY, OTHERS_BODY = "its body", "the body of its counterpart"
YEAR_9999 = 253370764800  # when it begins


def seen_of(delivery: Delivery, whose: str = ITS_BODY) -> Seen:
    """What paths and templates see of an event that is handled; they fail where they look into a body that cannot be read.

    `whose` body that is, is said then.
    """
    event = delivery.event
    key = event.key.decode(errors="replace") if event.key is not None else None
    body = body_of(event, whose)
    kind = Unreadable if type(body) is NoJson else Seen
    return kind(body, key, event.id, event.type, event.source, event.time,
                _texts(event.headers) if event.headers else NO_HEADERS, delivery.topic, copy=NO_COPIES)


def body_of(event: Event, whose: str) -> Any:
    """The body as `Event.body()` gives it, but NoJson where it says that it is JSON and is none."""
    if event.data is None:
        return None
    try:
        return orjson.loads(event.data)
    except orjson.JSONDecodeError as wrong:
        if not says_json(event.datacontenttype):
            return decode_body(event.data)
        return NoJson(f"{whose} is no JSON", _why_not(event.data, wrong))


def _why_not(data: bytes, wrong: orjson.JSONDecodeError) -> str:
    """What is wrong, and at which byte (from 0)."""
    try:
        text = data.decode()
    except UnicodeDecodeError as no_text:
        return f"no UTF-8 at byte {no_text.start}"
    return f"{wrong.msg} at byte {len(text[:wrong.pos].encode())}"


def look_beyond(values: Iterable[Quick]) -> bool:
    """Whether one of these looks at more of an event than its body."""
    return any(not _BEYOND.isdisjoint(getattr(value, "__code__").co_names) for value in values)  # noqa: B009


def see_beyond(seen: Seen, delivery: Delivery) -> None:
    """Show the event, but for its body, in one that nobody looks at any more."""
    event = delivery.event
    key = event.key
    seen.key = key.decode(errors="replace") if key is not None else None
    seen.id, seen.type, seen.source, seen.time = event.id, event.type, event.source, event.time
    seen.headers = _texts(event.headers) if event.headers else NO_HEADERS
    seen.topic = delivery.topic


def moment_of(delivery: Delivery) -> float:
    """When the event happened: `now()` of what follows, so that it is the same each time it is handled."""
    time = delivery.event.time
    if time:
        try:
            moment = epoch(time)
            if not 0 <= moment < YEAR_9999:
                rfc3339(moment)  # others may write what we could not: the last moment of the year 9999 in another zone
            return moment
        except ValueError:
            pass
    return delivery.published


def as_written(time: str | None) -> str | None:
    """A moment in an event whose text is the one that we would write for it, else None."""
    if time is None or not _AS_WRITTEN.match(time):
        return None
    try:
        datetime.fromisoformat(time)
    except ValueError:
        return None
    return time


def encoded(said: Any) -> bytes | None:
    """The bytes of a body. Raises PayloadError where it is nested too deep to be written."""
    if said is TOMBSTONE:
        return None
    try:
        return encode_json(said)
    except ValueError as wrong:
        raise PayloadError("the body has no JSON", str(wrong)) from None


def key_of(said: Any) -> bytes | None:
    """The bytes of a key or a header. Raises PayloadError where it is nested too deep to be written."""
    try:
        return encode_key(said)
    except ValueError as wrong:
        raise PayloadError("a key or header has no JSON", str(wrong)) from None


def record_key(key: Value, context: Context, body: Any, event: Event) -> bytes | None:
    """The key that a topic gives to an event being published, which is what `context` sees from now on.

    Raises PayloadError.
    """
    kind = Unreadable if type(body) is NoJson else Seen
    context.seen = kind(body=body, id=event.id, type=event.type, source=event.source, time=event.time,
                        headers=_texts(event.headers) if event.headers else NO_HEADERS)
    return key_of(key(context))


def headers_maker(raw: Mapping[str, Any], scope: Scope) -> Callable[[Context], Headers] | None:
    """The function that makes the headers; None where there are none."""
    if not raw:
        return None
    values = [(name, compile_value(value, scope)) for name, value in raw.items()]

    def make(context: Context) -> Headers:
        return tuple((name, key_of(value(context))) for name, value in values)

    return make


def as_failure(wrong: Exception) -> PayloadError:
    """Whatever others wrote, or a sketch makes of it, fails its event and never the part."""
    return wrong if isinstance(wrong, PayloadError) else PayloadError("its values cannot be made", str(wrong))


def _texts(headers: Headers) -> dict[str, str | None]:
    return {name: value.decode(errors="replace") if value is not None else None for name, value in headers}
