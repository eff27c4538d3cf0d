"""The words a sketch is written in, and what people write instead. Knows no place and no value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from eda_cli.sketch.places import Path
from eda_cli.sketch.text import shorten

NOTES = "what begins with x- is a note"  # why something is not there that is

# By the key that is meant, what people write. A word may mean several: the first that has a place there counts.
_MEANT: Mapping[str, str] = {
    "name": "title id project",
    "broker": "bus server servers channel event_channel",
    "seed": "random_seed",
    "topics": "queues channels streams",
    "events": "schemas types messages event_types",
    "generators": "producers publishers sources emitters",
    "consumers": "subscribers listeners handlers sinks",
    "to": "topic queue target destination",
    "publishes": "send sends emit emits produce produces publish output out writes target then topic queue "
                 "channel",
    "subscribes": "listen listens listens_to consume consumes subscribe input in reads on topic queue channel",
    "event": "type event_type events message",
    "accepts": "handles types events accept on filter",
    "body": "payload data value content message properties",
    "headers": "header metadata",
    "key": "partition_key partitionkey by",
    "when": "if where condition filter",
    "stages": "phases load ramp profile",
    "arrivals": "distribution arrival",
    "entities": "actors devices keys users cardinality",
    "faults": "chaos errors anomalies",
    "duplicate": "duplicates dup",
    "out_of_order": "outoforder disorder shuffle reorder",
    "null_key": "nullkey no_key keyless",
    "have": "fields attributes properties with",
    "rate": "frequency speed tps per_second",
    "every": "interval period size length tumbling",
    "count": "limit total number times",
    "after": "delay wait start_after",
    "takes": "duration latency processing_time sleep work delay",
    "replicas": "instances scale workers concurrency",
    "group": "group_id consumer_group",
    "from": "offset start start_from auto_offset_reset topic topics source sources",
    "about": "description desc doc comment note summary",
    "service": "component app",
    "partitions": "partition",
    "retention": "retain ttl keep_for",
    "compacted": "compact compaction",
    "config": "options settings properties",
    "bootstrap_servers": "bootstrap brokers hosts address url",
    "username": "user login sasl_username sasl_plain_username",
    "password": "pass passwd passcode sasl_password sasl_plain_password",
    "password_file": "passwordfile secret_file",
    "mechanism": "sasl_mechanism sasl auth authentication",
    "tls": "ssl security security_protocol",
    "ca": "cafile ca_file cacert authority authorities truststore",
    "certificate": "cert certfile cert_file crt client_cert keystore",
    "key_password": "passphrase keypass",
    "dead_letter": "dlq dead_letter_queue dlt dead_letters deadletter dead_letter_topic error_topic",
    "retries": "retry retry_policy attempts max_attempts max_retries",
    "fails": "failure_rate errors fail error_rate failures",
    "idempotent": "idempotence idempotency dedup dedupe deduplicate deduplication unique exactly_once",
    "keeps": "state store stores keep table tables copy copies view materialize ktable",
    "joins": "join joined",
    "window": "windows windowed windowing",
    "handler": "function func call code callback",
    "run": "command cmd exec program script",
    "timeout": "deadline time_limit max_time",
    "each": "foreach for_each explode split loop",
    "unless": "deadline cancelled_by except without",
    "share": "probability chance percent percentage ratio weight rate",
    "max": "times attempts retries count limit",
    "backoff": "delay wait pause interval",
    "last": "size max limit count remember",
    "for": "ttl keep_for expire expires within",
    "set": "fields fold reduce update assign state",
    "with": "topic topics other stream",
    "by": "key on keys group_by partition_by",
    "within": "window for timeout",
    "gap": "session pause idle inactivity",
    "late": "grace lateness allowed_lateness",
    "time": "timestamp event_time at",
}

# What a later version reads, by the kind of thing that will have the key.
LATER: Mapping[str, frozenset[str]] = {
    "topic": frozenset({"envelope", "type"}),
    "generator": frozenset({"run"}),
}
_BEHAVIOUR = ("fails", "retries", "idempotent", "joins", "window")  # keys of a consumer that hold a map of keys
_MANNERS = ("entities", "faults")  # keys of a generator that do
SPREAD = ("late", "out_of_order")  # faults that hold a map of keys, too
_MAPS = (*_BEHAVIOUR, *_MANNERS, *SPREAD)
_NUMBER = re.compile(r"[-_.]?v?[0-9]+\Z")
_SHORT = 4  # characters: shorter names that differ are other names
_LONG = 80  # characters: nobody mistypes a word of that length
_MOST_PAIRS = 10_000  # names compared with names: half a second; nobody writes as many by hand


def meant(wrong: str, known: Collection[str]) -> str | None:
    """The known key that was probably meant: by another word for it, else by spelling."""
    return otherwise(wrong, known) or near(wrong.lower().replace("-", "_"), known, 0.7)


def otherwise(wrong: str, known: Collection[str]) -> str | None:
    """The known key that this is another word for."""
    bare = wrong.lower().replace("-", "_")
    if bare in known:
        return bare
    return next((key for key, others in _MEANT.items() if key in known and bare in others.split()), None)


def later(wrong: str, kind: str) -> str | None:
    """The key of a later version that this one is, or stands for."""
    bare = wrong.lower().replace("-", "_")
    return next((key for key in LATER.get(kind, ()) if bare in (key, *_MEANT.get(key, "").split())), None)


def near(wrong: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """The known name that is spelled most alike, whatever its case."""
    from difflib import get_close_matches  # needed only where something is wrong

    if len(wrong) > _LONG:
        return None
    lower = {name.lower(): name for name in known if len(name) <= _LONG}
    close = get_close_matches(wrong.lower(), lower, 1, cutoff)
    return lower[close[0]] if close else None


def did_you_mean(wrong: str, known: Collection[str], otherwise: str = "") -> str:
    """What to do about a name that is none of the known ones; `otherwise` where none is spelled alike."""
    guess = near(wrong, known)
    return f"did you mean '{guess}'?" if guess else otherwise


def slip(wrong: str, known: Collection[str]) -> str | None:
    """The known name that differs by a slip of the pen: a letter or two, but not by a number or a whole word."""
    if not _SHORT <= len(wrong) <= _LONG:
        return None
    most = 1 if len(wrong) < 8 else 2
    return next((name for name in known if _NUMBER.sub("", name) != _NUMBER.sub("", wrong)
                 and _edits(wrong.lower(), name.lower(), most) and not _other_word(wrong, name)), None)


def _other_word(one: str, other: str) -> bool:
    """Whether a whole word is another one, or there is one more: `orders-eu` and `orders-us`."""
    ours, theirs = (re.findall(r"[A-Za-z]+", name.lower()) for name in (one, other))
    if len(ours) != len(theirs):
        return "".join(ours) != "".join(theirs)
    return any(a != b and min(len(a), len(b)) < _SHORT for a, b in zip(ours, theirs, strict=True))


def guesses(find: Callable[[str, Collection[str]], str | None], wrong: Collection[str],
            known: Collection[str]) -> dict[str, str]:
    """What `near` or `slip` finds for each wrong name; nothing where there are too many to compare them all."""
    if len(wrong) * len(known) > _MOST_PAIRS:
        return {}
    found = {name: find(name, known) for name in wrong}
    return {name: guess for name, guess in found.items() if guess}


def _edits(one: str, other: str, most: int) -> bool:
    """Whether at most so many letters left out, added, changed or swapped turn one into the other."""
    if abs(len(one) - len(other)) > most:
        return False
    alike = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[alike:], other[alike:]
    if not one or not other or not most:
        return len(one) + len(other) <= most
    swapped = one[:2] == other[1::-1] and _edits(one[2:], other[2:], most - 1)
    return swapped or any(_edits(a, b, most - 1) for a, b in (
        (one[1:], other), (one, other[1:]), (one[1:], other[1:])))


def kind(path: Path) -> str:
    """What a path leads to: "sketch", "topic", "generator", "consumer", "rule", "copy" (or one of its folds),
    "fails" and the like, "broker", "" inside of one."""
    if not path:
        return "sketch"
    if path[0] == "broker":
        return "broker"
    first = {"topics": "topic", "generators": "generator", "consumers": "consumer"}.get(str(path[0]), "")
    if len(path) == 2:
        return first
    if first == "consumer" and len(path) == 3 and path[2] in _BEHAVIOUR:
        return str(path[2])
    if first == "generator" and len(path) == 3 and path[2] in _MANNERS:
        return str(path[2])
    if first == "generator" and len(path) == 4 and path[2] == "faults" and path[3] in SPREAD:
        return str(path[3])
    if first == "generator" and len(path) == 4 and path[2] == "stages" and isinstance(path[3], int):
        return "stage"
    if first == "consumer" and len(path) == 4 and path[2] == "publishes" and isinstance(path[3], int):
        return "rule"
    if first == "consumer" and path[2:3] == ("keeps",) and (
            len(path) == 4 or (len(path) == 5 and isinstance(path[4], int))):
        return "copy"
    return ""


def owner(kind: str) -> str:
    """A kind in words, as what a key belongs to: `a rule`, `'retries'`."""
    return f"'{kind}'" if kind in _MAPS else f"a {kind}"


def subject(path: Path) -> str:
    """The path in words: `'rate' of generator 'webshop'`."""
    if not path:
        return "the sketch"
    last = shorten(str(path[-1]))
    if path[0] == "broker":
        broker = f"broker '{shorten(str(path[1]))}'" if len(path) > 1 else "'broker'"
        return f"'{last}' of {subject(path[:-1])}" if len(path) > 2 else broker
    if path[0] == "events" and len(path) > 1:
        return f"event type '{shorten(str(path[1]))}'"
    what, number = kind(path), path[-1]
    if isinstance(number, int):
        one = {"rule": "rule", "copy": "fold", "stage": "stage"}.get(what, "item")
        return f"{one} {number + 1} of {subject(path[:-2] if what in ('rule', 'stage') else path[:-1])}"
    if what == "copy":
        return f"copy '{last}' of {subject(path[:-2])}"
    if what and what not in _MAPS:
        return f"{what} '{last}'"
    return f"'{last}'" if len(path) == 1 else f"'{last}' of {subject(path[:-1])}"


def given(value: Any, secret: str | None = None) -> str:
    """The value in words: `the text 'ten'`. `secret` is what stood there before the environment filled it in."""
    if secret is not None:
        return f"what '{shorten(secret)}' stands for"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{shorten(value)}'" if value else "empty text"
    name = "list" if isinstance(value, list) else "map"
    return f"a {name}" if value else f"an empty {name}"
