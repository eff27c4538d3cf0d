"""What is allowed and looks unintended, and what an event channel must be able to do. Knows no technology."""

from __future__ import annotations

from eda_cli.errors import Problem
from eda_cli.sketch.places import NOWHERE, Places
from eda_cli.sketch.resolved import Resolved


def lint(resolved: Resolved, places: Places) -> list[Problem]:
    """Warnings, in the order of the file."""
    return []


def demands(resolved: Resolved, can: frozenset[str], broker: str, places: Places = NOWHERE) -> list[Problem]:
    """What the sketch demands and the event channel `broker` cannot do; `can` are the names of its abilities.

    With `places` (those of what was loaded) each problem has the line that asks for it.
    """
    problems = []
    for consumer in resolved.consumers.values():
        if consumer.start == "earliest" and "REPLAY" not in can:
            place = places.value(("consumers", consumer.name, "from"))
            problems.append(Problem(*place, f"consumer '{consumer.name}' wants to begin with the earliest event",
                                    f"{broker} cannot replay what was published before",
                                    "write from: latest, or take another broker"))
    return problems
