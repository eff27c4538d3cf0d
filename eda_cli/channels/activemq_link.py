"""One connection to ActiveMQ through stomp.py, and the seam of its errors. Knows no topic and no event.

stomp.py reads and beats in threads of its own, begun with the connection; whoever has the link waits on one condition.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from eda_cli.channels.activemq_greeting import Unwelcome, greet
from eda_cli.channels.activemq_wire import frame
from eda_cli.channels.credentials import secret, whence
from eda_cli.errors import BrokerRefused, BrokerUnreachable, ChannelError

# At its import stomp.py asks for this machine's names, which takes seconds where no name server answers.
os.environ.setdefault("STOMP_SKIP_HOSTNAME_SCAN", "1")
import stomp
from stomp.exception import StompException

PORT = 61613
REACH_S = 4.0  # for a broker to answer at all
ANSWER_S = 20.0  # for a request, on a machine that is busy
CLOSE_S = 3.0  # for the last words with a broker that may be gone
SEND_S = 30  # a broker that takes nothing for so long has stopped
BEAT_MS = 6_000  # in which we promise to say something; the broker is asked for twice as much
PATIENCE = 3.0  # pauses of the broker until it counts as lost: it leaves a beat out where it said something else before

# The library warns of every broken connection; whoever wants to hear it adds a handler.
logging.getLogger("stomp.py").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the broker is, and who we are there."""

    at: str
    host: str
    port: int
    credentials: Mapping[str, Any] | None = None  # of the address: the password is a reference

    @property
    def username(self) -> str | None:
        return self.credentials["username"] if self.credentials else None

    @property
    def password(self) -> str | None:
        """Read when one connects, and kept nowhere. Raises BrokerRefused."""
        return secret(self.credentials["password"], f"the password of the user '{self.username}'") if self.credentials else None

    @classmethod
    def of(cls, address: Mapping[str, Any]) -> Settings:
        """From `stomp://host[:port]`, and `credentials` of the address. Raises ChannelError."""
        at = address["at"]
        parts = urlsplit(at if "://" in at else f"stomp://{at}")
        try:
            port = parts.port or PORT
        except ValueError:
            port = 0
        if parts.scheme.endswith("+ssl") or address.get("tls") is not None:
            raise ChannelError(f"eda does not reach ActiveMQ at '{at}'", "it does not speak TLS with this bus yet",
                               "name a connector without TLS: stomp://host:61613")
        if parts.scheme not in ("stomp", "tcp") or not parts.hostname or not port:
            raise ChannelError(f"'{at}' is not where an ActiveMQ can be", "it is named by its STOMP connector",
                               "write stomp://host:61613")
        return cls(f"stomp://{parts.hostname}:{port}", parts.hostname, port, address.get("credentials"))

    def headers(self) -> dict[str, str]:
        """With which every connection introduces itself."""
        named = {"login": self.username, "passcode": self.password}
        return {name: value for name, value in named.items() if value is not None}

    def greet(self) -> str:
        """What the broker calls itself. Raises BrokerUnreachable, at once where nobody listens."""
        try:
            return greet(self.host, self.port, self.headers(), REACH_S)
        except Unwelcome as wrong:
            if wrong.refused:
                hint = f"see whether the user is right, and the password in {whence(self.credentials)}" if self.credentials \
                    else "add username: and password:"
                raise BrokerRefused(f"the ActiveMQ broker at {self.at} does not let us in", str(wrong), hint) from wrong
            raise self.unreachable(str(wrong)) from wrong
        except OSError as wrong:
            raise self.unreachable(str(wrong.strerror or wrong)) from wrong

    def unreachable(self, why: str) -> BrokerUnreachable:
        return BrokerUnreachable(f"the ActiveMQ broker at {self.at} does not answer", why,
                                 "is it up? eda ps shows a run's own broker")

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Errors of the library become channel errors, here and nowhere else."""
        try:
            yield
        except (StompException, OSError, AttributeError) as wrong:  # its thread may let the socket go while we use it
            why = str(wrong.strerror or wrong) if isinstance(wrong, OSError) else "the connection was lost"
            raise self.unreachable(why) from wrong


class _Connection(stomp.Connection12):  # type: ignore[misc]  # the library is not typed
    """Beats three times as often as was agreed.

    The library beats exactly as often, and exactly as often the broker looks whether anything came since it looked last:
    whoever is a moment late is let go of, which an idle member was every few minutes.
    """

    _pause_s = 0.0

    @property
    def send_sleep(self) -> float:
        """Seconds between two beats."""
        return self._pause_s

    @send_sleep.setter
    def send_sleep(self, agreed_s: float) -> None:
        self._pause_s = agreed_s / 3


class Link(stomp.ConnectionListener):  # type: ignore[misc]  # the library is not typed
    """A connection, made with the object. Raises ChannelError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._numbers = itertools.count(1)
        self._receipts: set[str] = set()
        self._connected = False
        self.news = threading.Condition()  # a message, a receipt, the end
        self.messages: deque[Any] = deque()
        self.said: str | None = None  # what the broker refused: from then on nothing is believed
        self.lost = False
        settings.greet()
        self._connection = _Connection(
            [(settings.host, settings.port)], reconnect_attempts_max=1, auto_decode=False, auto_content_length=False,
            heartbeats=(BEAT_MS, BEAT_MS // 2), heart_beat_receive_scale=PATIENCE)
        self._connection.set_listener("", self)
        with settings.mapped():
            self._connection.connect(headers=settings.headers(), with_connect_command=True)
            self._connection.transport.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
            self._connection.transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.wait(lambda: self._connected, REACH_S)
        except BaseException:
            self.drop()
            raise

    @property
    def broken(self) -> bool:
        return self.lost or self.said is not None

    def tell(self, frames: bytes) -> None:
        """Send frames as they are; blocks where the broker is slow. Raises ChannelError."""
        if self.broken:
            raise self.failure()
        with self._settings.mapped():
            self._connection.transport.send(frames)

    def ask(self, command: str, headers: Iterable[tuple[str, str]], body: bytes = b"", seconds: float = ANSWER_S) -> None:
        """Send a frame and wait until the broker has done it. Raises ChannelError."""
        receipt = self.receipt()
        self.tell(frame(command, [*headers, ("receipt", receipt)], body))
        self.wait(lambda: self.has(receipt), seconds)

    def receipt(self) -> str:
        """A name for a receipt."""
        return f"r{next(self._numbers)}"

    def has(self, receipt: str) -> bool:
        """Whether this receipt came; it is told once."""
        if receipt in self._receipts:
            self._receipts.discard(receipt)
            return True
        return False

    def wait(self, ready: Callable[[], Any], seconds: float) -> None:
        """Until it is. Raises ChannelError where it did not come to be in time, or cannot any more."""
        with self.news:
            if not self.news.wait_for(lambda: ready() or self.broken, seconds):
                raise self._settings.unreachable(f"no answer in {seconds:g} s")
            if self.broken:
                raise self.failure()

    def failure(self) -> ChannelError:
        """Why it is broken."""
        if self.said is None:
            return self._settings.unreachable("the connection was lost")
        hint = "ask whoever runs the broker for the right to do this" if "not authorized" in self.said else ""
        return ChannelError("ActiveMQ refused it", self.said, hint)

    def close(self) -> None:
        """Leave in good order: what was sent before is done by then, if the broker answers."""
        if not self.broken:
            with suppress(ChannelError):
                self.ask("DISCONNECT", (), seconds=CLOSE_S)
        self.drop()

    def drop(self) -> None:
        """Let go of the connection without a word."""
        transport = self._connection.transport
        with suppress(OSError, AttributeError):  # the library's own thread may close it at the same moment
            transport.disconnect_socket()
        if transport.io_thread is not None and transport.io_thread is not threading.current_thread():
            transport.io_thread.join(CLOSE_S)

    # --- called by the library, in its thread

    def on_connected(self, frame: Any) -> None:
        with self.news:
            self._connected = True
            self.news.notify_all()

    def on_message(self, frame: Any) -> None:
        self.messages.append(frame)
        if len(self.messages) == 1:
            with self.news:
                self.news.notify_all()

    def on_receipt(self, frame: Any) -> None:
        with self.news:
            if self.said is None:
                self._receipts.add(frame.headers["receipt-id"])
                self.news.notify_all()

    def on_error(self, frame: Any) -> None:
        body = frame.body or b""
        text = frame.headers.get("message") or body.decode(errors="replace").strip().partition("\n")[0]
        with self.news:
            self.said = self.said or text or "it gave no reason"
            self.news.notify_all()

    def on_disconnected(self) -> None:
        with self.news:
            self.lost = True
            self.news.notify_all()
