"""A sketch without the parts that have problems, so that the rest can be looked at too. Knows no key."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from eda_cli.sketch.fitting import Effort
from eda_cli.sketch.model import Sketch

_MOST_ROUNDS = 5


def pruned(value: Any, error: ValidationError) -> Sketch | None:
    """What is left when everything that `error` names is taken out; None where nothing sensible is."""
    if not isinstance(value, dict):
        return None
    value = copy.deepcopy(value)
    for _ in range(_MOST_ROUNDS):
        gone: set[tuple[str | int, ...]] = set()
        for detail in error.errors(include_url=False, include_context=False, include_input=False):
            steps = tuple(step for step in detail["loc"] if step != "[key]")
            steps = steps[:-1] if detail["type"] == "missing" else steps
            if not any(steps[:many] in gone for many in range(1, len(steps) + 1)):
                gone.add(_take_out(value, steps))
        try:
            return Sketch.model_validate(value, context=Effort(compiles=False))
        except ValidationError as again:
            error = again
    return None


def _take_out(value: dict[str, Any], steps: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Deletes what the steps lead to, as far as they go, and says which: of a list all, for the others' numbers must stay."""
    holder, far = value, 0
    here: Any = value
    for at, step in enumerate(steps, 1):
        if not isinstance(here, dict):
            break
        if step in here:
            holder, far, here = here, at, here[str(step)]
    if far:
        holder.pop(str(steps[far - 1]), None)
    return steps[:far] or steps
