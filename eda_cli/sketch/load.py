"""A file becomes a sketch, or every problem of it at once. Knows the order of the steps, and does none itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from eda_cli.errors import Problem, SketchError
from eda_cli.sketch import check, data, defaults, kinds, model, nodes, text
from eda_cli.sketch.explain import explain
from eda_cli.sketch.places import NOWHERE, Places
from eda_cli.sketch.references import references
from eda_cli.sketch.resolved import Resolved


@dataclass(frozen=True)
class Loaded:
    """A sketch that is well: `text` as it was read, `resolved` in its full form, and what looks unintended."""

    path: Path
    text: str
    resolved: Resolved
    warnings: tuple[Problem, ...] = ()
    places: Places = field(default=NOWHERE, repr=False, compare=False)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """The sketch in a file. Raises UsageError where there is none, SketchError with every problem of it."""
    return load_text(text.read(path), str(path), environ)


def load_text(source: str, file: str, environ: Mapping[str, str] = os.environ) -> Loaded:
    """The sketch in a text; `file` names it in messages, and by default. Raises SketchError."""
    text.refuse_unprintable(source, file)
    try:
        read = data.construct(nodes.compose(source), source, environ)
    except nodes.Unreadable as error:
        raise SketchError(file, [error.problem or Problem(0, 0, "torn")]) from None
    problems = list(read.problems)
    if read.value is None:
        problems.append(Problem(0, 0, "the sketch is empty", "", "`eda init` writes one to begin with"))
        raise SketchError(file, problems)
    try:
        sketch = model.Sketch.model_validate(read.value)
    except ValidationError as error:
        raise SketchError(file, [*problems, *explain(error, read.places)]) from None
    problems += references(sketch, read.places)
    if problems:
        raise SketchError(file, problems)
    resolved = defaults.fill(sketch, name_of(Path(file)))
    return Loaded(Path(file), source, resolved, tuple(check.lint(resolved, read.places)), read.places)


def name_of(path: Path) -> str:
    """The name of a sketch that says none: the file's, or the folder's of a plain `sketch.yaml`."""
    stem = path.stem
    if stem == "sketch":
        stem = path.absolute().parent.name
    return kinds.fit_name(stem) or "sketch"
