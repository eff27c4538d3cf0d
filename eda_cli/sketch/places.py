"""Where each thing of a sketch stands in its file, and how it was written. Knows no meaning of any of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, both from 1
_SECRET = 4  # characters: what is shorter hides nothing, and would be found in every message


@dataclass(slots=True, eq=False)
class Spot:
    """One value: its place, its key's place, and the spots of what it holds.

    `written` is the source text of a scalar that holds `${…}`, `secret` the same where the environment filled
    it in, and not a default; `wrong` that a problem is told already.
    """

    place: Place
    key: Place | None = None
    inside: dict[str | int, Spot] = field(default_factory=dict)
    written: str | None = None
    secret: str | None = None
    plain: bool = False
    wrong: bool = False

    def under(self, key: Place) -> Spot:
        """The same value under another key (an alias, say)."""
        return Spot(self.place, key, self.inside, self.written, self.secret, self.plain, self.wrong)


class Places:
    """All spots of a sketch. A path that the file does not spell out leads to the nearest that it does."""

    def __init__(self, root: Spot, hidden: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.hidden = dict(hidden or {})  # by what the environment gave, and by what was made of it: what was written

    def hide(self, value: str, written: str) -> None:
        """From now on `masked` shows `written` for this value, which was made of what the environment gave."""
        self.hidden.setdefault(value, written)

    def spot(self, path: Path) -> Spot:
        """A step that is not there is skipped: `publishes: invoices` answers to (…, "publishes", 0, "to")."""
        spot = self.root
        for step in path:
            spot = spot.inside.get(step, spot)
        return spot

    def name(self, path: Path, names: Sequence[object]) -> None:
        """From now on the items of the list at the path answer to these names, too."""
        spot = self.exact(path)
        for index, name in enumerate(names if spot else ()):
            if isinstance(name, str) and spot and index in spot.inside:
                spot.inside.setdefault(name, spot.inside[index])

    def said(self, path: Path, value: str) -> str:
        """The value at the path, as a message may show it: what was written, where the environment gave it."""
        return self.spot(path).secret or value

    def exact(self, path: Path) -> Spot | None:
        """The spot of exactly this path, None where the file has none."""
        spot: Spot | None = self.root
        for step in path:
            if spot is None:
                return None
            spot = spot.inside.get(step)
        return spot

    def value(self, path: Path) -> Place:
        return self.spot(path).place

    def key(self, path: Path) -> Place:
        spot = self.spot(path)
        return spot.key or spot.place

    def told(self, path: Path) -> Path:
        """The path without the numbers that the file does not have: of one that stands without brackets."""
        told: list[str | int] = []
        spot = self.root
        for step in path:
            if not isinstance(step, int) or step in spot.inside:
                told.append(step)
            spot = spot.inside.get(step, spot)
        return tuple(told)

    def masked(self, text: str) -> str:
        """The text without what came from the environment: what was written stands there instead."""
        for value, written in self.hidden.items():
            if len(value) >= _SECRET and value in text:
                shown = written.replace("\\", r"\\")  # in a replacement a backslash would mean something
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", shown, text)
        return text

    def wrong(self, path: Path) -> bool:
        """Whether a problem with this value, or with one around it, is told already."""
        spot = self.root
        for step in path:
            if spot.wrong:
                return True
            spot = spot.inside.get(step, spot)
        return spot.wrong


NOWHERE = Places(Spot((0, 0)))
