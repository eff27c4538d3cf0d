"""A file becomes a sketch, or every problem of it at once. Knows the order of the steps, and does none."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import ValidationError

from eda_cli.errors import Problem, SketchError
from eda_cli.sketch import check, data, defaults, kinds, nodes, own_code, secured, text
from eda_cli.sketch.fitting import Effort
from eda_cli.sketch.model import Sketch
from eda_cli.sketch.places import NOWHERE, Places
from eda_cli.sketch.references import references
from eda_cli.sketch.resolved import Resolved

_MOST_MENDED = 20  # times that the text is parsed again


@dataclass(frozen=True)
class Loaded:
    """A sketch that is well: `text` as it was read, `resolved` in full form, and what looks unintended.

    `files` are the schemas that it was made with: whoever watches the sketch watches them.
    """

    path: Path
    text: str
    resolved: Resolved
    warnings: tuple[Problem, ...] = ()
    places: Places = field(default=NOWHERE, repr=False, compare=False)
    files: tuple[Path, ...] = ()


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """The sketch in a file. Raises UsageError where there is none, SketchError with every problem of it."""
    return load_text(text.read(path), str(path), environ, path.parent)


def load_text(source: str, file: str, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Loaded:
    """The sketch in a text; `file` names it in messages, and gives it its name. Raises SketchError.

    Own code and other files are looked for in the folder; without one, nowhere.
    """
    text.refuse_unprintable(source, file)
    tree = _tree(source, file)
    read = data.construct(tree.root, source, environ)
    secured.refer(read)
    files, ignored = _schemas(read, source, folder)
    problems = tree.problems + read.problems
    if read.value is None and not problems:
        problems = [Problem(0, 0, "the sketch is empty", hint="`eda init` writes one to begin with")]
    sketch: Sketch | None = None  # without its problems, where it has some
    effort = Effort()
    if read.value is not None:
        _name_copies(read)
        try:
            sketch = Sketch.model_validate(read.value, context=effort)
            problems += references(sketch, read.places, effort)
            problems += _missing(sketch, read.places, folder)
        except ValidationError as error:
            from eda_cli.sketch.explain import explain  # what only a broken sketch needs is imported for one
            from eda_cli.sketch.prune import pruned

            problems += explain(error, read.places)
            sketch = pruned(read.value, error)
            problems += references(sketch, read.places, effort, whole=False) if sketch else []
            problems += _missing(sketch, read.places, folder) if sketch else []
    if problems or sketch is None:
        if sketch is not None:
            from eda_cli.sketch import partly

            ignored += partly.lint(sketch, problems, read.places)
        raise SketchError(file, in_order(problems, read.places), in_order(ignored, read.places))
    resolved = defaults.fill(sketch, name_of(Path(file)))
    looked = check.lint(resolved, read.places)
    looked += own_code.unfound(resolved, read.places, folder) if folder is not None else ()
    warnings = in_order([*looked, *ignored], read.places)
    return Loaded(Path(file), source, resolved, tuple(warnings), read.places, tuple(files))


def _schemas(read: data.Data, source: str, folder: Path | None) -> tuple[list[Path], list[Problem]]:
    """The schema files that bodies are made of, and warnings. What only they need is imported for them."""
    if "$schema" not in source:
        return [], []
    from eda_cli.sketch.schema_files import expand

    return expand(read, folder)


def _missing(sketch: Sketch, places: Places, folder: Path | None) -> list[Problem]:
    """What the sketch names and its folder has not; without a folder, nothing is looked for."""
    if folder is None:
        return []
    return [*own_code.unusable(sketch, places, folder), *secured.unreadable(sketch, places, folder)]


def name_of(path: Path) -> str:
    """The name of a sketch that says none: the file's, or the folder's of a plain `sketch.yaml`."""
    stem = path.stem if path.stem != "sketch" else path.absolute().parent.name
    return kinds.fit_name(stem) or "sketch"


def in_order(problems: Sequence[Problem], places: Places = NOWHERE) -> list[Problem]:
    """Each problem once, in the order of the file, and none with a value that came from the environment."""
    masked = (Problem(one.line, one.column, *map(places.masked, (one.what, one.why, one.hint)))
              for one in problems)
    return sorted(dict.fromkeys(masked), key=lambda problem: (problem.line, problem.column))


def _name_copies(read: data.Data) -> None:
    """In `keeps: [orders, payments]` each item is a copy of that name."""
    consumers = read.value.get("consumers") if isinstance(read.value, dict) else None
    for name, part in consumers.items() if isinstance(consumers, dict) else ():
        keeps = part.get("keeps") if isinstance(part, dict) else None
        if isinstance(keeps, list):
            read.places.name(("consumers", name, "keeps"), keeps)


def _tree(source: str, file: str) -> nodes.Tree:
    """The tree of the text, with values that only lack quotes told and passed over. Raises SketchError."""
    problems: list[Problem] = []
    passed: set[int] = set()
    readable = source
    while True:
        try:
            tree = nodes.compose(readable, passed)
        except nodes.Unreadable as error:
            raise SketchError(file, in_order([*problems, error.problem])) from None
        except yaml.MarkedYAMLError as error:
            from eda_cli.sketch.misread import misread

            found = misread(error, readable, source)
            problems.append(found.problem)
            mended = found.without(readable)
            if mended is None or len(problems) > _MOST_MENDED:
                raise SketchError(file, in_order(problems)) from None
            readable = mended
            passed.add(found.start)
        else:
            return nodes.Tree(tree.root, [*problems, *tree.problems])
