"""When a generator speaks, for whom, and what goes wrong with what it says: stages, entities, faults. Knows no place.

A short form, `late: 5%`, is read as the map that it stands for.
"""

# ruff: noqa: RUF012 (pydantic copies the defaults)
from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from eda_cli.payloads import parse_duration, parse_range, parse_rate
from eda_cli.sketch.fitting import VARIABLE, Kind, MapOf, Misfit, OneOrMany, Short, varied, whole
from eda_cli.sketch.kinds import SHARE, SPAN, quantity
from eda_cli.sketch.strict import GeneratorValue, Strict, says

MAX_ENTITIES = 1_000_000
EARLIEST_YEAR = 1000  # so that now(-3650d) and what is late lie in the calendar, too


def _arrivals(raw: Any) -> str:
    if raw in ("even", "poisson"):
        return str(raw)
    raise Misfit(hint="write poisson" if isinstance(raw, str) and raw.lower() in ("random", "exponential") else "")


def _repeat(raw: Any) -> Any:
    return None if raw == "forever" else _REPEATS.read(raw)


def _past(raw: Any) -> tuple[str, float]:
    """`-7d` is so long ago, a date or a time is that moment: ("ago", seconds) or ("at", epoch seconds)."""
    if not isinstance(raw, str):
        raise Misfit
    if raw.startswith("-"):
        return "ago", float(SPAN.read(raw[1:]))
    if re.fullmatch(r"[0-9.]+(ms|s|m|h|d)", raw):
        raise Misfit("it lies in the future", f"write -{raw}")
    try:
        moment = datetime.fromisoformat(raw)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except ValueError as wrong:
        raise Misfit from wrong
    except OverflowError as wrong:  # in UTC it is of another year
        raise Misfit("it lies outside of the calendar") from wrong
    if moment.year < EARLIEST_YEAR:
        raise Misfit(f"it lies before the year {EARLIEST_YEAR}")
    return "at", moment.timestamp()


_REPEATS = whole(1, 10**9, "a whole number above 0, or forever", "write it as 3")
_RATES = Kind("a rate or a range of rates", "write it as 60/s or 5/s..60/s",
              quantity(lambda raw: parse_range(raw, partial(parse_rate, zero=True), downwards=True)), {"type": "string"})
_SPANS = Kind("a duration or a range of durations", "write it as 1s or 1s..10s",
              quantity(lambda raw: parse_range(raw, partial(parse_duration, zero=False))), {"type": "string"})
_COUNT = whole(1, MAX_ENTITIES, f"a whole number from 1 to {MAX_ENTITIES:,}", "write it as 5000")
_HAVE = MapOf("a map of fields and their values", "write it as {name: faker.name()}", notes=False)
ARRIVALS = Kind("even or poisson", "write poisson for pauses of chance", _arrivals, {"enum": ["even", "poisson"]})
REPEAT = Kind(_REPEATS.expected, _REPEATS.example, _repeat,
              {"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["forever"]}, VARIABLE]})
PAST = Kind("a time ago, a date or a time", "write it as -7d or 2026-01-01", _past, {"type": "string"})
STAGES = OneOrMany("a stage or a list of stages", "write it as [{rate: 5/s..60/s, for: 10s}, {rate: 60/s, for: 1m}]", once=False)


class Stage(Strict):
    """A time in which a generator keeps a rate, or goes from one rate to another one."""

    rate: Annotated[tuple[float, float], _RATES, says("The rate; a range is a ramp.", "60/s", "5/s..60/s")]
    for_s: Annotated[float | None, SPAN, says("How long; the last stage may go on without end.", "10s", alias="for")] = None


class Entities(Strict):
    """Those of whom a generator tells: each has a clock of its own."""

    count: Annotated[int, _COUNT, says("How many there are.", 5000)]
    have: Annotated[dict[str, GeneratorValue], _HAVE,
                    says("What each of them has, drawn once: `$entity.name`.", {"name": "faker.name()"})] = {}


class Spread(Strict):
    """A share of the events, and the time by which they are late or held back."""

    share: Annotated[float, SHARE, says("How many of the events.", "5%")]
    by: Annotated[tuple[float, float], _SPANS, says("By how much.", "3s..1m")] = (1.0, 10.0)


def _spread(raw: Any) -> Any:
    if isinstance(raw, (str, int, float)) and not isinstance(raw, bool):
        return {"share": raw}
    raise Misfit


SPREAD = Short("a share or a map of keys", "write it as {share: 5%, by: 1s..10s}", _spread, {"type": "string"})


class Faults(Strict):
    """What goes wrong with the events of a generator: each in this share of them, drawn by itself."""

    duplicate: Annotated[float, SHARE, says("Published twice, equal in everything.", "2%")] = 0.0
    drop: Annotated[float, SHARE, says("Never published.", "1%")] = 0.0
    late: Annotated[Spread | None, SPREAD,
                    says("Published now, though they happened earlier.", {"share": "5%", "by": "3s..1m"})] = None
    out_of_order: Annotated[Spread | None, SPREAD,
                            says("Held back, so that later ones overtake them.", {"share": "5%", "by": "1s"})] = None
    corrupt: Annotated[float, SHARE, says("With a body that is no JSON any more.", "0.1%")] = 0.0
    null_key: Annotated[float, SHARE, says("Without their record key.", "1%")] = 0.0


def _entities(raw: Any) -> Any:
    number = varied(raw)
    if isinstance(number, bool) or not isinstance(number, (int, float, str)):
        raise Misfit
    return {"count": raw}


def _faults(raw: Any) -> Any:
    share = isinstance(raw, str) and re.fullmatch(r"[0-9.]+%", raw)
    raise Misfit(hint=f"write it as {{duplicate: {raw}}}" if share else "")


ENTITIES = Short("a whole number or a map of keys", "write it as 5000", _entities, _COUNT.schema)
FAULTS = Short("a map of faults", "write it as {duplicate: 2%}", _faults, None)
