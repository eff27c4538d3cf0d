"""Knobs turned on a run, and parts restarted or killed: what one touch is, and what touches make of a sketch. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from eda_cli.runs.declaring import Wished
from eda_cli.sketch.knobs import fields_of
from eda_cli.sketch.resolved import Resolved


@dataclass(frozen=True, slots=True)
class Touch:
    """What one command does to a run. `told` is how its journal tells it: `{"part", "text"}`, with `replica` for one.

    `fields` are those of the full form's JSON, by part; `turned` the knobs as they were typed, by part and key;
    `topics` those that are needed besides. `restart` names parts, `kill` processes.
    """

    told: tuple[Mapping[str, Any], ...]
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    turned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    topics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    restart: tuple[str, ...] = ()
    kill: tuple[str, ...] = ()
    id: str = ""  # given when it is handed over

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Touch:
        """What `to_json` gave."""
        return cls(**{**data, **{name: tuple(data[name]) for name in ("told", "restart", "kill")}})

    def over(self, sketch: Resolved) -> Resolved:
        """The sketch with it. A part that is not there any more, or became another kind of part, is left out."""
        data = sketch.to_json()
        for name, fields in self.fields.items():
            part = data["generators"].get(name) or data["consumers"].get(name)
            if part is None or not part.keys() >= fields.keys():
                continue
            part |= fields
            for key, text in self.turned.get(name, {}).items():
                rivals = [other for other in part["touched"] if fields_of(other) == fields_of(key)]
                part["touched"] = {**{other: said for other, said in part["touched"].items() if other not in rivals}, key: text}
        data["topics"] = {**self.topics, **data["topics"]}
        return Resolved.from_json(data)


class Touching:
    """The touches that wait until nothing else is being made live, and how often each part was to be restarted.

    `why` is what the last touch said of each part that it starts anew.
    """

    def __init__(self) -> None:
        self._waiting: list[Touch] = []
        self.restarts: dict[str, int] = {}
        self.why: dict[str, str] = {}

    def hear(self, touch: Touch) -> bool:
        """Take it in; whether it changes the sketch, so that it is live only with that."""
        for part in touch.restart:
            self.restarts[part] = self.restarts.get(part, 0) + 1
        if not touch.kill:
            self.why |= {told["part"]: ", ".join(one["text"] for one in touch.told if one["part"] == told["part"])
                         for told in touch.told}
        if touch.fields:
            self._waiting.append(touch)
        return bool(touch.fields)

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def wish(self, live: Resolved, text: str) -> Wished:
        """What is live, with all that waits over it in the order it came."""
        touches, self._waiting = self._waiting, []
        for touch in touches:
            live = touch.over(live)
        return Wished(live, text, tuple(touch.id for touch in touches), by_touch=True)
