"""The placement of keys against the vectors of the Java client."""

from __future__ import annotations

import random

import pytest

from eda_cli.channels.murmur2 import murmur2, partition_of, positive

# From UtilsTest.testMurmur2 of Apache Kafka.
VECTORS = {
    b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, b"abc": 479470107,
}


@pytest.mark.parametrize("key", VECTORS)
def test_the_hash_is_the_java_clients(key: bytes) -> None:
    assert murmur2(key) == VECTORS[key] & 0xFFFFFFFF
    assert partition_of(key, 7) == (VECTORS[key] & 0x7FFFFFFF) % 7


def test_it_is_the_hash_of_kafka_python_for_any_bytes() -> None:
    theirs = pytest.importorskip("kafka.partitioner.default").murmur2
    dice = random.Random(7)
    for length in range(64):
        key = dice.randbytes(length)
        assert positive(key) == theirs(key) & 0x7FFFFFFF
