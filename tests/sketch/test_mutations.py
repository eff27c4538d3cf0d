"""Good sketches with something changed at random: a sketch or a clean error comes of it, never anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eda_cli.errors import UsageError
from eda_cli.sketch.check import demands
from eda_cli.sketch.graph import mermaid
from eda_cli.sketch.load import Loaded, load_text
from eda_cli.sketch.render import config
from eda_cli.sketch.starter import examples, starter
from eda_cli.technologies import TECHNOLOGIES

RICH = (Path(__file__).parent / "rich.yaml").read_text()
GOOD = [*(example.sketch for example in examples().values()), starter(), RICH]
TOKENS = [
    "{", "}", "[", "]", "(", ")", ",", ":", ": ", "- ", "#", " #", "&a ", "*a", "<<: *a", "!!str ", "!x ", "|", ">", "@",
    "`", "%", "'", '"', "\\", "\t", "\n", "\r", "\u2028", "\ufeff", "\x85", "---\n", "...\n", "? ", "~", "null", "true", ".inf",
    ".nan", "0o17", "0xff", "010", "1e999", "9" * 30, "-1", "1.5", "${A}", "${A:-1}", "${", "$${A}", "$", "$.a.b",
    "$key", "{{ body.a }}", "{{", "}}", "{% if %}", "{{ 'a' * 3*10**9 }}", "uuid()", "seq()", "pick(A, B)", "pick(",
    "zipf(1)", "chance(200%)", "now(x)", "1..5", "5..1", "2026-01-01..2025-01-01", "x-", "x-a: 1\n", "$list", "$pick: ",
    "{$list: 1, size: 2}", "{$literal: 1}", "fails: 2%\n", "retries: 3\n", "keeps: ", "joins: ", "window: ", "{every: 1m}",
    "{gap: 5m}", "each: $.items", "unless: ", "share: 95%", "handler: a.b:c\n", "run: ", "$item",
    "$joined", "$window.key", "count()", "sum($.x)",
    "{{ copy.orders[key] }}", "{{ was.orders[key] }}", "$states", "name", "broker: kafka\n", "kafka: {port: 0}", "topics:\n",
    "generators:\n", "consumers:\n", "publishes: ", "subscribes: ", "rate: ", "5/s", "max", "20ms", "1d..2d", "café",
    "\U0001f600", "\ud7ff", "a" * 300, " " * 40, "[" * 120, "{a: " * 120, "from: earliest\n", "external: true\n",
]
KINDS = ["delete line", "double line", "swap lines", "indent", "insert", "replace", "cut", "colon", "change char"]
edit = st.tuples(st.sampled_from(KINDS), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True),
                 st.sampled_from(TOKENS) | st.text(max_size=12))


def mutated(text: str, edits: list[tuple[str, float, float, str]]) -> str:
    for kind, where, other, token in edits:
        lines = text.split("\n")
        line, second = int(where * len(lines)), int(other * len(lines))
        at, end = int(where * len(text)), min(len(text), int(where * len(text)) + int(other * 20))
        if kind == "delete line":
            del lines[line]
        elif kind == "double line":
            lines.insert(second, lines[line])
        elif kind == "swap lines":
            lines[line], lines[second] = lines[second], lines[line]
        elif kind == "indent":
            lines[line] = " " * int(other * 9) + lines[line].lstrip()
        elif kind == "colon":
            key, colon, _ = lines[line].partition(":")
            lines[line] = f"{key}{colon} {token}"
        if kind in ("delete line", "double line", "swap lines", "indent", "colon"):
            text = "\n".join(lines)
        elif kind == "insert":
            text = text[:at] + token + text[at:]
        elif kind == "replace":
            text = text[:at] + token + text[end:]
        elif kind == "cut":
            text = text[:at] + text[end:]
        elif kind == "change char":
            text = text[:at] + token[:1] + text[at + 1:]
    return text


def use(loaded: Loaded) -> None:
    """What every command does with a sketch that is well."""
    assert load_text(config(loaded), "mutated.yaml", {"A": "a"}).resolved == loaded.resolved
    assert loaded.resolved.from_json(loaded.resolved.to_json()) == loaded.resolved
    assert mermaid(loaded.resolved).startswith("flowchart LR\n")
    for kind in TECHNOLOGIES:
        demands(loaded.resolved, kind, loaded.places)


@pytest.mark.timeout(240)
@settings(max_examples=2500, deadline=None, derandomize=True, database=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.sampled_from(GOOD), st.lists(edit, min_size=1, max_size=4))
def test_a_changed_sketch_loads_or_is_refused(text: str, edits: list[tuple[str, float, float, str]]) -> None:
    text = mutated(text, edits)
    try:
        loaded = load_text(text, "mutated.yaml", {"A": "a"})
    except UsageError as error:
        assert str(error)
        for problem in getattr(error, "problems", ()):
            assert "\n" not in problem.text("mutated.yaml")
            assert problem.what and "pydantic" not in problem.text("")
            assert "xxx" not in problem.text("")  # a placeholder, which is not in the file
            assert 0 <= problem.line <= text.count("\n") + text.count("\r") + text.count("\u2028") + text.count("\x85") + 1
    else:
        use(loaded)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(TOKENS), max_size=12).map("".join))
def test_any_text_is_refused_or_loads(text: str) -> None:
    try:
        use(load_text(text, "mutated.yaml", {"A": "a"}))
    except UsageError as error:
        assert str(error)
