"""Quantities and their one grammar: durations `200ms`, rates `5/s`, shares `2%`, ranges `20ms..80ms`.

Knows nothing of where they stand. Every refusal is a ValueError whose text says what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf

from eda_cli.payloads.problems import shown

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PER = {"s": 1.0, "min": 60.0, "h": 3600.0}  # seconds
LONGEST_S = 10 * 365.25 * 86400.0  # ten years
FASTEST_PER_S = 10_000_000.0

_NUMBER = r"(-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))"
_BARE = re.compile(rf"{_NUMBER}\Z")
_DURATION = re.compile(rf"{_NUMBER}(ms|s|m|h|d)\Z")
_RATE = re.compile(rf"{_NUMBER}/(s|min|h)\Z")
_SHARE = re.compile(rf"{_NUMBER}%\Z")
_WORDED = re.compile(rf"{_NUMBER}\s*([a-zµ]+)\.?\Z", re.IGNORECASE)
_WORDED_RATE = re.compile(rf"{_NUMBER}\s*(?:/|\bper\b)\s*([a-z]+)\Z", re.IGNORECASE)
_DURATION_WORDS = {
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
_RATE_WORDS = {
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("m", "min", "minute"), "min"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
}


def parse_duration(text: object, *, zero: bool = True) -> float:
    """Seconds of `200ms`, `5s`, `2m`, `1h`, `7d`; `zero=False` refuses no time at all. Raises ValueError."""
    written = _written(text)
    if not (match := _DURATION.match(written)):
        raise ValueError(_no_duration(written))
    seconds = float(match[1]) * SECONDS[match[2]]
    if seconds < 0:
        raise ValueError(f"'{shown(written)}' is negative: a duration is not")
    if seconds > LONGEST_S:
        raise ValueError(f"'{shown(written)}' is longer than ten years")
    if not seconds and not zero:
        raise ValueError(f"'{shown(written)}' is no time at all: write one such as 200ms")
    return seconds


def parse_rate(text: object, *, zero: bool = False) -> float:
    """Events per second of `5/s`, `120/min`, `10/h`, `max` (inf). `zero` allows `0/s`. Raises ValueError."""
    written = _written(text)
    if written == "max":
        return inf
    if not (match := _RATE.match(written)):
        raise ValueError(_no_rate(written))
    rate = float(match[1]) / PER[match[2]]
    if rate < 0:
        raise ValueError(f"'{shown(written)}' is negative: a rate is not")
    if not rate and not zero:
        raise ValueError(f"'{shown(written)}' is never: write a rate such as 1/h")
    if 0 < rate < 0.999 / LONGEST_S:  # it may have been rounded
        raise ValueError(f"'{shown(written)}' is less than once in ten years: write a rate such as 1/h")
    if rate > FASTEST_PER_S:
        raise ValueError(f"'{shown(written)}' is faster than any channel: write max for as fast as it goes")
    return rate


def parse_share(text: object) -> float:
    """`2%` as 0.02, from 0% to 100%. Raises ValueError."""
    written = _written(text)
    if not (match := _SHARE.match(written)):
        raise ValueError(_no_share(written))
    share = float(match[1]) / 100
    if not 0 <= share <= 1:
        raise ValueError(f"'{shown(written)}' is {'negative' if share < 0 else 'too much'}: a share is 0% to 100%")
    return share


def parse_range(text: object, parse_one: Callable[[str], float], *, downwards: bool = False) -> tuple[float, float]:
    """Both ends of `20ms..80ms`, each read by `parse_one`; a single `20ms` is both. `downwards` allows `80ms..20ms`.

    Raises ValueError.
    """
    written = _written(text)
    low_text, dots, high_text = written.partition("..")
    if high_text.startswith("."):
        raise ValueError(f"'{shown(written)}' has three dots: write {shown(low_text)}..{shown(high_text.lstrip('.'))}")
    low = parse_one(low_text)
    high = parse_one(high_text) if dots else low
    if dots and inf in (low, high):
        raise ValueError(f"'{shown(written)}' has no end: a range ends at a number")
    if low > high and not downwards:
        raise ValueError(f"'{shown(written)}' runs backwards: write {shown(high_text)}..{shown(low_text)}")
    return low, high


def _written(text: object) -> str:
    """As it stands in the sketch: YAML makes numbers of bare ones."""
    return text.strip() if isinstance(text, str) else str(text)


def _no_duration(written: str) -> str:
    if _BARE.match(written):
        number = shown(written.lstrip("-"))
        return f"'{shown(written)}' has no unit: write {number}ms, {number}s or {number}m"
    worded = _WORDED.match(written)
    if worded and (unit := _DURATION_WORDS.get(worded[2].lower())):
        return f"'{shown(written)}' is no duration: write {shown(worded[1])}{unit}"
    return f"'{shown(written)}' is no duration: write one such as 200ms, 5s, 2m, 1h or 7d"


def _no_rate(written: str) -> str:
    if _BARE.match(written):
        if not float(written):
            return f"'{shown(written)}' is never: write a rate such as 1/h"
        number = shown(written.lstrip("-"))
        return f"'{shown(written)}' has no unit: write {number}/s, {number}/min or {number}/h"
    worded = _WORDED_RATE.match(written)
    if worded and (unit := _RATE_WORDS.get(worded[2].lower())):
        return f"'{shown(written)}' is no rate: write {shown(worded[1])}/{unit}"
    return f"'{shown(written)}' is no rate: write one such as 5/s, 120/min, 10/h, or max"


def _no_share(written: str) -> str:
    if _BARE.match(written):
        number = float(written)
        percent = number * 100 if 0 < number < 1 else number
        return f"'{shown(written)}' has no unit: write {percent:g}%"
    return f"'{shown(written)}' is no share: write one such as 2%"
