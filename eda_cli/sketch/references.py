"""What does not fit together: names that lead nowhere, keys that exclude each other. Knows the model, no defaults."""

from __future__ import annotations

from eda_cli.errors import Problem
from eda_cli.sketch import defaults, explain, kinds, model
from eda_cli.sketch.places import Path, Places


def references(sketch: model.Sketch, places: Places) -> list[Problem]:
    """Every problem between the parts of a sketch whose keys are all well."""
    return []
