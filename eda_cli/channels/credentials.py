"""How a bus that already runs lets one in: references in its address become a password and TLS, where one connects.

An address may hold `"credentials": {"username", "password": REFERENCE, "mechanism"?}` and `"tls": {"ca"?, "certificate"?,
"key"?, "key_password"?: REFERENCE}`; a REFERENCE is `{"env": NAME}` or `{"file": PATH}`. What it leads to is read by each
process when it connects, and never written. Knows no protocol.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eda_cli.errors import BrokerRefused

if TYPE_CHECKING:
    import ssl

Reference = Mapping[str, str]


def address_keys(broker: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What an address says of it, by the settings of a sketch; relative paths begin in the sketch's folder."""
    made: dict[str, Any] = {}

    def absolute(path: str) -> str:
        return str((folder / Path(path).expanduser()).absolute())

    if user := broker.get("username"):
        file = broker.get("password_file")
        made["credentials"] = {"username": user, "password": {"file": absolute(file)} if file else dict(broker["password"])}
        if mechanism := broker.get("mechanism"):
            made["credentials"]["mechanism"] = mechanism
    if (tls := broker.get("tls")) is not None:
        made["tls"] = {key: value if key == "key_password" else absolute(value) for key, value in tls.items()}
    return made


def secret(reference: Reference, what: str = "the password") -> str:
    """What a reference leads to. Raises BrokerRefused, which names the variable or the file."""
    if name := reference.get("env"):
        if found := os.environ.get(name):
            return found
        why = f"the environment variable {name} is {'empty' if name in os.environ else 'not set'} here"
        raise BrokerRefused(f"{what} is not known", why,
                            f"set it in this shell: read -rs {name}; export {name} (a password_file works in every shell)")
    file = reference["file"]
    try:
        found = Path(file).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as wrong:
        why = f"{file}: {wrong.strerror if isinstance(wrong, OSError) else 'it is no text'}"
        raise BrokerRefused(f"{what} cannot be read", why, "see whether the file is there, and yours to read") from None
    if not found:
        raise BrokerRefused(f"{what} is not known", f"{file} is empty", "write it there")
    return found


def whence(credentials: Mapping[str, Any]) -> str:
    """Where their password comes from, in words."""
    reference: Reference = credentials["password"]
    return f"the variable {reference['env']}" if "env" in reference else reference["file"]


def tls_context(address: Mapping[str, Any]) -> ssl.SSLContext | None:
    """What a client of this address connects with; None where it does without TLS. Raises BrokerRefused.

    It trusts the authorities of `ca`, else those of the system, and demands the host's name.
    """
    tls = address.get("tls")
    if tls is None:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if tls.get("ca"):
            context.load_verify_locations(tls["ca"])
        else:
            context.load_default_certs()
    except (OSError, ValueError) as wrong:
        raise BrokerRefused(f"the authorities in {tls['ca']} cannot be read", _of_file(wrong),
                            "it must be a PEM file of certificates (BEGIN CERTIFICATE)") from None
    if tls.get("certificate"):
        _add_certificate(context, tls)
    return context


def _add_certificate(context: ssl.SSLContext, tls: Mapping[str, Any]) -> None:
    given = tls.get("key_password")
    word = secret(given, "the password of the key") if given else ""  # without one OpenSSL would ask at the terminal
    key = tls.get("key") or tls["certificate"]
    try:
        context.load_cert_chain(tls["certificate"], key, password=lambda: word)
    except (OSError, ValueError) as wrong:
        reason = getattr(wrong, "reason", None) or ""
        what = f"the certificate {tls['certificate']} cannot be used"
        if reason == "KEY_VALUES_MISMATCH":
            raise BrokerRefused(what, f"{key} is the key of another one", "name the key that belongs to it") from None
        if reason in ("BAD_DECRYPT", "BAD_PASSWORD_READ", "MAYBE_WRONG_PASSWORD") or _is_encrypted(key):
            why = f"the password does not open its key {key}" if given else f"its key {key} is encrypted"
            raise BrokerRefused(what, why, "see what key_password leads to" if given else
                                "add key_password: ${KEY_PASSWORD} under tls:") from None
        raise BrokerRefused(what, _of_file(wrong), "certificate and key must be PEM files") from None


def _is_encrypted(key: str) -> bool:
    try:
        return b"ENCRYPTED" in Path(key).read_bytes()
    except OSError:
        return False


def _of_file(wrong: Exception) -> str:
    """OpenSSL's errors, too, are OSErrors; those of a missing file have a number."""
    reason = getattr(wrong, "reason", None)
    return str(reason).lower().replace("_", " ") if reason else getattr(wrong, "strerror", None) or str(wrong)
