"""Which partition a key belongs to, as the Java client places it. Knows no channel.

The hash is Kafka's `Utils.murmur2` (32 bits, seed 0x9747b28c), the placement its `BuiltInPartitioner`:
`toPositive(murmur2(key)) % partitions`.
"""

from __future__ import annotations

from functools import lru_cache
from struct import unpack_from

_SEED = 0x9747B28C
_M = 0x5BD1E995
_32 = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32 bits of the hash, unsigned (Java shows them signed)."""
    length = len(data)
    h = _SEED ^ length
    for k in unpack_from(f"<{length >> 2}I", data):
        k = k * _M & _32
        h = (h * _M ^ (k ^ k >> 24) * _M) & _32
    if length & 3:
        h = (h ^ int.from_bytes(data[length & ~3 :], "little")) * _M & _32
    h = (h ^ h >> 13) * _M & _32
    return h ^ h >> 15


@lru_cache(maxsize=1 << 15)  # keys repeat, and the hash costs as much as storing the event
def positive(key: bytes) -> int:
    """The hash without its sign bit: modulo the number of partitions it is the partition."""
    return murmur2(key) & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key among so many."""
    return positive(key) % partitions
