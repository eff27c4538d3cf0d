"""Which events of a topic a command is about: by key, by what they say, by partition. Knows no command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eda_cli.errors import UsageError

if TYPE_CHECKING:
    from eda_cli.event import Delivery


class Chosen:
    """Whether an event is meant; `chooses` where they are chosen by what they say. Raises UsageError."""

    def __init__(self, key: str | None, grep: str | None, partition: int | None) -> None:
        self._key = key.encode() if key is not None else None
        self._partition = partition
        self.chooses = key is not None or grep is not None
        try:
            self._grep = re.compile(grep) if grep is not None else None
        except re.error as wrong:
            raise UsageError(f"--grep {grep} is no regular expression", str(wrong)) from None

    def __call__(self, delivery: Delivery) -> bool:
        event = delivery.event
        if self._partition is not None and delivery.partition != self._partition:
            return False
        if self._key is not None and event.key != self._key:
            return False
        if self._grep is None:
            return True
        texts = (event.type or "", (event.key or b"").decode(errors="replace"), (event.data or b"").decode(errors="replace"))
        return any(self._grep.search(text) for text in texts)
