"""Sketches made to hang or to fill the machine: each is done with in 8 s and 512 MB, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SECONDS = 8.0  # of a processor that others use as well, twice as slow then: alone, none takes 3
MEGABYTES = 512
pytestmark = pytest.mark.timeout(240)  # whoever comes first sets off all
PARENT = """
import json, os, resource, sys, time
from eda_cli.errors import UsageError
from eda_cli.sketch.load import load_text
from tests.memory import peak

def child(text):
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    start = time.process_time()
    try:
        said = f"loaded with {len(load_text(text, 'bomb.yaml', {'BIG': 'x' * 10_000}).warnings)} warnings"
    except UsageError as error:
        said = str(error).partition(chr(10))[0]
    return {"seconds": time.process_time() - start, "megabytes": peak() >> 20, "said": said}

for line in sys.stdin:
    name, text = json.loads(line)
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(writing, json.dumps(child(text)).encode())
        except BaseException as error:
            os.write(writing, json.dumps({"crash": repr(error)[:500]}).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        told = answer.read()
    status = os.waitpid(pid, 0)[1]
    print(json.dumps([name, json.loads(told) if told else {"crash": f"status {status}"}]), flush=True)
"""


def lines(form: str, many: int) -> str:
    return "\n".join(form.replace("@", str(number)) for number in range(many))


def laughs(first: str, again: str, many: int) -> str:
    """Anchors of which each one uses the one before ten times."""
    more = (again.replace("@", str(number)).replace("*", ", ".join([f"*a{number - 1}"] * 10))
            for number in range(1, many))
    return "\n".join([first, *more])


def events(name: str, many: int) -> str:
    return "events:\n" + lines(f"  {name}: {{id: 1}}", many)


def rule(body: str) -> str:
    return f"consumers: {{c: {{subscribes: a, publishes: {{to: b, body: {body}}}}}}}"


def made(body: str) -> str:
    return f"generators: {{g: {{publishes: a, body: {body}}}}}"


LONG = "orderPlacedByCustomerInTheWebShopOfTheCompanyInTheNorthOfTheCountry"
BOMBS = {
    "50,000 brackets": "a: " + "[" * 50_000,
    "50,000 braces": "a: " + "{a: " * 50_000,
    "50,000 dashes": "- " * 50_000 + "x",
    "deep indentation": "\n".join(" " * level + "a:" for level in range(1300)),
    "an alias bomb": laughs("x-0: &a0 [1]", "x-@: &a@ [*]", 30),
    "a merge bomb": laughs("x-0: &a0 {k: 1}", "x-@: &a@ {<<: [*]}", 30),
    "aliases that nest": "x-0: &a0 [1]\n" + "\n".join(f"x-{n}: &a{n} [*a{n - 1}]" for n in range(1, 9000)),
    "a long text in a thousand aliases": f"x-a: &a {'x' * 500_000}\nx-b: [{'*a, ' * 1000}]",
    "2 MB": "# " + "x" * 2_000_000,
    "100,000 keys": lines("k@: 1", 100_000),
    "100,000 times one key": "a: 1\n" * 100_000,
    "unknown keys": "generators:\n  g:\n    publishes: a\n" + lines("    rat@: 1", 4_900),
    "parts": "generators:\n" + lines("  g@: {publishes: t@}", 2_400),
    "bad parts": "generators:\n" + lines("  g@: {publises: t@, rate: 5}", 1_600),
    "topics that look alike": "topics:\n" + lines("  topic-@-a:", 1_500) + "\ngenerators:\n"
                              + lines("  g@: {publishes: topic-@-b}", 1_500),
    "lonely topics": "topics:\n" + lines(f"  t@{LONG}:", 45) + "\ngenerators:\n"
                     + lines(f"  g@: {{publishes: t@{LONG}}}", 2_000) + "\nconsumers:\n"
                     + lines(f"  c@: {{subscribes: u@{LONG}}}", 45),
    "undeclared event types": events(f"e@{LONG}", 1_000) + "\ngenerators:\n"
                              + lines(f"  g@: {{publishes: t, event: f@{LONG}}}", 200),
    "a few undeclared among many": events(f"e@{LONG}", 1_000) + "\ngenerators:\n"
                                   + lines(f"  g@: {{publishes: t, event: f@{LONG}}}", 10),
    "undeclared types that are accepted": events("eventType@", 1_500) + "\nconsumers: {c: {subscribes: t, accepts: ["
                                          + ", ".join(f"eventTipe{n}" for n in range(3_000)) + "]}}",
    "subscriptions": "consumers: {c: {subscribes: [" + ", ".join(f"t{n}" for n in range(9_000)) + "]}}",
    "a ring of consumers": "generators:\n" + lines("  g@: {publishes: t0, event: e@}", 500) + "\nconsumers:\n"
                           + "\n".join(f"  c{n}: {{subscribes: t{n}, publishes: t{(n + 1) % 500}}}"
                                       for n in range(500)),
    "a chain of consumers": "topics: {t1: {compacted: true}}\ngenerators: {g: {publishes: t0, key: $.id}}\nconsumers:\n"
                            + "\n".join(f"  c{n}: {{subscribes: t{n}, publishes: t{n + 1}}}" for n in reversed(range(1_600))),
    "rules": "generators: {g: {publishes: a}}\nconsumers:\n  c:\n    subscribes: a\n    publishes:\n"
             + lines("      - {to: a, event: e@}", 1_900),
    "copies": "consumers:\n  c:\n    subscribes: a\n    keeps:\n" + lines("      t@: $.id", 4_000),
    "copies that are not there": "consumers:\n  c:\n    subscribes: a\n    keeps:\n"
                                 + lines(f"      {LONG}@: $.id", 600) + "\n    publishes:\n"
                                 + lines(f"      - {{to: b, body: '{{{{ copy.{LONG.upper()}@ }}}}'}}", 150),
    "one body of many rules": "events:\n  e:\n" + lines("    f@: '{{ body.a@ + item }}'", 300)
                              + "\nconsumers:\n  c:\n    subscribes: a\n    publishes:\n"
                              + lines("      - {to: b, event: e}", 1_200),
    "joins of many topics": "consumers: {c: {subscribes: [" + ", ".join(f"t{n}" for n in range(2_000))
                            + "], joins: {with: u, by: {" + ", ".join(f"v{n}: $.id" for n in range(2_000)) + "}}}}",
    "unless": "consumers:\n  c:\n    subscribes: a\n    publishes:\n"
              + lines("      - {to: b, after: 1s, unless: {t@: $.id}, each: $.x, share: 0%}", 1_000),
    "a repeated text": rule("\"{{ 'a' * 3*10**9 }}\""),
    "a power": rule("'{{ 9**9**9**9 }}'"),
    "a range": rule("'{{ range(10**12) | list | length }}'"),
    "brackets in a template": rule("'{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}'"),
    "a long template": rule("'{{ " + "1+" * 100_000 + "1 }}'"),
    "many filters": rule("'{{ body" + "|round" * 2_500 + " }}'"),
    "many templates": rule("[" + ", ".join(f"'{{{{ body.a{n} }}}}'" for n in range(9_000)) + "]"),
    "templates in many rules": "consumers:\n  c:\n    subscribes: a\n    publishes:\n"
                               + lines("      - {to: b, body: {a: '{{ body.a@ }}', b: '{{ body.b@ }}'}}", 1_100),
    "1 MB of templates": "consumers:\n  c:\n    subscribes: a\n    publishes:\n"
                         + lines("      - {to: b, body: '{{ " + "1+" * 450 + "1 }}'}", 1_000),
    "many conditions": "consumers:\n  c:\n    subscribes: a\n    publishes:\n"
                       + lines("      - {to: b, when: body.a@ > 1}", 1_900),
    "a condition": "consumers: {c: {subscribes: a, publishes: {to: b, when: '" + "not " * 100_000 + "x'}}}",
    "a pattern": made("'pattern((((((((a+)+)+)+)+)+)+)+$" + "[A-Z]{9}" * 50_000 + ")'"),
    "lists of lists": made("{$list: {$list: {$list: uuid(), size: 9999}, size: 9999}, size: 9999}"),
    "many options": made("'pick(" + "abc, " * 100_000 + "abc)'"),
    "900,000 digits": "seed: " + "9" * 900_000,
    "almost a number": made("1." + "0" * 900_000 + "x"),
    "spaces": made("'a" + " " * 900_000 + "b'"),
    "long bounds": made("'" + "1" * 400_000 + ".." + "2" * 400_000 + "'"),
    "nothing but dots": made("'" + "." * 800_000 + "'"),
    "calls in calls": made("'" + "uuid(" * 150_000 + "'"),
    "a long path": "topics: {a: {key: '$" + ".a" * 400_000 + "'}}",
    "variables in variables": made("'" + "${A:-" * 150_000 + "'"),
    "large variables": made("'" + "${BIG}" * 100_000 + "'"),
    "torn values": made("{" + ", ".join(f"a{n}: pick(A, B)" for n in range(2_400)) + "}"),
    "torn values without end": made("[" + "pick(A, " * 9_000 + "]"),
    "values to quote": made("{\n" + "a: @x,\n" * 4_900 + "}"),
    "a broken line": "a: {" + "b: c(, " * 9_000 + "]",
    "unknown aliases": "x-a: [" + "*b, " * 9_000 + "]",
    "tags": "x-a: [" + "!foo 1, " * 9_000 + "]",
    "documents": "---\n" * 200_000,
    "a long key": "x" * 900_000 + ": 1",
    "carriage returns": "\r" * 900_000 + "a: @",
    "keys that are in no event": "topics: {t: {compacted: true}}\n" + "events: {e: {"
                                 + ", ".join(f"{LONG}{n}: 1" for n in range(2_000)) + "}}\ngenerators:\n"
                                 + lines(f"  g@: {{publishes: t, key: $.{LONG}}}", 1_900),
    "commands": "events:\n" + lines("  createThing@: {id: uuid()}", 2_400),
}


@pytest.fixture(scope="module")
def harm() -> dict[str, dict[str, Any]]:
    """What each bomb did to a process that was forked for it."""
    bombs = "\n".join(json.dumps(bomb) for bomb in BOMBS.items())
    done = subprocess.run([sys.executable, "-c", PARENT], input=bombs, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_no_harm(name: str, harm: dict[str, dict[str, Any]]) -> None:
    did = harm[name]

    assert "crash" not in did, did
    assert did["seconds"] <= SECONDS, did
    assert did["megabytes"] <= MEGABYTES, did
