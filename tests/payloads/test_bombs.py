"""A hostile sketch neither hangs nor fills the memory: every bomb ends in a clean error, or in little, and fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eda_cli.payloads import Context, Dice, InvalidValue, PayloadError, Seen, compile_value
from tests.payloads.bombs import BOMBS
from tests.payloads.making import failure, problem

SLOWEST = 5.0  # seconds of a processor that is shared; alone, all of them stay under half a second
HEAVIEST = 512 << 20
LONGEST_OUTCOME = 8_000_000


pytestmark = pytest.mark.timeout(240)  # whoever comes first sets off all


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, object]]:
    """What became of each bomb, set off in a process of its own with a limit of memory."""
    ended = subprocess.run([sys.executable, "-m", "tests.payloads.bombs"], capture_output=True, text=True, timeout=200,
                           cwd=Path(__file__).parents[2])
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, f"{lines[-1:]} {ended.stderr}"
    assert lines.pop() == {"done": len(BOMBS)}
    return {bomb["bomb"]: outcome for bomb, outcome in zip(lines[::2], lines[1::2], strict=True)}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_goes_off(outcomes, bomb):
    outcome = outcomes[bomb]
    assert outcome["seconds"] < SLOWEST
    assert outcome["peak"] < HEAVIEST
    assert outcome["outcome"] == "clean" or int(outcome["outcome"].split()[0]) < LONGEST_OUTCOME


def test_the_budget_is_that_of_the_whole_value():
    """A template that is cheap once is not when a list makes it ten thousand times."""
    raw = {"$list": "{{ body.text ~ body.text }}", "size": 10_000}
    value = compile_value(raw, "rule")
    with pytest.raises(PayloadError, match="too large or takes too long"):
        value(Context(random=Dice(1), now=0.0, seen=Seen(body={"text": "x" * 10_000})))


def test_the_event_is_not_copied_endlessly():
    seen = Seen(body={"text": "x" * 500_000})
    assert "too large" in failure({"$list": "$", "size": 10_000}, seen)
    assert "too large" in failure(["$"] * 10_000, seen)
    assert "too large" in failure({"$pick": [{"$list": ["$.text"], "size": 1_000}]}, seen)


@pytest.mark.parametrize(("raw", "said"), [
    ({"$list": {"$list": "uuid()", "size": 10_000}, "size": 10_000}, "$lists inside each other make 100,000,000 items"),
    ({"$list": {"$pick": [{"$list": "x", "size": 10_000}]}, "size": 11}, "make 110,000 items: at most 100,000"),
    ({"$list": "x" * 10_000, "size": 10_000}, "the value is too large: it can grow to 100 MB"),
    (["x" * 900_000] * 12, "the value is too large"),
    (["uuid()"] * 20_001, "the value has too many parts: at most 20,000 are made"),
    ({"$literal": [1] * 20_001}, "the value has too many parts"),
    (["$bad"] * 30_000, None),
    ({"$pick": ["uuid()"] * 1_001}, "$pick has no options: it takes a list of 1 to 1,000 values"),
    (["{{ body.a" + str(number) + " }}" for number in range(1_001)], "the value has too many templates"),
])
def test_a_value_has_bounds(raw, said):
    if said is None:
        with pytest.raises(InvalidValue) as caught:
            compile_value(raw, "rule")
        assert len(caught.value.problems) <= 20_000
    else:
        assert said in problem(raw)


def nested(depth, inside, wrap):
    for _ in range(depth):
        inside = wrap(inside)
    return inside


@pytest.mark.parametrize("wrap", [lambda one: {"a": one}, lambda one: [one]])
def test_nesting_is_bounded(wrap):
    deepest = nested(100, "uuid()", wrap)
    compile_value(deepest, "generator")(Context(random=Dice(1), now=0.0))
    compile_value({"$literal": deepest}, "generator")(Context(random=Dice(1), now=0.0))
    assert "nested too deeply: at most 100 levels" in problem(wrap(deepest))
    assert "nested too deeply: at most 100 levels" in problem({"$literal": wrap(deepest)})


def test_long_forms_nest_too():
    eight = nested(8, "uuid()", lambda one: {"$list": one, "size": 1})
    compile_value(eight, "generator")(Context(random=Dice(1), now=0.0))
    assert "too many $lists stand inside each other: at most 8 do" in problem({"$list": eight, "size": 1})
    picks = nested(45, eight, lambda one: {"$pick": [one, {"a": 1}]})
    compile_value(picks, "generator")(Context(random=Dice(1), now=0.0))


@pytest.mark.parametrize("text", [
    "pick(" + "'," * 300_000 + ")", "pick(" + '"a",' * 300_000 + ")", "9" * 500_000 + ".." + "9" * 500_000, "1" * 900_000,
    "1." + "1" * 900_000, "$." + "a." * 400_000 + "a", "$" + "a" * 900_000, "pick" + "(" * 900_000,
    "f(" * 400_000 + ")" * 400_000, "chance(" + "9" * 900_000 + "%)", "now(" + "-" * 900_000 + "1h)", "." * 900_000,
    "a" * 900_000 + "(1)", "_." * 400_000 + "(1)", "{{" * 400_000, "pick('" + "\\" * 900_000 + "')",
    "2026-01-01T00:00:00." + "1" * 900_000 + "..1", "pick(" + " " * 900_000 + ")", "zipf(" + "1" * 900_000 + ")"])
def test_a_long_text_is_read_in_one_go(text):
    """Each took under 0.1 s; a pattern that goes back and forth would take minutes, and the time limit ends it."""
    try:
        compile_value(text, "rule")
    except InvalidValue as refused:
        assert len(str(refused)) < 1_000
