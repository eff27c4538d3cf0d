"""What is typed: the commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

import sys

WINDOWS = """eda needs a POSIX system: on Windows it runs inside WSL.
Its processes hold locks and pipes that Windows does not have.
Install WSL (wsl --install), then install eda there."""


def main() -> None:
    """The command `eda`."""
    if sys.platform == "win32":
        raise SystemExit(WINDOWS)
    from eda_cli.cli.app import app

    app(prog_name="eda")
