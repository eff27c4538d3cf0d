"""The keeper of a broker, as real processes on a real engine: adopt, watch, bring back, and every kind of end."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from eda_cli import lock
from eda_cli.channels import connect, kafka_broker
from eda_cli.channels.base import Topic
from eda_cli.channels.containers import Engine
from eda_cli.errors import ChannelError
from eda_cli.journal import Observation, last_observations
from tests.channels.acts import events, publish, stored
from tests.channels.brokers import image_of, need_image
from tests.channels.test_containers import none_is_left, ownerless, volumes, volumes_of
from tests.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

READY_S = 120.0
GONE_S = 5.0  # after the leash is lost


class Keeper:
    """One keeper process, and this end of its leash."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        fd = lock.take(folder / "keeper.lock", patience_s=5.0)
        assert fd is not None, "another keeper is still alive"
        self._leash, theirs = socket.socketpair()
        with (folder / "keeper.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "eda_cli.channels", "keep", str(folder), str(fd)], stdin=theirs.fileno(),
                stdout=log, stderr=log, pass_fds=(fd,), start_new_session=True, env={**os.environ, **environ})
        theirs.close()
        os.close(fd)
        self.pid = self._process.pid

    def report(self) -> dict[str, Any]:
        """What it tells its supervisor next."""
        assert select.select([self._leash], [], [], READY_S)[0], "it reports nothing"
        line: dict[str, Any] = json.loads(self._leash.recv(65536))
        return line

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def let_go(self) -> None:
        """As if the supervisor had been killed."""
        self._leash.close()

    def wait(self, seconds: float = 30) -> int:
        return self._process.wait(seconds)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._leash.close()


class Run:
    """A run's folder, its keepers, and what is really there."""

    def __init__(self, folder: Path, engine: Engine, **broker: Any) -> None:
        self.folder, self.engine, self.id = folder, engine, secrets.token_hex(8)
        folder.joinpath("run.json").write_text(json.dumps(
            {"id": self.id, "name": "keeptest", "broker": {"kind": "kafka", "image": need_image(engine, "kafka"), "port": None,
                                                          **broker}}))
        self._keepers: list[Keeper] = []

    def keeper(self, **environ: str) -> Keeper:
        self._keepers.append(Keeper(self.folder, environ))
        return self._keepers[-1]

    def ready(self) -> Keeper:
        keeper = self.keeper()
        assert keeper.report() == {"report": "ready", "process": "keeper"}
        return keeper

    def told(self, kind: str) -> list[Observation]:
        return [seen for seen in last_observations(self.folder / "keeper.jsonl") if seen.kind == kind]

    def address(self) -> dict[str, Any]:
        address: dict[str, Any] = json.loads(self.folder.joinpath("channel.json").read_bytes())
        return address

    def container(self) -> dict[str, Any]:
        (found,) = self.engine.list_labelled(self.id)["containers"]
        return found

    def left(self) -> list[str]:
        return [what for what, found in self.engine.list_labelled(self.id).items() if found]

    def store(self, topic: str) -> None:
        channel = connect(self.address())
        channel.declare([Topic(topic, 1)], [])
        publish(channel, topic, events(10))
        channel.close()

    def holds(self, topic: str) -> bool:
        channel = connect(self.address())
        try:
            return len(stored(channel, topic)) == 10
        except ChannelError:
            return False
        finally:
            channel.close()

    def close(self) -> None:
        for keeper in self._keepers:
            keeper.close()
        self.engine.sweep(self.id, volumes=True)


@pytest.fixture
def run(tmp_path: Path, engine: Engine) -> Iterator[Run]:
    one = Run(tmp_path, engine)
    yield one
    one.close()


def docker(command: str, container: str, *options: str) -> None:
    subprocess.run(["docker", command, *options, container], check=True, capture_output=True)


def test_it_tells_what_it_does_and_where_the_broker_is(run: Run) -> None:
    keeper = run.ready()
    address = run.address()
    port = int(address["at"].removeprefix("127.0.0.1:"))
    assert kafka_broker.answers(port)
    name = f"eda-keeptest-{run.id[:8]}"
    assert address | {"version": "4"} == {
        "channel": "kafka", "at": f"127.0.0.1:{port}", "internal": f"{name}:19092", "ours": True,
        "run": "keeptest", "network": name, "version": "4"}
    assert address["version"].startswith("Apache Kafka 4.")
    assert run.folder.joinpath("channel.json").stat().st_mode & 0o777 == 0o600
    assert lock.holder(run.folder / "keeper.lock") == keeper.pid
    assert [seen.part for seen in run.told("starting") if "log" not in seen.fields] == ["keeper"] * 3
    assert all(seen.fields["text"] for seen in run.told("starting"))
    (ready,) = run.told("ready")
    assert ready.fields == {"address": f"127.0.0.1:{port}", "version": address["version"], "image": image_of("kafka"),
                            "port": port, "container": name}
    assert (run.container()["name"], run.container()["state"], run.container()["run"]) == (name, "running", "keeptest")


def test_an_orderly_stop_removes_the_container_and_keeps_the_data(run: Run) -> None:
    keeper = run.ready()
    run.store("kept")
    first = run.container()
    before = volumes_of(first["id"])
    keeper.signal(signal.SIGTERM)
    assert keeper.wait() == 0
    assert run.told("stopped")
    assert run.left() == ["volumes"]
    assert len(before) > 1
    assert before & volumes() == {first["name"]}, "its anonymous volumes are gone, and its data is not"
    run.ready()
    assert run.container()["id"] != first["id"]
    assert run.holds("kept")


def test_a_killed_broker_is_started_again_at_its_address(run: Run) -> None:
    run.ready()
    run.store("kept")
    before, address = run.container(), run.address()
    docker("kill", before["id"])
    eventually(lambda: len(run.told("ready")) == 2, READY_S)
    (crashed,) = run.told("crashed")
    assert "137" in crashed.fields["reason"]
    assert crashed.fields["log"]
    assert run.container()["id"] == before["id"]
    assert run.address() == address
    assert run.holds("kept")
    docker("kill", before["id"])
    eventually(lambda: len(run.told("ready")) == 3, READY_S)


def test_a_container_that_vanished_is_made_anew_on_the_same_data_and_port(run: Run) -> None:
    run.ready()
    run.store("kept")
    before, address = run.container(), run.address()
    docker("rm", before["id"], "-f", "-v")
    eventually(lambda: len(run.told("ready")) == 2, READY_S)
    assert run.told("crashed")
    assert run.container()["id"] != before["id"]
    assert run.address() == address
    assert run.holds("kept")


def test_without_its_supervisor_it_stops_the_container_and_keeps_it(run: Run) -> None:
    keeper = run.ready()
    run.store("kept")
    before = run.container()
    keeper.let_go()
    began = time.monotonic()
    keeper.wait()
    eventually(lambda: run.container()["state"] == "exited", GONE_S)
    assert time.monotonic() - began < GONE_S
    run.ready()
    assert run.container()["id"] == before["id"]
    assert run.holds("kept")


def test_a_supervisor_that_vanishes_during_the_start_leaves_nothing_running(run: Run) -> None:
    keeper = run.keeper()
    eventually(lambda: len([seen for seen in run.told("starting") if "log" not in seen.fields]) == 3, READY_S)
    keeper.let_go()
    began = time.monotonic()
    keeper.wait()
    eventually(lambda: run.container()["state"] == "exited", GONE_S)
    assert time.monotonic() - began < GONE_S
    run.ready()


def test_a_stop_during_the_start_is_orderly(run: Run) -> None:
    keeper = run.keeper()
    eventually(lambda: len([seen for seen in run.told("starting") if "log" not in seen.fields]) == 3, READY_S)
    keeper.signal(signal.SIGTERM)
    assert keeper.wait() == 0
    assert run.left() == ["volumes"]


def test_a_killed_keeper_leaves_the_broker_to_the_next(run: Run) -> None:
    keeper = run.ready()
    run.store("kept")
    before, address = run.container(), run.address()
    keeper.signal(signal.SIGKILL)
    keeper.wait()
    run.folder.joinpath("channel.json").unlink()
    began = time.monotonic()
    after = run.ready()
    assert time.monotonic() - began < 5
    assert run.container()["id"] == before["id"]
    assert run.address() == address
    assert run.holds("kept")
    docker("kill", before["id"])  # and it is watched as before
    eventually(lambda: run.told("crashed"), 10)
    after.signal(signal.SIGTERM)
    assert after.wait() == 0


def test_a_paused_container_is_adopted_awake(run: Run) -> None:
    run.ready().signal(signal.SIGKILL)
    docker("pause", run.container()["id"])
    run.ready()
    assert run.container()["state"] == "running"


def test_a_container_whose_port_is_taken_is_replaced_on_the_same_data(run: Run) -> None:
    keeper = run.ready()
    run.store("kept")
    before = run.container()
    keeper.let_go()
    keeper.wait()
    eventually(lambda: run.container()["state"] == "exited", GONE_S)
    port = int(run.address()["at"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        run.ready()
    assert run.container()["id"] != before["id"]
    assert run.address()["at"] != f"127.0.0.1:{port}"
    assert run.holds("kept")


def test_a_container_whose_network_was_pruned_is_replaced_on_the_same_data(run: Run) -> None:
    keeper = run.ready()
    run.store("kept")
    before, network = run.container(), run.container()["name"]
    keeper.let_go()
    keeper.wait()
    eventually(lambda: run.container()["state"] == "exited", GONE_S)
    docker("network", network, "rm")
    run.ready()
    assert run.container()["id"] != before["id"]
    assert run.holds("kept")


def test_a_broker_that_others_start_again_is_ready_once_it_answers(run: Run) -> None:
    run.ready()
    port = int(run.address()["at"].rpartition(":")[2])
    docker("restart", run.container()["id"])
    eventually(lambda: len(run.told("ready")) == 2, READY_S)
    assert kafka_broker.answers(port)


# --- a start that fails --------------------------------------------------------------------------------


def failed(run: Run, **environ: str) -> dict[str, Any]:
    """What a keeper reports that cannot start; it ends with the error's code, and has told the same."""
    keeper = run.keeper(**environ)
    report = keeper.report()
    assert (report.pop("report"), report.pop("process")) == ("failed", "keeper")
    assert keeper.wait() == report["exit_code"] == 4
    (told,) = run.told("failed")
    assert told.fields == report
    assert not run.folder.joinpath("channel.json").exists()
    return report


def test_no_engine(run: Run) -> None:
    report = failed(run, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert report["what"] == "no container engine answers"
    assert "/nonexistent/docker.sock" in report["why"]
    assert "embedded" in report["hint"]


def test_no_image(tmp_path: Path, engine: Engine) -> None:
    run = Run(tmp_path, engine, image="127.0.0.1:1/none/none:1")
    assert "127.0.0.1:1/none/none:1" in failed(run)["what"]
    assert run.left() == []
    run.close()


def test_a_port_that_is_taken(tmp_path: Path, engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        run = Run(tmp_path, engine, port=port)
        assert str(port) in failed(run)["what"]
    assert run.left() == []
    run.close()


@pytest.fixture
def deadly(engine: Engine) -> Iterator[str]:
    """An image whose containers say something and die."""
    image = f"eda-test/deadly:{secrets.token_hex(4)}"
    made = subprocess.run(["docker", "create", need_image(engine, "kafka"), "true"], check=True, capture_output=True,
                          text=True)
    container = made.stdout.strip()
    try:
        image_id = subprocess.run(["docker", "commit", "--change", 'CMD ["bash", "-c", "echo no broker today; exit 3"]',
                                   container, image], check=True, capture_output=True, text=True).stdout.strip()
        yield image
        subprocess.run(["docker", "rmi", image, image_id], capture_output=True)
    finally:
        docker("rm", container, "-v")


def test_a_container_that_dies_at_start(tmp_path: Path, engine: Engine, deadly: str) -> None:
    before = ownerless()
    run = Run(tmp_path, engine, image=deadly)
    report = failed(run)
    assert deadly in report["what"]
    assert "exit status 3" in report["why"]
    assert "no broker today" in report["why"]
    assert run.left() == []
    none_is_left(before)
    run.close()


# --- an engine that goes away --------------------------------------------------------------------------


class Relay:
    """A second way to the engine, which a test can cut."""

    def __init__(self, path: Path, target: str) -> None:
        self._path, self._target = path, target
        self._pairs: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._path.unlink()
        for each in (self._listener, *self._pairs):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._pairs.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._pairs += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


def test_an_engine_that_goes_away_for_a_while_is_told_and_waited_for(run: Run, tmp_path: Path) -> None:
    if not run.engine.url.startswith("unix://"):
        pytest.skip("the engine is not behind a socket of this machine")
    path = tmp_path / "engine.sock"
    relay = Relay(path, run.engine.url.removeprefix("unix://"))
    keeper = run.keeper(DOCKER_HOST=f"unix://{path}")
    assert keeper.report()["report"] == "ready"
    before = run.container()
    relay.cut()
    eventually(lambda: run.told("waiting"), 10)
    assert "no container engine answers" in run.told("waiting")[0].fields["text"]
    assert kafka_broker.answers(run.container()["ports"][0]), "the broker goes on"
    relay.open()
    eventually(lambda: len(run.told("ready")) == 2, 30)
    assert len(run.told("waiting")) == 1
    assert run.told("crashed") == []
    assert run.container()["id"] == before["id"]
    docker("kill", before["id"])  # and it is watched again
    eventually(lambda: len(run.told("ready")) == 3, READY_S)
    keeper.signal(signal.SIGTERM)
    assert keeper.wait() == 0
    relay.cut()
