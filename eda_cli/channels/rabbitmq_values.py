"""Header values that pika cannot read. Knows no message.

A moment beyond the year 9999 (others write milliseconds where AMQP has seconds) is an error to pika, which ends the connection
for it: whoever gets such a message would get it again for ever. And it cuts what is behind the point of a floating number.
"""

from __future__ import annotations

import struct
from typing import Any

from pika import data

YEAR_10000 = 253_402_300_800  # epoch seconds that no calendar has
_AS_NUMBER = {b"T": ">Q", b"f": ">f", b"d": ">d"}
_known = data.decode_value


def decode_value(encoded: bytes, offset: int) -> tuple[Any, int]:
    """The value at that offset, and the offset behind it: as pika has it, where it has it whole."""
    form = _AS_NUMBER.get(encoded[offset:offset + 1])
    if form is not None:
        (number,) = struct.unpack_from(form, encoded, offset + 1)
        if form != ">Q" or number >= YEAR_10000:
            return number, offset + 1 + struct.calcsize(form)
    return _known(encoded, offset)  # type: ignore[no-any-return]


def install() -> None:
    """Have pika use it, for tables and lists within tables too."""
    data.decode_value = decode_value
