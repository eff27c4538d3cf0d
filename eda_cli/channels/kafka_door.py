"""Into a Kafka broker that somebody else runs: TLS and login over one connection, and in words why it stays shut.

kafka-python tries again for its whole bootstrap time whatever is wrong, and keeps the reason to itself. So a connection of
our own goes first, and what it meets is told.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka.net.sasl import get_sasl_mechanism

from eda_cli.channels import kafka_wire, tls_errors
from eda_cli.channels.credentials import secret, tls_context, whence
from eda_cli.errors import BrokerRefused

_HANDSHAKE, _AUTHENTICATE = 17, 36
_NO_ERROR, _UNKNOWN_MECHANISM, _AUTHENTICATION_FAILED = 0, 33, 58


def client_settings(address: Mapping[str, Any]) -> dict[str, Any]:
    """What the library's clients are made with to come in. Raises BrokerRefused."""
    credentials, context = address.get("credentials"), tls_context(address)
    settings: dict[str, Any] = {
        "security_protocol": ("SASL_" if credentials else "") + ("PLAINTEXT" if context is None else "SSL")
        if credentials or context else "PLAINTEXT"}
    if context is not None:
        settings["ssl_context"] = context
    if credentials:
        settings |= {"sasl_mechanism": credentials.get("mechanism", "PLAIN"), "sasl_plain_username": credentials["username"],
                     "sasl_plain_password": secret(credentials["password"], _whose(credentials))}
    return settings


def enter(host: str, port: int, seconds: float, address: Mapping[str, Any]) -> list[kafka_wire.Place]:
    """Come in as a client would: where the broker sends its clients.

    Raises BrokerRefused where it is known what keeps us out, else OSError.
    """
    settings, who = client_settings(address), f"the Kafka broker at {host}:{port}"
    context: ssl.SSLContext | None = settings.get("ssl_context")
    with socket.create_connection((host, port), timeout=seconds) as plain:
        try:
            connection = context.wrap_socket(plain, server_hostname=host) if context else plain
        except OSError as wrong:
            if _answers_plainly(host, port, seconds):
                raise tls_errors.speaks_plain(who) from None
            if isinstance(wrong, ssl.SSLError):
                raise tls_errors.refusal(wrong, who, host, port, address) from wrong
            raise
        with connection:
            try:
                kafka_wire.hello(connection)
            except OSError as wrong:
                raise _not_understood(wrong, who, host, port, address) from wrong
            if address.get("credentials"):
                _log_in(connection, settings, who, address["credentials"])
            try:
                return kafka_wire.look(connection)
            except OSError:
                if not address.get("credentials") and (offered := _logins(host, port, seconds, context)):
                    raise BrokerRefused(
                        f"{who} wants a user and a password", f"it takes {', '.join(offered)}",
                        f"add mechanism: {offered[0]}, username: and password: ${{PASSWORD}}") from None
                raise


def follow(places: Sequence[kafka_wire.Place], sent_by: str, seconds: float, address: Mapping[str, Any]) -> None:
    """Go where a broker sends its clients: one of them lets us in. Raises BrokerRefused."""
    why = ""
    for host, port in places:
        try:
            enter(host, port, seconds, address)
            return
        except OSError as wrong:
            why = why or f"{host}:{port}: {wrong.strerror or wrong}"
    raise BrokerRefused(f"the Kafka broker at {sent_by} sends its clients where nobody answers", why,
                        "its advertised.listeners must name an address that can be reached from here")


def _not_understood(wrong: OSError, who: str, host: str, port: int, address: Mapping[str, Any]) -> Exception:
    """Why there was no answer to the first words."""
    if isinstance(wrong, TimeoutError):
        return wrong
    if address.get("tls") is None:
        return tls_errors.speaks_tls(host, port, who) or wrong
    if isinstance(wrong, ssl.SSLError):
        return tls_errors.refusal(wrong, who, host, port, address)
    return tls_errors.look_again(who, host, port, address) or wrong


def _answers_plainly(host: str, port: int, seconds: float) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=seconds) as connection:
        kafka_wire.hello(connection)
        return True
    return False


# --- login (SASL): KIP-43, KIP-152


def _log_in(connection: socket.socket, settings: Mapping[str, Any], who: str, credentials: Mapping[str, Any]) -> None:
    mechanism, user = settings["sasl_mechanism"], settings["sasl_plain_username"]
    error, offered = _agree(connection, mechanism)
    if error == _UNKNOWN_MECHANISM:
        raise BrokerRefused(f"{who} does not take the mechanism {mechanism}", f"it takes {', '.join(offered)}",
                            f"write mechanism: {offered[0]}" if offered else "")
    if error != _NO_ERROR:
        raise BrokerRefused(f"{who} takes no user on this port", "it lets everybody in without a login",
                            "leave username: out, or name the port where it takes users")
    dialogue = get_sasl_mechanism(mechanism)(host="", **settings)
    try:
        while not dialogue.is_done():
            dialogue.receive(_say(connection, dialogue.auth_bytes()))
    except _Refused as refused:
        raise BrokerRefused(f"{who} refused the user '{user}'", str(refused),
                            f"see whether the user is right, and the password in {whence(credentials)}") from None
    except TimeoutError:
        raise
    except OSError as wrong:  # some brokers hang up instead of answering
        raise BrokerRefused(f"{who} refused the user '{user}'", str(wrong),
                            f"see whether the user is right, and the password in {whence(credentials)}") from None
    except (ValueError, KeyError):
        raise BrokerRefused(f"{who} could not prove that it knows the user '{user}'", f"its part of {mechanism} is wrong",
                            "is this the broker that you mean?") from None


class _Refused(Exception):
    """The broker's own words."""


def _agree(connection: socket.socket, mechanism: str) -> tuple[int, list[str]]:
    """Wish a mechanism: the error, and the mechanisms that there are."""
    answer = kafka_wire.ask(connection, _HANDSHAKE, 1, struct.pack(">h", len(mechanism)) + mechanism.encode())
    try:
        error, many = struct.unpack_from(">hi", answer)
        at, offered = 6, []
        for _ in range(many):
            (size,) = struct.unpack_from(">h", answer, at)
            offered.append(answer[at + 2:at + 2 + size].decode())
            at += 2 + size
    except (struct.error, UnicodeDecodeError):
        raise OSError("what answers is not Kafka") from None
    return error, sorted(offered, reverse=True)  # the strongest first


def _say(connection: socket.socket, token: bytes) -> bytes:
    """One turn of the dialogue. Raises _Refused."""
    answer = kafka_wire.ask(connection, _AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
    try:
        error, size = struct.unpack_from(">hh", answer)
        said = answer[4:4 + max(0, size)].decode(errors="replace")
        (length,) = struct.unpack_from(">i", answer, 4 + max(0, size))
    except struct.error:
        raise OSError("what answers is not Kafka") from None
    if error != _NO_ERROR:
        raise _Refused(said or f"error {error}")
    at = 8 + max(0, size)
    return answer[at:at + length]


def _logins(host: str, port: int, seconds: float, context: ssl.SSLContext | None) -> list[str]:
    """The mechanisms of a broker that wants a login; none where it wants none."""
    with suppress(OSError), socket.create_connection((host, port), timeout=seconds) as plain, \
            (context.wrap_socket(plain, server_hostname=host) if context else plain) as connection:
        return _agree(connection, "none")[1]
    return []


def _whose(credentials: Mapping[str, Any]) -> str:
    return f"the password of the user '{credentials['username']}'"

