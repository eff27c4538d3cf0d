"""How `tail` writes an event: a flow line, JSON, its bare body, or a format as kcat's."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from eda_cli.cli import console
from eda_cli.errors import UsageError

if TYPE_CHECKING:
    from eda_cli.event import Delivery


def shower(json: bool, raw: bool, format_: str | None) -> Callable[[Delivery], None]:
    """A function that writes one event. Raises UsageError."""
    from eda_cli.event import to_line

    if sum((json, raw, format_ is not None)) > 1:
        raise UsageError("--json, --raw and -f exclude each other", "each says how events are written")
    if json:
        return lambda delivery: console.write_line(to_line(delivery.event, delivery))
    if raw:
        return _formatted(r"%s\n")
    if format_ is not None:
        return _formatted(format_)
    return _pretty()


def _pretty() -> Callable[[Delivery], None]:
    from eda_cli.dead_letter import ATTEMPTS, CONSUMER, REASON, number_said, said
    from eda_cli.event import rfc3339
    from eda_cli.journal import Observation, shown
    from eda_cli.view.lines import COLOURS, event_line

    colours: dict[str, str] = {}
    out = console.out()
    longest = 8

    def show(delivery: Delivery) -> None:
        nonlocal longest
        event = delivery.event
        part = (event.source or "-").rpartition("/")[2] or "-"
        fields = {"topic": delivery.topic, "partition": delivery.partition, "offset": delivery.offset, **shown(event)}
        if (reason := said(event, REASON)) is not None:  # a dead letter says why it is one, and who could not handle it
            part = said(event, CONSUMER) or part
            fields |= {"reason": reason, "attempt": number_said(event, ATTEMPTS)}
        colour = colours.setdefault(delivery.topic, COLOURS[len(colours) % len(COLOURS)])
        seen = Observation("published" if reason is None else "failed", rfc3339(delivery.published), part, fields)
        longest = min(max(longest, len(part)), 20)
        line = event_line(seen, colour, f"{part:<{longest}}")
        if (width := console.width()) is not None:
            line.truncate(width, overflow="ellipsis")
        out.print(line, soft_wrap=True)

    return show


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


def _formatted(format_: str) -> Callable[[Delivery], None]:
    """As kcat's -f: byte by byte, but on a terminal. Raises UsageError at an unknown field."""
    from eda_cli.event import rfc3339

    fields: dict[str, Callable[[Delivery], bytes]] = {
        "t": lambda one: one.topic.encode(),
        "p": lambda one: str("-" if one.partition is None else one.partition).encode(),
        "o": lambda one: str("-" if one.offset is None else one.offset).encode(),
        "k": lambda one: one.event.key or b"",
        "s": lambda one: one.event.data or b"",
        "i": lambda one: (one.event.id or "").encode(),
        "e": lambda one: (one.event.type or "").encode(),
        "T": lambda one: (one.event.time or rfc3339(one.published)).encode(),
        "h": lambda one: b",".join(name.encode() + b"=" + (value or b"") for name, value in one.event.headers),
        "S": lambda one: str(len(one.event.data) if one.event.data is not None else -1).encode(),
        "%": lambda one: b"%",
    }
    pieces: list[Callable[[Delivery], bytes]] = []
    for text, field, escape in (match.groups() for match in re.finditer(r"([^%\\]+)|%(.?)|\\(.?)", format_)):
        if text:
            pieces.append(_constant(text))
        elif escape is not None:
            pieces.append(_constant(_ESCAPES.get(escape, "\\" + escape)))
        elif field in fields:
            pieces.append(_shown(fields[field]) if console.on_terminal() else fields[field])
        else:
            raise UsageError(f"-f: there is no field %{field}" if field else "-f: a % names no field",
                             f"known: {' '.join('%' + name for name in fields)}", "a % itself is %%")

    def show(delivery: Delivery) -> None:
        sys.stdout.buffer.write(b"".join(piece(delivery) for piece in pieces))

    return show


def _constant(text: str) -> Callable[[Delivery], bytes]:
    data = text.encode()
    return lambda one: data


def _shown(field: Callable[[Delivery], bytes]) -> Callable[[Delivery], bytes]:
    """The field as a terminal may have it: shown, never obeyed."""
    from eda_cli.view.escape import escaped

    return lambda one: escaped(field(one).decode(errors="replace")).encode()
