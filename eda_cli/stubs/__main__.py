"""`python -m eda_cli.stubs RUN_FOLDER LOCK_FD`: the warm process of a run."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from eda_cli import channels, lock
from eda_cli.stubs.child import read_broker
from eda_cli.stubs.warm import Warm


def main() -> None:
    folder, lock_fd = Path(sys.argv[1]), int(sys.argv[2])
    lock.sign(lock_fd)
    channels.load(read_broker(folder))
    if b"{{" in (folder / "sketch.json").read_bytes():
        import_module("jinja2")
    Warm(folder, lock_fd).run()


main()
