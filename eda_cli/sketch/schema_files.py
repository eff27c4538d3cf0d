"""Bodies that schema files say: `{$schema: order.schema.json, user: …}` becomes the body. Knows neither kind of schema.

It is done before anybody reads the sketch, so whatever runs needs no file any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from eda_cli.errors import Problem
from eda_cli.payloads.believable import is_map
from eda_cli.payloads.problems import Refused
from eda_cli.payloads.schemas import expand as expand_schema
from eda_cli.sketch.data import Data
from eda_cli.sketch.places import Path, Spot
from eda_cli.sketch.text import shorten

_LARGEST_BYTES = 1_000_000
_MOST_PARTS = 50_000  # of all bodies that schemas say together


class _NoSchema(ValueError):
    """What is wrong with the file, why, and what to do."""

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.said = what, why, hint


def expand(read: Data, folder: File | None) -> tuple[list[File], list[Problem]]:
    """In place of each `$schema` what it says, its places included; the files that were read, and warnings.

    What is wrong is told in the data's problems. Files are looked for in the folder; without one, nowhere.
    """
    expander = _Expander(read, folder)
    if isinstance(read.value, dict):
        read.value = expander.sketch(read.value)
    return list(expander.documents), expander.warnings


class _Expander:
    def __init__(self, read: Data, folder: File | None) -> None:
        self._read = read
        self._folder = folder
        self.documents: dict[File, Any] = {}
        self.warnings: list[Problem] = []
        self._done: dict[int, Any] = {}  # by the map or list: one that aliases share is walked once
        self._parts = 0

    def sketch(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The sketch with its bodies expanded."""
        made = dict(raw)
        copied: set[Path] = set()  # what an alias shares is not changed for others
        for path in _bodies(raw):
            holder: Any = made
            for at, step in enumerate(path[:-1], 1):
                if path[:at] not in copied:
                    copied.add(path[:at])
                    holder[step] = holder[step].copy()
                holder = holder[step]
            holder[path[-1]] = self._walk(holder[path[-1]], path)
        return made

    def _walk(self, raw: Any, path: Path) -> Any:
        if not isinstance(raw, dict | list):
            return raw
        if id(raw) not in self._done:
            if isinstance(raw, list):
                self._done[id(raw)] = [self._walk(one, (*path, at)) for at, one in enumerate(raw)]
            elif "$literal" in raw:
                self._done[id(raw)] = raw
            else:
                whole = {name: self._walk(one, (*path, name)) for name, one in raw.items()}
                self._done[id(raw)] = self._expanded(whole, path) if "$schema" in whole else whole
        return self._done[id(raw)]

    def _expanded(self, raw: dict[str, Any], path: Path) -> Any:
        on_top = {name: value for name, value in raw.items() if name != "$schema"}
        at: Path = (*path, "$schema")
        place = self._read.places.value(at)
        try:
            file, document = self._document(raw["$schema"])
            made = expand_schema(document, on_top, avro=file.suffix == ".avsc")
            self._parts += made.parts
            if self._parts > _MOST_PARTS:
                raise _NoSchema("the schemas of the sketch are too large together", f"at most {_MOST_PARTS:,} parts are made")
        except (_NoSchema, Refused) as wrong:
            what, why, hint = wrong.said if isinstance(wrong, _NoSchema) else (wrong.what, wrong.why, wrong.hint)
            said = shorten(self._read.places.said(at, str(raw["$schema"])))
            why = why if isinstance(wrong, _NoSchema) else f"{said}: {why}" if why else f"in {said}"
            if not self._read.places.wrong(at):
                self._read.problems.append(Problem(*place, what, why, hint))
            return on_top
        if made.ignored:
            said = shorten(self._read.places.said(at, str(raw["$schema"])))
            names = ", ".join(f"'{one}'" for one in made.ignored)
            self.warnings.append(Problem(*place, f"{names} of {said} is not looked at", "what is made may break it",
                                         "say such fields in the sketch"))
        if spot := self._read.places.exact(path):
            inside = _placed(made.raw, spot, spot, on_top).inside
            spot.inside.clear()
            spot.inside.update(inside)
        return made.raw

    def _document(self, name: Any) -> tuple[File, Any]:
        """The file, and what stands in it. Raises _NoSchema."""
        if not isinstance(name, str) or not name:
            raise _NoSchema("$schema names no file", "", "write $schema: order.schema.json")
        if "://" in name:
            raise _NoSchema("$schema is an address", "eda fetches nothing",
                            "save the schema beside the sketch, and name its file")
        if self._folder is None:
            raise _NoSchema("a schema file cannot be read here", "the sketch stands in no folder")
        file, said = self._folder / File(name).expanduser(), shorten(name)
        if file not in self.documents:
            if not file.is_file():
                raise _NoSchema("$schema leads to no file", f"there is no file '{said}'",
                                "a path begins in the sketch's folder, unless with / or ~")
            try:
                if file.stat().st_size > _LARGEST_BYTES:
                    raise _NoSchema(f"'{said}' is too large for a schema", f"at most {_LARGEST_BYTES // 1_000_000} MB are read")
                self.documents[file] = json.loads(file.read_bytes())
            except OSError as wrong:
                raise _NoSchema(f"'{said}' cannot be read", wrong.strerror or "") from wrong
            except (ValueError, RecursionError) as wrong:
                raise _NoSchema(f"'{said}' is no JSON", str(wrong) or "it is nested too deeply",
                                "a schema is a file of JSON, for Avro too (.avsc)") from wrong
        return file, self.documents[file]


def _bodies(raw: Mapping[str, Any]) -> Iterator[Path]:
    """Where bodies stand in what may be no sketch at all."""
    for section in ("events", "generators", "consumers"):
        parts = raw.get(section)
        for name, part in parts.items() if isinstance(parts, dict) else ():
            if section == "events":
                yield section, name
            if isinstance(part, dict) and section == "generators" and "body" in part:
                yield section, name, "body"
            rules = part.get("publishes") if isinstance(part, dict) and section == "consumers" else None
            if isinstance(rules, dict) and "body" in rules:
                yield section, name, "publishes", "body"
            for at, rule in enumerate(rules) if isinstance(rules, list) else ():
                if isinstance(rule, dict) and "body" in rule:
                    yield section, name, "publishes", at, "body"


def _placed(made: Any, base: Spot, mine: Spot | None, said: Any) -> Spot:
    """Spots for what was made: `mine` where the sketch says it, else the place of the form that made it."""
    if mine is not None and mine is not base and (made is said or not is_map(said)):
        return mine
    spot = Spot(base.place, mine.key if mine else None)
    inside = made.items() if isinstance(made, Mapping) else enumerate(made) if isinstance(made, list) else ()
    for step, value in inside:
        if isinstance(step, str) and (step not in said if isinstance(said, Mapping) else True):
            passed = step.startswith("$")  # a form around what the sketch may say something of
            spot.inside[step] = _placed(value, base, mine if passed else None, said if passed else None)
        elif isinstance(step, str) and mine:
            spot.inside[step] = _placed(value, base, mine.inside.get(step), said[step])
        else:
            spot.inside[step] = _placed(value, base, mine, said)
    return spot
