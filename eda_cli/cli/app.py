"""The application: all commands, and what every one of them shares. Knows not what a command does."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.completion import install_callback, show_callback
from typer.core import TyperGroup

from eda_cli import __version__
from eda_cli.cli import (
    compare,
    console,
    copy,
    doctor,
    engine,
    groups,
    knobs,
    logs,
    ps,
    publish,
    redrive,
    sample,
    sketches,
    tail,
    topics,
    up,
)
from eda_cli.errors import EdaError

COMPLETION = {"--show-completion": show_callback, "--install-completion": install_callback}
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


class Commands(TyperGroup):
    """Where errors become text and exit codes, for every command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if len(args) == 2 and args[0] in COMPLETION:  # typer alone looks which shell calls, and ignores one that is named
            option, shell = args
            if shell not in SHELLS:
                raise typer.BadParameter(f"there is no completion for '{shell}'; known: {', '.join(SHELLS)}",
                                         param_hint=option)
            COMPLETION[option](ctx, self.params[0], shell)
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().main(*args, **extra)
        except OSError as wrong:  # of a command, or while help is written
            if debug():
                raise
            console.report(_of_the_machine(wrong))
            console.close_quietly()
            raise SystemExit(1) from None

    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                console.flush()
        except BrokenPipeError:  # `eda tail | head`: whoever read is content
            console.close_quietly()
            raise typer.Exit(0) from None
        except EdaError as wrong:
            if debug():
                raise
            console.report(wrong)
            raise typer.Exit(wrong.exit_code) from None
        except (typer.Exit, typer.Abort, KeyboardInterrupt, OSError):
            raise
        except typer.TyperException as wrong:
            _name_the_run(wrong)
            raise
        except Exception as wrong:
            if debug():
                raise
            console.report(EdaError(f"this should not have happened: {type(wrong).__name__}: {wrong}",
                                    "it is a fault of eda, not of your sketch",
                                    "see where it comes from with: eda --debug …"))
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sketch event-driven systems in YAML, run them locally and watch the events flow.",
    epilog="Begin with: eda init, then eda up. Each command has examples: eda up --help",
)


def _name_the_run(wrong: Any) -> None:
    """`eda down shop` is a natural guess: the words that it is refused with say how it is meant."""
    refused: str = getattr(wrong, "message", "")
    ctx = getattr(wrong, "ctx", None)
    takes_a_run = ctx is not None and any(one.name == "run" for one in ctx.command.params)
    if takes_a_run and refused.startswith("Got unexpected extra argument"):
        wrong.message = f"{refused}; a run is named by: --run NAME"


def _of_the_machine(wrong: OSError) -> EdaError:
    """A disk that is full, a file where a folder should be: neither eda nor the sketch is at fault."""
    if wrong.filename is None:
        return EdaError("something cannot be written or read", wrong.strerror or str(wrong),
                        "look at the disk and at where the output goes; eda doctor looks at this machine")
    return EdaError(f"{os.fsdecode(wrong.filename)} cannot be used", wrong.strerror or str(wrong),
                    "give rights or room there, or set EDA_HOME to a folder of yours; eda doctor looks at this machine")


def debug() -> bool:
    return bool(os.environ.get("EDA_DEBUG"))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eda {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                          help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    if debug:
        os.environ["EDA_DEBUG"] = "1"


for room in (up, ps, logs, publish, tail, redrive, copy, compare, topics, groups, knobs, sketches, sample, engine, doctor):
    room.register(app)
