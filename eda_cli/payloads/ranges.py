"""Ranges, `1..5`, `5.00..250.00`, `2026-01-01..2026-12-31`: a value between two bounds, written like them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from eda_cli.payloads.code import Code
from eda_cli.payloads.problems import Refused, shown

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = _DATE + r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?"
_BOUND = f"({_TIME}|{_DATE}|{_NUMBER})"
_RANGE = re.compile(rf"{_BOUND}\.\.{_BOUND}\Z")
_LEADING_ZERO = re.compile(r"-?0[0-9]")

_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1  # what JSON carries here
_EXACT = 1 << 53  # up to here a float is the decimal that was meant
_ONE_DRAW = 1 << 32  # so many values one draw tells apart without favouring any
_EPOCH = datetime(1970, 1, 1)


def is_range(text: str) -> bool:
    """Whether the text has the form of a range."""
    return _RANGE.match(text) is not None


def compile_range(text: str, code: Code) -> str | None:
    """The source that draws from the range, both bounds included, or None when it is none. Raises Refused."""
    if not (match := _RANGE.match(text)):
        return None
    low, high = match.groups()
    kinds = {_kind(low), _kind(high)}
    if len(kinds) > 1:
        raise Refused(f"'{shown(text)}' has bounds of two kinds", "", "write numbers, or dates, or times")
    return {"number": _numbers, "date": _dates, "time": _times}[kinds.pop()](text, low, high, code)


def number_range(text: str) -> tuple[float, float] | None:
    """Both bounds of a range of numbers, or None when the text is none. Raises Refused when it runs backwards."""
    match = _RANGE.match(text)
    if not match or len(text) > 80 or {_kind(bound) for bound in match.groups()} != {"number"}:
        return None
    low, high = map(float, match.groups())
    if low > high:
        raise _backwards(text, *match.groups())
    return low, high


def size_range(raw: object) -> tuple[int, int]:
    """The smallest and largest size that `4` or `1..4` allows. Raises Refused."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        low = high = raw
    elif isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}(\.\.[0-9]{1,9})?", raw):
        low_text, dots, high_text = raw.partition("..")
        low = int(low_text)
        high = int(high_text) if dots else low
    else:
        raise Refused(f"'{shown(raw)}' is no size", "it is a whole number or a range", "write size: 1..4")
    if low < 0:
        raise Refused(f"a size of {low} is negative", "", "write size: 1..4")
    if low > high:
        raise _backwards(f"{low}..{high}", str(low), str(high))
    return low, high


def uniform(low: int, high: int, code: Code) -> str:
    """The source of an integer from `low` to `high`, both included."""
    width = high - low + 1
    if width <= _ONE_DRAW:
        code.use("draw")
        drawn = f"int((draw() - 1.0) * {code.constant(width)})"
    else:
        code.use("random")
        drawn = f"random.below({code.constant(width)})"
    return f"{code.constant(low)} + {drawn}" if low else drawn


def _kind(bound: str) -> str:
    if ":" in bound:
        return "time"
    return "date" if re.fullmatch(_DATE, bound) else "number"


def _backwards(text: str, low: str, high: str) -> Refused:
    return Refused(f"'{shown(text)}' runs backwards", "the lower bound stands first", f"write {high}..{low}")


def _numbers(text: str, low_text: str, high_text: str, code: Code) -> str:
    decimals = max(len(bound.partition(".")[2]) for bound in (low_text, high_text))
    for bound in (low_text, high_text):
        if _LEADING_ZERO.match(bound):
            raise Refused(f"'{shown(text)}' has a bound with leading zeros", "numbers have none",
                          "write them without, or {$literal: …} for the text itself")
        if len(bound) > 40:
            raise Refused(f"'{shown(text)}' has too many digits", "", "write fewer")
    low, high = (_scaled(bound, decimals) for bound in (low_text, high_text))
    if low > high:
        raise _backwards(text, low_text, high_text)
    if not decimals:
        if low < _SMALLEST or high > _LARGEST:
            raise Refused(f"'{shown(text)}' leaves the numbers of 64 bits", "",
                          f"write numbers from {_SMALLEST} to {_LARGEST}")
        return f"({uniform(low, high, code)})"
    if max(-low, high) > _EXACT:
        raise Refused(f"'{shown(text)}' has too many digits", "a JSON number keeps 15", "write fewer")
    return f"({uniform(low, high, code)}) / {code.constant(10**decimals)}"


def _scaled(bound: str, decimals: int) -> int:
    whole, _, fraction = bound.partition(".")
    return int(whole + fraction.ljust(decimals, "0"))


def _dates(text: str, low_text: str, high_text: str, code: Code) -> str:
    try:
        low, high = (date.fromisoformat(bound).toordinal() for bound in (low_text, high_text))
    except ValueError as wrong:
        raise Refused(f"'{shown(text)}' has a bound that is no day", str(wrong)) from wrong
    if low > high:
        raise _backwards(text, low_text, high_text)
    return f"{code.constant(_day)}({uniform(low, high, code)})"


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _times(text: str, low_text: str, high_text: str, code: Code) -> str:
    for bound in (low_text, high_text):
        if re.fullmatch(r"[^Zz+]*T[^Zz+-]*", bound.replace("t", "T")):
            raise Refused(f"'{shown(text)}' has a time without a zone", "", f"write {bound}Z")
    try:
        low, high = (_micros(bound) for bound in (low_text, high_text))
    except (ValueError, OverflowError) as wrong:
        raise Refused(f"'{shown(text)}' has a bound that is no time", str(wrong)) from wrong
    if low > high:
        raise _backwards(text, low_text, high_text)
    digits = max(len(re.sub(r"[Zz]$|[+-][0-9:]*$", "", bound).partition(".")[2])
                 for bound in (low_text, high_text))
    step = 10 ** (6 - digits)
    return f"{code.constant(_moment(digits))}({uniform(low // step, high // step, code)})"


def _micros(bound: str) -> int:
    """Microseconds since 1970."""
    moment = datetime.fromisoformat(bound.upper()).astimezone(UTC).replace(tzinfo=None)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(digits: int) -> Callable[[int], str]:
    """RFC 3339 in UTC, with so many digits behind the second, of as small steps since 1970."""
    step = timedelta(microseconds=10 ** (6 - digits))
    length = len("2026-01-01T00:00:00") + (digits + 1 if digits else 0)

    def moment(steps: int) -> str:
        return (_EPOCH + steps * step).isoformat(timespec="microseconds")[:length] + "Z"

    return moment
