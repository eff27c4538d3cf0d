"""What all tests need of the process they run in, and what several such processes (pytest-xdist) share out and tell together."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from eda_cli.technologies import TECHNOLOGIES

TESTED = pytest.StashKey[dict[str, str]]()  # kind -> the version that answered and its image, for the summary
TESTS = Path(__file__).parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: what tests interrupt would not hear of it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, what shares something dear stays together."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and (shared := company(item)):
            item.add_marker(pytest.mark.xdist_group(shared))


def company(item: pytest.Item) -> str | None:
    """The tests of a channel share its broker, which is started once; those of a file what the file makes; a scenario is alone.

    Scenarios are long, so one at a time goes to whoever is free; those that share something say so by `xdist_group`.
    """
    path = item.path.relative_to(TESTS)
    match path.parts[0]:
        case "scenarios":
            return None
        case "channels":
            return next((kind for kind in TECHNOLOGIES if kind in item.nodeid), str(path))
        case _:
            return str(path)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist hands over what only it knows."""
    if (handed := getattr(session.config, "workeroutput", None)) is not None:
        handed["tested"] = session.config.stash.get(TESTED, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash.setdefault(TESTED, {}).update(getattr(node, "workeroutput", {}).get("tested", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for version in config.stash.get(TESTED, {}).values():
        terminalreporter.write_line(f"tested against {version}")
