"""`pull`, `env` and `doctor`: what eda stands on, and what stands on eda."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console, end_in_order
from eda_cli.cli.options import Json, Run, with_examples
from eda_cli.errors import EdaError, Unreachable, UsageError
from eda_cli.technologies import TECHNOLOGIES

if TYPE_CHECKING:
    from eda_cli.channels.containers import Engine

KAFKA_PORT = 9092


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda pull",
                "eda pull kafka"))(pull)
    app.command(epilog=with_examples(
                'eval "$(eda env)"',
                "eda env --json"))(env)
    app.command(epilog=with_examples(
                "eda doctor",
                "eda doctor sketch.yaml",
                "eda doctor --json"))(doctor)


def pull(broker: Annotated[str, typer.Argument(metavar="BROKER")] = "kafka",
         image: Annotated[str | None, typer.Option("--image", help="Another image than the pinned one.")] = None) -> None:
    """Pull a broker's image ahead of time. The first up then need not wait for it."""
    brokers = [name for name, one in TECHNOLOGIES.items() if one.image is not None]
    if broker not in brokers:
        raise UsageError(f"there is no image for '{broker}'", f"known: {', '.join(brokers)}", "for example: eda pull kafka")
    name = image_for(broker, image)
    if not pull_with_progress(name):
        console.say(f"{name} is here already")


def image_for(kind: str, wished: str | None) -> str:
    """The image of a broker: what the sketch says, else `EDA_<KIND>_IMAGE`, else the pinned official one."""
    image = wished or os.environ.get(f"EDA_{kind.upper()}_IMAGE") or TECHNOLOGIES[kind].image
    assert image is not None
    return image


def pull_with_progress(image: str) -> bool:
    """Pull an image that is missing, with a bar that names the way round; False where it was there.

    Raises Unreachable where no engine answers or the image cannot be had.
    """
    from eda_cli.channels.containers import Engine

    engine = Engine.connect()
    end_in_order()
    try:
        if engine.image_present(image):
            return False
        _pull(engine, image)
        return True
    finally:
        engine.close()


def _pull(engine: Engine, image: str) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console.say(f"pulling {image} (once; without waiting: --broker embedded)")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console.err(), disable=not console.can_spin()) as bar:
        task = bar.add_task(image, total=None)

        def on_progress(current: int, total: int, text: str) -> None:
            step = text if text and ":" not in text else "pulled"  # the last words name the image once more
            bar.update(task, completed=current, total=total or None, description=step)

        engine.pull(image, on_progress)


def env(run: Run = None, json: Json = False) -> None:
    """Print the environment that your own programs need to join a run."""
    from eda_cli.runs.lifecycle import find

    found = find(run)
    info, address = found.info(), found.address()
    if address is None:
        raise Unreachable(f"the broker of '{found.name}' is not ready yet", "", "wait for: eda ps")
    values = {"EDA_RUN": info.name, "EDA_CHANNEL": address["channel"], "EDA_SEED": str(info.seed)}
    variable = TECHNOLOGIES[address["channel"]].variable
    if "at" in address:
        values[variable] = address["at"]
    if "internal" in address:
        values[f"{variable}_IN_CONTAINERS"] = address["internal"]
    if "path" in address:
        values["EDA_EVENTS_DB"] = address["path"]
    if json:
        console.write_json(values)
        return
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


# --- doctor


def doctor(
    sketch: Annotated[Path | None, typer.Argument(metavar="SKETCH", help="Look at the bus of this sketch, too.")] = None,
    json: Json = False,
) -> None:
    """Look at what eda needs on this machine, and at a bus. Where something is missing it says what to do."""
    end_in_order()
    broken = False
    looks = [("python", _python), ("home", _home), ("engine", _engine), ("image", _image), ("port", _port)]
    if sketch is not None:
        looks.append(("bus", _bus_of(sketch)))
    for name, look in looks:
        try:
            told, level, hint = look(), "ok", ""
        except _Note as note:
            told, level, hint = note.what, "note", note.hint
        except EdaError as wrong:
            told, level, hint, broken = ": ".join(part for part in (wrong.what, wrong.why) if part), "broken", wrong.hint, True
        if json:
            console.write_json({"check": name, "level": level, "found": told, "hint": hint})
        else:
            console.out().print(f"{level:<7}{name:<8}{told}" + (f"; {hint}" if hint else ""), soft_wrap=True,
                                style={"ok": "green", "note": "yellow", "broken": "red"}[level])
    if broken:
        raise typer.Exit(1)


class _Note(EdaError):
    """Not needed for everything: eda runs without it."""


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


def _connected(look: Callable[[Engine], str]) -> str:
    from eda_cli.channels.containers import Engine

    try:
        engine = Engine.connect()
    except Unreachable as wrong:
        raise _Note(f"{wrong.what}: the embedded channel needs none", "", wrong.hint) from None
    try:
        return look(engine)
    finally:
        engine.close()


def _engine() -> str:
    return _connected(lambda engine: engine.version())


def _image() -> str:
    image = image_for("kafka", None)

    def look(engine: Engine) -> str:
        if not engine.image_present(image):
            raise _Note(f"{image} is not here yet", "", "it is pulled at the first up; ahead of time: eda pull")
        return f"{image} is here"

    return _connected(look)


def _bus_of(sketch: Path) -> Callable[[], str]:
    """A look at the bus of a sketch. Raises SketchError."""
    from eda_cli.cli import bus
    from eda_cli.sketch.load import load

    resolved = load(sketch).resolved

    def look() -> str:
        return bus.look(resolved, sketch.resolve().parent) or "eda starts the broker of this sketch itself"

    return look


def _port() -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", KAFKA_PORT))
        except OSError:
            raise _Note(f"port {KAFKA_PORT} is in use", "", "Kafka will get another one, shown by up and ps") from None
    return f"port {KAFKA_PORT} is free"
