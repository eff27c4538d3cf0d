"""Sets off every bomb of its list under a limit of memory; one line of JSON for each. Run by test_bombs."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import orjson

from eda_cli.payloads import Context, Dice, InvalidValue, PayloadError, Seen, compile_value
from tests.memory import peak

MEMORY = 1 << 30  # bytes of address space

LONG_LIST = list(range(100_000))
NESTED: dict[str, Any] = {}
for _ in range(500):
    NESTED = {"n": NESTED}
BODY = {
    "list": LONG_LIST, "text": "a" * 900_000, "words": "a " * 400_000, "nested": NESTED, "quotes": '"\\' * 100_000,
    "rows": [{"q": number, "s": "x" * 10} for number in range(20_000)], "format": "%(a)s" * 100_000,
}

EXPRESSIONS = [
    # repeated sequences and large numbers
    "'a' * 3*10**9", "3*10**9 * 'a'", "[1] * 10**10", "(1,) * 10**10", "[[1] * 1000] * 10**6", "body.text * 100",
    "9**9**9", "2**1000 * 2**1000", "(2**1000)**100", "10**10**10", "9.9**9.9**99", "2**-10**10", "1 << 10**10",
    "'9' * 4300 | int * 2", "('9' * 4300) | int * 2", "('9' * 5000) | int", "('f' * 900000) | int(0, 16)",
    "(('f' * 900000) | int(0, 16)) // 7", "5 | round(-10**9)", "5.5 | round(10**9, 'floor')", "1e308 * 10",
    "9" * 4_000, "9" * 15_000, "'%d' % 10**400",
    # ranges
    "range(10**12) | list", "range(10**30)", "range(0, 10**12, 3) | sum", "range(-10**12, 0) | length",
    "range(9999) | map('string') | map('list') | list", "(range(9999) | list) * 100", "10**12 in range(10**12)",
    # texts filled, formatted, replaced, joined
    "'x' | center(10**10)", "'a'.rjust(10**10)", "'a'.ljust(10**10)", "'a'.center(10**10)", "'a'.zfill(10**10)",
    "'\\t'.expandtabs(10**10)", "'a'.translate({97: 'b' * 10000})", "'x' | indent(10**10)", "'x y' | wordwrap(1)",
    "'%1000000000d' % 1", "'%.1000000000f' % 1.0", "'%*d' % (10**9, 1)", "'%((x))1000000000d' % {'(x)': 1}",
    "'%9999d' % 1", "'%1000000000d' | format(1)", "body.format % {'a': body.text}", "'%s%s%s' % (body.text, 1, 2)",
    "'%(a)s%(a)s%(a)s%(a)s%(a)s%(a)s%(a)s%(a)s' % {'a': body.text}", "'" + "%s" * 6_000 + "' % body.text",
    "'{:1000000000d}'.format(1)", "'{0:{1}}'.format(1, 10**9)", "'{a}'.format_map({'a': 1})",
    "(',' * 100000).join(range(9000) | map('string') | list)", "range(9000) | join(',' * 100000)",
    "('a' * 100000).replace('a', 'b' * 100000)", "('a' * 1000000).replace('', 'b' * 1000)",
    "('a' * 100000) | replace('a', 'b' * 100000)", "body.text ~ body.text ~ body.text ~ body.text ~ body.text ~ "
    "body.text ~ body.text ~ body.text ~ body.text", "[body.text] * 1000 | join", "([body.text] * 1000) | tojson",
    "([body.text] * 1000) | string", "body.quotes" + " | tojson" * 20, "body.text | urlencode | urlencode | urlencode",
    "body.words | title", "body.words | wordcount", "body.words.split()", "body.text | list", "body.text | map('upper') | list",
    # much out of little, or slow
    "[1] | batch(10**10, 'x') | list", "[1] | slice(10**10) | list", "lipsum(n=10**6)", "cycler('a')", "joiner()",
    "namespace(a=1)", "dict(a=1)", "([[1] * 1000] * 1000) | sum(start=[])", "([[0] * 400] * 400) | sum(start=[])",
    "body.list | map('default', 'x' * 10000, true) | join", "body.list | map('default', body.list, true) | list",
    "body.list | select('in', body.list) | list", "body.list | reject('equalto', body.text) | list",
    "body.list | map('int') | map('int') | map('int') | list", "body.rows | map('tojson') | list | tojson",
    "body.rows | sort(attribute='" + ",".join("q" * 40) + "')",
    "body.rows | map(attribute='" + ".".join("q" * 40) + "') | list",
    "body.rows | groupby('q') | length", "body.list | groupby(body.text, body.text)",
    "body.quotes | groupby('in', body.words)", "body.quotes | groupby(body.list, body.list)", "body.quotes | join(10**9, '')",
    "body.quotes | map(attribute='x', default=body.text) | join",
    "((range(9999) | list) * 20) | sort", "((range(9999) | list) * 20) | unique | list",
    "[" + "body.list[:]," * 1_500 + "] | length", "[" + "1 in body.list," * 1_200 + "] | length",
    "[" + "body.list == body.list," * 800 + "] | length", "[" + "body.text," * 1_900 + "]", "[" + "body.list," * 1_900 + "]",
    "{" + "".join(f"'{number}': body.text," for number in range(1_000)) + "} | tojson",
    "[" + "body.text | upper," * 1_000 + "] | length", "[" + "body.words | title," * 900 + "] | length",
    "[" + "body.text is upper," * 1_000 + "] | length", "[" + "body.text > body.words," * 800 + "] | length",
    "body.nested", "body.nested | tojson", "body.nested | string", "body.nested == body.nested", "'%s' % body.nested",
    # nesting and length of the expression itself
    "(" * 190 + "1" + ")" * 190, "[" * 190 + "]" * 190, "[" * 5_000, "-" * 5_000 + "1", "not " * 4_000 + "1",
    "+".join(["1"] * 5_000), "~".join(["'a'"] * 4_000), "1<" * 5_000 + "2", "1 if 1 else " * 1_500 + "1",
    "body" + ".a" * 5_000, "body" + "[0]" * 5_000, "body | " + " | ".join(["list"] * 2_500),
    "body.list | " + " | ".join(["list"] * 60),
    # ways out of the sandbox
    "''.__class__.__mro__[1].__subclasses__()", "body.__class__", "body['__class__']", "range.__globals__",
    "body.keys.__self__", "body.keys.run", "self.__init__", "body | attr('__class__')",
    "[body] | map(attribute='__class__') | list",
    "body.list.append(1)", "body.list.sort()", "body.list.clear()", "body.pop('list')", "''.encode()", "body.list | random",
    "'%(a.__class__)s' % {'a': 1}", "'' | format(body.keys)", "[1] | map(body.keys) | list", "body.get(*body.list)",
    "body.get(**body)", "''.join(*[body.list])", "range(**{'a': 1})", "caller()", "super()", "loop", "varargs", "_('a')",
]

CALLS: list[Any] = [
    # what could be made without an end, and tables to be faster with
    *("pattern(" + regex + ")" for regex in (
        "(" * 999, "(" * 490 + ")" * 490, "(((a{9}){9}){9}){9}", "((((){999}){999}){999}){999}", "(a*)*" * 200, "a{4294967294}",
        "(a|" * 300 + ")" * 300, r"[\u0100-\ud7ff]" * 60, "[a-z]{99}" * 9, "|".join(["[a-z]{9}"] * 90), r"(a{10})\1" * 49)),
    [f"pattern([a-{chr(last)}]{{9}}[0-9a-z]{{{size}}})" for last in range(99, 122) for size in range(1, 90)],
    [f"pattern([{chr(at)}-{chr(at + 5_000)}]{{2}})" for at in range(256, 12_000, 4)],
    [f"poisson({mean / 8})" for mean in range(7_000, 8_000)], ["zipf(1000000)"] * 1_000, "exponential(0.000000001, 0..1)",
    [f"walk({start}, 0.2, 0..99999)" for start in range(2_000)],
    # Faker
    *(f"faker.{call}" for call in (
        "text(max_nb_chars=10000)", "texts(nb_texts=9000, max_nb_chars=9000)", "paragraphs(nb=9999)", "pystr(1, 9999)",
        "binary(1000000000)", "json(num_rows=1000000)", "zip(1000000000)", "random_number(digits=9999)", "uri_path(deep=9999)",
        "domain_name(levels=9999)", "password(length=9999)", "time_series(precision=0.0001)", "pylist(nb_elements=9999)",
        "random_choices(abc, length=9999)", "nic_handles(count=9999)", "pydecimal(left_digits=9999)", "unique.boolean()")),
    [f"faker.sentence(nb_words={words})" for words in range(300)],
]
BOMBS = {**{one[:60]: "{{ " + one + " }}" for one in EXPRESSIONS}, **{str(one)[:60]: one for one in CALLS}}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    context = Context(random=Dice(1), now=0.0, seen=Seen(body=BODY))
    for bomb, raw in BOMBS.items():
        print(json.dumps({"bomb": bomb}), flush=True)
        started = time.process_time()
        try:
            made = compile_value({"field": raw}, "rule" if isinstance(raw, str) and "{{" in raw else "generator")(context)
            outcome = f"{len(orjson.dumps(made))} bytes"
        except (InvalidValue, PayloadError) as clean:
            outcome = "clean"
            assert str(clean).strip()
            assert max(map(len, str(clean).splitlines())) < 1_000
        seconds = time.process_time() - started
        print(json.dumps({"outcome": outcome, "seconds": seconds, "peak": peak()}), flush=True)
    assert BODY["list"] is LONG_LIST
    assert len(LONG_LIST) == 100_000
    print(json.dumps({"done": len(BOMBS)}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
