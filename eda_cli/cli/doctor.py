"""`doctor`: a look at what eda needs on this machine, a line each. Knows no technology but by the registry."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from eda_cli.channels import installing
from eda_cli.cli import console, end_in_order
from eda_cli.cli.engine import image_for
from eda_cli.cli.options import Json, with_examples
from eda_cli.cli.waiting import waiting
from eda_cli.errors import EdaError, Unreachable
from eda_cli.technologies import TECHNOLOGIES, Technology

if TYPE_CHECKING:
    from eda_cli.channels.containers import Engine

COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda doctor",
                "eda doctor sketch.yaml",
                "eda doctor --json"))(doctor)


class Seen(NamedTuple):
    """What was looked at. A `note` is nothing that eda needs for everything; `more` is for JSON."""

    check: str
    level: str
    found: str
    hint: str = ""
    more: dict[str, Any] = {}  # noqa: RUF012  # never changed


def doctor(
    sketch: Annotated[Path | None, typer.Argument(metavar="SKETCH", help="Look at the bus of this sketch, too.")] = None,
    json: Json = False,
) -> None:
    """Look at what eda needs on this machine, and at a bus. Where something is missing it says what to do."""
    end_in_order()
    broken = False
    for seen in _looks(sketch):
        broken = broken or seen.level == "broken"
        if json:
            console.write_json({"check": seen.check, "level": seen.level, "found": seen.found, "hint": seen.hint, **seen.more})
        else:
            console.print_under(f"{seen.level:<7}{seen.check:<9} ", seen.found + (f"; {seen.hint}" if seen.hint else ""),
                                COLOURS[seen.level])
    if broken:
        raise typer.Exit(1)


def _looks(sketch: Path | None) -> Iterator[Seen]:
    yield _looked("python", _python)
    yield _looked("home", _home)
    with waiting("reaching the container engine"):
        engine, seen = _engine()
    yield seen
    try:
        for kind, one in TECHNOLOGIES.items():
            if one.image is not None:
                yield _broker(kind, one, engine)
    finally:
        if engine is not None:
            engine.close()
    if sketch is not None:
        yield _looked("bus", _bus_of(sketch))


def _bus_of(sketch: Path) -> Callable[[], str]:
    """A look at the bus of a sketch. Raises SketchError."""
    from eda_cli.cli import bus
    from eda_cli.sketch.load import load

    resolved = load(sketch).resolved

    def look() -> str:
        return bus.look(resolved, sketch.resolve().parent) or "eda starts the broker of this sketch itself"

    return look


def _looked(check: str, look: Callable[[], str]) -> Seen:
    try:
        return Seen(check, "ok", look())
    except EdaError as wrong:
        return Seen(check, "broken", f"{wrong.what}: {wrong.why}" if wrong.why else wrong.what, wrong.hint)


def _python() -> str:
    import sqlite3

    return f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {sys.platform}"


def _home() -> str:
    """EDA_HOME can lock and run SQLite in WAL mode; network file systems cannot."""
    import sqlite3
    import tempfile

    from eda_cli import lock
    from eda_cli.runs.folder import home

    where = home()
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=where) as probe:
            fd = lock.take(Path(probe) / "lock", patience_s=0)
            if fd is None or lock.holder(Path(probe) / "lock") != os.getpid():
                raise EdaError(f"{where} cannot lock files", "eda knows by locks what is alive",
                               "set EDA_HOME to a folder on a local disk")
            os.close(fd)
            database = sqlite3.connect(Path(probe) / "probe.db")
            mode = database.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            database.close()
            if mode != "wal":
                raise EdaError(f"{where} cannot run SQLite in WAL mode", "the embedded channel needs it",
                               "set EDA_HOME to a folder on a local disk")
    except OSError as wrong:
        raise EdaError(f"{where} cannot be used", wrong.strerror or str(wrong),
                       "set EDA_HOME to a folder of yours on a local disk") from None
    return f"runs live in {where}"


def _engine() -> tuple[Engine | None, Seen]:
    """Which one answers, and how it was found."""
    from eda_cli.channels.containers import Engine

    try:
        engine = Engine.connect()
        return engine, Seen("engine", "ok", engine.describe(), more={"url": engine.url})
    except Unreachable as wrong:
        found = f"{wrong.what} ({wrong.why}): the embedded channel needs none"
        return None, Seen("engine", "note", found, wrong.hint)


def _broker(kind: str, one: Technology, engine: Engine | None) -> Seen:
    """All that a broker needs, in a line: the Python package, the image, the port where others look for it."""
    image = image_for(kind, None)
    found, hints = [], []
    library = not one.library or find_spec(one.library) is not None
    if not library:
        found.append(f"the Python package '{one.library}' is missing")
        hints.append(installing(one.extra))
    present = _present(engine, image) if engine is not None else None
    found.append({True: f"{image} is here", False: f"{image} is not here yet", None: "no engine to run it in"}[present])
    if present is False:
        hints.append(f"it is pulled at the first up; ahead of time: eda pull {kind}")
    free = one.port is None or _is_free(one.port)
    if one.port is not None:
        found.append(f"port {one.port} is {'free' if free else 'in use'}")
    if not free:
        hints.append("eda takes another port, and up and ps show which")
    level = "ok" if library and present and free else "note"
    return Seen(kind, level, ", ".join(found), "; ".join(hints),
                {"image": image, "image_present": present, "library": library, "port": one.port, "port_free": free})


def _present(engine: Engine, image: str) -> bool | None:
    with suppress(Unreachable):
        return engine.image_present(image)
    return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
