"""Own code as a program: whatever it says or does, each event has its answer, and nothing is left of it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from eda_cli import lock, programs
from eda_cli.errors import EdaError
from eda_cli.stubs.answers import Answer, CodeFailure, read_answer
from eda_cli.stubs.program import Program, environment
from tests.eventually import eventually
from tests.stubs.coding import ECHO, always, answers, deliveries, delivery, numbers, program, python

Make = Callable[..., Program]
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    print("[]")
while True:
    time.sleep(1)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Program] = []

    def one(code: str, timeout_s: float = 30.0, **environ: str) -> Program:
        made.append(python(tmp_path, code, timeout_s, environ))
        return made[-1]

    yield one
    for each in made:
        each.close()


def group(folder: Path) -> int | None:
    """The process group of the program that runs."""
    return lock.holder(folder / "bill.1.program.flock")


def gone(pid: int) -> bool:
    """Whether no process of this group is left (one that nobody reaps is)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == pid and state != "Z":
                return False
    return True


def test_each_event_is_answered_in_order(make: Make) -> None:
    given = answers(make(ECHO), deliveries(1000))
    assert [index for index, _ in given] == list(range(1000))
    assert numbers(given) == list(range(1000))


def test_a_program_sees_the_event_as_tail_shows_it(make: Make) -> None:
    one = make('import sys, json\nfor line in sys.stdin:\n    print(json.dumps([{"data": {"n": json.loads(line)}}]))')
    ((_, answer),) = answers(one, [delivery(7, {"a": "ä"}, key="k", correlationid="c")])
    assert not isinstance(answer, CodeFailure)
    assert answer[0]["data"]["n"] == {
        "specversion": "1.0", "id": "7", "source": "/x", "type": "made", "time": "2026-11-24T09:30:00.000000Z",
        "datacontenttype": "application/json", "partitionkey": "k", "correlationid": "c", "data": {"a": "ä"},
        "topic": "t", "partition": 0, "offset": 7}


@pytest.mark.parametrize(("said", "reason"), [
    ("print('oops')", "its answer is no JSON: oops"),
    ("print('')", "its answer is no JSON: an empty line"),
    ("print('{}')", "its answer is no JSON array of events: {}"),
    ("print('[1]')", "its answer holds something that is no JSON object: [1]"),
    ("print(chr(27) + '[31m' + 'x' * 500)", "its answer is no JSON: \\x1b[31m" + "x" * 71 + "…"),
    ("sys.stdout.buffer.write(bytes([91, 34, 255, 34, 93, 10])); sys.stdout.flush()", 'its answer is no JSON: ["\\xff"]'),
    ("sys.stdout.write('[' + ' ' * (17 << 20) + ']' + chr(10))", "its answer is longer than 16 MB"),
])
def test_a_wrong_answer_fails_its_event_alone(make: Make, said: str, reason: str) -> None:
    one = make(f"import sys\nfor line in sys.stdin:\n  if '\"n\":1}}' in line:\n    {said}\n"
               "  else:\n    print('[{\"data\": {\"n\": 0}}]')")
    assert numbers(answers(one, deliveries(4))) == [0, reason, 0, 0]


def test_big_events_go_both_ways(make: Make) -> None:
    one = make("import json, sys\nfor line in sys.stdin:\n"
               "  data = json.loads(line)['data']; print(json.dumps([{'data': {'n': data['n'], 'pad': data['pad'] * 4}}]))")
    big = [delivery(number, {"n": number, "pad": "x" * 900_000}) for number in range(12)]
    given = answers(one, big)
    assert numbers(given) == list(range(12))
    assert all(not isinstance(answer, CodeFailure) and len(answer[0]["data"]["pad"]) == 3_600_000 for _, answer in given)


def test_a_line_nobody_asked_for_is_told_and_nothing_more(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    one = make("import sys\nprint('hello')\n" + ECHO)
    time_out = time.monotonic() + 10
    said = ""
    while "nothing was asked for: hello" not in said and time.monotonic() < time_out:
        assert answers(one, []) == []
        said += capfd.readouterr().err
    assert "warning: the program said a line that nothing was asked for: hello" in said
    assert numbers(answers(one, deliveries(3))) == [0, 1, 2]


def test_one_that_never_stops_talking_fails_its_events_and_fills_no_log(
        make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    one = make("while True: print('y\\n' * 9999 + 'y')")
    given: list[tuple[int, Answer]] = []
    for _ in range(5):  # it talks already, and is asked again
        asking = threading.Thread(target=lambda: given.extend(answers(one, deliveries(3))), daemon=True)
        asking.start()
        asking.join(20)
        assert not asking.is_alive()
    assert numbers(given) == ["its answer is no JSON: y"] * 15
    assert len(capfd.readouterr().err.splitlines()) <= 10


def test_its_stderr_is_our_log(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    one = make("import sys\nfor line in sys.stdin:\n  print('one\\ntwo', file=sys.stderr); print('[]')")
    answers(one, deliveries(1))
    said: list[str] = []

    def told() -> bool:
        said.extend(capfd.readouterr().err.splitlines())
        return len(said) >= 2

    eventually(told, 10)
    assert [line.split(" ", 1)[1] for line in said] == ["one", "two"]
    assert all(line.startswith("20") and line.split(" ")[0].endswith("Z") for line in said)


def test_a_death_fails_the_event_it_was_at_and_says_why(make: Make) -> None:
    code = ECHO.replace("    print", "    if event['data']['n'] == 3: sys.exit('no stock')\n    print")
    given = answers(make(code), deliveries(200))
    assert numbers(given)[3] == "it ended with exit status 1: no stock; it had not answered"
    assert given[3][1] == CodeFailure("it ended with exit status 1: no stock; it had not answered", died=True)
    assert [n for index, n in enumerate(numbers(given)) if index != 3] == [n for n in range(200) if n != 3]


def test_a_program_that_is_killed_over_and_over_answers_every_event(make: Make, tmp_path: Path) -> None:
    one, done = make(ECHO), threading.Event()
    kills = 0

    def kill() -> None:
        nonlocal kills
        while not done.wait(0.05):
            if pid := group(tmp_path):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        left, tries = deliveries(10_000), 0
        while (left or kills < 3) and tries < 200:
            left = left or deliveries(10_000)  # a quick machine was done before it was killed again
            tries += 1
            given = answers(one, left, lambda seconds: done.wait(seconds) or True)
            assert [index for index, _ in given] == list(range(len(left)))
            failed = [answer for _, answer in given if isinstance(answer, CodeFailure)]
            assert all(answer.died for answer in failed)
            assert all(isinstance(answer, CodeFailure) or answer[0]["data"] == {"n": left[index].offset}
                       for index, answer in given)
            left = [left[index] for index, answer in given if isinstance(answer, CodeFailure)]
    finally:
        done.set()
        killer.join()
    assert not left
    assert kills >= 3


def test_a_program_that_died_idle_is_started_again_without_a_failure(make: Make, tmp_path: Path) -> None:
    one = make(ECHO)
    assert numbers(answers(one, deliveries(1))) == [0]
    first = group(tmp_path)
    assert first
    os.kill(first, signal.SIGKILL)
    stat = Path(f"/proc/{first}/stat")
    eventually(lambda: group(tmp_path) is None and stat.read_text().rpartition(")")[2].split()[0] == "Z", 10)  # all of it ended
    assert numbers(answers(one, deliveries(2))) == [0, 1]
    assert group(tmp_path) not in (None, first)


def test_one_that_keeps_dying_is_started_at_longer_and_longer_intervals(make: Make) -> None:
    pauses: list[float] = []

    def goes_on(seconds: float) -> bool:
        if seconds:
            pauses.append(seconds)
            time.sleep(seconds)
        return len(pauses) < 8

    given = answers(make("import sys\nsys.stdin.readline()\nsys.exit(3)"), deliveries(100), goes_on)
    assert {answer.reason for _, answer in given if isinstance(answer, CodeFailure)} == {
        "it ended with exit status 3; it had not answered"}
    assert 3 <= len(given) <= 5
    assert len(pauses) == 8


def test_too_slow_is_a_failure_and_the_rest_is_answered(make: Make, tmp_path: Path) -> None:
    code = ECHO.replace("    print", "    if event['data']['n'] == 1: __import__('time').sleep(60)\n    print")
    one = make(code, timeout_s=2.0)
    assert numbers(answers(one, deliveries(2))) == [0, "no answer within 2s"]
    assert numbers(answers(one, [delivery(2)])) == [2]


def test_the_time_counts_from_when_an_event_is_the_first_in_line(make: Make) -> None:
    code = ECHO.replace("    print", "    __import__('time').sleep(0.3)\n    print")
    assert numbers(answers(make(code, timeout_s=2.0), deliveries(10))) == list(range(10))


def test_time_in_which_its_answers_were_not_taken_does_not_count(make: Make) -> None:
    one = make(ECHO, timeout_s=1.0)
    taken: list[tuple[int, Answer]] = []
    for each in one.handle(deliveries(500), always):
        taken.append(each)
        if each[0] == 100:
            time.sleep(1.5)
    assert numbers(taken) == list(range(500))


def test_behind_a_failure_later_events_of_its_key_are_left_alone(make: Make) -> None:
    seen = make("import json, sys\nfor line in sys.stdin:\n  n = json.loads(line)['data']['n']; print(n, file=sys.stderr)\n"
                "  print('bad' if n == 1 else json.dumps([{'data': {'n': n}}]))")
    keys = ["a", "b", "a", "b", None, "b", "c"]
    given = answers(seen, [delivery(number, key=key) for number, key in enumerate(keys)])
    assert [index for index, _ in given] == [0, 1, 2, 4, 6]
    assert numbers(given) == [0, "its answer is no JSON: bad", 2, 4, 6]


def test_two_of_one_key_are_never_on_their_way_together(make: Make) -> None:
    code = ("import json, os, select, sys\nwhile True:\n  line = b''\n  while not line.endswith(b'\\n'):\n"
            "    one = os.read(0, 1)\n    if not one: sys.exit()\n    line += one\n"
            "  more = select.select([0], [], [], 0.05)[0]\n  print(json.dumps([{'data': {'n': len(more)}}]))")
    assert numbers(answers(make(code), [delivery(number, key="k") for number in range(4)])) == [0, 0, 0, 0]
    assert numbers(answers(make(code), [delivery(number) for number in range(4)])) == [1, 1, 1, 0]


def test_it_ends_at_once_where_it_does_not_go_on(make: Make) -> None:
    one = make(ECHO.replace("    print", "    if event['data']['n'] == 3: __import__('time').sleep(1.5)\n    print"))
    asked = 0

    def goes_on(seconds: float) -> bool:
        nonlocal asked
        asked += 1
        return asked < 3

    given = answers(one, deliveries(10), goes_on)
    assert len(given) < 4
    assert numbers(answers(one, [delivery(90), delivery(91)])) == [90, 91], "an old answer is taken for a new one"


def test_who_stops_iterating_gets_no_old_answers(make: Make) -> None:
    one = make(ECHO)
    for index, _ in one.handle(deliveries(50), always):
        if index == 5:
            break
    assert numbers(answers(one, [delivery(70), delivery(71)])) == [70, 71]


@pytest.mark.parametrize(("command", "what"), [
    (["./missing.sh"], "no such file"), (["no-such-command-anywhere"], "no such command"), (["./plain.txt"], "not executable"),
])
def test_what_cannot_be_started_is_said_at_once(tmp_path: Path, command: list[str], what: str) -> None:
    (tmp_path / "plain.txt").write_text("x")
    with pytest.raises(EdaError, match="cannot be started") as wrong:
        program(tmp_path, command)
    assert what in wrong.value.why
    assert wrong.value.hint or what == "no such file"


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(EdaError, match="cannot be started"):
        Program(["sh", "x.sh"], tmp_path / "gone", os.environ, tmp_path, "bill.1", 30.0)


def test_its_environment_names_the_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(orjson.dumps({"name": "shop"}))
    (tmp_path / "channel.json").write_bytes(orjson.dumps({"channel": "kafka", "at": "127.0.0.1:9092"}))
    given = environment(tmp_path, "bill", 2)
    assert {name: given[name] for name in ("EDA_RUN", "EDA_PART", "EDA_REPLICA", "EDA_HOME", "KAFKA_BOOTSTRAP_SERVERS")} == {
        "EDA_RUN": "shop", "EDA_PART": "bill", "EDA_REPLICA": "2", "EDA_HOME": str(tmp_path.parent),
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}


def test_closing_ends_a_stubborn_program_and_its_children(make: Make, tmp_path: Path) -> None:
    one = make("import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n" + STUBBORN)
    answers(one, deliveries(1))
    pid = group(tmp_path)
    assert pid
    began = time.monotonic()
    one.close()
    assert time.monotonic() - began < 10
    assert gone(pid)
    assert group(tmp_path) is None


def test_closing_lets_a_program_end_in_order(make: Make, tmp_path: Path) -> None:
    one = make(ECHO + "open('ended', 'w').close()\n")
    answers(one, deliveries(1))
    one.close()
    assert (tmp_path / "ended").exists()


def test_what_a_killed_stub_left_is_ended_by_whoever_looks(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:  # the stub
        lock.take(tmp_path / "bill.1.lock")
        answers(python(tmp_path, STUBBORN), deliveries(1))
        (tmp_path / "up").touch()
        time.sleep(60)
    eventually(lambda: (tmp_path / "up").exists(), 20)
    left = group(tmp_path)
    assert left
    assert not programs.end_left(tmp_path), "its stub is alive"
    assert programs.running(tmp_path)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not gone(left), "it would have ended by itself, and this shows nothing"
    assert programs.end_left(tmp_path)
    eventually(lambda: not programs.running(tmp_path) and gone(left), 10)
    assert not programs.end_left(tmp_path)


def test_the_next_stub_of_its_name_ends_what_the_last_one_left(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        answers(python(tmp_path, STUBBORN), deliveries(1))
        (tmp_path / "up").touch()
        time.sleep(60)
    eventually(lambda: (tmp_path / "up").exists(), 20)
    left = group(tmp_path)
    assert left
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    one = python(tmp_path, ECHO)
    try:
        assert numbers(answers(one, deliveries(2))) == [0, 1]
        assert gone(left)
    finally:
        one.close()


def test_an_answer_is_a_list_of_objects() -> None:
    assert read_answer(b'[{"data": 1}]') == [{"data": 1}]
    assert read_answer(b"[]") == []
    assert isinstance(read_answer(b"null"), CodeFailure)


OWN_CODE = Path(__file__).parents[2] / "sketches" / "own_code"


@pytest.mark.parametrize("command", [["node", "invoicing.js"], ["sh", "invoicing.sh"]], ids=lambda command: command[0])
def test_the_examples_issue_invoices(tmp_path: Path, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.fail(f"no {command[0]}") if os.environ.get("CI") else pytest.skip(f"no {command[0]} on this machine")
    one = Program(command, OWN_CODE, os.environ, tmp_path, "bill.1", 30.0)
    try:
        purchase = {"id": "p-1", "user": "ann", "total": 7.5}
        given = answers(one, [delivery(number, purchase) for number in range(100)])
    finally:
        one.close()
    assert given == [(index, [{"data": {"purchase": "p-1", "user": "ann", "total": 7.5}}]) for index in range(100)]
