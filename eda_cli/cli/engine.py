"""`pull` and `env`: what eda stands on, and what stands on eda."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from eda_cli.cli import console, end_in_order
from eda_cli.cli.options import Json, Run, complete_pulled, with_examples
from eda_cli.cli.waiting import paused, waiting
from eda_cli.errors import Unreachable, UsageError
from eda_cli.technologies import TECHNOLOGIES

if TYPE_CHECKING:
    from eda_cli.channels.containers import Engine


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda pull",
                "eda pull rabbitmq",
                "eda pull kafka --image apache/kafka-native:4.3.1"))(pull)
    app.command(epilog=with_examples(
                'eval "$(eda env)"',
                "eda env --json"))(env)


def pull(broker: Annotated[str, typer.Argument(metavar="BROKER", autocompletion=complete_pulled)] = "kafka",
         image: Annotated[str | None, typer.Option("--image", help="Another image than the pinned one.")] = None) -> None:
    """Pull a broker's image ahead of time. The first up then need not wait for it."""
    brokers = list(complete_pulled(""))
    if broker not in brokers:
        from eda_cli.sketch.words import did_you_mean

        raise UsageError(f"there is no image for '{broker}'", f"known: {', '.join(brokers)}",
                         did_you_mean(broker, brokers, "for example: eda pull kafka"))
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

    with waiting("reaching the container engine") as status:
        engine = Engine.connect()
        end_in_order()
        try:
            status.update(f"looking for the image {image}")
            if engine.image_present(image):
                return False
            with paused():
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
    from eda_cli.runs.finding import find

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
    if "network" in address:
        values["EDA_NETWORK"] = address["network"]
    if "path" in address:
        values["EDA_EVENTS_DB"] = address["path"]
    if json:
        console.write_json(values)
        return
    for name, value in values.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
