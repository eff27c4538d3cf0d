"""How a bus that already runs lets one in: keys for user, password and TLS, and what is wrong with them. Knows no protocol.

A password is never part of the model: a reference takes its place, `{"env": NAME}`, before anybody reads it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path as File
from typing import Annotated, Any

from pydantic import BaseModel

from eda_cli.errors import Problem
from eda_cli.sketch import words
from eda_cli.sketch.data import Data
from eda_cli.sketch.environment import variable
from eda_cli.sketch.fitting import Kind, Misfit, Short
from eda_cli.sketch.kinds import FLAG, PATH, USER
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.resolved import Resolved
from eda_cli.sketch.strict import Strict, says
from eda_cli.technologies import TECHNOLOGIES, foreign

Reference = dict[str, str]
_SHELTERED = re.compile(  # what goes there leaves no machine, or does so by TLS
    r"(?:amqps|tls):.*|(?:[a-z]+://)?(?:localhost|127\.[0-9.]+|\[::1\])(?::\d+)?(?:/.*)?")
_FILES = ("ca", "certificate", "key")


def _reference(raw: Any) -> Reference:
    if not isinstance(raw, dict) or set(raw) != {"env"}:  # what `refer` puts there, and nobody writes
        raise Misfit
    return raw


def _tls(raw: Any) -> Any:
    """`tls: true` is short for a map without keys, `tls: false` for none."""
    return {} if raw is None or FLAG.read(raw) else None


SECRET = Kind("a variable", "write it as ${PASSWORD}", _reference,
              {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"})
TLS = Short("true, or a map of ca, certificate and key", "write tls: true", _tls, {"type": "boolean"})


class Tls(Strict):
    """TLS: who must vouch for the broker's certificate, and a certificate of one's own."""

    ca: Annotated[str | None, PATH, says("A PEM file of authorities; without it, those of the system.", "ca.pem")] = None
    certificate: Annotated[str | None, PATH, says("One's own certificate, a PEM file (mutual TLS).", "me.pem")] = None
    key: Annotated[str | None, PATH, says("Its key; without it, the certificate's file holds it.", "me.key")] = None
    key_password: Annotated[Reference | None, SECRET, says("What the key is encrypted with.", "${KEY_PASSWORD}")] = None


class Secured(Strict):
    """What every bus has that already runs."""

    username: Annotated[str | None, USER, says("Who one is there.", "shop")] = None
    password: Annotated[Reference | None, SECRET, says("Only a variable: a sketch holds no password.", "${BUS_PASSWORD}")] = None
    password_file: Annotated[str | None, PATH, says("A file with the password.", "~/.secrets/bus")] = None
    tls: Annotated[Tls | None, TLS, says("Whether it speaks TLS, and with which certificates.", True,
                                         {"ca": "ca.pem", "certificate": "me.pem", "key": "me.key"})] = None


def refer(read: Data) -> None:
    """In place of each password a reference to the variable that holds it; one that is written out is a problem."""
    broker = read.value.get("broker") if isinstance(read.value, dict) else None
    if not isinstance(broker, dict):
        return
    made = dict(broker)
    for kind, settings in broker.items():
        if isinstance(settings, dict):
            made[kind] = _referred(settings, "password", ("broker", kind), read)
            if isinstance(settings.get("tls"), dict):
                made[kind]["tls"] = _referred(settings["tls"], "key_password", ("broker", kind, "tls"), read)
    read.value = {**read.value, "broker": made}


def _referred(settings: dict[str, Any], key: str, owner: Path, read: Data) -> dict[str, Any]:
    spot = read.places.exact((*owner, key))
    if key not in settings or spot is None:
        return dict(settings)
    name = variable(spot.written or "")
    if spot.wrong and name:  # it is not set, which is told with a hint that does not fit here
        read.problems[:] = [one for one in read.problems if (one.line, one.column) != spot.place]
        read.problems.append(Problem(*spot.place, f"the environment variable {name} is not set",
                                     f"{words.subject((*owner, key))} comes from it", _set_it(name, key)))
    elif name is None:
        instead = f"write {key}: ${{{key.upper()}}}" + (", or password_file: PATH" if key == "password" else "")
        read.problems.append(Problem(*spot.place, f"{words.subject((*owner, key))} must not stand in the sketch",
                                     "a sketch is shown, copied and shared", instead))
        spot.wrong = True
    return {**settings, key: {"env": name or key.upper()}}


def _set_it(name: str, key: str) -> str:
    return f"set it: read -rs {name}; export {name}" + (" (or write password_file: PATH)" if key == "password" else "")


def _settings(sketch: Any) -> tuple[Path, Secured, str] | None:
    """Path and settings of the broker, and where it is reached; None where it has no such settings."""
    kind = next(iter(sketch.broker.model_fields_set))
    settings = getattr(sketch.broker, kind)
    if not isinstance(settings, Secured):
        return None
    return ("broker", kind), settings, TECHNOLOGIES[kind].reached


def exclusions(sketch: Any, places: Places) -> Iterator[Problem]:
    """Keys of it that exclude each other."""
    path, settings, _ = _settings(sketch) or ((), None, "")
    if settings and settings.password and settings.password_file:
        second = max(places.key((*path, key)) for key in ("password", "password_file"))
        yield Problem(*second, f"{words.subject(path)} has both 'password' and 'password_file'",
                      "one of them holds the password", "keep one of them")


def requirements(sketch: Any, places: Places) -> Iterator[Problem]:
    """Keys of it that need another one."""
    path, settings, reached = _settings(sketch) or ((), None, "")
    if settings is None:
        return
    said = settings.model_fields_set
    if not getattr(settings, reached):
        for key in ("mechanism", *Secured.model_fields):
            if key in said:
                yield Problem(*places.key((*path, key)), f"{words.subject(path)} has '{key}' and no '{reached}'",
                              "one that eda starts is for this machine alone, and has no users and no TLS",
                              f"add {reached}: {TECHNOLOGIES[str(path[1])].example}, or leave it out")
        return
    needs: list[tuple[tuple[str, ...], tuple[str, ...], str]] = [
        (("password", "password_file", "mechanism"), ("username",), "add username: shop"),
        (("username",), ("password", "password_file"), "add password: ${PASSWORD}, or password_file: PATH")]
    yield from _lacking(path, settings, needs, places)
    if settings.tls and not TECHNOLOGIES[str(path[1])].speaks_tls:
        yield Problem(*places.key((*path, "tls")), f"eda speaks no TLS with {TECHNOLOGIES[str(path[1])].title} yet", "",
                      "name a port without TLS, and leave it out")
    if settings.tls:
        needs = [((key,), ("certificate",), "add certificate: FILE") for key in ("key", "key_password")]
        yield from _lacking((*path, "tls"), settings.tls, needs, places)


def _lacking(path: Path, settings: BaseModel, needs: list[tuple[tuple[str, ...], tuple[str, ...], str]], places: Places
             ) -> Iterator[Problem]:
    for keys, others, hint in needs:
        has = next((key for key in keys if getattr(settings, key, None)), None)
        if has and not any(getattr(settings, other) for other in others):
            yield Problem(*places.key((*path, has)), f"{words.subject(path)} has '{has}' and no '{others[0]}'", "", hint)


def unreadable(sketch: Any, places: Places, folder: File) -> Iterator[Problem]:
    """Files that are not there, or not to be read."""
    path, settings, _ = _settings(sketch) or ((), None, "")
    if settings is None:
        return
    named = {(*path, "password_file"): settings.password_file}
    named |= {(*path, "tls", key): getattr(settings.tls, key) for key in _FILES if settings.tls}
    for at, name in named.items():
        if name is None:
            continue
        file, said = folder / File(name).expanduser(), places.said(at, name)
        if not file.is_file():
            yield Problem(*places.value(at), f"{words.subject(at)} leads to no file", f"there is no file '{said}'",
                          "a path begins in the sketch's folder, unless with / or ~")
        elif not os.access(file, os.R_OK):
            yield Problem(*places.value(at), f"{words.subject(at)} cannot be read", f"'{said}' is not readable for you",
                          f"give yourself the right: chmod u+r {said}")


def exposed(resolved: Resolved, places: Places) -> Iterator[Problem]:
    """A password that goes over a network as it is."""
    broker = resolved.broker
    if "username" not in broker or "tls" in broker or broker.get("mechanism", "PLAIN") != "PLAIN" \
            or all(_SHELTERED.fullmatch(where) for where in foreign(broker).split(",")):
        return
    hint = "add tls: true, and take the port on which the broker speaks it" if TECHNOLOGIES[broker["kind"]].speaks_tls \
        else "reach it through a tunnel: ssh -L"
    yield Problem(*places.key(("broker", broker["kind"], "username")),
                  f"the password of '{broker['username']}' goes through the network in the clear", "it is sent without TLS", hint)
