"""Events as plain fields, for files that a kill must not tear. Knows no file."""

from __future__ import annotations

from typing import Any

from eda_cli.event import Event


def fields_of(event: Event) -> tuple[Any, ...]:
    """What `Event(*fields)` makes the same event of."""
    return (event.id, event.source, event.type, event.time, event.data, event.key, event.datacontenttype,
            event.subject, event.correlationid, event.causationid, dict(event.extensions), event.headers,
            event.partition)
