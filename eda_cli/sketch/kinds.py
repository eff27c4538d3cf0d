"""The kinds of things a key may hold: names, quantities, text. Knows what fits, and no key that holds it.

Over 250 lines: it is the list of them, each with how it is read and what an error says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

from eda_cli.payloads import (
    InvalidValue,
    Scope,
    ValueProblem,
    compile_condition,
    compile_value,
    parse_duration,
    parse_range,
    parse_rate,
    parse_share,
)
from eda_cli.sketch.fitting import VARIABLE, Compiled, Kind, Misfit, Schema, matching, varied

__all__ = [
    "CONDITION", "DURATION", "DURATIONS", "EACH", "EVENT_TYPE", "EVENT_TYPE_OR_PATH", "FLAG", "FOLD_CONDITION", "GROUP",
    "HANDLER", "HEADER", "IMAGE", "LINE", "MECHANISM", "MOMENT", "OPTIONAL_DURATION", "PART", "PATH", "PAUSE", "RATE",
    "SERVERS", "SETTING", "SHARE", "SIDES", "SPAN", "START", "TOPIC", "USER", "WAIT", "Misfit", "fit_name",
    "quantity", "sides", "url",
]


def fit_name(text: str) -> str:
    """`text` made to fit the rule for names, "" where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).lstrip("-_0123456789")[:40].rstrip("-_")


def _line(raw: Any) -> str:
    if raw is None:
        return ""
    if not isinstance(raw, str):
        raise Misfit(hint="quote it" if isinstance(raw, (bool, int, float)) else "")
    if len(raw) > 1000:
        raise Misfit("it is longer than 1,000 characters")
    return raw


def quantity(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What `payloads` reads, with its refusal ("'5' has no unit: write 5/s") as why and hint."""
    def read(raw: Any) -> Any:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
            raise Misfit
        try:
            return parse(raw)
        except ValueError as error:
            why, _, hint = str(error).partition(": ")
            raise Misfit(why, hint) from None

    return read


def _pause(raw: Any) -> tuple[float, float]:
    low, high = parse_range(raw, parse_duration)
    if high <= 0:
        raise ValueError("there is no pause between the events: for as fast as possible write rate: max")
    return low, high


def _flag(raw: Any) -> bool:
    raw = varied(raw)
    if not isinstance(raw, bool):
        word = raw.lower() if isinstance(raw, str) else ""
        raise Misfit(hint="write true" if word in ("yes", "on", "y", "true") else
                     "write false" if word in ("no", "off", "n", "false") else "")
    return raw


def _setting(raw: Any) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, (int, float, str)):
        return str(raw)
    raise Misfit


def _topic(raw: Any) -> str:
    if raw in (".", ".."):
        raise Misfit("Kafka reserves it")
    if isinstance(raw, str) and re.fullmatch(r"[A-Za-z0-9._-]+(\s*,\s*[A-Za-z0-9._-]+)+", raw):
        raise Misfit(hint=f"for several write [{raw}]")
    return str(_TOPIC.read(raw))


def _event_type(raw: Any) -> str:
    if isinstance(raw, str) and raw.startswith("$"):
        compile_value(raw, "rule", body=False)
        return raw
    return str(EVENT_TYPE.read(raw))


def _header(raw: Any) -> str:
    name = _HEADER.read(raw)
    if name.lower().startswith("ce_") or name.lower() == "content-type":
        raise Misfit("eda itself writes this one", "take another name")
    return str(name)


def _is_host(text: str) -> bool:
    """Whether it can be looked for: a name of labels that are neither empty nor too long, or an IPv6 address in brackets."""
    if re.fullmatch(r"\[[0-9A-Fa-f:.]+\]", text):
        try:
            IPv6Address(text[1:-1])
        except ValueError:
            return False
        return True
    return len(text) <= 253 and re.fullmatch(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?", text) is not None


def url(schemes: tuple[str, ...], example: str) -> Kind:
    """The URL of a broker: one of these schemes, a host, and maybe a port and a path."""
    def read(raw: Any) -> str:
        found = re.fullmatch(r"([a-z]+)://([^/:@\[\]]+|\[[^/@\[\]]+\])(?::([0-9]+))?(/[\w.%-]*)?", raw) \
            if isinstance(raw, str) else None
        if not found or not _is_host(found[2]):
            with_user = isinstance(raw, str) and re.fullmatch(r"[a-z]+://[^/]*@.*", raw)
            raise Misfit("a sketch holds no password" if with_user else "",
                         "write username: and password: ${VAR} beside it" if with_user else "")
        if found[1] not in schemes:
            raise Misfit(f"it does not speak {found[1]}")
        if found[3] and not (len(found[3]) <= 5 and 1 <= int(found[3]) <= 65535):
            raise Misfit("a port is a number from 1 to 65535")
        return found[0]

    begins = " or ".join(f"{scheme}://" for scheme in schemes)
    return Kind(f"a URL of {begins}, a host and maybe a port", f"write it as {example}", read, {"type": "string"})


def _mechanism(raw: Any) -> str:
    wished = raw.upper().replace("_", "-") if isinstance(raw, str) else ""
    if raw not in _MECHANISMS:
        raise Misfit(hint=f"write {wished}" if wished in _MECHANISMS else "")
    return str(raw)


def _servers(raw: Any) -> list[str]:
    servers = raw.split(",") if isinstance(raw, str) else raw
    if isinstance(raw, str) and "@" in raw:
        raise Misfit("a sketch holds no password", "write username: and password: ${VAR} beside it")
    if not isinstance(servers, list) or not servers:
        raise Misfit
    found = []
    for server in servers:
        stripped = server.strip() if isinstance(server, str) else ""
        host, _, port = stripped.rpartition(":")
        if not _is_host(host):
            portless = re.fullmatch(r"[A-Za-z0-9_.-]+", stripped)
            alone = isinstance(raw, str)  # in a list, the environment may have given it
            raise Misfit(hint=f"add the port: {stripped}:9092" if portless and alone else "")
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
            raise Misfit("a port is a number from 1 to 65535")
        found.append(stripped)
    return found


_OLD_STARTS = {"beginning": "earliest", "oldest": "earliest", "start": "earliest", "smallest": "earliest",
               "end": "latest", "newest": "latest", "largest": "latest", "now": "latest"}


def _start(raw: Any) -> str:
    if raw in ("earliest", "latest"):
        return str(raw)
    raise Misfit(hint=f"write {_OLD_STARTS[raw]}" if isinstance(raw, str) and raw in _OLD_STARTS else "")


def _condition(scope: Scope) -> Callable[[Any], str]:
    def read(raw: Any) -> str:
        if not isinstance(raw, str) or not raw.strip():
            raise Misfit
        compile_condition(raw, scope)
        return raw

    return read


def _each(raw: Any) -> Any:
    """A value that may give a list: what surely gives none would fail every event."""
    is_form = isinstance(raw, dict) and any(name.startswith("$") for name in raw)
    if isinstance(raw, str) and not raw.startswith("$") and "{{" not in raw:
        raise Misfit(hint=f"write it as $.{raw}" if re.fullmatch(r"[\w.]+", raw) else "")
    if not isinstance(raw, (str, list)) and not is_form:
        raise Misfit
    compile_value(raw, "rule", body=False)
    return raw


def _moment(raw: Any) -> Any:
    """A value that may give the moment of an event: one that stands as it is would be the same for all of them."""
    if not isinstance(raw, (str, dict)) or (isinstance(raw, str) and not re.search(r"^\$|\{\{|\(", raw)):
        raise Misfit(hint=f"write it as $.{raw}" if isinstance(raw, str) and re.fullmatch(r"[\w.]+", raw) else "")
    compile_value(raw, "rule", body=False)
    return raw


def sides(raw: Any) -> Mapping[str, Any] | None:
    """The values by topic, None where one value stands for both sides of a join."""
    named = isinstance(raw, Mapping) and not any(name.startswith("$") for name in raw)
    return raw if named else None


def _sides(raw: Any) -> Any:
    if raw is None:
        raise Misfit
    problems: list[ValueProblem] = []
    each: list[tuple[tuple[str, ...], Any]] = [((name,), one) for name, one in (sides(raw) or {}).items()]
    for path, one in each or [((), raw)]:
        try:
            compile_value(one, "rule", body=False)
        except InvalidValue as error:
            problems += [replace(problem, path=(*path, *problem.path)) for problem in error.problems]
    if problems:
        raise InvalidValue(problems)
    return raw


def _handler(raw: Any) -> str:
    named = isinstance(raw, str) and re.fullmatch(r"[\w./-]+\.(\w+)", raw)
    if named and named[1] in _PROGRAMS:
        raise Misfit(hint=f"write run: {_PROGRAMS[named[1]]} {raw} in place of it")
    return str(_HANDLER.read(raw))


def _fit_handler(text: str) -> str:
    """`my_shop.invoicing:handle` of `my_shop/invoicing.py:handle`, of `my_shop/invoicing.py` and of
    `my_shop.invoicing.handle`."""
    module, colon, function = text.partition(":")
    if not colon and text.endswith(".py"):
        function = "handle"
    elif not colon and "/" not in text:
        module, _, function = text.rpartition(".")
    proposed = f"{module.removesuffix('.py').strip('./').replace('/', '.')}:{function.removesuffix('()')}"
    return proposed if re.fullmatch(_HANDLER_FORM, proposed) else ""


_PROGRAMS = {**dict.fromkeys(("js", "mjs", "cjs"), "node"), "sh": "sh", "rb": "ruby", "pl": "perl", "php": "php"}
_HANDLER_FORM = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_TEXT: Schema = {"type": ["string", "null"]}
_QUANTITY: Schema = {"type": "string"}
_NAME_RULE = "a name of at most 40 small letters, digits, - and _ that begins with a letter"
_TOPIC = matching(r"[A-Za-z0-9._-]+", 249, "a topic name of at most 249 letters, digits, ., - and _", "")
_HEADER = matching(r"[!-9;-~]+", 200, "a header name of at most 200 visible ASCII characters", "")
_HANDLER = matching(_HANDLER_FORM, 200, "a module and a function, MODULE:FUNCTION", "write it as my_shop.invoicing:handle",
                    _fit_handler)

PART = matching(r"[a-z][a-z0-9_-]*", 40, _NAME_RULE, "write it as web-shop", fit_name)
TOPIC = Kind(_TOPIC.expected, "write it as purchases", _topic, _TOPIC.schema)
GROUP = Kind("a group name of at most 249 letters, digits, ., - and _", "write it as billing", _topic,
             _TOPIC.schema)
EVENT_TYPE = matching(r"[^\W\d][\w.:/-]*", 200, "an event type, a word that begins with a letter",
                      "write it as purchaseCreated")
EVENT_TYPE_OR_PATH = Kind("an event type, or a path such as $.type", "write it as purchaseCreated",
                          _event_type, {"type": "string"})
HEADER = Kind(_HEADER.expected, "write it as trace-id", _header, _HEADER.schema)
LINE = Kind("text", "write a line of text", _line, _TEXT)
IMAGE = matching(r"[A-Za-z0-9][\w./:@-]*", 255, "the name of a container image",
                 "write it as apache/kafka:4.3.1")
SERVERS = Kind("a list of host:port", "write it as localhost:9092", _servers,
               {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
MECHANISM = Kind("one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", "write it as SCRAM-SHA-512", _mechanism,
                 {"anyOf": [{"enum": list(_MECHANISMS)}, VARIABLE]})
USER = matching(r"[^\s:@/]+", 200, "the name of a user", "write it as shop")
PATH = matching(r"[^\x00-\x1f]+", 1000, "the path of a file", "write it as ca.pem")
DURATION = Kind("a duration", "write it as 200ms, 5s, 1h or 7d", quantity(parse_duration), _QUANTITY)
OPTIONAL_DURATION = Kind("a duration", "write it as 1h or 7d",
                         lambda raw: None if raw is None else DURATION.read(raw), _TEXT)
DURATIONS = Kind("a duration or a range of durations", "write it as 20ms or 20ms..80ms",
                 quantity(lambda raw: parse_range(raw, parse_duration)), _QUANTITY)
PAUSE = Kind("a duration or a range of durations", "write it as 200ms or 200ms..2s", quantity(_pause),
             _QUANTITY)
RATE = Kind("a rate", "write it as 5/s, 120/min or max", quantity(parse_rate), _QUANTITY)
FLAG = Kind("true or false", "write true or false", _flag, {"anyOf": [{"type": "boolean"}, VARIABLE]})
SETTING = Kind("text, a number, true or false", "a setting is one value", _setting,
               {"type": ["string", "number", "boolean"]})
START = Kind("earliest or latest", "write earliest to hear what was published before, too", _start,
             {"enum": ["earliest", "latest"]})
CONDITION = Compiled("an expression", "write it as body.total > 100", _condition("rule"), {"type": "string"},
                     is_template=True)
FOLD_CONDITION = Compiled(CONDITION.expected, CONDITION.example, _condition("fold"), {"type": "string"}, is_template=True)
SHARE = Kind("a share", "write it as 2%", quantity(parse_share), _QUANTITY)
SPAN = Kind("a duration", "write it as 30s", quantity(lambda raw: parse_duration(raw, zero=False)), _QUANTITY)
WAIT = Kind("a duration", "write it as 10s", DURATION.read, _QUANTITY)
HANDLER = Kind(_HANDLER.expected, _HANDLER.example, _handler, _HANDLER.schema)
EACH = Compiled("a value that gives a list", "write it as $.items", _each, {})
MOMENT = Compiled("a value that gives the moment of an event", "write it as $.at", _moment, {})
SIDES = Compiled("a value, or a map of two topics and a value for each", "write it as $.purchase", _sides, {})
