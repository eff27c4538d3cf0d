"""Seeded chance: the same numbers for the same (seed, part, event), on every machine. Knows no values.

Seeding Python's own generator costs as much for each event as a whole body does. Here the numbers of an event
are blake2b digests of (seed, part, event, block): each event's are reached without those before it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from hashlib import blake2b, sha1
from itertools import chain
from math import cos, log, pi, sqrt

_BLOCK = 64  # bytes of one digest: eight floats, or four uuids
_FLOATS = struct.Struct("<8d").unpack
_MANTISSAS = int.from_bytes(bytes.fromhex("ffffffffffff0f00") * 8, "little")
_ONES = int.from_bytes(bytes.fromhex("000000000000f03f") * 8, "little")  # the exponent of [1, 2), eight times
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # RFC 9562, section 4.1
_NAMESPACE = bytes.fromhex("6f1d2c1e0b6e4a57a3f29d0c5be8174a")  # of the ids of events that follow from others
_WHOLE = 1 << 52  # a float of [1, 2) has this many values


class Dice:
    """Uniform numbers, a pure function of (seed, parts, event). Call `roll` once for every event.

    `draw()` gives the next float in [1, 2) (not [0, 1): so it costs no more than a tuple's iterator); whoever
    does not count nanoseconds calls `random()`, `uniform()` or `below()`.
    """

    __slots__ = ("_event", "_hex", "_part", "_places", "_used", "draw")

    draw: Callable[[], float]

    def __init__(self, seed: int, *parts: str | int) -> None:
        self._part = blake2b(_packed(seed, *parts), digest_size=32).digest()
        self._places: dict[str, bytes] = {}
        self.roll(0)

    def roll(self, event: int | str) -> Dice:
        """Begin the numbers of one event, named by its number or by an identity; returns itself."""
        self._event = self._part + _named(event)
        self._used = 0
        self.draw = chain.from_iterable(_blocks(self._event)).__next__
        return self

    def random(self) -> float:
        """A float in [0, 1)."""
        return self.draw() - 1.0

    def uniform(self, low: float, high: float) -> float:
        """A float between `low` and `high`."""
        return low + (self.draw() - 1.0) * (high - low)

    def below(self, bound: int) -> int:
        """An integer in [0, bound), of any size, each as likely as the others."""
        if bound <= _WHOLE >> 20:  # what chance is lost to rounding is under one in a million
            return int((self.draw() - 1.0) * bound)
        bits = 0
        for _ in range(0, bound.bit_length() + 20, 52):
            bits = bits << 52 | int((self.draw() - 1.0) * _WHOLE)
        return bits % bound

    def place(self, name: str) -> bytes:
        """What stands for a named place of the part, whatever its event: for `floats_at`."""
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = blake2b(self._part + b"@" + _named(name), digest_size=32).digest()
        return place

    def uuid(self) -> str:
        """The next uuid of version 4; independent of how many floats were drawn."""
        place = self._used % (2 * _BLOCK)
        if not place:
            self._hex = blake2b(b"%b/u%d" % (self._event, self._used)).hexdigest()
        self._used += 32
        digits = self._hex[place : place + 32]
        return (f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-"
                f"{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}")


def floats_at(place: bytes, *numbers: int) -> tuple[float, ...]:
    """Eight floats in [1, 2), a pure function of a place (see `Dice.place`) and the numbers."""
    return _floats(place + b"/%b" % b"/".join([b"%d" % number for number in numbers]))


def standard_normal(first: float, second: float) -> float:
    """A normal number of mean 0 and deviation 1 from two floats in [1, 2): Box and Muller.

    Logarithms differ in their last bit from machine to machine: round what is made of it.
    """
    return sqrt(-2.0 * log(2.0 - first)) * cos(2.0 * pi * second)


def event_id(dice: Dice) -> str:
    """The id of an event that a generator publishes: its next uuid."""
    return dice.uuid()


def derived_id(cause_identity: str, part: str, rule: int, item: int) -> str:
    """The id of an event that follows from another: a uuid5 of what makes it the same event."""
    name = f"{cause_identity}/{part}/{rule}/{item}".encode("utf-8", "surrogatepass")
    digits = sha1(_NAMESPACE + name, usedforsecurity=False).hexdigest()
    return (f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-"
            f"{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}")


def derive_seed(seed: int, *parts: str | int) -> int:
    """A seed of its own for a part: stable across processes and versions, in [0, 2**63)."""
    return int.from_bytes(blake2b(_packed(seed, *parts), digest_size=8).digest(), "little") >> 1


def _packed(*parts: str | int) -> bytes:
    """The parts as bytes that no other parts give."""
    return b"".join(b"%d:%b" % (len(text), text) for text in map(_named, parts))


def _named(part: int | str) -> bytes:
    """A number and the text of its digits are two names."""
    return b"n%d" % part if isinstance(part, int) else b"s" + part.encode("utf-8", "surrogatepass")


def _blocks(event: bytes) -> Iterator[tuple[float, ...]]:
    """The floats of an event, eight at a time, each in [1, 2) with 52 random bits."""
    number = 0
    while True:
        yield _floats(b"%b/%d" % (event, number))
        number += 1


def _floats(name: bytes) -> tuple[float, ...]:
    bits = int.from_bytes(blake2b(name).digest(), "little") & _MANTISSAS | _ONES
    return _FLOATS(bits.to_bytes(_BLOCK, "little"))
