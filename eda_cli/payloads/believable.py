"""What a schema leaves open, filled believably: from the name of a field, from bounds and lengths. Knows no schema.

Everything is given as a raw value of the sketch's own language, so that `eda config` shows it and a sketch may say it better.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from eda_cli.payloads.patterns import LONGEST
from eda_cli.payloads.problems import Refused, shown

Raw = Any
NULL_SHARE, ABSENT_SHARE = "10%", "20%"  # of what may be null, of what may be left out
KEYS = ("first", "second", "third", "fourth", "fifth")  # of a map whose names nobody says
MOST_OPTIONS = 1_000  # that a $pick has
_MOST_DECIMALS = 9
_SPAN = 1_000  # how far a range goes that has one bound, or none
_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1
_PLAIN = re.compile(r"[A-Za-z0-9_ /:@+-]+(?:\.[A-Za-z0-9_ /:@+-]+)*\Z")  # no call, range, path or template

Text = tuple[str, int, int]  # a value, and how short and how long it may come out
UUID: Text = ("uuid()", 36, 36)
NOW: Text = ("now()", 27, 27)
DATE: Text = ("2025-01-01..2026-12-31", 10, 10)
EMAIL: Text = ("faker.email()", 10, 45)
URL: Text = ("faker.url()", 12, 50)
HOST: Text = ("faker.hostname()", 8, 50)
_NAME: Text = ("faker.name()", 6, 40)
_TEXTS: Mapping[str, Text] = {
    "id": UUID, "uuid": UUID, "guid": UUID, "name": _NAME, "fullname": _NAME, "customername": _NAME, "contact": _NAME,
    **dict.fromkeys(("firstname", "givenname", "forename"), ("faker.first_name()", 2, 15)),
    **dict.fromkeys(("lastname", "surname", "familyname"), ("faker.last_name()", 2, 20)),
    **dict.fromkeys(("email", "mail", "emailaddress"), EMAIL),
    **dict.fromkeys(("user", "username", "login", "nickname"), ("faker.user_name()", 3, 30)),
    **dict.fromkeys(("phone", "phonenumber", "mobile", "telephone", "tel"), ("faker.phone_number()", 10, 25)),
    **dict.fromkeys(("street", "address", "streetaddress", "addressline", "addressline1", "line1"),
                    ("faker.street_address()", 8, 50)),
    **dict.fromkeys(("city", "town", "addresslocality", "locality"), ("faker.city()", 3, 35)),
    **dict.fromkeys(("zip", "zipcode", "postcode", "postalcode"), ("faker.postcode()", 5, 5)),
    **dict.fromkeys(("country", "addresscountry"), ("faker.country()", 4, 55)), "countrycode": ("faker.country_code()", 2, 2),
    **dict.fromkeys(("state", "region", "province"), ("faker.state()", 4, 25)),
    **dict.fromkeys(("company", "companyname", "organization", "organisation", "merchant", "vendor", "supplier", "brand",
                     "manufacturer"), ("faker.company()", 5, 45)),
    **dict.fromkeys(("url", "uri", "link", "website", "homepage", "href"), URL),
    **dict.fromkeys(("host", "hostname", "server"), HOST), **dict.fromkeys(("ip", "ipaddress"), ("faker.ipv4()", 7, 15)),
    "mac": ("faker.mac_address()", 17, 17), "currency": ("pick(EUR, USD, GBP)", 3, 3),
    "currencycode": ("pick(EUR, USD, GBP)", 3, 3),
    **dict.fromkeys(("description", "text", "comment", "message", "note", "notes", "body", "summary", "reason"),
                    ("faker.sentence()", 10, 150)),
    **dict.fromkeys(("title", "subject", "headline", "product", "productname"), ("faker.catch_phrase()", 10, 80)),
    **dict.fromkeys(("job", "jobtitle", "profession", "occupation"), ("faker.job()", 4, 60)), "iban": ("faker.iban()", 22, 22),
    **dict.fromkeys(("color", "colour"), ("faker.color_name()", 3, 25)), "locale": ("faker.locale()", 5, 6),
    "useragent": ("faker.user_agent()", 30, 200), **dict.fromkeys(("language", "lang"), ("pick(en, de, fr, es)", 2, 2)),
    **dict.fromkeys(("filename", "file"), ("faker.file_name()", 5, 25)),
    **dict.fromkeys(("timestamp", "time", "datetime", "occurredon", "created", "updated"), NOW),
    "date": DATE, **dict.fromkeys(("birthday", "birthdate", "dateofbirth", "dob"), ("1950-01-01..2007-12-31", 10, 10)),
    "sku": ("pattern([A-Z]{3}-[0-9]{4})", 8, 8),
}
_ENDINGS = (("_id", UUID), ("Id", UUID), ("ID", UUID), ("uuid", UUID), ("Uuid", UUID), ("At", NOW), ("_at", NOW), ("Time", NOW),
            ("_time", NOW), ("Date", DATE), ("_date", DATE))
_NUMBERS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("price", "amount", "total", "cost", "fee", "subtotal", "unitprice", "balance", "sum"), ("5.00", "250.00")),
    **dict.fromkeys(("quantity", "qty", "count", "pieces"), ("1", "10")), "age": ("18", "90"), "year": ("2000", "2026"),
    **dict.fromkeys(("lat", "latitude"), ("-90.0000", "90.0000")),
    **dict.fromkeys(("lon", "lng", "long", "longitude"), ("-180.0000", "180.0000")),
    **dict.fromkeys(("temperature", "temp"), ("15.0", "30.0")), "humidity": ("20.0", "90.0"),
    **dict.fromkeys(("percent", "percentage", "discount"), ("0", "100")), "rating": ("1", "5"), "port": ("1024", "65535"),
}


def is_map(raw: Raw) -> bool:
    """Whether it is a map of fields, and no long form."""
    return isinstance(raw, Mapping) and not any(str(name).startswith("$") and name != "$vars" for name in raw)


def called(name: str) -> str:
    """A field, as an error names it."""
    return f"'{shown(name)}'" if name else "the body"


def say(name: str, value: str = "…") -> str:
    """What to do about a field that a schema does not say in a way that can be made."""
    return f"say it in the sketch: {shown(name)}: {value}" if name else "say the body in the sketch"


def literal(value: Raw) -> Raw:
    """The value of the language that gives exactly this JSON."""
    if isinstance(value, str):
        return value if _PLAIN.match(value) else {"$literal": value}
    return {"$literal": value} if isinstance(value, Mapping | list) else value


def pick(values: Sequence[Raw]) -> Raw:
    """One of these values of the language."""
    return values[0] if len(values) == 1 else {"$pick": list(values[:MOST_OPTIONS])}


def nullable(value: Raw) -> Raw:
    """The value, or null."""
    return None if value is None else {"$maybe": value, "null": NULL_SHARE}


def optional(value: Raw) -> Raw:
    """The value, or no field at all."""
    if isinstance(value, Mapping) and "$maybe" in value:
        return {**value, "absent": ABSENT_SHARE}
    return {"$maybe": value, "absent": ABSENT_SHARE}


def text_of(name: str) -> Text | None:
    """What a field of this name would hold, as far as its name says so."""
    known = re.sub(r"[^a-z0-9]", "", name.lower())
    if known in _TEXTS:
        return _TEXTS[known]
    ending = next((text for end, text in _ENDINGS if name.endswith(end)), None)
    return ending or next((_TEXTS[word] for word in ("email", "phone", "city", "country", "street", "company", "currency", "url")
                           if word in known), None)


def sized(text: Text | None, low: int, high: int | None) -> Raw:
    """The text where it is surely of such a length, else letters."""
    if text and low <= text[1] and (high is None or text[2] <= high):
        return text[0]
    if text is None and low <= 2 and (high is None or high >= 15):
        return "faker.word()"
    most = max(low, min(low + 10, LONGEST, high if high is not None else LONGEST))
    return "" if most == 0 else f"pattern([a-z]{{{max(low, 1)},{most}}})"


def number(name: str, whole: bool, low: Decimal | None, high: Decimal | None, decimals: int | None = None,
           open_ends: tuple[bool, bool] = (False, False)) -> Raw:
    """A number between the bounds; where one is missing, as the name has it. Raises Refused where there is none."""
    usual = _NUMBERS.get(re.sub(r"[^a-z0-9]", "", name.lower()))
    lower, upper = map(Decimal, usual or ("0", str(_SPAN)))
    first = low if low is not None else lower if high is None or lower <= high else high - _SPAN
    last = high if high is not None else upper if upper >= first else first + _SPAN
    if decimals is None:
        decimals = min(_MOST_DECIMALS, max(0 if usual and None in (low, high) else 2, _decimals(first), _decimals(last)))
    decimals = 0 if whole else decimals
    while True:
        step = Decimal(1).scaleb(-decimals)
        start = math.ceil(first / step) * step + (step if open_ends[0] and low is not None and _is_whole(first / step) else 0)
        end = math.floor(last / step) * step - (step if open_ends[1] and high is not None and _is_whole(last / step) else 0)
        if start <= end or whole or decimals >= _MOST_DECIMALS:
            break
        decimals += 1
    if start > end:
        raise Refused(f"no number fits for {called(name)}", f"it would be between {first} and {last}", "mend the schema")
    start, end = max(start, Decimal(_LOWEST)), min(end, Decimal(_HIGHEST))
    return (int(start) if whole else float(start)) if start == end else f"{start:.{decimals}f}..{end:.{decimals}f}"


def multiple(name: str, step: Decimal, whole: bool, low: Decimal | None, high: Decimal | None,
             open_ends: tuple[bool, bool]) -> Raw:
    """A multiple of the step. Raises Refused where none is between the bounds."""
    exponent = step.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -_MOST_DECIMALS <= exponent <= 0 and step == Decimal(1).scaleb(exponent):
        return number(name, whole, low, high, -exponent, open_ends)
    first = 0 if low is None else math.ceil(low / step) + (open_ends[0] and _is_whole(low / step))
    last = first + 100 if high is None else math.floor(high / step) - (open_ends[1] and _is_whole(high / step))
    if low is None and high is not None:
        first = min(first, last - 100)
    if first > last:
        raise Refused(f"no multiple of {step} fits for {called(name)}", "", "mend the schema")
    stride = max(1, -(-(last - first + 1) // MOST_OPTIONS))
    values = [step * times for times in range(first, last + 1, stride)]
    fitting = [value for value in values if not whole or _is_whole(value)]
    if not fitting:
        raise Refused(f"no multiple of {step} fits for {called(name)}", "it would be no whole number", "mend the schema")
    return pick([int(value) if _is_whole(value) else float(value) for value in fitting])


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()
