"""Quantities as a sketch has them: each is the shortest text that is read as exactly this. Knows no key that holds one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from math import inf, nextafter

from eda_cli.payloads import parse_duration, parse_rate, parse_share


def duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as exactly this: `20ms`, `1h`."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)):
        for number in {round(seconds / length), float(f"{seconds / length:.6g}")}:
            text = f"{_plain(number)}{unit}"
            if number >= 1 and len(text) <= 6 and parse_duration(text) == seconds:
                return text
    return f"{_plain(seconds)}s"


def rate(per_second: float) -> str:
    """The shortest text that `parse_rate` reads as exactly this: `5/s`, `1/min`, `max`."""
    if per_second == inf:
        return "max"
    for unit, times in (("s", 1), ("min", 60), ("h", 3600)):
        number = float(f"{per_second * times:.6g}")
        if number and parse_rate(text := f"{_plain(number)}/{unit}", zero=True) == per_second:
            return text
    return f"{_plain(per_second)}/s"


def share(part: float) -> str:
    """The shortest text that `parse_share` reads as exactly this: `2%`."""
    percent = part * 100
    texts = [f"{_plain(number)}%" for number in (
        float(f"{percent:.6g}"), percent, nextafter(percent, 0), nextafter(percent, 100))]  # it was rounded
    return next((text for text in texts if parse_share(text) == part), texts[0])


def _plain(number: float) -> str:
    text = f"{Decimal(repr(number)):f}"
    return text.removesuffix(".0")


def between(ends: tuple[float, float]) -> str:
    """A range of durations, in seconds: `20ms..80ms`, or one of them where both ends are equal."""
    low, high = map(duration, ends)
    return low if low == high else f"{low}..{high}"


def rates(ends: tuple[float, float]) -> str:
    """A range of rates, in events per second: `5/s..60/s`, or one of them where both ends are equal."""
    low, high = map(rate, ends)
    return low if low == high else f"{low}..{high}"


def past(start: tuple[str, float]) -> str:
    """When something began, so many seconds "ago" or "at" an epoch second: `-7d`, `2026-01-01T00:00:00Z`."""
    kind, seconds = start
    if kind == "ago":
        return f"-{duration(seconds)}"
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
