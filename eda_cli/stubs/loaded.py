"""A function of the user's own modules, loaded anew when their files change. Knows not what it is called for.

Only modules under the sketch's folder that were not there before it was imported count as the user's own.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from eda_cli.errors import EdaError

LOOK_S = 0.3  # between two looks at the files
_SAID = 800  # characters of what an exception says: where it was raised is to be told as well
Told = Callable[[Literal["loaded", "warning"], str], object]  # the kind of news, and a line for the user
Marks = dict[str, tuple[int, int]]  # of each file: time of change, and size


class Loaded:
    """`module:function`, searched for in `folder` first. Raises EdaError where it cannot be imported.

    `told` is called when the files changed, and when they cannot be imported any more: what was
    loaded before then stays.
    """

    def __init__(self, name: str, folder: Path, told: Told) -> None:
        self._name = name
        self._module, _, self._function = name.partition(":")
        self._folder = folder.resolve()
        self._told = told
        sys.path.insert(0, str(self._folder))
        sys.dont_write_bytecode = True  # one that is saved twice in a second would be read from the older bytecode
        self._before = set(sys.modules)
        self._looked = 0.0
        self._broken = False
        try:
            self.function = self._load()
        except BaseException as wrong:
            self.forget()
            raise EdaError(f"the handler {name} cannot be loaded", place_of(wrong, self._folder)) from None
        self._seen = self._marks()

    def look(self) -> None:
        """Load it anew if its files changed; looks at them now and then only."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        marks = self._marks()
        changed = [path for path in marks if marks[path] != self._seen.get(path)]
        self._seen |= marks
        if not changed:
            return
        old = dict(self._own())
        self._unload(old)
        try:
            self.function = self._load()
            self._broken = False
            self._told("loaded", f"handler {self._name}: loaded anew, {Path(changed[0]).name} changed")
        except BaseException as wrong:
            self._unload(dict(self._own()))
            sys.modules.update(old)
            self._broken = True
            self._told("warning", f"handler {self._name}: the changed code cannot be loaded, the old one goes on: "
                                  f"{place_of(wrong, self._folder)}")
        self._seen |= self._marks()

    def forget(self) -> None:
        """Leave nothing of it in the interpreter."""
        self._unload(dict(self._own()))
        sys.path.remove(str(self._folder))

    def _load(self) -> Callable[..., Any]:
        importlib.invalidate_caches()
        module = importlib.import_module(self._module)
        function = getattr(module, self._function, None)
        if not callable(function):
            raise ImportError(f"{getattr(module, '__file__', self._module)} has no function {self._function}")
        found: Callable[..., Any] = function
        return found

    def _own(self) -> Iterator[tuple[str, ModuleType]]:
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if (path and name not in self._before and name.partition(".")[0] != "eda_cli" and "site-packages" not in path
                    and Path(path).is_relative_to(self._folder)):
                yield name, module

    @staticmethod
    def _unload(modules: dict[str, ModuleType]) -> None:
        for name in modules:
            sys.modules.pop(name, None)

    def _marks(self) -> Marks:
        """Of the files that were imported; while they cannot be, also of those that may be missing from them."""
        paths = {str(module.__file__) for _, module in self._own()}
        if self._broken:
            paths |= {str(path) for path in self._folder.glob("*.py")}
        marks: Marks = {}
        for path in paths:
            try:
                stat = Path(path).stat()
            except FileNotFoundError:  # an editor puts another in its place in a moment
                continue
            marks[path] = (stat.st_mtime_ns, stat.st_size)
        return marks


def place_of(wrong: BaseException, folder: Path) -> str:
    """`ValueError: what it says (invoicing.py:12)`: the innermost line of the user's own files."""
    kind, said = type(wrong).__name__, _said(wrong)
    if isinstance(wrong, SyntaxError) and wrong.filename:
        return f"{kind}: {wrong.msg} ({Path(wrong.filename).name}:{wrong.lineno})"
    text = f"{kind}: {said}" if said else kind
    own = [frame for frame in traceback.extract_tb(wrong.__traceback__) if Path(frame.filename).is_relative_to(folder)]
    if own:
        text += f" ({Path(own[-1].filename).relative_to(folder)}:{own[-1].lineno})"
    return " ".join(text.split())


def _said(wrong: BaseException) -> str:
    """The text of an exception of the user's, which may have none, too much of it, or what is no UTF-8."""
    try:
        return str(wrong)[:_SAID].encode(errors="backslashreplace").decode()
    except Exception:
        return "what it says cannot be told"
