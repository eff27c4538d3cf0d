"""How events travel: the only room that knows technologies.

`base` says what an event channel must do, one file per technology does it; the registry is `eda_cli.technologies`.
A channel is imported when it is chosen, never before.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from eda_cli.channels.base import EventChannel
from eda_cli.errors import ChannelError
from eda_cli.technologies import TECHNOLOGIES

__all__ = ["connect", "installing", "load", "need_library"]


def need_library(kind: str) -> None:
    """Raises ChannelError, with the way out, where the Python package that this technology needs is not installed."""
    one = TECHNOLOGIES[kind]
    if one.library and find_spec(one.library) is None:
        raise ChannelError(f"{one.title} needs the Python package '{one.library}'", "it is not installed",
                           installing(one.extra))


def installing(extra: str) -> str:
    """The command that adds an extra to the Python that eda runs in, which need not be the shell's."""
    python = shlex.quote(sys.executable)
    pip = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return f"{pip} 'eda-cli[{extra}]'"


def load(kind: str) -> type[EventChannel]:
    """The class of a technology's channel. Raises ChannelError where its library is missing."""
    need_library(kind)
    module, _, name = TECHNOLOGIES[kind].load.partition(":")
    channel: type[EventChannel] = getattr(import_module(module), name)
    return channel


def connect(address: Mapping[str, Any]) -> EventChannel:
    """The channel behind `address`: `{"channel": "embedded", "path": …}` or `{"channel": "kafka", "at": …}`.

    One that eda did not start may have `credentials` and `tls`, as the module `credentials` says, and `"creates": False`.
    `at` is what a program of one's own would be given, `internal` the same from within the run's container `network`.
    Raises ChannelError where it cannot be reached.
    """
    made: EventChannel = load(address["channel"])(address)  # type: ignore[call-arg]
    return made
