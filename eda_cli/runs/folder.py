"""A run on the disk: `$EDA_HOME/<name>/`. Knows its files, not the processes that write them.

A folder appears and vanishes by `rename`, so nobody ever sees half of one.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from eda_cli import lock
from eda_cli.errors import EdaError, NoRun
from eda_cli.event import now
from eda_cli.journal import Observation, in_order, last_observations
from eda_cli.sketch.resolved import Resolved

SUPERVISOR = "supervisor"
ENDING = "ending.flock"  # held by who ends the run, until it is ended


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was decided when the run was made; it holds until `down` or `--fresh`.

    `id` is random: labels carry it, so that two homes on one engine never touch each other's. `broker` is
    `{"kind": a technology, …settings}`; `path` is the sketch's.
    """

    id: str
    name: str
    path: str
    broker: Mapping[str, Any]
    seed: int
    created: str
    named: bool = False  # by --name, not by its sketch

    def again(self, *options: str) -> str:
        """The command that brings this run up, as it is typed in the current folder."""
        path = Path(self.path)
        sketch = [] if path == Path.cwd() / "sketch.yaml" else [min(str(path), os.path.relpath(path), key=len)]
        name = ["--name", self.name] if self.named else []
        return " ".join(("eda up", *sketch, *name, *options))


def home() -> Path:
    """Where runs live: `$EDA_HOME`, else `$XDG_STATE_HOME/eda`, else `~/.local/state/eda`."""
    if given := os.environ.get("EDA_HOME"):
        return Path(given).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "eda"


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, name: str) -> RunFolder:
        return cls(home() / name)

    @property
    def name(self) -> str:
        return self.path.name

    def exists(self) -> bool:
        return (self.path / "run.json").is_file()

    def info(self) -> RunInfo:
        """What was decided. Raises NoRun where there is no such run (any more)."""
        return RunInfo(**self._read("run.json"))

    def sketch(self) -> Resolved:
        """What is live. Raises NoRun where there is no such run (any more)."""
        return Resolved.from_json(self._read("sketch.json"))

    def text(self) -> str:
        """The sketch as it was written."""
        return (self.path / "sketch.yaml").read_bytes().decode()

    def _read(self, name: str) -> dict[str, Any]:
        try:
            data: dict[str, Any] = orjson.loads((self.path / name).read_bytes())
        except FileNotFoundError:
            raise NoRun(f"the run '{self.name}' is gone", "somebody took it down", "start it with: eda up") from None
        return data

    def write_sketch(self, text: str, resolved: Resolved, declared: bool = True) -> None:
        """Put another sketch in the place of the one that is wished; each file changes at once.

        The time of `sketch.json` is that of the last declaration: it stays where nothing was `declared`.
        """
        stat = None if declared else (self.path / "sketch.json").stat()
        write(self.path / "sketch.yaml", text.encode())
        write(self.path / "sketch.json", orjson.dumps(resolved.to_json()), (stat.st_atime_ns, stat.st_mtime_ns) if stat else None)

    def write_broker(self, info: RunInfo, address: Mapping[str, Any]) -> None:
        """Another way into the broker of a run that is not up."""
        write(self.path / "run.json", orjson.dumps(asdict(info), option=orjson.OPT_INDENT_2))
        write(self.path / "channel.json", orjson.dumps(address))

    def address(self) -> dict[str, Any] | None:
        """Where the event channel is; None while its broker has not answered yet."""
        try:
            address: dict[str, Any] = orjson.loads((self.path / "channel.json").read_bytes())
        except FileNotFoundError:
            return None
        return address

    def supervisor(self) -> int | None:
        """The process id of the supervisor that is alive."""
        return self.holder(SUPERVISOR)

    def ending(self) -> bool:
        """Whether the run that is up is about to end."""
        return lock.holder(self.path / ENDING) is not None

    def holder(self, process: str) -> int | None:
        """The process id of a process of this run that is alive (0: it has not said it yet)."""
        return lock.holder(self.path / f"{process}.lock")

    def alive(self) -> dict[str, int]:
        """All processes of this run that are alive, by name."""
        found = {}
        for path in sorted(self.path.glob("*.lock")):
            if (pid := lock.holder(path)) is not None:
                found[path.stem] = pid
        return found

    def last_told(self) -> list[Observation]:
        """What its processes told last, the latest totals of each among it, in the order of time."""
        return in_order([last_observations(path) for path in self.path.glob("*.jsonl")])

    def delete(self) -> None:
        """The folder vanishes at once, its files after it."""
        gone = self.path.with_name(f".{self.name}.gone-{secrets.token_hex(4)}")
        self.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def create(info: RunInfo, text: str, resolved: Resolved, address: Mapping[str, Any] | None) -> int | None:
    """Make the run's folder and hold its supervisor's lock from the first moment: the descriptor.

    None where somebody else made a run of this name meanwhile. Raises EdaError where no folder can be made.
    """
    root = home()
    new = root / f".{info.name}.new-{secrets.token_hex(4)}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.mkdir(mode=0o700)
        fd = _fill(new, info, text, resolved, address)
    except OSError as wrong:
        shutil.rmtree(new, ignore_errors=True)
        raise EdaError(f"{root} cannot be written", wrong.strerror or str(wrong),
                       "set EDA_HOME to a folder of yours on a local disk; eda doctor looks at it") from None
    try:
        new.rename(root / info.name)
    except OSError:
        os.close(fd)
        shutil.rmtree(new, ignore_errors=True)
        if not RunFolder(root / info.name).exists():
            raise EdaError(f"{root / info.name} is in the way", "it is no run of eda's",
                           "move it, or give another --name") from None
        return None
    return fd


def _fill(new: Path, info: RunInfo, text: str, resolved: Resolved, address: Mapping[str, Any] | None) -> int:
    write(new / "run.json", orjson.dumps(asdict(info), option=orjson.OPT_INDENT_2))
    RunFolder(new).write_sketch(text, resolved)
    if address is not None:
        write(new / "channel.json", orjson.dumps(address))
    fd = lock.take(new / f"{SUPERVISOR}.lock", for_child=True)
    assert fd is not None  # nobody else knows the folder yet
    return fd


def new_info(name: str, path: Path, broker: Mapping[str, Any], seed: int, named: bool) -> RunInfo:
    """A run that begins now."""
    return RunInfo(secrets.token_hex(8), name, str(path), broker, seed, now(), named)


def write(path: Path, data: bytes, times: tuple[int, int] | None = None) -> None:
    """Write a file as a whole or not at all; `times` are its last access and change in nanoseconds, where not now."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(data)
    new.chmod(0o600)
    if times is not None:
        os.utime(new, ns=times)
    new.rename(path)


def all_runs() -> list[RunFolder]:
    """Every run of this home, by name."""
    try:
        paths = sorted(home().iterdir())
    except FileNotFoundError:
        return []
    return [run for path in paths if not path.name.startswith(".") and (run := RunFolder(path)).exists()]
