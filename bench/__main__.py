"""`python -m bench`: measures eda beside loops by hand, and prints one table.

Everything runs in a temporary home, on this machine alone; Kafka needs a container engine and an image
(`EDA_KAFKA_IMAGE`). Numbers of a machine that does something else meanwhile say little.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson

from bench.beds import Bed, Embedded, Kafka
from bench.rig import Rig
from bench.suite import QUICK, SUITE, Raw, Size
from bench.table import table

BEDS: dict[str, type[Embedded] | type[Kafka]] = {"embedded": Embedded, "kafka": Kafka}


def main() -> None:
    wished = _wished()
    results: dict[str, dict[str, Raw]] = {}
    for channel in wished.channel or BEDS:
        results[channel] = measured(channel, wished.only or list(SUITE), QUICK if wished.quick else Size())
    if wished.json:
        machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
        print(orjson.dumps({"machine": machine, "results": results}).decode())
    else:
        print(table(results))


def measured(channel: str, names: Sequence[str], size: Size) -> dict[str, Raw]:
    """The raw numbers of a channel; nothing of it is left behind."""
    folder = Path(tempfile.mkdtemp(prefix="eda-bench-"))
    rig = Rig(folder / "home")
    try:
        bed: Bed = BEDS[channel](rig)
        return {name: SUITE[name](bed, size) for name in names}
    finally:
        rig.close()
        shutil.rmtree(folder)


def _wished() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure eda beside loops by hand.")
    parser.add_argument("--quick", action="store_true", help="one short trial each: does it work at all?")
    parser.add_argument("--channel", action="append", choices=list(BEDS), help="only this channel")
    parser.add_argument("--only", action="append", choices=list(SUITE), help="only this measurement")
    parser.add_argument("--json", action="store_true", help="the raw numbers instead of the table")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, TimeoutError) as wrong:
        sys.exit(f"bench: {wrong}")
