"""Faults of a generator that nobody would see, or of which there are too many: warnings. Knows no chance."""

from __future__ import annotations

import math
from collections.abc import Iterator

from eda_cli.errors import Problem
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import MOST_HELD, Generator, Resolved, Spread


def unseen(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Keys taken away where there are none; all dropped; events held back for less than the pause to the next, or too many."""
    for name, generator in resolved.generators.items():
        path: Path = ("generators", name, "faults")
        faults = generator.faults
        if faults is None:
            continue
        if faults.null_key and generator.key is None and resolved.topics[generator.publishes].key is None:
            yield Problem(*places.value((*path, "null_key")), f"generator '{name}' has no key that null_key could take away",
                          "neither it nor its topic says key", "add key: to the topic, or leave it out")
        if faults.drop == 1:
            yield Problem(*places.value((*path, "drop")), f"nothing of generator '{name}' is published", "all of it is dropped",
                          "drop fewer: drop: 1%")
        pause = _pause(generator)
        held = faults.out_of_order
        if held and held.share and held.by_s[1] <= pause:
            yield Problem(*places.value((*path, "out_of_order")), f"nothing that generator '{name}' holds back is overtaken",
                          f"it is held for {held.by_s[1]:.3g}s at most, and the next event comes after {pause:.3g}s",
                          "hold it longer: out_of_order: {share: 5%, by: …}")
        if held and (many := _held(generator, held)) > MOST_HELD * generator.replicas:
            yield Problem(*places.value((*path, "out_of_order")), f"generator '{name}' holds back more than it can",
                          f"about {many:,.0f} events at once, and a replica holds {MOST_HELD:,}: then the first goes out early",
                          "hold fewer of them, or less long, or give it more replicas")


def _pause(generator: Generator) -> float:
    """Seconds from one event to the next at least; 0 where chance or others say it."""
    if generator.arrivals != "even" or generator.start is not None:
        return 0.0
    if generator.every is not None:
        return generator.every[0] / (generator.entities.count if generator.entities else 1)
    fastest = _fastest(generator)
    return 1 / fastest if fastest else 0.0


def _held(generator: Generator, held: Spread) -> float:
    """How many events are held back at once at most, where that is known: of one flat out it is not."""
    if pauses := generator.every:
        rate = 2 * (generator.entities.count if generator.entities else 1) / (sum(pauses) or math.inf)
    else:
        rate = _fastest(generator)
    at_once = rate * sum(held.by_s) / 2 if rate < math.inf else 0.0
    return held.share * min(at_once, math.inf if generator.count is None else generator.count)


def _fastest(generator: Generator) -> float:
    """Events in a second at the height of it; 0 where states are the clock."""
    return max((rate for stage in generator.stages for rate in stage.rate), default=generator.rate or 0.0)
