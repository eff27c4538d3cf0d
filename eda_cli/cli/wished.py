"""What is wished of a run on the command line: knobs over the sketch, and the broker it gets. Knows no run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eda_cli.cli import console
from eda_cli.cli.waiting import waiting
from eda_cli.errors import SketchError, UsageError
from eda_cli.technologies import TECHNOLOGIES, foreign

if TYPE_CHECKING:
    from eda_cli.sketch.load import Loaded
    from eda_cli.sketch.resolved import Resolved

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class Knobs:
    """What the command line says over the sketch."""

    def __init__(self, broker: str | None, name: str | None, scale: tuple[str, ...], seed: int | None) -> None:
        self.broker, self.name, self.scale, self.seed = broker, name, scale, seed

    def turn(self, resolved: Resolved) -> Resolved:
        """The sketch with them applied. Raises UsageError."""
        if self.name is not None:
            if not NAME.fullmatch(self.name):
                raise UsageError(f"'{self.name}' cannot be a name", "a name is lower case letters, digits, - and _, "
                                 "begins with a letter and has at most 40 characters", "for example: --name shop-2")
            resolved = replace(resolved, name=self.name)
        if self.seed is not None:
            resolved = replace(resolved, seed=self.seed)
        if self.broker is not None:
            resolved = replace(resolved, broker=_broker(self.broker, resolved.broker))
        for scale in self.scale:
            resolved = _scaled(resolved, scale)
        return resolved


def load(path: Path, knobs: Knobs) -> Loaded:
    """The sketch as it is wished, its warnings told. Raises SketchError, UsageError."""
    from eda_cli.sketch.check import hints

    loaded = turned(read(path), path, knobs)
    for hint in hints(loaded.resolved, loaded.resolved.broker["kind"], loaded.places):
        console.say_problem(hint, str(path), warns=True)
    return loaded


def read(path: Path) -> Loaded:
    """The sketch as it is written, its warnings told. Raises SketchError."""
    from eda_cli.sketch.load import load as load_file

    loaded = load_file(path)
    for warning in loaded.warnings:
        console.say_problem(warning, str(path), warns=True)
    return loaded


def turned(loaded: Loaded, path: Path, knobs: Knobs) -> Loaded:
    """A sketch with these knobs over it. Raises UsageError, and SketchError where its broker cannot do what it demands."""
    from eda_cli.sketch.check import demands

    loaded = replace(loaded, resolved=knobs.turn(loaded.resolved))
    if refused := demands(loaded.resolved, loaded.resolved.broker["kind"], loaded.places):
        raise SketchError(str(path), refused)
    return loaded


def decide(resolved: Resolved, folder: Path, creates: bool = True) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """The broker of a run that begins, and its address where it is known already; `folder` is the sketch's.

    Not `creates`: on a bus that eda did not start, topics that are missing are not made.
    `auto` is Kafka in a container where an engine answers and the image can be had, else embedded.
    """
    from eda_cli.channels import need_library
    from eda_cli.channels.credentials import address_keys
    from eda_cli.cli.engine import image_for, pull_with_progress
    from eda_cli.runs.folder import RunFolder

    wish = dict(resolved.broker)
    kind = wish["kind"]
    if kind == "auto":
        kind = "kafka" if _kafka_offered(resolved) else "embedded"
    if kind == "embedded":
        path = RunFolder.of(resolved.name).path / "events.db"
        return {"kind": "embedded"}, {"channel": "embedded", "path": str(path)}
    need_library(kind)
    if where := foreign(wish):
        return wish, {"channel": kind, "at": where, "run": resolved.name, "ours": False,
                      **({} if creates else {"creates": False}), **address_keys(wish, folder)}
    image = image_for(kind, wish.get("image"))
    pull_with_progress(image)
    return {"kind": kind, "image": image, "port": wish.get("port"), "kept": True}, None


def _kafka_offered(resolved: Resolved) -> bool:
    """Whether `auto` can be Kafka here: an engine answers and has the image, or can pull it."""
    from eda_cli.channels.containers import Engine, EngineAbsent, EngineElsewhere
    from eda_cli.cli.engine import image_for, pull_with_progress
    from eda_cli.errors import Unreachable

    image = image_for("kafka", None)
    try:
        with waiting("reaching the container engine"):
            Engine.connect().close()
    except Unreachable as wrong:
        if isinstance(wrong, EngineAbsent) and not isinstance(wrong, EngineElsewhere):
            return False  # that there is none is usual
        console.say(f"warning: no Kafka, running embedded: {wrong.what}", "yellow")
        return False
    try:
        pull_with_progress(image)
    except Unreachable as wrong:
        console.say(f"warning: no Kafka, running embedded: {wrong.what}", "yellow")
        return False
    return True


def _broker(name: str, wished: Mapping[str, Any]) -> Mapping[str, Any]:
    from eda_cli.sketch.words import did_you_mean

    known = ("auto", *TECHNOLOGIES)
    if name not in known:
        raise UsageError(f"there is no broker '{name}'", f"known: {', '.join(known)}",
                         did_you_mean(name, known, "for example: --broker embedded"))
    return wished if wished["kind"] == name else {"kind": name}


def _scaled(resolved: Resolved, scale: str) -> Resolved:
    from eda_cli.sketch.knobs import replicas
    from eda_cli.sketch.words import did_you_mean

    part, equals, number = scale.partition("=")
    if not equals:
        raise UsageError(f"--scale {scale} is not PART=N", "N is a number from 0 to 100", "for example: --scale shipping=3")
    if part in resolved.generators:
        generator = resolved.generators[part]
        scaled = replace(generator, replicas=replicas(number, generator))
        return replace(resolved, generators={**resolved.generators, part: scaled})
    if part in resolved.consumers:
        more = replace(resolved.consumers[part], replicas=replicas(number))
        return replace(resolved, consumers={**resolved.consumers, part: more})
    names = (*resolved.generators, *resolved.consumers)
    raise UsageError(f"--scale {scale}: there is no part '{part}'", f"parts of this sketch: {', '.join(names)}",
                     did_you_mean(part, names))
