"""Why a TLS handshake failed, in words: what is wrong with whose certificate. Knows no protocol that speaks over it."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eda_cli.channels.credentials import tls_context
from eda_cli.errors import BrokerRefused

ALERT_S = 1.0  # for an alert that comes after the handshake
LOOK_S = 3.0  # for a second look at what the broker shows
_NOT_YET, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64  # OpenSSL's X509_V_ERR_…
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
# The two times of a certificate, as they stand in its DER (RFC 5280, 4.1.2.5): UTCTime, or GeneralizedTime.
_TIMES = re.compile(rb"(?:\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)(?:\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)")
_WANTS_ONE = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "HANDSHAKE_FAILURE")  # alerts of one that lets nobody in without


def refusal(wrong: ssl.SSLError, who: str, host: str, port: int, address: Mapping[str, Any]) -> BrokerRefused:
    """What a failed handshake means; `who` is "the Kafka broker at HOST:PORT"."""
    tls = address.get("tls") or {}
    if isinstance(wrong, ssl.SSLCertVerificationError):
        return _theirs(wrong, who, host, port, address)
    reason = (wrong.reason or "").upper()
    if tls.get("certificate") and "ALERT" in reason and ("CERTIFICATE" in reason or "CA" in reason or "HANDSHAKE" in reason):
        return _ours(reason, who, str(tls["certificate"]))
    if not tls.get("certificate") and "ALERT" in reason and any(alert in reason for alert in _WANTS_ONE):
        return BrokerRefused(f"{who} wants a certificate of ours", "it lets nobody in without one (mutual TLS)",
                             "add certificate: FILE and key: FILE under tls:")
    if reason in ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return speaks_plain(who)
    said = reason.lower().replace("_", " ") or str(wrong)
    return BrokerRefused(f"TLS with {who} failed", said, "see what tls: says, and which versions of TLS the broker takes")


def look_again(who: str, host: str, port: int, address: Mapping[str, Any]) -> BrokerRefused | None:
    """Why TLS fails there, seen by a handshake of our own; None where it does not.

    With TLS 1.3 the broker judges our certificate after the handshake: its alert is lost where we have written meanwhile, so
    here we only listen.
    """
    context = tls_context(address)
    assert context is not None
    try:
        with socket.create_connection((host, port), timeout=ALERT_S) as plain, \
                context.wrap_socket(plain, server_hostname=host) as connection:
            connection.recv(1)
    except ssl.SSLError as wrong:
        return refusal(wrong, who, host, port, address)
    except OSError:
        pass
    return None


def speaks_plain(who: str) -> BrokerRefused:
    """We wish TLS, and it does not speak it."""
    return BrokerRefused(f"{who} does not speak TLS", "it understood no handshake on this port",
                         "leave tls: out, or name the port on which it speaks TLS")


def speaks_tls(host: str, port: int, who: str) -> BrokerRefused | None:
    """The answer where we were understood badly because it speaks TLS; None where it does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), LOOK_S) as plain, context.wrap_socket(plain, server_hostname=host):
            pass
    except ssl.SSLError as wrong:
        if "ALERT" not in (wrong.reason or ""):
            return None
    except OSError:
        return None
    return BrokerRefused(f"{who} speaks TLS", "the sketch says nothing of it",
                         "add tls: true, or tls: {ca: FILE} where an authority of its own vouches for it")


def _theirs(wrong: ssl.SSLCertVerificationError, who: str, host: str, port: int, address: Mapping[str, Any]) -> BrokerRefused:
    """We do not trust the broker's certificate."""
    if wrong.verify_code in (_EXPIRED, _NOT_YET):
        times = valid(_shown(host, port, address)[0])
        why = f"it was valid until {_day(times[1])}" if wrong.verify_code == _EXPIRED else f"it is valid from {_day(times[0])} on"
        what = "has expired" if wrong.verify_code == _EXPIRED else "is not valid yet"
        return BrokerRefused(f"the certificate of {who} {what}", why if times[0] else "",
                             "whoever runs the broker renews it; see also whether the clock of this machine is right")
    if wrong.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
        names = _names(_shown(host, port, address)[1])
        return BrokerRefused(f"the certificate of {who} is not for '{host}'",
                             f"it is for {', '.join(names)}" if names else "it is for another name",
                             "name the broker as its certificate does, or have one made for this name")
    ca = (address.get("tls") or {}).get("ca")
    trusted = f"only those in {ca} are trusted" if ca else "only the authorities of this system are trusted"
    return BrokerRefused(f"the certificate of {who} is not signed by an authority that is trusted",
                         f"{wrong.verify_message}: {trusted}",
                         "whoever runs the broker has the authority's certificate: tls: {ca: FILE}")


def _ours(reason: str, who: str, certificate: str) -> BrokerRefused:
    """The broker does not trust our certificate."""
    with suppress(OSError, ValueError):
        _, until = valid(ssl.PEM_cert_to_DER_cert(_first(Path(certificate).read_text())))
        if until and until < datetime.now(UTC):
            return BrokerRefused(f"{who} refused our certificate {certificate}", f"it was valid until {_day(until)}",
                                 "have it renewed")
    alert = reason.partition("ALERT_")[2].lower().replace("_", " ")
    return BrokerRefused(f"{who} refused our certificate {certificate}", f"it said: {alert}",
                         "it must be signed by an authority that the broker trusts, and be meant for clients")


def _shown(host: str, port: int, address: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
    """The certificate that the broker shows, whatever its name and age; and read, where its authority is trusted."""
    for lenient in (False, True):
        context = tls_context(address)
        assert context is not None
        context.check_hostname = False
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
        if lenient:
            context.verify_mode = ssl.CERT_NONE
        with suppress(OSError), socket.create_connection((host, port), LOOK_S) as plain, \
                context.wrap_socket(plain, server_hostname=host) as secured:
            return secured.getpeercert(True) or b"", secured.getpeercert() or {}
    return b"", {}


def _names(certificate: Mapping[str, Any]) -> list[str]:
    """The names that it is for."""
    return [name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]


def valid(der: bytes) -> tuple[datetime | None, datetime | None]:
    """From when until when a certificate is valid; None where that cannot be read."""
    found = _TIMES.search(der)
    if not found:
        return None, None
    first, last = found[1] or found[2], found[3] or found[4]
    return _time(first.decode()), _time(last.decode())


def _time(digits: str) -> datetime:
    if len(digits) == 12:  # two digits of the year: 50 and more are of the last century
        digits = ("19" if digits >= "5" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else ""


def _first(pem: str) -> str:
    """The first certificate of a PEM file that may hold several, and a key."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return begin + pem.partition(begin)[2].partition(end)[0] + end + "\n"
