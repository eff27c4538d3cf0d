"""How events travel: the only room that knows technologies.

`base` says what an event channel must do, one file per technology does it; `CHANNELS` is the registry.
A channel is imported when it is chosen, never before.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from eda_cli.channels.base import Ability, EventChannel

__all__ = ["CHANNELS", "Registered", "connect"]


class Registered(NamedTuple):
    """One technology: where its code is and what it can do (told here so that `check` need not import it)."""

    load: str  # "module:Class"
    can: frozenset[Ability]
    image: str | None = None  # the official image of its broker; None needs no broker


CHANNELS: dict[str, Registered] = {
    "embedded": Registered("eda_cli.channels.embedded:EmbeddedChannel", frozenset(Ability)),
    "kafka": Registered("eda_cli.channels.kafka:KafkaChannel", frozenset(Ability), "apache/kafka:4.3.1"),
}


def connect(address: Mapping[str, Any]) -> EventChannel:
    """The channel behind `address`: `{"channel": "embedded", "path": …}` or `{"channel": "kafka", "bootstrap": …}`.

    Raises ChannelError where it cannot be reached.
    """
    module, _, name = CHANNELS[address["channel"]].load.partition(":")
    channel: EventChannel = getattr(import_module(module), name)(address)
    return channel
