"""Who looks up what whose events said: told from the bodies of the generators. Knows no YAML and no process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eda_cli.payloads import last_of, lookups_in, once_of
from eda_cli.sketch.resolved import Resolved


@dataclass(frozen=True, slots=True)
class Demand:
    """What a generator is asked for: its last so many events, and all that each of the `once` has not used yet."""

    last: int
    once: tuple[str, ...]


def sources(sketch: Resolved, topic: str, of: str = "") -> list[str]:
    """The generators whose events are looked up: those that publish to the topic, or the one that is named."""
    return [one.name for one in sketch.generators.values() if one.publishes == topic and of in ("", one.name)]


def looker(generator: str, index: int) -> str:
    """The name under which a generator uses events once, for its so-many-th lookup."""
    return f"{generator}/{index}"


def demand(sketch: Resolved, name: str) -> Demand | None:
    """What the generator is asked for by those who look it up; None where nobody does."""
    last, once, asked = 0, [], False
    for generator, index, raw in _lookups(sketch):
        if name in sources(sketch, raw["$lookup"], raw.get("of", "")):
            asked = True
            if once_of(raw):
                once.append(looker(generator, index))
            else:
                last = max(last, last_of(raw))
    return Demand(last, tuple(once)) if asked else None


def looked_at(sketch: Resolved, name: str) -> list[str]:
    """The generators whose events the generator looks up."""
    found = [source for generator, _, raw in _lookups(sketch) if generator == name
             for source in sources(sketch, raw["$lookup"], raw.get("of", ""))]
    return list(dict.fromkeys(found))


def topics_looked_at(sketch: Resolved, name: str) -> list[str]:
    """The topics in which the generator looks up events."""
    return list(dict.fromkeys(raw["$lookup"] for generator, _, raw in _lookups(sketch) if generator == name))


def _lookups(sketch: Resolved) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for name, generator in sketch.generators.items():
        if generator.external:
            continue
        for index, (_, raw) in enumerate(lookups_in(generator.body)):
            yield name, index, raw
