"""The own code of a sketch: in words, and whether it is there. Looks at files; imports and runs none of them."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path as File

from eda_cli.errors import Problem
from eda_cli.sketch import words
from eda_cli.sketch.model import Sketch
from eda_cli.sketch.places import NOWHERE, Path, Places
from eda_cli.sketch.resolved import Resolved
from eda_cli.sketch.text import shorten

_INTERPRETER = re.compile(r"(?:node|python[0-9.]*|sh|bash|ruby|perl|deno|bun|php)\Z")
_ENDING = re.compile(r"\.[A-Za-z]\w{0,3}\Z")
_NO_FILE = re.compile(r"-|.*[\s:*?$]", re.DOTALL)  # an option, an address, an expression
_MOST_BYTES = 5_000_000  # of a module that is read


def own_code(resolved: Resolved, places: Places = NOWHERE) -> list[str]:
    """What a sketch runs of its author's: `invoicing (handler my_shop.invoicing:handle)`, one for each such part.

    What the environment gave is told as it was written, be it a word of a command or several.
    """
    parts = [replace(one, run=tuple(map(places.masked, one.run))) for one in resolved.consumers.values() if not one.external]
    return [places.masked(f"{one.name} ({one.code})") for one in parts if one.code]


def unusable(sketch: Sketch, places: Places, folder: File) -> Iterator[Problem]:
    """Handlers that are not there: neither under the sketch's folder nor installed."""
    wrong = cache(lambda handler: _wrong(handler, folder))  # many parts may share one
    for name, consumer in sketch.consumers.items():
        if consumer.handler and not consumer.external:
            path: Path = ("consumers", name, "handler")
            said = shorten(places.said(path, consumer.handler))
            found = wrong(consumer.handler)
            if found and places.spot(path).secret:
                found = (found[0], "the environment gives it", "see what it holds")
            if found:
                yield Problem(*places.value(path), f"handler '{said}' {found[0]}", *found[1:])


def unfound(resolved: Resolved, places: Places, folder: File) -> Iterator[Problem]:
    """Programs that could not be started here, and files that they are to run: they may be there where the sketch will
    run."""
    for name, consumer in resolved.consumers.items():
        if not consumer.run or consumer.external:
            continue
        program, path = consumer.run[0], ("consumers", name, "run")
        if found := _lacks(program, shorten(places.said((*path, 0), program)), folder):
            yield Problem(*places.value((*path, 0)), *found)
        elif len(consumer.run) > 1 and _INTERPRETER.match(File(program).name) and _is_lacking(consumer.run[1], folder):
            said = shorten(places.said((*path, 1), consumer.run[1]))
            yield Problem(*places.value((*path, 1)), f"there is no file '{said}' in the sketch's folder",
                          f"{File(program).name} is to run it", "write that file, or name one that is there")


def _is_lacking(argument: str, folder: File) -> bool:
    """Whether it looks like the name of a file, and there is none."""
    is_named = ("/" in argument or _ENDING.search(argument)) and not _NO_FILE.match(argument)
    return bool(is_named) and not os.path.exists(folder / argument)  # noqa: PTH110 (Path's own fails on a long name)


def _lacks(program: str, said: str, folder: File) -> tuple[str, str, str] | None:
    """What keeps a program from being started, why, and what to do. As in a shell, only a path leads into the folder."""
    file, none = folder / program, f"there is no program '{said}'"
    if "/" not in program:
        if shutil.which(program) is not None:
            return None
        if file.is_file():
            return none, "it is not on the PATH, where a name alone is looked for", f"the file beside the sketch is ./{said}"
        return none, "it is neither on the PATH nor in the sketch's folder", "install it, or name its file"
    if not file.is_file():
        return none, "there is no such file in the sketch's folder", "install it, or name its file"
    if not os.access(file, os.X_OK):
        return f"the program '{said}' cannot be started", "its file is not executable", f"say what runs it (run: sh {said})"
    return None


def _wrong(handler: str, folder: File) -> tuple[str, str, str] | None:
    """What is wrong with the handler, why, and what to do."""
    module, _, function = handler.partition(":")
    steps = module.split(".")
    plain, package = File(*steps).with_suffix(".py"), File(*steps, "__init__.py")
    file = next((one for one in (package, plain) if (folder / one).is_file()), None)
    if file is None:
        if _is_installed(steps[0], folder):
            return None
        return "is not there", f"there is no {plain} in the sketch's folder, and no package '{steps[0]}' is installed", \
            "write that file, or name a module that is there"
    try:
        with (folder / file).open("rb") as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about backslashes and the like
            tree = ast.parse(opened.read(_MOST_BYTES))
    except SyntaxError as wrong:
        return "cannot be read", f"{file}:{wrong.lineno or 1}: {wrong.msg}", "mend it there"
    except (OSError, ValueError, RecursionError, MemoryError) as wrong:
        return "cannot be read", f"{file}: {wrong}", "mend it there"
    names = _names(tree.body)
    if function in names or "*" in names or "__getattr__" in names:
        return None
    guess = words.guesses(words.near, [function], names).get(function)
    hint = f"did you mean '{guess}'?" if guess else f"write def {function}(event): there"
    return "is not there", f"{file} has no '{function}'", hint


def _is_installed(package: str, folder: File) -> bool:
    """Whether there is one elsewhere than in the folder, which may be on our own path."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # ValueError: a module that was loaded in an unusual way
        return package != "__main__"
    if spec is None:
        return False
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    ours = {(folder / package).resolve(), (folder / f"{package}.py").resolve()}
    return not all(File(place).resolve() in ours for place in places)


def _names(body: list[ast.stmt]) -> set[str]:
    """What a module defines at its top, be it under a condition; `*` where it takes all of another one."""
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            names.update((one.asname or one.name).partition(".")[0] for one in statement.names)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names.update(one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))
        else:
            for field in ("body", "orelse", "finalbody", "handlers"):
                for inner in getattr(statement, field, ()):
                    names |= _names(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])
    return names
