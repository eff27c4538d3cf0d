"""What is given to `publish`: headers, a payload, a file, or what comes on stdin. Knows no event."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from eda_cli.errors import UsageError


def headers(given: list[str]) -> tuple[tuple[str, bytes | None], ...]:
    """Of NAME=VALUE each. Raises UsageError."""
    read: list[tuple[str, bytes | None]] = []
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"-H {one} is not NAME=VALUE", "", "for example: -H trace=abc")
        read.append((name, value.encode()))
    return tuple(read)


def payload(text: str) -> bytes:
    """The bytes of PAYLOAD or @FILE. Raises UsageError."""
    if not text.startswith("@"):
        return text.encode(errors="surrogateescape")
    try:
        return Path(text[1:]).read_bytes()
    except OSError as wrong:
        raise UsageError(f"{text[1:]} cannot be read", wrong.strerror or str(wrong),
                         "@FILE is the file whose content is the payload") from None


def is_fed() -> bool:
    """Whether stdin is a pipe or a file: then it holds the payloads, as with kcat. Not a terminal, nor /dev/null."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # it is closed
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def stdin_lines() -> Iterator[list[bytes]]:
    """The lines of stdin, as many as are there at once."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), 1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]
