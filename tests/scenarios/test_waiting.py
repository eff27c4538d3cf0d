"""While a run starts it says what it waits for, with the last log line of a broker that takes its time."""

from __future__ import annotations

import json
import os
import pty
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.scenarios.harness import READY_S, Eda
from tests.scenarios.test_life import SMALL, write

STEP_S = 4
BOOT = rf"for step in 1 2 3; do printf 'boot step %d \033[31mof 3\033[0m\n' $step; sleep {STEP_S}; done; "
TOO_LONG_S = 25


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "small.yaml", SMALL)


@pytest.fixture
def boot() -> str:
    return f"{BOOT}exec "


@pytest.fixture
def slow(eda: Eda, boot: str) -> Iterator[Eda]:
    """Its broker says three things, with colours, before it starts."""
    kafka, image = eda.environ["EDA_KAFKA_IMAGE"], f"eda-test/slow:{secrets.token_hex(4)}"
    config = json.loads(docker("inspect", kafka))[0]["Config"]
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    container = docker("create", kafka, "true")
    try:
        docker("commit", "--change", "ENTRYPOINT []", "--change",
               f"CMD {json.dumps(['bash', '-c', boot + ' '.join(command)])}", container, image)
        eda.environ = {**eda.environ, "EDA_KAFKA_IMAGE": image}
        yield eda
        eda.end()
        docker("rmi", "-f", image)
    finally:
        docker("rm", "-v", container)


kafka_alone = pytest.mark.parametrize("eda", ["kafka"], indirect=True)


@pytest.mark.broker
@kafka_alone
def test_in_a_pipe_a_slow_start_is_a_few_lines_with_what_the_broker_logs(slow: Eda, small: Path) -> None:
    told = slow("up", str(small), "-d", "--broker", "kafka", "--wait-timeout", str(READY_S)).stderr
    lines = [line for line in told.splitlines() if f"waiting for {slow.environ['EDA_KAFKA_IMAGE']} to answer on port" in line]
    assert any(re.search(r"· boot step \d \\x1b\[31mof 3\\x1b\[0m", line) for line in lines), told
    assert "\x1b" not in told
    assert len(lines) <= READY_S / 5, "it floods the pipe"
    journal = slow.lines("logs", "--json", "--run", "small")
    kept = [seen["log"] for seen in journal if seen["kind"] == "starting" and "log" in seen]
    assert "\x1b[31mof 3" in kept[0], "the journal has it as it was"


@pytest.mark.broker
@kafka_alone
def test_on_a_terminal_the_line_counts_and_shows_what_the_broker_logs(slow: Eda, small: Path) -> None:
    told = on_a_terminal(slow, "up", str(small), "-d", "--broker", "kafka", "--wait-timeout", str(READY_S))
    assert re.search(r"(reading|reaching|starting) [^…]*…", told[:250]), "what is seen first is not what is waited for"
    assert re.search(r"to answer on port \d+ … \d+ s\s+boot step \d \\x1b\[31mof 3\\x1b\[0m", told), told
    assert "small on Apache Kafka" in told or "small on kafka" in told


@pytest.mark.broker
@kafka_alone
@pytest.mark.parametrize("boot", [BOOT + f"sleep {10 * TOO_LONG_S}; "])
def test_a_start_that_takes_too_long_says_what_the_broker_said_last(slow: Eda, small: Path) -> None:
    told = slow("up", str(small), "-d", "--broker", "kafka", "--wait-timeout", str(TOO_LONG_S), code=5).stderr
    assert f"was not ready in {TOO_LONG_S} s" in told
    assert re.search(r"waiting for \S+ to answer on port \d+; the broker's last words: boot step", told), told


def test_on_a_terminal_each_step_of_a_start_is_named(embedded: Eda, small: Path) -> None:
    told = on_a_terminal(embedded, "up", str(small), "-d", "--broker", "embedded")
    assert "starting small …" in told
    assert "stopping small …" in on_a_terminal(embedded, "down")


def test_up_says_that_it_waits_for_a_run_that_is_ending(embedded: Eda, small: Path) -> None:
    from tests.eventually import eventually
    from tests.scenarios.test_ends import hang

    embedded.up(small)
    hang(embedded, "billing.1")
    down = embedded.start("down", "--keep")
    eventually(embedded.run("small").ending, 5)
    told = embedded("up", str(small), "-d", "--broker", "embedded").stderr
    assert "waiting for the run small that is about to end …" in told
    assert "stopping small …" in down.communicate(timeout=20)[1]


def on_a_terminal(eda: Eda, *args: str) -> str:
    """What a command shows on a wide terminal."""
    near, far = pty.openpty()
    child = subprocess.Popen([sys.executable, "-m", "eda_cli", *args], stdin=far, stdout=far, stderr=far,
                             env={**eda.environ, "TERM": "xterm", "COLUMNS": "250"})
    os.close(far)
    shown = b""
    with suppress(OSError):  # the terminal is gone with the command
        while data := os.read(near, 65536):
            shown += data
    os.close(near)
    assert child.wait(10) == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
