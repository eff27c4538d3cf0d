"""A connection to RabbitMQ in a thread of its own, and asking over it. Knows no topic and no group.

Everything of pika happens in that thread, so that heartbeats go on whatever the caller does; `Lane.call` starts a method
there and waits for its answer. The seam of errors: what pika raises becomes an error of a channel here. Over 250 lines
because which thread does what, and who hears that a connection is lost, is read in one place.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import pika
from pika import exceptions
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel

from eda_cli.channels import rabbitmq_values, tls_errors
from eda_cli.channels.credentials import secret, tls_context, whence
from eda_cli.errors import BrokerRefused, BrokerUnreachable, ChannelError

REACH_S = 4.0  # for a broker to answer at all
CALL_S = 15.0  # for one method: a quorum queue that elects its leader anew takes a few seconds
HEARTBEAT_S = 6  # a member that says nothing for two of them is given up
HOLD_MS = 7 * 24 * 3600 * 1000  # how long a consumer may hold a message, where RabbitMQ (from 3.12 on) lets it say so
PORT, TLS_PORT = 5672, 5671
_LOST = re.compile(r"Stream connection lost: \w+\(\d+, (?P<quote>['\"])(?P<why>.+)(?P=quote)\)")
GUEST = "guest"  # user and password of a broker that eda started
NOT_FOUND, REFUSED = 404, 403

rabbitmq_values.install()
logging.getLogger("pika").addHandler(logging.NullHandler())
logging.getLogger("pika").setLevel(logging.CRITICAL)  # it logs every broken connection as an error, with its trace

Begin = Callable[[Channel, Callable[[Any], None]], Any]  # starts a method of a channel; its answer goes to the second


class Refused(ChannelError):
    """The broker refused a method and closed the AMQP channel that it came on; `code` is AMQP's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__("RabbitMQ refused it", text)
        self.code = code
        self.passing = "is down or inaccessible" in text  # a queue that a broker which has just started recovers


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a RabbitMQ is: `at` is `amqp[s]://host:port/vhost`, `door` the keys of its address that say how one gets in."""

    at: str
    door: Mapping[str, Any]

    @classmethod
    def of(cls, address: Mapping[str, Any]) -> Settings:
        tls: dict[str, Any] = {"tls": {}} if urlsplit(address["at"]).scheme == "amqps" else {}
        return cls(address["at"], {**tls, **{key: address[key] for key in ("credentials", "tls") if key in address}})

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.at)
        return parts.hostname or "localhost", parts.port or (TLS_PORT if "tls" in self.door else PORT)

    @property
    def user(self) -> str:
        credentials = self.door.get("credentials")
        return str(credentials["username"]) if credentials else GUEST

    def parameters(self) -> pika.ConnectionParameters:
        """What a connection is made with. Raises BrokerRefused."""
        (host, port), context, credentials = self.place, tls_context(self.door), self.door.get("credentials")
        word = secret(credentials["password"], f"the password of the user '{self.user}'") if credentials else GUEST
        return pika.ConnectionParameters(
            host, port, unquote(urlsplit(self.at).path[1:]) or "/", pika.PlainCredentials(self.user, word),
            ssl_options=pika.SSLOptions(context, host) if context else None, heartbeat=HEARTBEAT_S, connection_attempts=1,
            socket_timeout=REACH_S, stack_timeout=REACH_S + 1, client_properties={"connection_name": "eda"})

    def failed(self, reason: object) -> BrokerUnreachable:
        """Why there is no connection (any more), in words."""
        said, (host, port) = _said(reason), self.place
        who = f"the RabbitMQ broker at {host}:{port}"
        if "ACCESS_REFUSED" in said:
            told = self.door.get("credentials")
            hint = f"see whether the user is right, and the password in {whence(told)}" if told else "add username: and password:"
            return BrokerRefused(f"{who} refused the user '{self.user}'", said, hint)
        look = tls_errors.look_again(who, host, port, self.door) if "tls" in self.door else tls_errors.speaks_tls(host, port, who)
        return look or self.unreachable(said)

    def unreachable(self, why: object) -> BrokerUnreachable:
        return BrokerUnreachable(f"RabbitMQ at {self.at} does not answer", str(why), "is it up? eda ps shows a run's own broker")


class Lane:
    """An AMQP channel of a link. One that is closed, or whose connection is lost, answers nothing any more."""

    def __init__(self, link: Link, channel: Channel) -> None:
        self._link = link
        self._waiting: set[Future[Any]] = set()
        self.channel = channel
        self._closed: ChannelError | None = None
        self.cancelled = False  # a consumer of it, by the broker: its queue was deleted, say
        channel.add_on_close_callback(self._on_close)
        channel.add_on_cancel_callback(self._on_cancel)

    @property
    def closed(self) -> ChannelError | None:
        """Why it answers nothing any more. A link that ends by a fault of its own closes no lane, so both are looked at."""
        return self._closed or self._link.lost

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of pika's channel and wait for its answer. Raises Refused, BrokerUnreachable."""
        return self.start(method, *args, **options).result()

    def start(self, method: str, *args: Any, **options: Any) -> Answer:
        """Call it; its answer is waited for later."""
        return self.begin(lambda channel, done: getattr(channel, method)(*args, callback=done, **options))

    def count(self, queue: str) -> Answer:
        """Start to ask how many messages a queue has ready, and how many consumers: `queue_declare` tells."""
        return self.start("queue_declare", queue, passive=True)

    def begin(self, begin: Begin) -> Answer:
        """Start something in the link's thread that calls its second argument with what it answers."""
        future: Future[Any] = Future()

        def start() -> None:
            if self.closed is not None:
                _break(future, self.closed)
                return
            self._waiting.add(future)
            try:
                begin(self.channel, lambda answer: self._answer(future, answer))
            except exceptions.AMQPError as wrong:
                self._fail(future, self._link.settings.unreachable(_said(wrong)))

        self._link.run(start, future)
        return Answer(self._link, future)

    def tell(self, what: Callable[[Channel], Any]) -> None:
        """Do something that has no answer; nothing where the lane is closed."""
        def do() -> None:
            if self.closed is None:
                with suppress(exceptions.AMQPError):
                    what(self.channel)
        self._link.run(do, None)

    def close(self) -> None:
        """Wait until the broker has taken all that came before; what is not acknowledged is ready again."""
        if self.closed is None:
            with suppress(ChannelError):
                self.begin(_close).result()

    def _answer(self, future: Future[Any], answer: Any) -> None:
        self._waiting.discard(future)
        with suppress(InvalidStateError):
            future.set_result(answer)

    def _fail(self, future: Future[Any], wrong: ChannelError) -> None:
        self._waiting.discard(future)
        with suppress(InvalidStateError):
            future.set_exception(wrong)

    def _on_cancel(self, _: Any) -> None:
        self.cancelled = True

    def _on_close(self, _: Channel, reason: Any) -> None:
        if isinstance(reason, exceptions.ChannelClosedByBroker):
            self._closed = Refused(reason.reply_code, reason.reply_text)
        else:
            self._closed = self._link.lost or self._link.settings.unreachable(
                "the connection was closed" if isinstance(reason, exceptions.ChannelClosedByClient) else _said(reason))
        for future in list(self._waiting):
            if not isinstance(reason, exceptions.ChannelClosedByClient):
                self._fail(future, self._closed)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method will answer."""

    link: Link
    future: Future[Any]

    def result(self, seconds: float = CALL_S) -> Any:
        """Raises Refused, BrokerUnreachable."""
        try:
            return self.future.result(seconds)
        except Late:
            raise self.link.settings.unreachable(self.link.blocked or f"no answer in {seconds:g} s") from None


class Link:
    """One connection, open from the start; `lost` says why where it is no more. Raises BrokerUnreachable."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lost: BrokerUnreachable | None = None
        self.blocked = ""  # why the broker takes nothing for now
        self._opened: Future[None] = Future()
        self._guard = threading.Lock()
        self._waiting: set[Future[Any]] = set()
        self._connection = SelectConnection(
            settings.parameters(), on_open_callback=self._on_open, on_open_error_callback=self._on_end,
            on_close_callback=self._on_end)
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._connection.add_on_connection_unblocked_callback(self._on_unblocked)
        self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
        self._thread.start()
        try:
            self._opened.result(REACH_S + 2)
        except Late:
            self._end(settings.unreachable("no answer"))
            raise settings.unreachable("no answer") from None

    def lane(self) -> Lane:
        """A new AMQP channel."""
        future: Future[Any] = Future()

        def start() -> None:
            try:
                self._connection.channel(on_open_callback=lambda channel: _set(future, Lane(self, channel)))
            except exceptions.AMQPError as wrong:
                _break(future, self.settings.unreachable(_said(wrong)))

        self.run(start, future)
        made: Lane = Answer(self, future).result()
        return made

    def run(self, work: Callable[[], None], future: Future[Any] | None) -> None:
        """Do it in the link's thread; where the connection is lost, `future` says so."""
        with self._guard:
            if self.lost is None:
                if future is not None:
                    self._waiting.add(future)
                    future.add_done_callback(self._waiting.discard)
                self._connection.ioloop.add_callback_threadsafe(work)
                return
        if future is not None:
            _break(future, self.lost)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do it in the link's thread, from within it, after so many seconds."""
        self._connection.ioloop.call_later(seconds, work)

    def version(self) -> str:
        properties = self._connection.server_properties or {}
        return f"{properties.get('product', 'RabbitMQ')} {properties.get('version', '?')}"

    def close(self) -> None:
        """Idempotent."""
        if self.lost is None:
            self.run(self._close, None)
            self._thread.join(REACH_S)
            self._end(self.settings.unreachable("it was closed"))

    def _close(self) -> None:
        with suppress(exceptions.AMQPError):
            self._connection.close()

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
        except Exception as wrong:  # whatever pika trips over: its callers must not wait for ever
            self._on_end(None, wrong)
        finally:
            with suppress(Exception):
                self._connection.ioloop.close()

    def _on_open(self, _: Any) -> None:
        _set(self._opened, None)

    def _on_end(self, _: Any, reason: Any) -> None:
        wrong = self.settings.failed(reason) if not self._opened.done() else self.settings.unreachable(_said(reason))
        _break(self._opened, wrong)
        self._end(wrong)
        self._connection.ioloop.stop()

    def _end(self, wrong: BrokerUnreachable) -> None:
        with self._guard:
            self.lost = self.lost or wrong
            waiting = list(self._waiting)
        for future in waiting:
            _break(future, wrong)

    def _on_blocked(self, _: Any, frame: Any) -> None:
        self.blocked = f"it takes nothing for now: {frame.method.reason}"

    def _on_unblocked(self, *_: Any) -> None:
        self.blocked = ""


def _close(channel: Channel, done: Callable[[Any], None]) -> None:
    """Close it, and nothing else.

    pika would cancel its consumers first, and what was on its way to one that is cancelled the broker puts back at once, before
    what that one held already: then the order of a key is broken. Who has no channel any more gives back all of it in its order.
    """
    channel.add_on_close_callback(lambda *_: done(None))
    channel._cancelled.update(channel._consumers)  # pika knows no other way to leave them alone
    channel.close()


def _set(future: Future[Any], value: Any) -> None:
    with suppress(InvalidStateError):
        future.set_result(value)


def _break(future: Future[Any], wrong: Exception) -> None:
    with suppress(InvalidStateError):
        future.set_exception(wrong)


def _said(wrong: object) -> str:
    """What pika tells, without the layers that it wraps round the cause."""
    while isinstance(wrong, BaseException) and (inner := [each for each in (
            wrong.__cause__, *wrong.args, *getattr(wrong, "exceptions", ()), getattr(wrong, "exception", None))
            if isinstance(each, BaseException) and each is not wrong]):
        wrong = inner[-1]
    if isinstance(wrong, OSError) and wrong.strerror:
        return wrong.strerror
    if "Transport indicated EOF" in str(wrong):
        return "it closed the connection: it speaks another protocol, goes down, or heard nothing of us for too long"
    if isinstance(wrong, exceptions.ConnectionClosed | exceptions.ChannelClosed):
        return str(wrong.reply_text)
    if lost := _LOST.search(str(wrong)):
        return lost["why"]
    return " ".join(str(wrong).split()) or type(wrong).__name__
