"""Faults of a generator that nobody would ever see: warnings. Knows no chance, only what the sketch says."""

from __future__ import annotations

from collections.abc import Iterator

from eda_cli.errors import Problem
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Generator, Resolved


def unseen(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """Keys taken away where there are none, and events held back for less than the pause to the next one."""
    for name, generator in resolved.generators.items():
        path: Path = ("generators", name, "faults")
        faults = generator.faults
        if faults is None:
            continue
        if faults.null_key and generator.key is None and resolved.topics[generator.publishes].key is None:
            yield Problem(*places.value((*path, "null_key")), f"generator '{name}' has no key that null_key could take away",
                          "neither it nor its topic says key", "add key: to the topic, or leave it out")
        pause = _pause(generator)
        held = faults.out_of_order
        if held and held.share and held.by_s[1] <= pause:
            yield Problem(*places.value((*path, "out_of_order")), f"nothing that generator '{name}' holds back is overtaken",
                          f"it is held for {held.by_s[1]:.3g}s at most, and the next event comes after {pause:.3g}s",
                          "hold it longer: out_of_order: {share: 5%, by: …}")


def _pause(generator: Generator) -> float:
    """Seconds from one event to the next at least; 0 where chance or others say it."""
    if generator.arrivals != "even" or generator.start is not None:
        return 0.0
    if generator.every is not None:
        return generator.every[0] / (generator.entities.count if generator.entities else 1)
    rates = [rate for stage in generator.stages for rate in stage.rate]
    fastest = max(rates, default=generator.rate or 0.0)
    return 1 / fastest if fastest else 0.0
