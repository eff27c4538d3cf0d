"""Which run a command means: by its name, or the only one there can be. Starts and ends none."""

from __future__ import annotations

from eda_cli.errors import NoRun, UsageError
from eda_cli.runs.folder import RunFolder, all_runs
from eda_cli.sketch.words import did_you_mean


def find(name: str | None) -> RunFolder:
    """The run that is up: of this name, or the only one. Raises NoRun, or UsageError where several are up."""
    if name is not None:
        run = RunFolder.of(name)
        if not run.exists():
            up, stopped = _runs()
            there = "; ".join(f"{state}: {_names(runs)}" for state, runs in (("up", up), ("stopped", stopped)) if runs)
            raise NoRun(f"there is no run '{name}'", there or "there is none at all",
                        did_you_mean(name, [run.name for run in (*up, *stopped)], "start one with: eda up"))
        if run.supervisor() is None:
            raise NoRun(f"the run '{name}' is not up", "it stopped; its events are kept",
                        f"start it with: {run.info().again()}")
        return run
    up, stopped = _runs()
    if not up:
        why = "this command talks to a running sketch"
        raise NoRun("no run is up", f"{why}; stopped: {_names(stopped)}" if stopped else why,
                    f"start one with: {stopped[0].info().again() if stopped else 'eda up sketch.yaml'}")
    return _only(up, stopped)


def find_any(name: str | None) -> RunFolder:
    """The run of this name, up or not; without a name the only one that is up, else the only one there is."""
    if name is not None:
        if not RunFolder.of(name).exists():
            return find(name)
        return RunFolder.of(name)
    up, stopped = _runs()
    if not up and not stopped:
        raise NoRun("there is no run", "nothing was started, or all of it was taken down", "start one with: eda up")
    return _only(up, stopped)


def find_kept(name: str | None) -> RunFolder:
    """The run whose events can be read: one that is up, or one that stopped and whose channel is there all the same.

    That is a file, or a broker that eda did not start. Raises what `find` raises.
    """
    run = find_any(name)
    address = run.address()
    if run.supervisor() is None and (address is None or address.get("ours", "path" not in address)):
        return find(name)
    return run


def _runs() -> tuple[list[RunFolder], list[RunFolder]]:
    """Those that are up, and those that stopped."""
    up: list[RunFolder] = []
    stopped: list[RunFolder] = []
    for run in all_runs():
        (stopped if run.supervisor() is None else up).append(run)
    return up, stopped


def _only(up: list[RunFolder], stopped: list[RunFolder]) -> RunFolder:
    """The one that is up, else the one that stopped. Raises UsageError where there are several of them."""
    meant = up or stopped
    if len(meant) > 1:
        what = f"several runs are up: {_names(up)}" if up else f"no run is up, and several stopped: {_names(stopped)}"
        why = "this command needs to know which one"
        raise UsageError(what, f"{why}; stopped: {_names(stopped)}" if up and stopped else why, f"name it: --run {meant[0].name}")
    return meant[0]


def _names(runs: list[RunFolder]) -> str:
    return ", ".join(run.name for run in runs)
