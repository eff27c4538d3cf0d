"""NATS with JetStream, through nats-py: the whole channel, and how its broker is run.

`address` is `{"channel": "nats", "at": "nats://host:port"}`, and maybe `"ours": False`, `"creates": False` and what
`credentials` reads. A partition of a topic is a stream of one subject, `<topic>.<number>`: its sequence numbers, less one, are
the offsets. A group is one entry of the key-value bucket `eda`: its members, who has which partition, and where it goes on.
Whoever changes it must know its last state, so a place has one owner and only this one commits there. Members are alive while
their entries in the bucket `eda_members` are, which forgets them by itself. Streams of others are topics of one partition.

Nothing is imported of the library, no thread is started and nothing connected before it is needed: the recipe asks for none of
it, and the warm process of a run imports this and forks. Long, because a channel is one file: the recipe, events as messages,
the connection, partitions, publishing, groups, a member of one, and the channel itself.
"""

from __future__ import annotations

import asyncio
import base64
import heapq
import json
import logging
import os
import re
import secrets
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

import orjson

from eda_cli.channels import tls_errors
from eda_cli.channels.base import (
    End,
    Group,
    GroupInfo,
    GroupPlace,
    PartitionInfo,
    Place,
    Polled,
    Receipt,
    Start,
    Subscription,
    Topic,
    TopicInfo,
    none_created,
)
from eda_cli.channels.containers_model import LOCALHOST, Spec
from eda_cli.channels.credentials import secret, tls_context, whence
from eda_cli.channels.embedded_group import balanced
from eda_cli.channels.ledger import Ledger
from eda_cli.channels.murmur2 import partition_of
from eda_cli.errors import BrokerRefused, BrokerUnreachable, ChannelError, EventRefused, PublishError, UnknownTopic
from eda_cli.event import NO_EXTENSIONS, Delivery, Event
from eda_cli.technologies import TECHNOLOGIES

logging.getLogger("nats").addHandler(logging.NullHandler())
logging.getLogger("nats").setLevel(logging.CRITICAL)  # it logs a broken connection as an error, with its trace

T = TypeVar("T")

# --- the broker in a container

PORT = 4222
DATA, CONFIG = "/data", "/eda.conf"
MEMORY = "1g"
_CONFIG = f"""
port: {PORT}
max_payload: 8MB  # with its headers; more is not advised
jetstream {{ store_dir: {DATA} }}
"""
_TAG = re.compile(r"(?:^|/)nats:(\d+\.\d+(?:\.\d+)?)")


def spec(run: str, run_id: str, image: str, port: int | None) -> Spec:
    """The container of a run's broker. `port` None prefers 4222."""
    return Spec(run=run, run_id=run_id, role="broker", image=image, inside=PORT, prefers=PORT, port=port, data=DATA,
                memory=MEMORY, environment=lambda name, host_port: {}, command=["--config", CONFIG],
                files={CONFIG: _CONFIG.encode()})


def address(name: str, port: int) -> dict[str, str]:
    """Where clients find it: programs on this machine, and containers on the run's network."""
    return {"channel": "nats", "at": f"nats://{LOCALHOST}:{port}", "internal": f"nats://{name}:{PORT}"}


def version(image: str) -> str | None:
    """As the tag of the image tells it; None where it tells nothing."""
    tag = _TAG.search(image)
    return f"NATS {tag[1]}" if tag else None


def answers(port: int) -> bool:
    """Whether the broker published on this port takes clients, and has its streams."""
    try:
        return bool(greet(LOCALHOST, port).get("jetstream"))
    except (OSError, ValueError):
        return False


def greet(host: str, port: int, seconds: float = 2.0) -> dict[str, Any]:
    """What the server says of itself, at once and before TLS. Raises OSError; ValueError where it is no NATS."""
    with socket.create_connection((host, port), seconds) as connection:
        said = b""
        while b"\n" not in said and len(said) < 1 << 16 and (more := connection.recv(4096)):
            said += more
    if said[:5] != b"INFO ":
        raise ValueError("what listens there does not speak NATS")
    told: dict[str, Any] = orjson.loads(said[5:].partition(b"\r\n")[0])
    return told


# --- events as messages, as the CloudEvents NATS binding has them in binary mode. What it has no place for stands in headers
# `eda-…`: the moment of publishing in microseconds, a key that is no text, headers that are none of NATS, and no body at all.

CE, CONTENT_TYPE = "ce-", "content-type"
PUBLISHED, KEY, HEADERS, TOMBSTONE = "eda-published", "eda-key", "eda-headers", "eda-tombstone"
_VISIBLE = "!#$&'()*+,/:;<=>?@[\\]^`{|}~"  # what stays as it is beside letters, digits and _.-~
_PLAIN = re.compile(r"[!#-$&-~]*")
_NAME = re.compile(r"(?!ce-|eda-|nats-|content-type$)[a-z0-9!#$&'*+.^_`|~-]+", re.I)  # of a header that we may add as it is
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


def headers_of(event: Event, micros: int) -> dict[str, str]:
    """The headers of an event that is published then. Raises ValueError where an attribute cannot be one."""
    made = {PUBLISHED: str(micros)}
    if event.id is not None:
        told = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type, "time": event.time,
                "subject": event.subject, "correlationid": event.correlationid, "causationid": event.causationid,
                **event.extensions}
        made.update([(CE + name, _percent(value)) for name, value in told.items() if value is not None])
        if any(not _NAME.fullmatch(name) for name in event.extensions):
            raise ValueError(f"the names {', '.join(event.extensions)} are no names of headers")
    if event.datacontenttype is not None:
        made[CONTENT_TYPE] = _percent(event.datacontenttype)
    if event.key is not None:
        try:
            made[CE + "partitionkey" if event.id is not None else KEY] = _percent(event.key.decode())
        except UnicodeDecodeError:
            made[KEY] = quote(event.key)
    if event.data is None:
        made[TOMBSTONE] = "true"
    if event.headers:
        plain = {name: (value or b"").decode("latin-1") for name, value in event.headers}
        fitting = {name: text for name, text in plain.items() if _NAME.fullmatch(name) and _VALUE.fullmatch(text)}
        if [(name, text.encode()) for name, text in fitting.items()] != list(event.headers):
            listed = [[name, None if value is None else value.decode("latin-1")] for name, value in event.headers]
            made[HEADERS] = quote(json.dumps(listed))
        made |= fitting
    return made


def event_of(headers: Mapping[str, str], data: bytes) -> Event:
    """The event of a message; a foreign one where it is none. Never fails, whatever others wrote."""
    told: dict[str, str] = {}
    own: list[tuple[str, bytes | None]] = []
    for name, value in headers.items():
        if name[:3] == CE:
            told[name[3:]] = unquote(value) if "%" in value else value
        elif name[:4] != "eda-" and name != CONTENT_TYPE:
            own.append((name, value.encode()))
    if HEADERS in headers:
        own = _listed(headers[HEADERS]) or own
    body = None if not data and TOMBSTONE in headers else data
    key = unquote_to_bytes(headers[KEY]) if KEY in headers else None
    take = told.pop
    if not (take("specversion", None) and told.get("id") and told.get("source") and told.get("type")):
        shown = own if HEADERS in headers else [(name, value.encode()) for name, value in headers.items() if name[:4] != "eda-"]
        return Event(None, None, None, None, body, key, None, headers=tuple(shown))
    if (text := take("partitionkey", None)) is not None:
        key = text.encode()
    kind = unquote(headers[CONTENT_TYPE]) if CONTENT_TYPE in headers else take("datacontenttype", None)
    return Event(take("id"), take("source"), take("type"), take("time", None), body, key, kind, take("subject", None),
                 take("correlationid", None), take("causationid", None), told or NO_EXTENSIONS, tuple(own))


def _percent(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, _VISIBLE)


def _listed(text: str) -> list[tuple[str, bytes | None]]:
    """What stands in our header for headers; nothing where it is not ours."""
    try:
        return [(str(name), None if value is None else value.encode("latin-1")) for name, value in json.loads(unquote(text))]
    except (ValueError, TypeError, AttributeError):
        return []


def _placed(reply: str) -> tuple[int, float, int]:
    """Of a message that a consumer hands out: its offset, when it was stored (epoch seconds), how many came behind it then."""
    sequence, _, nanos, pending = reply.split(".")[-4:] if reply.count(".") == 8 else reply.split(".")[7:11]
    return int(sequence) - 1, int(nanos) / 1e9, int(pending)


# --- the connection

REACH_S = 4.0  # for a broker to answer at all
CALL_S = 10.0  # for one answer
PING_S, SILENT_S = 2.0, 4.0  # how often it is asked whether it is there, and how long it may take to say so
NO_MESSAGE, NO_STREAM, WRONG_SEQUENCE = 10037, 10059, {10071, 10164}  # error codes of JetStream


class Refused(ChannelError):
    """JetStream refused it; `code` is its own."""

    def __init__(self, wrong: Mapping[str, Any]) -> None:
        super().__init__("NATS JetStream refused it", str(wrong.get("description", "")))
        self.code = int(wrong.get("err_code", 0))


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a NATS is, and by which keys of its address one gets in there."""

    at: str
    door: Mapping[str, Any]

    @property
    def place(self) -> tuple[str, int]:
        parts = urlsplit(self.at)
        return parts.hostname or "localhost", parts.port or PORT

    def greeted(self) -> dict[str, Any]:
        """What the server says of itself. Raises BrokerUnreachable; BrokerRefused where only one of us speaks TLS."""
        try:
            info = greet(*self.place, REACH_S)
        except (OSError, ValueError) as wrong:
            raise self.unreachable(_said(wrong)) from None
        if "tls" in self.door and not info.get("tls_required"):
            raise tls_errors.speaks_plain(self._who)
        if "tls" not in self.door and info.get("tls_required"):
            raise BrokerRefused(f"{self._who} speaks TLS", "the sketch says nothing of it",
                                "add tls: true, or tls: {ca: FILE} where an authority of its own vouches for it")
        return info

    def options(self) -> dict[str, Any]:
        """What a client connects with. Raises BrokerRefused."""
        made: dict[str, Any] = {}
        if told := self.door.get("credentials"):
            word = secret(told["password"], f"the password of the user '{told['username']}'")
            made |= {"user": told["username"], "password": word}
        if context := tls_context(self.door):
            made |= {"tls": context, "tls_hostname": self.place[0]}
        return made

    def failed(self, wrong: Exception) -> BrokerUnreachable:
        """Why there is no connection, in words."""
        if isinstance(wrong, ssl.SSLError):
            return tls_errors.refusal(wrong, self._who, *self.place, self.door)
        if "authorization" in str(wrong).lower():
            told = self.door.get("credentials")
            hint = f"see whether the user is right, and the password in {whence(told)}" if told else "add username: and password:"
            whom = f"the user '{told['username']}'" if told else "us without a user"
            return BrokerRefused(f"{self._who} refused {whom}", _said(wrong), hint)
        return self.unreachable(_said(wrong))

    def unreachable(self, why: str) -> BrokerUnreachable:
        return BrokerUnreachable(f"NATS at {self.at} does not answer", why, "is it up? eda ps shows a run's own broker")

    @property
    def _who(self) -> str:
        return "the NATS server at {}:{}".format(*self.place)


class Link:
    """One connection and its thread, in which all of nats-py happens; `lost` says why where it is no more.

    Raises BrokerUnreachable. `news` is told whenever somebody may have waited for something.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.info = settings.greeted()
        self.client: Any = None
        self.lost: BrokerUnreachable | None = None
        self.news = threading.Condition()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(settings.options(),), name="nats", daemon=True)
        self._thread.start()
        self._opened.result()

    # from any thread

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin it in the link's thread."""
        try:
            if self.lost is not None:
                raise self.lost
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except (BrokerUnreachable, RuntimeError):  # the loop is closed
            work.close()
            raise self._end("the connection was closed") from None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Have it done in the link's thread. Raises what it raises; BrokerUnreachable where the connection does not bear it."""
        try:
            return self.start(work).result(CALL_S + 1)
        except (*self._foreign, CancelledError, OSError) as wrong:
            raise self.lost or self.settings.unreachable(_said(wrong)) from None

    def ask(self, verb: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """JetStream's answer. Raises Refused."""
        return self.call(self.asked(verb, body))

    def asks(self, questions: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Its answers to several, asked at once."""
        async def together() -> list[dict[str, Any]]:
            return await asyncio.gather(*(self.asked(*one) for one in questions))
        return self.call(together())

    def store(self, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> int:
        """Store a message; its sequence number. Raises Refused."""
        return int(self.call(self._answer(subject, data, headers))["seq"])

    def wait(self, something: Callable[[], object], seconds: float) -> None:
        with self.news:
            self.news.wait_for(lambda: self.lost or something(), seconds)

    def close(self) -> None:
        """Idempotent."""
        self._end("it was closed")
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(REACH_S)

    # in the link's thread

    async def asked(self, verb: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return await self._answer(f"$JS.API.{verb}", orjson.dumps(body or {}))

    async def _answer(self, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        from nats.errors import NoRespondersError

        try:
            message = await self.client.request(subject, data, CALL_S, headers=headers)
        except NoRespondersError:
            raise Refused({"description": f"nobody takes {subject}: is JetStream enabled there?"}) from None
        told: dict[str, Any] = orjson.loads(message.data)
        if wrong := told.get("error"):
            raise Refused(wrong)
        return told

    def tell(self) -> None:
        with self.news:
            self.news.notify_all()

    def _run(self, options: Mapping[str, Any]) -> None:
        try:
            asyncio.run(self._live(options))
        except Exception as wrong:  # whatever the library trips over: nobody must wait for ever
            self._end(_said(wrong))
        if not self._opened.done():
            self._opened.set_exception(self._end("no answer"))

    async def _live(self, options: Mapping[str, Any]) -> None:
        from nats.aio.client import Client
        from nats.errors import Error

        self._loop, self._over, self._foreign = asyncio.get_running_loop(), asyncio.Event(), (Error,)
        troubles: list[Exception] = []

        async def trouble(wrong: Exception) -> None:
            troubles.append(wrong)

        async def closed() -> None:
            self._end(_said(troubles[-1]) if troubles else "the connection was closed")
            self._over.set()

        self.client = Client()
        try:
            async with asyncio.timeout(REACH_S):
                await self.client.connect(self.settings.at, name="eda", allow_reconnect=False, error_cb=trouble, closed_cb=closed,
                                          connect_timeout=REACH_S, ping_interval=3600, **options)
            self._opened.set_result(None)
            watch = asyncio.create_task(self._watch())
            await self._over.wait()
            watch.cancel()
        except Exception as wrong:  # of any kind: a socket's, TLS's, the library's own
            self._opened.set_exception(self.settings.failed(wrong))
        with suppress(Exception):
            async with asyncio.timeout(1):
                await self.client.close()

    async def _watch(self) -> None:
        """The library asks too, but waits for ever for a broken connection to take what it had to say."""
        try:
            while True:
                await asyncio.sleep(PING_S)
                async with asyncio.timeout(SILENT_S):
                    await self.client.flush(SILENT_S)
        except Exception as wrong:
            self._end(f"no answer in {SILENT_S:g} s" if isinstance(wrong, TimeoutError) else _said(wrong))
            self._over.set()

    def _end(self, why: str) -> BrokerUnreachable:
        with self.news:
            self.lost = self.lost or self.settings.unreachable(why)
            self.news.notify_all()
            return self.lost


def _said(wrong: BaseException) -> str:
    if isinstance(wrong, OSError) and wrong.strerror:
        return wrong.strerror
    return str(wrong).removeprefix("nats: ") or type(wrong).__name__


# --- partitions, and reading one

STREAM = re.compile(r"([A-Za-z0-9_=-]+)-(\d+)")
TOPIC = re.compile(r"(?=.{1,240}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
BATCH = 500  # messages that are asked for at once
ROOM = 1000  # that may wait here
PULL_S = 30.0  # so long the broker keeps in mind that we asked
IDLE_S = 300.0  # and so long a consumer that nobody asks
BYTES = 8 << 20  # of one answer, or two of the largest messages
CLOCK_S = 5.0  # by which the clocks of a broker and of who published may differ
QUIET_S = 0.1  # a read that waits says so this often
LOOK_S = 0.5  # it looks this often whether there are other partitions


@dataclass(slots=True)
class Due:
    """When something is to be done again."""

    every: float
    last: float = 0.0

    def now(self) -> bool:
        moment = time.monotonic()
        if moment - self.last < self.every:
            return False
        self.last = moment
        return True


class Part(NamedTuple):
    """The stream of a partition. `first` is the oldest offset that is kept, `end` the one the next event gets."""

    stream: str
    subject: str | None  # to publish to; None where somebody else's stream has no or several
    first: int
    end: int
    events: int
    config: Mapping[str, Any]


def encoded(name: str) -> str:
    """A name of a topic or group where NATS takes no dots; they take no `=`."""
    return name.replace(".", "=")


def look(link: Link) -> dict[str, list[Part]]:
    """All topics, each with its partitions."""
    async def pages() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = await link.asked("STREAM.LIST", {"offset": len(found)})
            found += page.get("streams") or ()
            if not page.get("streams") or len(found) >= page["total"]:
                return found

    ours: dict[str, dict[int, Part]] = {}
    others: dict[str, list[Part]] = {}
    for told in link.call(pages()):
        config, state = told["config"], told["state"]
        name, subjects = config["name"], config.get("subjects") or []
        alone = subjects[0] if len(subjects) == 1 and not re.search(r"[*>]", subjects[0]) else None
        part = Part(name, alone, max(state["first_seq"] - 1, 0), state["last_seq"], state["messages"], config)
        mine = STREAM.fullmatch(name)
        if mine and alone == f"{(topic := mine[1].replace('=', '.'))}.{mine[2]}":
            ours.setdefault(topic, {})[int(mine[2])] = part
        elif not name.startswith(("KV_", "OBJ_", "$")):
            others[name] = [part]
    for topic, parts in ours.items():
        if 0 in parts:  # up to the first that is missing: it is not made yet
            others[topic] = [parts[number] for number in takewhile(parts.__contains__, range(len(parts)))]
    return dict(sorted(others.items()))


class Feed:
    """A partition read from an offset, or a moment, on, by a consumer of its own; made anew where that is gone."""

    def __init__(self, link: Link, place: Place, part: Part, position: int, since: float | None = None) -> None:
        self.place, self.position = place, position
        self._link, self._stream = link, part.stream
        self._came: deque[Any] = deque()
        self._asked, self._gone, self._again = 0, False, Due(LOOK_S)
        self._talked = time.monotonic()  # when we asked for more, or something was said, last
        self._open(since)

    def ready(self) -> bool:
        return bool(self._came)

    def take(self, at_most: int, below: float = float("inf")) -> list[Delivery]:
        """What came, in order; of offsets below this one. Raises UnknownTopic where that was removed."""
        if self._link.lost is not None and not self._came:
            raise self._link.lost
        found: list[Delivery] = []
        while self._came and len(found) < at_most:
            message = self._came[0]
            offset, stored, self._behind = _placed(message.reply)
            if offset >= below:
                self.position = int(below)
                break
            self._came.popleft()
            headers = message.headers or {}
            micros = headers.get(PUBLISHED, "")
            published = int(micros) / 1e6 if micros.isdecimal() else stored
            found.append(Delivery(event_of(headers, message.data), *self.place, offset, published))
            self.position = offset + 1
        if self._gone:
            if not self._came and self._again.now():
                self._open()
        elif self._forgotten():
            self._link.start(self._close())
        elif not self._asked:
            self._link.start(self._pull())
        return found

    def until(self, end: int) -> Iterator[Delivery]:
        """All that is kept below that offset; where what lies there was deleted meanwhile, less."""
        while self._behind and self.position < end:
            yield from self.take(BATCH, end)
            if not self._came and self.position < end:
                self._link.wait(self.ready, LOOK_S)
                if not self._came and not self._gone:
                    try:
                        self._behind = self._link.ask(f"CONSUMER.INFO.{self._stream}.{self._name}")["num_pending"]
                    except Refused:  # it is gone
                        self._link.call(self._close())

    def close(self) -> None:
        with suppress(BrokerUnreachable):
            self._link.start(self._close())

    def _open(self, since: float | None = None) -> None:
        begin = {"deliver_policy": "by_start_sequence", "opt_start_seq": self.position + 1} if since is None else {
            "deliver_policy": "by_start_time", "opt_start_time": datetime.fromtimestamp(since, UTC).isoformat()}
        config = {**begin, "ack_policy": "none", "inactive_threshold": int(IDLE_S * 1e9), "mem_storage": True, "num_replicas": 1}
        try:
            told = self._link.ask(f"CONSUMER.CREATE.{self._stream}", {"stream_name": self._stream, "config": config})
        except Refused as wrong:
            if wrong.code == NO_STREAM:
                raise UnknownTopic(self.place.topic, "it was removed") from None
            raise
        self._name, self._behind, self._gone, self._asked = told["name"], told["num_pending"], False, 0
        self._link.call(self._listen())

    async def _listen(self) -> None:
        self._inbox = self._link.client.new_inbox()
        self._ear = await self._link.client.subscribe(self._inbox, cb=self._take, pending_msgs_limit=0, pending_bytes_limit=0)
        await self._pull()

    def _forgotten(self) -> bool:
        """Whether the broker may have let go of the consumer: nobody asked it for long, or it does not say what it has to."""
        return time.monotonic() - self._talked > (PULL_S + CALL_S if self._asked else IDLE_S / 2)

    async def _close(self) -> None:
        if self._gone:
            return
        self._gone = True
        await self._ear.unsubscribe()
        await self._link.client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")

    async def _pull(self) -> None:
        """Ask for more, unless that was done or enough is here."""
        if self._asked or self._gone or len(self._came) >= ROOM:
            return
        self._asked, self._talked = BATCH, time.monotonic()
        wish = {"batch": BATCH, "expires": int(PULL_S * 1e9), "max_bytes": max(BYTES, 2 * self._link.info["max_payload"])}
        await self._link.client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}", orjson.dumps(wish), self._inbox)

    async def _take(self, message: Any) -> None:
        self._talked = time.monotonic()
        if message.reply.startswith("$JS.ACK."):
            self._asked -= 1
            self._came.append(message)
            if len(self._came) == 1:
                self._link.tell()
        elif "MaxBytes" in message.headers.get("Description", "") or message.headers.get("Status") in ("404", "408"):
            self._asked = 0  # that is all for what we asked
        else:
            await self._close()
        await self._pull()


def merged(feeds: Iterable[tuple[Feed, int]]) -> Iterator[Sequence[Delivery]]:
    """What is stored below these offsets, by the moment of publishing; each partition stays in its own order."""
    batch: list[Delivery] = []
    for delivery in heapq.merge(*(feed.until(end) for feed, end in feeds), key=lambda one: one.published):
        batch.append(delivery)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def starts(link: Link, topic: str, parts: Sequence[Part], start: Start) -> dict[int, int]:
    """The offset at which each partition begins, of those that are meant. Raises ChannelError."""
    if start.partition is not None and not 0 <= start.partition < len(parts):
        raise ChannelError(f"there is no partition {start.partition} in '{topic}'", f"it has {len(parts)}, counted from 0")
    meant = {number: part for number, part in enumerate(parts) if start.partition in (None, number)}

    def kept(number: int, offset: int, since: float | None = None) -> Iterator[Delivery]:
        if offset >= parts[number].end:
            return
        feed = Feed(link, Place(topic, number), parts[number], offset, since)
        try:
            yield from feed.until(parts[number].end)
        finally:
            feed.close()

    match start.at:
        case "beginning":
            return {number: part.first for number, part in meant.items()}
        case "end":
            return {number: part.end for number, part in meant.items()}
        case "offset":
            return {number: max(part.first, int(start.value)) for number, part in meant.items()}
        case "last":
            many = int(start.value)
            newest = {number: max(part.first, part.end - many) for number, part in meant.items()}
            if len(meant) == 1 or not many:
                return newest
            held = {number: list(kept(number, offset)) for number, offset in newest.items()}
            moments = ((one.published, number, one.offset) for number, kept_there in held.items() for one in kept_there)
            of_each = Counter(number for _, number, _ in heapq.nlargest(many, moments))
            return {number: kept_there[-of_each[number]].offset or 0 if of_each[number] else parts[number].end
                    for number, kept_there in held.items()}
        case "time":
            since = max(0.0, start.value - CLOCK_S)
            found = {number: next((one for one in kept(number, part.first, since) if one.published >= start.value), None)
                     for number, part in meant.items()}
            return {number: parts[number].end if one is None else one.offset or 0 for number, one in found.items()}


# --- publishing

IN_CARE = 5_000  # messages that are not confirmed; more waits
CARE_S = 60.0  # that wait
TOGETHER = 100  # events without a key that stay in one partition


class Publisher:
    """What is in care on one link, and what became of it. Nothing is sent twice: whoever published decides on that."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.pending: list[Receipt] = []
        self._open: dict[int, int] = {}  # number of a message that is not confirmed -> its index in pending
        self._failed: dict[int, str] = {}  # index in pending -> why
        self._sent = 0
        self._inbox = ""
        self._lane = asyncio.Lock()

    def send(self, batch: Sequence[tuple[str, Mapping[str, str], bytes]], receipts: Sequence[Receipt]) -> None:
        """In care, in order; waits where too much is."""
        first, self._sent = self._sent, self._sent + len(batch)
        self._open.update(zip(range(first, self._sent), range(len(self.pending), len(self.pending) + len(batch)), strict=True))
        self.pending += receipts
        with suppress(BrokerUnreachable):  # the flush tells
            self.link.start(self._send(first, batch))
        self.link.wait(lambda: len(self._open) <= IN_CARE, CARE_S)
        if len(self._open) > IN_CARE and self.link.lost is None:
            raise self.link.settings.unreachable(f"it confirmed nothing for {CARE_S:g} s")

    def flush(self, timeout: float) -> list[Receipt]:
        """Receipts of all that is in care. Raises PublishError."""
        self.link.wait(lambda: not self._open, timeout)
        with self.link.news:  # what is confirmed from now on is given up
            pending, self.pending = self.pending, []
            failed, self._failed = self._failed | dict.fromkeys(self._open.values(), ""), {}
            self._open.clear()
        if not failed:
            return pending
        lost = self.link.lost
        why = next(filter(None, failed.values()), "") or (lost.why if lost else f"not confirmed in {timeout:g} s")
        raise PublishError(f"{len(failed)} of {len(pending)} events are not known to be stored", why,
                           unstored=[pending[index].id for index in sorted(failed)],
                           receipts=[one for index, one in enumerate(pending) if index not in failed])

    async def _send(self, first: int, batch: Sequence[tuple[str, Mapping[str, str], bytes]]) -> None:
        client = self.link.client
        async with self._lane:
            if not self._inbox:
                self._inbox = client.new_inbox()
                await client.subscribe(f"{self._inbox}.*", cb=self._confirmed, pending_msgs_limit=0, pending_bytes_limit=0)
            for number, (subject, headers, data) in enumerate(batch, first):
                await client.publish(subject, data, f"{self._inbox}.{number}", headers)

    async def _confirmed(self, message: Any) -> None:
        told: dict[str, Any] = orjson.loads(message.data or b"{}")
        with self.link.news:
            index = self._open.pop(int(message.subject[len(self._inbox) + 1:]), None)
            if index is None:
                return  # given up
            if "seq" in told:
                self.pending[index] = self.pending[index]._replace(offset=told["seq"] - 1)
            else:  # without an error nobody heard it
                self._failed[index] = told.get("error", {}).get("description", "there is no such topic any more")
            if not self._open or len(self._open) == IN_CARE:
                self.link.news.notify_all()


def placed(topic: str, parts: Sequence[Part], event: Event, free: int) -> int:
    """The partition of an event. Raises EventRefused."""
    if event.partition is None:
        return free if event.key is None else partition_of(event.key, len(parts))
    if not 0 <= event.partition < len(parts):
        raise EventRefused(f"there is no partition {event.partition} in '{topic}'", f"it has {len(parts)}, counted from 0",
                           id=event.id)
    return event.partition


def message_of(topic: str, part: Part, event: Event, micros: int, most: int) -> tuple[str, Mapping[str, str], bytes]:
    """Subject, headers and data; `most` bytes. Raises EventRefused."""
    if part.subject is None:
        raise EventRefused(f"it is not known how to publish to '{topic}'", "this stream has no subject of its own: "
                           f"{', '.join(part.config.get('subjects') or ['none'])}", id=event.id)
    try:
        headers = headers_of(event, micros)
    except ValueError as wrong:
        raise EventRefused("an attribute of the event cannot be encoded", str(wrong), id=event.id) from None
    data = event.data or b""
    size = 14 + sum(len(name) + len(value) + 4 for name, value in headers.items()) + len(data)
    if size > most:
        raise EventRefused(f"the event is too large: {size:,} bytes with its headers", f"this NATS takes {most:,}",
                           "make the body smaller", id=event.id)
    return part.subject, headers, data


# --- groups: {"topics": {topic: [[next offset, owner, whom it is wanted for] of each partition]}, "members": {name: [topics]}}

BUCKETS = (
    {"name": "KV_eda", "subjects": ["$KV.eda.>"], "storage": "file", "max_msgs_per_subject": 1, "discard": "new",
     "allow_rollup_hdrs": True, "deny_delete": True, "allow_direct": True},
    {"name": "KV_eda_members", "subjects": ["$KV.eda_members.>"], "storage": "memory", "max_msgs_per_subject": 1,
     "discard": "new", "allow_rollup_hdrs": True, "deny_delete": True, "allow_direct": True, "max_age": 4_000_000_000},
)
BEAT_S = 1.0
Entry = dict[str, Any]


class Record:
    """The entry of one group: read, and changed by compare and set."""

    def __init__(self, link: Link, group: str) -> None:
        self._link, self._group, self._key = link, group, f"$KV.eda.{encoded(group)}"
        self._text, self._sequence = b"", 0

    def look(self) -> Entry | None:
        """As it is now; None where there is none."""
        try:
            told = self._link.ask("STREAM.MSG.GET.KV_eda", {"last_by_subj": self._key})["message"]
            self._text, self._sequence = base64.b64decode(told.get("data", "")), told["seq"]
        except Refused as wrong:
            if wrong.code not in (NO_MESSAGE, NO_STREAM):
                raise
            self._text, self._sequence = b"", 0
        return orjson.loads(self._text) if self._text else None

    def change(self, work: Callable[[Entry], None], new: bool = False) -> Entry:
        """Have `work` change it, again where somebody else did so meanwhile. Raises ChannelError where there is none."""
        while True:
            if not self._text and self.look() is None and not new:
                raise ChannelError(f"there is no group '{self._group}'", "it was never declared, or removed")
            entry: Entry = orjson.loads(self._text) if self._text else {"topics": {}, "members": {}}
            work(entry)
            if (text := orjson.dumps(entry)) == self._text:
                return entry
            try:
                self._sequence = self._link.store(self._key, text, {"Nats-Expected-Last-Subject-Sequence": str(self._sequence)})
            except Refused as wrong:
                if wrong.code not in WRONG_SEQUENCE:
                    raise
                self._text = b""
                continue
            self._text = text
            return entry


def keys(link: Link, bucket: str, of: str = ">") -> list[str]:
    """What is in a bucket, or of these keys; nothing where it was never made."""
    try:
        told = link.ask(f"STREAM.INFO.KV_{bucket}", {"subjects_filter": f"$KV.{bucket}.{of}"})
    except Refused as wrong:
        if wrong.code != NO_STREAM:
            raise
        return []
    return sorted(subject.partition(f"$KV.{bucket}.")[2] for subject in told["state"].get("subjects") or ())


def entries(link: Link) -> dict[str, Entry]:
    """All groups, by name."""
    found = ((name, Record(link, name).look()) for name in (key.replace("=", ".") for key in keys(link, "eda")))
    return {name: entry for name, entry in found if entry is not None}


def alive(link: Link, group: str = "*") -> set[str]:
    """The members that gave a sign of life, of one group or of all."""
    return {key.rpartition(".")[2] for key in keys(link, "eda_members", f"{encoded(group)}.*")}


def set_missing(link: Link, group: Group, topics: Mapping[str, Sequence[Part]], entry: Entry) -> None:
    """The group has a position in each partition of its topics. Raises UnknownTopic."""
    for topic in group.topics:
        if topic not in topics:
            raise UnknownTopic(topic)
        if topic not in entry["topics"]:
            begun = starts(link, topic, topics[topic], Start("beginning" if group.start == "earliest" else "end"))
            entry["topics"][topic] = [[offset, None, None] for offset in begun.values()]
    grow(entry, topics)


def grow(entry: Entry, topics: Mapping[str, Sequence[Part]]) -> None:
    """In a partition that came to a topic its groups begin at the beginning."""
    for topic, rows in entry["topics"].items():
        rows += [[0, None, None] for _ in topics.get(topic, ())[len(rows):]]


def share(entry: Entry) -> None:
    """Say whom each partition is wanted for; what nobody holds moves at once."""
    members = list(entry["members"])
    rows = [(topic, row) for topic, of_topic in entry["topics"].items() for row in of_topic]
    able = {index: ids for index, (topic, _) in enumerate(rows)
            if (ids := [number for number, name in enumerate(members) if topic in entry["members"][name]])}
    wanted = balanced(able, {index: members.index(row[2]) for index, (_, row) in enumerate(rows) if row[2] in members})
    for index, (_, row) in enumerate(rows):
        row[2] = members[wanted[index]] if index in wanted else None
        row[1] = row[1] if row[1] in members else row[2]


def leave(entry: Entry, members: Iterable[str]) -> None:
    """These are no members any more."""
    for name in members:
        entry["members"].pop(name, None)
    share(entry)


def empty(link: Link, group: str, entry: Entry) -> None:
    """Raises ChannelError where the group has members; those that are dead are none."""
    if living := entry["members"].keys() & alive(link, group):
        raise ChannelError(f"the group '{group}' has {len(living)} member{'s' * (len(living) > 1)}",
                           "its positions are theirs while they are there", "stop them first")
    leave(entry, list(entry["members"]))


# --- a member

COMMIT_S = 0.1  # what is done is stored this often
FOLLOW_S = 0.2  # so often a member looks whose the partitions are
COUNT_S = 1.0  # so often it looks who is alive, and whether partitions came


class Member:
    """Membership in a group. Its signs of life come from the link's thread."""

    def __init__(self, link: Link, group: Group) -> None:
        self._link, self._group = link, group
        self._record = Record(link, group.name)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._ledger = Ledger()
        self._held: dict[Place, Feed] = {}
        self._unstored: dict[Place, int] = {}
        self._suspects: set[str] = set()
        self._commits, self._follows, self._counts = Due(COMMIT_S), Due(FOLLOW_S), Due(COUNT_S)
        self._turn = 0
        self._sign = f"$KV.eda_members.{encoded(group.name)}.{self._name}"
        link.store(self._sign, b"")
        self._topics = look(link)
        self._join()
        self._heart = link.start(self._beat())

    def poll(self, timeout: float, at_most: int) -> Polled:
        deadline = time.monotonic() + timeout
        while True:
            if self._link.lost is not None:
                raise self._link.lost
            if self._follows.now() and (lost := self._follow()):
                return Polled((), lost)
            found = self._fetch(at_most)
            if self._commits.now():
                self._commit()
            left = deadline - time.monotonic()
            if found or left <= 0:
                return Polled(found)
            self._link.wait(lambda: at_most and any(map(Feed.ready, self._held.values())), min(left, FOLLOW_S))

    def done(self, deliveries: Sequence[Delivery]) -> None:
        self._ledger.done(deliveries)
        if self._commits.now():
            self._commit()

    def close(self) -> None:
        if self._heart.cancelled() or self._link.lost is not None:
            return
        self._heart.cancel()
        try:
            self._record.change(self._leave)
        finally:
            self._drop(self._held)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self._link.client.publish(self._sign, b"")

    # changes of the record

    def _join(self) -> None:
        def join(entry: Entry) -> None:
            set_missing(self._link, self._group, self._topics, entry)
            entry["members"][self._name] = list(self._group.topics)
            share(entry)
        self._take_over(self._record.change(join))

    def _store_done(self, entry: Entry) -> None:
        """What is done, where it is ours; until it is stored it is not forgotten."""
        self._unstored |= self._ledger.moved()
        for place, offset in self._unstored.items():
            rows = entry["topics"].get(place.topic, ())
            if place.partition is not None and place.partition < len(rows) and rows[place.partition][1] == self._name:
                rows[place.partition][0] = offset

    def _let_go(self, entry: Entry) -> None:
        self._store_done(entry)
        for rows in entry["topics"].values():
            for row in rows:
                row[1] = row[2] if row[1] == self._name else row[1]

    def _leave(self, entry: Entry) -> None:
        self._store_done(entry)
        leave(entry, [self._name])

    def _commit(self) -> None:
        self._unstored |= self._ledger.moved()
        if self._unstored:
            self._record.change(self._store_done)
            self._unstored.clear()

    # what others changed

    def _follow(self) -> frozenset[Place]:
        """Look whose the partitions are; returns those that were lost."""
        entry = self._record.look()
        if entry is None:
            raise ChannelError(f"the group '{self._group.name}' was removed", "its member was still there")
        if self._name not in entry["members"]:  # we were taken for dead
            lost = self._drop(self._held)
            self._unstored.clear()
            self._join()
            return lost
        if self._counts.now():
            self._count(entry)
        if any(row[1] == self._name != row[2] for rows in entry["topics"].values() for row in rows):
            entry = self._record.change(self._let_go)
            self._unstored.clear()
        return self._take_over(entry)

    def _count(self, entry: Entry) -> None:
        """Give up who is dead: without a sign of life twice in a row, while there is one of ours."""
        self._topics = look(self._link)
        living = alive(self._link, self._group.name)
        missing = entry["members"].keys() - living if self._name in living else set()
        gone, self._suspects = missing & self._suspects, missing - self._suspects
        if gone or any(len(self._topics.get(topic, ())) > len(rows) for topic, rows in entry["topics"].items()):
            def change(entry: Entry) -> None:
                grow(entry, self._topics)
                leave(entry, gone)
            self._record.change(change)

    def _take_over(self, entry: Entry) -> frozenset[Place]:
        owned = {Place(topic, number): row[0] for topic, rows in entry["topics"].items() for number, row in enumerate(rows)
                 if row[1] == self._name}
        lost = self._drop(self._held.keys() - owned.keys())
        for place in owned.keys() - self._held.keys():
            parts = self._topics.get(place.topic, ())[place.partition or 0:]
            with suppress(UnknownTopic, IndexError):  # removed, or so new that the next look tells
                self._held[place] = Feed(self._link, place, parts[0], owned[place])
        return lost

    def _drop(self, places: Iterable[Place]) -> frozenset[Place]:
        dropped = frozenset(places)
        for place in dropped:
            self._held.pop(place).close()
            self._ledger.drop(place)
            self._unstored.pop(place, None)
        return dropped

    def _fetch(self, at_most: int) -> list[Delivery]:
        """Of each partition in turn its share, so that a full one does not starve the others."""
        feeds, found = list(self._held.values()), list[Delivery]()
        self._turn += 1
        for index in range(len(feeds)):
            feed = feeds[(index + self._turn) % len(feeds)]
            with suppress(UnknownTopic):  # it is lost to us at the next look
                taken = feed.take(-(-(at_most - len(found)) // (len(feeds) - index)))
                self._ledger.handed_out(feed.place, [one.offset for one in taken if one.offset is not None])
                found += taken
        return found


# --- the channel

class NatsChannel:
    """One connection to a NATS, made when first needed and again when it is lost."""

    can = TECHNOLOGIES["nats"].can

    def __init__(self, address: Mapping[str, Any]) -> None:
        door = {key: address[key] for key in ("credentials", "tls") if key in address}
        self._settings = Settings(address["at"], {"tls": {}, **door} if address["at"].startswith("tls:") else door)
        self._ours, self._creates = bool(address.get("ours", True)), bool(address.get("creates", True))
        self._link: Link | None = None
        self._publisher: Publisher | None = None
        self._topics: dict[str, list[Part]] = {}
        self._known = Due(2.0)
        self._turn = secrets.randbelow(1 << 16)

    def declare(self, topics: Sequence[Topic], groups: Sequence[Group]) -> Sequence[str]:
        link = self._open()
        have = look(link)
        if not self._creates and (missing := {topic.name for topic in topics} - have.keys()):
            raise none_created(missing)
        hints: list[str] = []
        wished: dict[str, dict[str, Any]] = {}
        for topic in topics:
            parts = have.get(topic.name, [])
            if parts and len(parts) < topic.partitions and (not self._ours or parts[0].subject != f"{topic.name}.0"):
                hints.append(f"the topic '{topic.name}' has {len(parts)} partitions, not {topic.partitions}: "
                             "it is somebody else's and stays as it is")
                continue
            config = parts[0].config if parts else _config(topic)
            for number in reversed(range(len(parts), topic.partitions)):  # who looks meanwhile sees none of them, or all
                name = f"{encoded(topic.name)}-{number}"
                wished[name] = {**config, "name": name, "subjects": [f"{topic.name}.{number}"]}
        link.asks((f"STREAM.CREATE.{name}", config) for name, config in wished.items())
        have = look(link) if wished else have
        if groups:
            _make_buckets(link)
        for group in groups:
            Record(link, group.name).change(partial(set_missing, link, group, have), new=True)
        self._topics = have
        return hints

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        publisher, parts = self._sending(), self._parts(topic)
        if any((event.partition or 0) >= len(parts) for event in events):
            parts = self._parts(topic, fresh=True)
        batch: list[tuple[str, Mapping[str, str], bytes]] = []
        receipts: list[Receipt] = []
        most = publisher.link.info["max_payload"]
        try:
            for index, event in enumerate(events):
                if index % TOGETHER == 0:
                    self._turn += 1
                number = placed(topic, parts, event, self._turn % len(parts))
                micros = time.time_ns() // 1000
                batch.append(message_of(topic, parts[number], event, micros, most))
                receipts.append(Receipt(event.id, topic, number, None, micros / 1e6))
        finally:
            if batch:
                publisher.send(batch, receipts)

    def flush(self, timeout: float) -> list[Receipt]:
        return self._publisher.flush(timeout) if self._publisher is not None else []

    def subscribe(self, group: Group) -> Subscription:
        link = self._open()
        _make_buckets(link)
        return Member(link, group)

    def read(self, topic: str, start: Start, end: End) -> Iterator[Sequence[Delivery]]:
        link, parts = self._open(), self._parts(topic, fresh=True)
        begun = starts(link, topic, parts, start)
        feeds = {number: Feed(link, Place(topic, number), parts[number], offset) for number, offset in begun.items()
                 if end == "never" or offset < parts[number].end}
        return self._read(link, topic, parts, feeds, end == "never", start.partition is None)

    def _read(self, link: Link, topic: str, parts: Sequence[Part], feeds: dict[int, Feed], follow: bool,
              all_of_them: bool) -> Iterator[Sequence[Delivery]]:
        told, looks = time.monotonic(), Due(LOOK_S)
        try:
            yield from merged((feed, parts[number].end) for number, feed in feeds.items())
            while follow:
                batch = [one for feed in feeds.values() for one in feed.take(BATCH)]
                if batch or time.monotonic() - told >= QUIET_S:
                    yield sorted(batch, key=lambda one: one.published) if len(feeds) > 1 else batch
                    told = time.monotonic()
                else:
                    link.wait(lambda: any(feed.ready() for feed in feeds.values()), QUIET_S)
                if looks.now() and all_of_them:  # partitions that came
                    for number, part in list(enumerate(look(link).get(topic, ())))[len(feeds):]:
                        feeds[number] = Feed(link, Place(topic, number), part, part.first)
        finally:
            for feed in feeds.values():
                feed.close()

    def topics(self) -> list[TopicInfo]:
        infos: list[TopicInfo] = []
        for name, parts in look(self._open()).items():
            kept = parts[0].config.get("max_age")
            infos.append(TopicInfo(name, [PartitionInfo(number, part.first, part.end) for number, part in enumerate(parts)],
                                   sum(part.events for part in parts), False, kept / 1e9 if kept else None))
        return infos

    def groups(self) -> list[GroupInfo]:
        link = self._open()
        found, living, topics = entries(link), alive(link), look(link)
        infos: list[GroupInfo] = []
        for name, entry in found.items():
            grow(entry, topics)
            places = []
            for topic, rows in sorted(entry["topics"].items()):
                for number, (part, row) in enumerate(zip(topics.get(topic, ()), rows, strict=False)):
                    at = max(row[0], part.first)  # who fell behind what is kept goes on at the first event
                    places.append(GroupPlace(Place(topic, number), at, part.end, max(0, part.end - at),
                                             row[1] if row[1] in living else None))
            infos.append(GroupInfo(name, len(entry["members"].keys() & living), places))
        return infos

    def reset(self, group: str, topics: Sequence[str], start: Start) -> None:
        link = self._open()
        have = look(link)

        def change(entry: Entry) -> None:
            for topic in topics:
                if topic not in entry["topics"]:
                    raise UnknownTopic(topic, f"the group '{group}' does not hear it")
            empty(link, group, entry)
            grow(entry, have)
            for topic in topics or entry["topics"]:
                for number, offset in starts(link, topic, have.get(topic, ()), start).items():
                    entry["topics"][topic][number][0] = min(offset, have[topic][number].end)

        Record(link, group).change(change)

    def remove(self, topics: Sequence[str], groups: Sequence[str]) -> None:
        if not self._ours:
            raise ChannelError("eda deletes nothing on a NATS that it did not start",
                               f"{self._settings.at} is not this run's own", "use the tools of whoever runs it")
        link = self._open()
        have = look(link)
        for topic in topics:
            if topic not in have:
                raise UnknownTopic(topic)
        for group in groups:
            Record(link, group).change(partial(empty, link, group))
            link.ask("STREAM.PURGE.KV_eda", {"filter": f"$KV.eda.{encoded(group)}"})
        link.asks((f"STREAM.DELETE.{part.stream}", {}) for topic in topics for part in have[topic])
        for group, entry in entries(link).items():
            if entry["topics"].keys() & set(topics):
                Record(link, group).change(lambda entry: _forget(entry, topics))
        self._topics = {}

    def version(self) -> str:
        return f"NATS {self._open().info.get('version', '?')}"

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = self._publisher = None

    def _open(self) -> Link:
        if self._link is None or self._link.lost is not None:
            self._link = Link(self._settings)
            self._topics = {}
        return self._link

    def _sending(self) -> Publisher:
        if self._publisher is not None and self._publisher.link.lost is not None and self._publisher.pending:
            raise BrokerUnreachable("NATS was lost", "what was published before is not known to be stored")  # the flush tells
        link = self._open()
        if self._publisher is None or self._publisher.link is not link:
            self._publisher = Publisher(link)
        return self._publisher

    def _parts(self, topic: str, fresh: bool = False) -> list[Part]:
        """Of a topic, as they were lately, or are now. Raises UnknownTopic."""
        if fresh or topic not in self._topics or self._known.now():
            self._topics = look(self._open())
        if topic not in self._topics:
            raise UnknownTopic(topic)
        return self._topics[topic]


def _make_buckets(link: Link) -> None:
    link.asks((f"STREAM.CREATE.{bucket['name']}", bucket) for bucket in BUCKETS)


def _forget(entry: Entry, topics: Iterable[str]) -> None:
    for topic in topics:
        entry["topics"].pop(topic, None)
    share(entry)


def _config(topic: Topic) -> dict[str, Any]:
    """Of a topic's streams; its config has the last word. Raises ChannelError."""
    if not TOPIC.fullmatch(topic.name):
        raise ChannelError(f"'{topic.name}' cannot be the name of a topic", "it is a subject of NATS: letters, digits, _ and -, "
                           "and dots between them")
    if topic.partitions < 1:
        raise ChannelError(f"topic '{topic.name}' cannot have {topic.partitions} partitions")
    made: dict[str, Any] = {"storage": "file"}
    if topic.retention_s is not None:
        made["max_age"] = max(100_000_000, round(topic.retention_s * 1e9))
    for key, value in topic.config.items():
        try:
            made[key] = orjson.loads(value)
        except orjson.JSONDecodeError:
            made[key] = value
    return made
