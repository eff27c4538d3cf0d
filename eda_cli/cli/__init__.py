"""What is typed: the commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

# What `signal` is made of, without its enums: until `main` runs, Ctrl-C is a traceback.
import _signal  # type: ignore[import-not-found]
import os
import sys

WINDOWS = """eda needs a POSIX system: on Windows it runs inside WSL.
Its processes hold locks and pipes that Windows does not have.
Install WSL (wsl --install), then install eda there."""


def main() -> None:
    """The command `eda`."""
    if sys.platform == "win32":
        raise SystemExit(WINDOWS)
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # a shell may have it ignored
        _signal.signal(_signal.SIGINT, _leave)
    from eda_cli.cli.app import app

    app(prog_name="eda")


def end_in_order() -> None:
    """From now on Ctrl-C is an exception, as something was begun that must be ended in order."""
    if _signal.getsignal(_signal.SIGINT) is _leave:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def _leave(*_: object) -> None:
    """Ctrl-C before that: an exception would come out of any import, as a traceback or as something else."""
    os._exit(130)
