"""Whole runs on other engines than the usual one: Podman, and one that is reached by tcp or ssh."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from eda_cli.technologies import TECHNOLOGIES
from tests.eventually import eventually
from tests.scenarios.conftest import image_of
from tests.scenarios.harness import Eda
from tests.scenarios.podman import podman

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

SHOP = Path(__file__).parent.parent.parent / "sketches" / "shop.yaml"


@pytest.fixture(scope="module")
def podman_socket() -> Iterator[str]:
    with podman(image_of("kafka")) as url:
        yield url


def a_whole_run(eda: Eda) -> None:
    """Up, events that flow, a broker that is adopted after its keeper was killed, and down without a trace."""
    eda.up(SHOP)
    assert eda.ps("shop")["state"] == "running"
    eventually(lambda: eda.events("invoices", "shop"), 30)
    (container,) = eda.labelled()["containers"]
    assert container["state"] == "running"
    eda.kill("shop", "keeper")
    before = len(eda.events("purchases", "shop"))
    eda.pid("shop", "keeper")
    eventually(lambda: len(eda.events("purchases", "shop")) > before, 60, every=1)
    assert [one["id"] for one in eda.labelled()["containers"]] == [container["id"]], "it is adopted as it is"
    assert "1 container" in eda("down").stderr
    assert not any(eda.labelled().values())


@pytest.mark.parametrize("everywhere", [name for name, one in TECHNOLOGIES.items() if one.image], indirect=True)
def test_a_container_of_ones_own_joins_by_what_env_says(everywhere: Eda) -> None:
    """Here one that only opens the broker's port, by bash's own means."""
    everywhere.up(SHOP)
    (told,) = everywhere.lines("env", "--json")
    (address,) = (value for name, value in told.items() if name.endswith("_IN_CONTAINERS"))
    host, _, port = address.rpartition("/")[2].partition(":")
    subprocess.run(["docker", "run", "--rm", "--network", told["EDA_NETWORK"], "--entrypoint", "bash",
                    image_of(everywhere.broker), "-c", f"exec 3<>/dev/tcp/{host}/{port}"], check=True, timeout=60)


@pytest.mark.xdist_group("podman")
@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
def test_a_whole_run_on_podman(eda: Eda, podman_socket: str) -> None:
    """With the image named as the sketch or a variable has it, which Podman tells as localhost/…."""
    eda.environ["DOCKER_HOST"] = podman_socket
    rows = {row["check"]: row for row in eda.lines("doctor", "--json")}
    assert rows["engine"]["found"].startswith("Podman ")
    assert rows["engine"]["found"].endswith(f" at {podman_socket} (DOCKER_HOST)")
    assert rows["kafka"]["image_present"] is True
    a_whole_run(eda)


@pytest.mark.xdist_group("podman")
@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
def test_podman_is_found_where_a_user_has_it(eda: Eda, podman_socket: str, tmp_path: Path) -> None:
    """On a machine without Docker: where both answer, it is Docker."""
    there = tmp_path / "podman" / "podman.sock"
    there.parent.mkdir()
    there.symlink_to(podman_socket.removeprefix("unix://"))
    code = ("from pathlib import Path; from eda_cli.channels import containers_where as where;"
            "usual = where._usual; where._usual = lambda: [path for path in usual() if 'podman' in path.parts];"
            "from eda_cli.channels.containers import Engine; print(Engine.connect().describe())")
    environ = {name: value for name, value in eda.environ.items() if not name.startswith("DOCKER_")}
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                          env={**environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}).stdout
    assert told.startswith("Podman ")
    assert f"at unix://{there} (its usual place)" in told


@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
def test_a_whole_run_on_an_engine_that_is_reached_by_tcp(eda: Eda) -> None:
    with closing(Tcp(_socket(eda))) as tcp:
        eda.environ["DOCKER_HOST"] = tcp.url
        assert f"at {tcp.url} (DOCKER_HOST)" in eda("doctor").stdout
        a_whole_run(eda)
        eda.end()


@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
def test_an_engine_that_is_reached_by_ssh(eda: Eda, tmp_path: Path) -> None:
    """The ssh is a double: it does on this machine what it would do on the other."""
    pytest.importorskip("paramiko", reason="ssh:// needs paramiko")
    if shutil.which("docker") is None:
        pytest.skip("the docker command is what ssh calls")
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift 2\nunset DOCKER_HOST\nexec $*\n')
    ssh.chmod(0o755)
    eda.environ |= {"DOCKER_HOST": "ssh://me@127.0.0.1", "PATH": f"{ssh.parent}:{eda.environ['PATH']}"}
    assert "at ssh://me@127.0.0.1 (DOCKER_HOST)" in eda("doctor").stdout
    a_whole_run(eda)
    eda.end()


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://me@192.0.2.1"])
def test_on_an_engine_of_another_machine_nothing_is_started(embedded: Eda, host: str) -> None:
    embedded.environ["DOCKER_HOST"] = host
    told = embedded("up", str(SHOP), "--broker", "kafka", code=4).stderr
    assert "on another machine" in told
    assert "127.0.0.1 of 192.0.2.1" in told
    done = embedded("up", str(SHOP), "--broker", "auto", "--for", "1s")
    assert "warning: no Kafka, running embedded: the container engine is on another machine" in done.stderr
    row = next(row for row in embedded.lines("doctor", "--json") if row["check"] == "engine")
    assert (row["level"], "192.0.2.1" in row["found"]) == ("note", True)


def _socket(eda: Eda) -> str:
    from eda_cli.channels.containers import Engine

    url = Engine.connect().url
    if not url.startswith("unix://"):
        pytest.skip("the engine is not behind a socket of this machine")
    return url.removeprefix("unix://")


class Tcp:
    """A second way to the engine, as `dockerd -H tcp://…` would give."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(self._target)
            back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
            back.start()
            self._pump(near, far)
            back.join()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)
