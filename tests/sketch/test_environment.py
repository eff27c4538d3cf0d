"""`${VAR}` in scalars: filled in, typed where it is plain, never shown."""

from __future__ import annotations

import pytest

from eda_cli.sketch.environment import NoValue, escape, expand
from eda_cli.sketch.render import config
from tests.sketch.reading import errors, loaded, warnings


@pytest.mark.parametrize(("text", "expected"), [
    ("${A}", "one"), ("a ${A} b ${A}", "a one b one"), ("${B:-two}", "two"), ("${EMPTY:-two}", "two"),
    ("${EMPTY}", ""), ("${B:-}", ""), ("$${A}", "${A}"), ("$$${A}", "$${A}"), ("$A $.user $key", "$A $.user $key"),
    ("${NESTED}", "${A}"), ("$$", "$$"),
])
def test_variables_are_filled_in(text: str, expected: str) -> None:
    assert expand(text, {"A": "one", "EMPTY": "", "NESTED": "${A}"}).text == expected


@pytest.mark.parametrize("text", ["${B}", "${", "${1}", "${A", "${A:-${B}}", "${A:?no}", "${ A }"])
def test_what_is_no_variable_or_not_set_is_an_error(text: str) -> None:
    with pytest.raises(NoValue):
        expand(text, {"A": "one"})


@pytest.mark.parametrize("text", ["${A}", "$${A}", "$$$", "a${", "${A:-x}"])
def test_escaped_text_comes_back(text: str) -> None:
    assert expand(escape(text), {}).text == text


def test_a_plain_variable_has_the_type_of_what_it_stands_for() -> None:
    text = """
        generators:
          shop:
            publishes: purchases
            count: ${COUNT}
            external: ${EXTERNAL}
            replicas: "${COUNT}"
            body: {plain: 1}
            headers:
              a: ${COUNT}
              b: "${COUNT}"
        """
    shop = loaded(text, COUNT="7", EXTERNAL="true").resolved.generators["shop"]
    assert (shop.count, shop.external, shop.replicas) == (7, True, 7)
    assert shop.headers == {"a": 7, "b": "7"}


SECRET = "hunter2-Passw0rd"
TELLING = """
    name: ${NAME:-shop}
    broker: {kafka: {bootstrap_servers: "${HOST}:9092"}}
    topics:
      known: {partitions: "${PARTS:-2}", about: "${SECRET}"}
    generators:
      shop: {publishes: "${SECRET}", body: {text: "${SECRET}", literal: "$${SECRET}"}, headers: {h: "${SECRET}"}}
      till: {publishes: known, event: "${SECRET}", body: "${SECRET}"}
    consumers:
      c: {subscribes: [known, "${SECRET}"], group: "${SECRET}", publishes: ["${SECRET}", {to: "${SECRET}"}]}
      d: {subscribes: "${SECRET}", publishes: "${SECRET}"}
    """


def test_config_shows_variables_as_written_and_loads_back() -> None:
    read = loaded(TELLING, SECRET=SECRET, HOST="broker.internal")
    shown = config(read)
    assert SECRET not in shown
    assert "broker.internal" not in shown
    assert "hunter2" not in shown.lower()
    assert loaded(shown, SECRET=SECRET, HOST="broker.internal").resolved == read.resolved
    assert loaded(shown, SECRET="other-word", HOST="elsewhere").resolved == loaded(
        TELLING, SECRET="other-word", HOST="elsewhere").resolved


@pytest.mark.parametrize("secret", [SECRET, "h2t"])
def test_warnings_do_not_show_what_a_variable_stands_for(secret: str) -> None:
    told = warnings("generators: {shop: {publishes: '${SECRET}'}}", SECRET=secret)
    assert told == ["sketch.yaml:1:32: nobody subscribes to the topic '${SECRET}'"]


@pytest.mark.parametrize("secret", [SECRET, "h2t", "hunter2-" * 12])
def test_errors_do_not_show_what_a_variable_stands_for(secret: str) -> None:
    told = errors("""
        events: {known: }
        name: ${SECRET}
        seed: ${SECRET}
        broker: "${SECRET}"
        topics: {orders: {partitions: "${SECRET}", retention: "${SECRET}", key: "${SECRET}("}}
        generators: {shop: {publishes: "${SECRET}/", event: "${SECRET} x", body: "uid(${SECRET})"}}
        consumers:
          c: {subscribes: orders, from: "${SECRET}", takes: "${SECRET}", publishes: {to: a, when: "${SECRET} +"}}
        """, SECRET=secret)
    told += errors("""
        broker: {kafka: {bootstrap_servers: ["${SECRET}", "host:${SECRET}"]}}
        events: {known: }
        generators:
          shop: {publishes: a, event: known, body: {$list: a, size: "${SECRET}"}}
          till: {publishes: a, event: known, body: {a: {$pick: [a, b], weights: ["${SECRET}", 1]}}}
          desk: {publishes: a, event: "${SECRET}"}
        consumers: {c: {subscribes: a, publishes: {to: b, event: "${SECRET}"}}}
        """, SECRET=secret)
    assert len(told) >= 15
    assert not [line for line in told if secret[:8] in line or "passw0rd" in line.lower()]


def test_a_number_in_a_variable_is_a_number_everywhere() -> None:
    body = '{$list: {$pick: [a, b], weights: ["${N}", 1]}, size: "${N}"}'
    assert loaded(f"generators: {{shop: {{publishes: a, count: '${{N}}', body: {body}}}}}", N="5")


def test_a_variable_that_is_no_text_is_an_error_where_it_stands() -> None:
    assert errors("generators: {shop: {publishes: a, body: '${BYTES}'}}", BYTES=b"caf\xe9".decode("utf-8", "surrogateescape")
                  ) == ["sketch.yaml:1:41: the environment variable BYTES is not valid UTF-8; set it to text"]


@pytest.mark.parametrize("secret", [SECRET, "h2t"])
def test_what_is_made_of_a_variable_is_not_shown_either(secret: str) -> None:
    told = warnings("""\
        generators: {shop: {publishes: "my${SECRET}", event: made}}
        consumers:
          c: {subscribes: "mi${SECRET}"}
          d: {subscribes: "my${SECRET}", publishes: {to: b, accepts: ["${SECRET}"]}}
          e: {subscribes: "my${SECRET}", accepts: "a${SECRET}"}
        """, SECRET=secret.replace("-", ""))
    assert len(told) == 4
    assert not [line for line in told if secret[:3] in line]


def test_a_value_that_stands_nearby_is_not_shown_either() -> None:
    told = errors("""
        events: {"known": {id: uuid()}}
        generators: {shop: {publishes: "${SECRET}", event: "${SECRET}"}}
        """, SECRET=SECRET)
    assert told == ["sketch.yaml:3:52: the event type '${SECRET}' is not under 'events'; "
                    "add it there, or say its body here"]


def test_a_default_that_is_made_of_a_variable_is_not_shown_either() -> None:
    told = warnings("""
        generators:
          shop: {publishes: "${TOPIC}"}
          till: {publishes: sales, event: "${COMMAND}"}
        consumers:
          c: {subscribes: "${TOPIC}", accepts: orderPaid}
          d: {subscribes: sales}
        """, TOPIC="secretplans", COMMAND="createSecret")
    assert told == ["sketch.yaml:6:3: nothing reaches consumer 'c': it accepts orderPaid, and '${TOPIC}' carries "
                    "the default for ${TOPIC}"]
