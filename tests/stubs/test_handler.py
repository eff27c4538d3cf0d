"""Own code as a Python function: what it returns, raises, prints and does to its process concerns its event alone."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eda_cli.errors import BrokerUnreachable, EdaError
from eda_cli.stubs.answers import CodeFailure
from eda_cli.stubs.handler import Handler
from tests.eventually import eventually
from tests.stubs.coding import answers, deliveries, delivery, numbers

Make = Callable[..., Handler]
COPIES = {"stock": {"A": {"left": 3}}}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, told: list[str]) -> Iterator[Make]:
    made: list[Handler] = []

    def one(code: str, timeout_s: float = 30.0, name: str = "mine:handle") -> Handler:
        (tmp_path / "mine.py").write_text(code)
        made.append(Handler(name, tmp_path, timeout_s, lambda: COPIES,
                            lambda kind, text: told.append(f"{kind}: {text}")))
        return made[-1]

    path, alarm = list(sys.path), signal.getsignal(signal.SIGALRM)
    yield one
    for each in made:
        outputs = each._outputs
        each.close()
        assert (sys.stdout, sys.stderr) == outputs
    assert sys.path == path
    assert "mine" not in sys.modules
    assert signal.getsignal(signal.SIGALRM) == alarm
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0.0


def event(n: str = "event['data']['n']") -> str:
    return f"{{'data': {{'n': {n}}}}}"


@pytest.mark.parametrize("code", [
    f"def handle(event): return {event()}",
    f"def handle(event): return [{event()}]",
    f"def handle(event): return ({event()},)",
    f"def handle(event): yield {event()}",
    f"async def handle(event): return {event()}",
    f"async def handle(event):\n  yield {event()}",
    f"import asyncio\nasync def handle(event):\n  await asyncio.sleep(0)\n  return [{event()}]",
    f"class Handler:\n  def __call__(self, event): return {event()}\nhandle = Handler()",
    f"def handle(event, copy): return {event()}",
    f"def handle(event, unit='kg'): return {event()}",
    f"def handle(*args): event, copy = args; return {event()}",
    f"import functools\n@functools.cache\ndef n(): return 1\nhandle = lambda event: {event()}",
], ids=range(12))
def test_a_function_of_any_kind_answers(make: Make, code: str) -> None:
    assert numbers(answers(make(code), deliveries(3))) == [0, 1, 2]


def test_it_may_answer_nothing_and_many(make: Make) -> None:
    one = make(f"def handle(event):\n  for n in range(event['data']['n']): yield {event('n')}")
    assert [answer for _, answer in answers(one, deliveries(3))] == [
        [], [{"data": {"n": 0}}], [{"data": {"n": 0}}, {"data": {"n": 1}}]]


def test_nothing_returned_is_nothing_said(make: Make) -> None:
    assert answers(make("def handle(event): pass"), deliveries(1)) == [(0, [])]


def test_it_sees_the_event_with_its_coordinates_and_the_copies(make: Make) -> None:
    one = make("def handle(event, copy): return {'data': {'n': [event, copy['stock']['A']['left']]}}")
    ((n, left),) = numbers(answers(one, [delivery(7, {"a": 1}, key="k")]))
    assert left == 3
    assert n == {"specversion": "1.0", "id": "7", "source": "/x", "type": "made", "time": "2026-11-24T09:30:00.000000Z",
                 "datacontenttype": "application/json", "partitionkey": "k", "data": {"a": 1},
                 "topic": "t", "partition": 0, "offset": 7}


@pytest.mark.parametrize(("does", "reason"), [
    ("return 'x'", "it returned str ('x'), not events: None, a dict, or several of them"),
    ("return 1", "it returned int (1), not events: None, a dict, or several of them"),
    ("return [1]", "it returned int (1) among its events: an event is a dict"),
    ("raise ValueError('no\\nstock')", "ValueError: no stock (mine.py:3)"),
    ("raise TimeoutError('the database')", "TimeoutError: the database (mine.py:3)"),
    ("import sys; sys.exit(3)", "SystemExit: 3 (mine.py:3)"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt (mine.py:3)"),
    ("raise ValueError('a\\ud800b')", "ValueError: a\\ud800b (mine.py:3)"),
    ("raise ValueError('x' * 10_000_000)", f"ValueError: {'x' * 800} (mine.py:3)"),
    ("raise type('Odd', (Exception,), {'__str__': lambda it: 1})()", "Odd: what it says cannot be told (mine.py:3)"),
    ("import json; json.loads('{')",
     "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) (mine.py:3)"),
    ("exec('def f(): f()\\nf()', globals()); f()", "RecursionError: maximum recursion depth exceeded"),
])
@pytest.mark.parametrize("how", ["def", "async def"])
def test_what_goes_wrong_fails_its_event_alone(make: Make, does: str, reason: str, how: str) -> None:
    one = make(f"{how} handle(event):\n  if event['data']['n'] == 1:\n    {does}\n  return {event()}")
    given = numbers(answers(one, deliveries(3)))
    assert given[0::2] == [0, 2]
    assert given[1].startswith(reason)


def test_a_generator_that_raises_fails_as_a_whole(make: Make) -> None:
    one = make(f"def handle(event):\n  yield {event()}\n  raise ValueError('x')")
    assert numbers(answers(one, deliveries(1))) == ["ValueError: x (mine.py:3)"]


@pytest.mark.parametrize("does", [
    "import time; time.sleep(60)",
    "while True: pass",
    "try:\n      while True: pass\n    except Exception: pass",
    "import subprocess; subprocess.run(['sleep', '60'])",
])
@pytest.mark.parametrize("how", ["def", "async def"])
def test_too_slow_is_interrupted(make: Make, does: str, how: str) -> None:
    one = make(f"{how} handle(event):\n  if event['data']['n'] == 1:\n    {does}\n  return {event()}", timeout_s=0.3)
    assert numbers(answers(one, deliveries(3))) == [0, "no answer within 0.3s", 2]


@pytest.mark.parametrize("how", [
    "async def handle(event):\n  import asyncio\n  if event['data']['n'] == 1: await asyncio.sleep(60)\n  return ",
    "async def handle(event):\n  import asyncio\n  while event['data']['n'] == 1:\n    try: await asyncio.sleep(60)\n"
    "    except asyncio.CancelledError: pass\n  return ",
    "async def handle(event):\n  import asyncio\n  if event['data']['n'] == 1: await asyncio.sleep(60)\n  yield ",
])
def test_too_slow_async_code_is_cancelled(make: Make, how: str) -> None:
    assert numbers(answers(make(how + event(), timeout_s=0.3), deliveries(3))) == [0, "no answer within 0.3s", 2]


def test_it_is_asked_whether_it_goes_on_while_it_works(make: Make) -> None:
    one = make(f"import time\ndef handle(event):\n  time.sleep(60)\n  return {event()}")
    asked = 0

    def goes_on(seconds: float) -> bool:
        nonlocal asked
        asked += 1
        return asked < 4

    assert answers(one, deliveries(3), goes_on) == []
    assert asked == 4


def test_what_keeping_on_meets_is_raised_to_whoever_asked(make: Make) -> None:
    one = make("import time\ndef handle(event):\n  try: time.sleep(60)\n  except Exception: pass")
    asked = 0

    def goes_on(seconds: float) -> bool:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise BrokerUnreachable("away")
        return True

    with pytest.raises(BrokerUnreachable):
        answers(one, deliveries(3), goes_on)


def test_behind_a_failure_later_events_of_its_key_are_left_alone(make: Make) -> None:
    one = make(f"def handle(event):\n  assert event['data']['n'] != 1, 'one'\n  return {event()}")
    given = answers(one, [delivery(number, key=key) for number, key in enumerate(["a", "b", "a", "b", None, "b", "c"])])
    assert [index for index, _ in given] == [0, 1, 2, 4, 6]
    assert given[1] == (1, CodeFailure("AssertionError: one (mine.py:2)"))


def test_its_prints_are_our_log(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    one = make("import sys\ndef handle(event):\n  print('one\\ntwo', 3); print('é', file=sys.stderr, end='')\n"
               "  sys.stdout.buffer.write(b'raw\\n')")
    answers(one, deliveries(1))
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.split(" ", 1)[1] for line in err.splitlines()] == ["one", "two 3", "éraw"]


def until(one: Handler, wanted: list[Any]) -> None:
    eventually(lambda: numbers(answers(one, deliveries(1))) == wanted, 10)


def test_it_is_loaded_anew_when_its_file_or_one_it_imports_changes(make: Make, tmp_path: Path, told: list[str]) -> None:
    (tmp_path / "other.py").write_text("N = 1")
    one = make(f"import other\ndef handle(event): return {event('other.N')}")
    until(one, [1])
    (tmp_path / "other.py").write_text("N = 2")
    until(one, [2])
    (tmp_path / "mine.py").write_text(f"import other\ndef handle(event, copy): return {event('other.N + 1')}")
    until(one, [3])
    assert told == ["loaded: handler mine:handle: loaded anew, other.py changed",
                    "loaded: handler mine:handle: loaded anew, mine.py changed"]
    assert not (tmp_path / "__pycache__").exists()


def test_what_cannot_be_loaded_any_more_stays_as_it_was_and_is_said_once(make: Make, tmp_path: Path, told: list[str]) -> None:
    one = make(f"def handle(event): return {event('1')}")
    (tmp_path / "mine.py").write_text(f"import late\n\n\ndef handle(event): return {event('late.N')}")

    def said() -> bool:
        assert numbers(answers(one, deliveries(1))) == [1]
        return bool(told)

    eventually(said, 10)
    until_looked_twice = time.monotonic() + 0.8
    while time.monotonic() < until_looked_twice:
        assert numbers(answers(one, deliveries(1))) == [1]
    assert told == ["warning: handler mine:handle: the changed code cannot be loaded, the old one goes on: "
                    "ModuleNotFoundError: No module named 'late' (mine.py:1)"]
    (tmp_path / "late.py").write_text("N = 2")
    until(one, [2])


@pytest.mark.parametrize(("code", "name", "why"), [
    ("x = (", "mine:handle", "SyntaxError: '(' was never closed (mine.py:1)"),
    ("\nimport nowhere_at_all", "mine:handle", "ModuleNotFoundError: No module named 'nowhere_at_all' (mine.py:2)"),
    ("import sys\nsys.exit(1)", "mine:handle", "SystemExit: 1 (mine.py:2)"),
    ("def handel(event): pass", "mine:handle", "mine.py has no function handle"),
    ("", "yours:handle", "No module named 'yours'"),
])
def test_what_cannot_be_loaded_at_all_is_said_at_once(make: Make, code: str, name: str, why: str) -> None:
    with pytest.raises(EdaError, match=f"the handler {name} cannot be loaded") as wrong:
        make(code, name=name)
    assert why in wrong.value.why
    sys.modules.pop("mine", None)


def test_the_example_issues_invoices(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "sketches" / "own_code"
    one = Handler("invoicing:handle", folder, 5.0, dict, print)
    try:
        given = answers(one, [delivery(1, {"id": "p-1", "user": "ann", "total": 7.5})])
    finally:
        one.close()
    assert given == [(0, [{"data": {"purchase": "p-1", "user": "ann", "total": 7.5}}])]


def test_it_is_what_the_process_was_at_when_it_was_killed(tmp_path: Path) -> None:
    """With the mark of what is in progress, an event that ends the interpreter is known to the next process."""
    from eda_cli.stubs.attempts import InProgress

    (tmp_path / "mine.py").write_text("import os\ndef handle(event):\n  if event['data']['n'] == 2: os._exit(9)")
    pid = os.fork()
    if pid == 0:
        mark = InProgress(tmp_path / "bill.1.attempt")
        code = Handler("mine:handle", tmp_path, 5.0, dict, print)
        for each in deliveries(4):
            mark.begin([each.identity])
            answers(code, [each])
            mark.end()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert InProgress(tmp_path / "bill.1.attempt").left() == ["/x/2"]


def test_a_body_that_is_no_json_is_handed_over_as_bytes(make: Make) -> None:
    """Its code decides: who takes it for JSON fails like any other reader."""
    spoiled = deliveries(2)
    for each in spoiled:
        each.event.data = b'{"n":'
    code = make("def handle(event): return " + event("event['data_base64'] if event['id'] == '0' else event['data']['n']"))
    decided, failed = numbers(answers(code, spoiled))
    assert decided == "eyJuIjo="
    assert "KeyError: 'data'" in failed
