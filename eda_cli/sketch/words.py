"""The words a sketch is written in, and what people write instead. Knows no place and no value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from eda_cli.sketch.places import Path
from eda_cli.sketch.text import shorten

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "title": ("name",), "id": ("name",), "project": ("name",),
    "channel": ("broker", "publishes", "subscribes"), "bus": ("broker",), "server": ("broker",), "servers": ("broker",),
    "random_seed": ("seed",), "queues": ("topics",), "channels": ("topics",), "streams": ("topics",),
    "schemas": ("events",), "types": ("events", "accepts"), "messages": ("events",), "event_types": ("events",),
    "producers": ("generators",), "publishers": ("generators",), "sources": ("generators",), "emitters": ("generators",),
    "subscribers": ("consumers",), "listeners": ("consumers",), "handlers": ("consumers",), "sinks": ("consumers",),
    "send": ("publishes",), "sends": ("publishes",), "emit": ("publishes",), "emits": ("publishes",),
    "produce": ("publishes",), "produces": ("publishes",), "publish": ("publishes",), "output": ("publishes",),
    "out": ("publishes",), "writes": ("publishes",), "target": ("to", "publishes"), "then": ("publishes",),
    "topic": ("to", "publishes", "subscribes"), "queue": ("to", "publishes", "subscribes"),
    "listen": ("subscribes",), "listens": ("subscribes",), "listens_to": ("subscribes",), "consume": ("subscribes",),
    "consumes": ("subscribes",), "subscribe": ("subscribes",), "input": ("subscribes",), "in": ("subscribes",),
    "reads": ("subscribes",), "on": ("subscribes", "accepts"), "handles": ("accepts",),
    "payload": ("body",), "data": ("body",), "value": ("body",), "content": ("body",), "message": ("body", "event"),
    "type": ("event",), "event_type": ("event",), "events": ("event", "accepts"), "filter": ("when", "accepts"),
    "if": ("when",), "where": ("when",), "condition": ("when",), "accept": ("accepts",),
    "header": ("headers",), "metadata": ("headers",), "partition_key": ("key",), "partitionkey": ("key",),
    "frequency": ("rate",), "speed": ("rate",), "tps": ("rate",), "per_second": ("rate",), "interval": ("every",),
    "period": ("every",), "limit": ("count",), "total": ("count",), "number": ("count",), "times": ("count",),
    "delay": ("after", "takes"), "wait": ("after",), "start_after": ("after",), "duration": ("takes",),
    "latency": ("takes",), "processing_time": ("takes",), "sleep": ("takes",), "work": ("takes",),
    "instances": ("replicas",), "scale": ("replicas",), "workers": ("replicas",), "concurrency": ("replicas",),
    "group_id": ("group",), "consumer_group": ("group",), "offset": ("from",), "start": ("from",), "start_from": ("from",),
    "auto_offset_reset": ("from",), "description": ("about",), "desc": ("about",), "doc": ("about",),
    "comment": ("about",), "note": ("about",), "summary": ("about",), "component": ("service",), "app": ("service",),
    "partition": ("partitions",), "retain": ("retention",), "ttl": ("retention",), "keep_for": ("retention",),
    "compact": ("compacted",), "compaction": ("compacted",), "options": ("config",), "settings": ("config",),
    "properties": ("config", "body"), "dlq": ("dead_letter",), "dead_letter_queue": ("dead_letter",),
    "dlt": ("dead_letter",), "retry": ("retries",), "failure_rate": ("fails",), "errors": ("fails",), "fail": ("fails",),
    "error_rate": ("fails",), "state": ("keeps",), "store": ("keeps",), "keep": ("keeps",), "join": ("joins",),
    "bootstrap-servers": ("bootstrap_servers",), "bootstrap": ("bootstrap_servers",), "brokers": ("bootstrap_servers",),
    "hosts": ("bootstrap_servers",), "address": ("bootstrap_servers",), "url": ("bootstrap_servers",),
}

# What a later version reads, by the kind of thing that will have the key.
LATER: Mapping[str, frozenset[str]] = {
    "topic": frozenset({"envelope", "type"}),
    "generator": frozenset({"arrivals", "stages", "repeat", "faults", "entities", "run"}),
    "consumer": frozenset({"fails", "retries", "dead_letter", "idempotent", "keeps", "joins", "window", "handler", "run"}),
    "rule": frozenset({"each", "after", "unless", "share"}),
    "broker": frozenset({"rabbitmq", "activemq"}),
}

NOT_YET = "is not yet offered in this version"


def meant(wrong: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant: by synonym, else by spelling."""
    low = wrong.lower()
    if low in known:
        return low
    bare = low.replace("-", "_")
    for word in SYNONYMS.get(bare, SYNONYMS.get(low, ())):
        if word in known:
            return word
    if len(wrong) > 80:
        return None
    close = get_close_matches(bare, known, 1, 0.7)
    return close[0] if close else None


def kind(path: Path) -> str:
    """What a path leads to, in one word: "sketch", "topic", "generator", "consumer", "rule", "broker", or "" inside."""
    if not path:
        return "sketch"
    kinds = {"topics": "topic", "generators": "generator", "consumers": "consumer", "broker": "broker"}
    first = kinds.get(str(path[0]), "")
    if first == "broker":
        return "broker"
    if len(path) == 2:
        return first
    if first == "consumer" and len(path) == 4 and path[2] == "publishes":
        return "rule"
    return ""


def subject(path: Path) -> str:
    """The path in words: `'rate' of generator 'webshop'`."""
    if not path:
        return "the sketch"
    last = shorten(str(path[-1]))
    if path[0] == "broker":
        return "'broker'" if len(path) == 1 else f"broker '{last}'" if len(path) == 2 else f"'{path[2]}' of broker '{path[1]}'"
    if path[0] == "events" and len(path) > 1:
        return f"event type '{shorten(str(path[1]))}'"
    what = kind(path)
    if what == "rule":
        return f"rule {int(path[3]) + 1} of consumer '{shorten(str(path[1]))}'"
    if len(path) == 2 and what:
        return f"{what} '{last}'"
    if isinstance(path[-1], int):
        return f"item {path[-1] + 1} of {subject(path[:-1])}"
    if len(path) == 1:
        return f"'{last}'"
    return f"'{last}' of {subject(path[:-1])}"


def given(value: Any, written: str | None = None) -> str:
    """The value in words: `the text 'ten'`. `written` is what stood there before `${…}` was filled in."""
    if written is not None:
        return f"what '{shorten(written)}' stands for"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{shorten(value)}'" if value else "empty text"
    return "a list" if isinstance(value, list) else "a map"


def near(wrong: str, known: Collection[str]) -> str | None:
    """The known name that is spelled most alike, whatever its case."""
    if len(wrong) > 80:
        return None
    lower = {name.lower(): name for name in list(known)[:1000] if len(name) <= 80}
    close = get_close_matches(wrong.lower(), lower, 1, 0.6)
    return lower[close[0]] if close else None


def slip(wrong: str, known: Collection[str]) -> str | None:
    """The known name that differs by a slip of the pen: a letter or two, but not in numbers only."""
    if len(wrong) > 80:
        return None
    bare = wrong.rstrip("0123456789")
    for name in list(known)[:1000]:
        if name.rstrip("0123456789") == bare and bare != wrong:
            continue
        if _edits(wrong.lower(), name.lower(), 1 if len(wrong) < 8 else 2):
            return name
    return None


def _edits(one: str, other: str, most: int) -> bool:
    """Whether `most` letters left out, added, changed or swapped turn one into the other."""
    if abs(len(one) - len(other)) > most:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1] <= most
