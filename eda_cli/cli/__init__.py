"""What is typed: the commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

WINDOWS = """eda needs a POSIX system: on Windows it runs inside WSL.
Its processes hold locks and pipes that Windows does not have.
Install WSL (wsl --install), then install eda there."""


def main() -> None:
    """The command `eda`."""
    if sys.platform == "win32":
        raise SystemExit(WINDOWS)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, _leave)
    from eda_cli.cli.app import app

    app(prog_name="eda")


def end_in_order() -> None:
    """From now on Ctrl-C is an exception, as something was begun that must be ended in order."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: Any) -> None:
    """Ctrl-C before that: an exception would come out of any import, as a traceback or as something else."""
    os._exit(130)
