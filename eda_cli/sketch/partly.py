"""What looks unintended in a sketch that has problems: only what holds however they are mended. Imported for such a one alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eda_cli.errors import Problem
from eda_cli.payloads import InvalidValue
from eda_cli.sketch import check, defaults
from eda_cli.sketch.check import Reach
from eda_cli.sketch.explain import key_meant
from eda_cli.sketch.model import Sketch
from eda_cli.sketch.places import Path, Place, Places, Spot

# Keys that say how a part does it, and neither where events go nor what they say.
_MANNERS = {
    "generators": {"rate", "every", "stages", "repeat", "arrivals", "count", "after", "from", "faults", "replicas", "service",
                   "about"},
    "consumers": {"group", "from", "takes", "fails", "retries", "idempotent", "timeout", "replicas", "service", "about"},
    "topics": {"retention", "config", "about"},
}
_CONTENTS = {"body", "key", "headers", "entities"}  # what the events of a generator say


def lint(sketch: Sketch, problems: Sequence[Problem], places: Places) -> list[Problem]:
    """Warnings about what is left of a sketch without its `problems`; none where one of these is told.

    A part that cannot be read may be the one that subscribes: where events go and what they say is looked at only as far as
    no problem touches it.
    """
    told = {(problem.line, problem.column) for problem in problems}
    reach = min(_reach(path, places) for path in _paths(told, places))
    try:
        found = check.lint(defaults.fill(sketch, ""), places, reach)
    except InvalidValue:  # a life under `events` that cannot be read
        return []
    return [one for one in found if (one.line, one.column) not in told]


def _paths(wanted: set[Place], places: Places) -> list[Path]:
    """What stands at each of these places; the empty path where nothing does."""
    found: dict[Place, Path] = {place: path for path, spot in _spots((), places.root, set())
                                for place in (spot.key, spot.place) if place in wanted and place is not None}
    return [found.get(place, ()) for place in wanted]


def _spots(path: Path, spot: Spot, seen: set[int]) -> Iterator[tuple[Path, Spot]]:
    """Every value once, what holds others before them."""
    yield path, spot
    if id(spot.inside) not in seen:  # an alias has what its anchor has
        seen.add(id(spot.inside))
        for step, inside in spot.inside.items():
            yield from _spots((*path, step), inside, seen)


def _reach(path: Path, places: Places) -> Reach:
    """How much is known of a sketch with a problem there."""
    if path[:1] in (("name",), ("seed",), ("broker",)):
        return Reach.CONTENTS
    section, key = str(path[0]) if path else "", str(path[2]) if len(path) > 2 else ""
    if key and section in _MANNERS and (key in _MANNERS[section] or key_meant(path[:3]) in _MANNERS[section]):
        return Reach.CONTENTS
    says = section == "generators" and key and (key in _CONTENTS or key_meant(path[:3]) in _CONTENTS)
    body = path[:2] if section == "events" else path[:3] if says else ()
    return Reach.FLOW if len(body) > 1 and "$states" not in places.spot(body).inside else Reach.PARTS
