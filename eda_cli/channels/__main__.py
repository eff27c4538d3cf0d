"""`python -m eda_cli.channels keep|list|sweep`: a broker's keeper process, and what carries our labels.

    keep RUN_FOLDER LOCK_FD        keep the broker of a run, as `keeper` says
    list [--id ID]                 one JSON object: containers, volumes and networks of runs
    sweep ID [--keep-volumes]      remove what carries the id of a run; one JSON object says by name what
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from eda_cli import lock
from eda_cli.channels.containers import Engine, EngineAbsent
from eda_cli.errors import Unreachable

NOTHING: dict[str, Any] = {"containers": [], "volumes": [], "networks": []}


def keep(folder: str, lock_fd: str) -> int:
    lock.sign(int(lock_fd))
    from eda_cli.channels.keeper import Keeper

    return Keeper(Path(folder)).run()


def list_(run_id: str | None) -> int:
    try:
        engine = Engine.connect()
    except EngineAbsent:
        return _say({"engine": None, **NOTHING})
    try:
        return _say({"engine": engine.url, **engine.list_labelled(run_id)})
    finally:
        engine.close()


def sweep(run_id: str, volumes: bool) -> int:
    engine = Engine.connect()
    try:
        return _say(engine.sweep(run_id, volumes))
    finally:
        engine.close()


def main(args: list[str]) -> int:
    try:
        match args:
            case ["keep", folder, lock_fd]:
                return keep(folder, lock_fd)
            case ["list"]:
                return list_(None)
            case ["list", "--id", run_id]:
                return list_(run_id)
            case ["sweep", run_id]:
                return sweep(run_id, volumes=True)
            case ["sweep", run_id, "--keep-volumes"]:
                return sweep(run_id, volumes=False)
    except Unreachable as wrong:
        sys.stderr.write(f"{wrong}\n")
        return wrong.exit_code
    sys.stderr.write(__doc__ or "")
    return 2


def _say(told: dict[str, Any]) -> int:
    sys.stdout.write(orjson.dumps(told).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
