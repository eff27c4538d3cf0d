"""Containers through a real engine: each thing that goes wrong has its own error, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels import containers, containers_where, kafka_broker
from eda_cli.channels.containers import (
    Container,
    ContainerDied,
    Engine,
    EngineAbsent,
    EngineElsewhere,
    EngineRefused,
    ImageMissing,
    NameTaken,
    PortTaken,
    RegistryUnreachable,
    Spec,
)
from eda_cli.channels.containers_errors import not_pulled, refused
from eda_cli.errors import Unreachable
from tests.channels.brokers import need_image
from tests.channels.registry import LAYER_BYTES, registry
from tests.eventually import eventually

NOBODY = 65534
UNREACHABLE_IMAGE = "127.0.0.1:1/none/none:1"
GONE_S = 20.0


def fails(run: Callable[[], Any], expected: type[Unreachable]) -> Unreachable:
    """The error, which tells a user what, why and what to do, and ends with 4."""
    with pytest.raises(expected) as raised:
        run()
    told = raised.value
    assert told.exit_code == 4
    assert told.what
    assert told.why
    assert told.hint
    return told


# --- no engine -----------------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without any trace of an engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("host", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1"])
def test_an_absent_engine_is_told_at_once_and_nothing_is_imported(host: str) -> None:
    code = ("import sys, time\nfrom eda_cli.channels.containers import Engine, EngineAbsent\nbegan = time.monotonic()\n"
            "try:\n    Engine.connect()\nexcept EngineAbsent as wrong:\n"
            "    print('docker' in sys.modules, time.monotonic() - began < 1, wrong)")
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                          env={**os.environ, "DOCKER_HOST": host}).stdout
    assert told.startswith("False True no container engine answers")
    assert host in told
    assert "DOCKER_HOST" in told


def test_a_dead_socket_is_an_absent_engine(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bare / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert "refused" in fails(Engine.connect, EngineAbsent).why


def test_something_else_that_listens_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setattr(containers, "CALL_S", 0.5)
        fails(Engine.connect, EngineAbsent)


def test_no_right_to_the_socket_is_told_as_such(tmp_path: Path) -> None:
    """As another user, because nothing is forbidden to root."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        code = ("import os\nfrom eda_cli.channels.containers import Engine, EngineForbidden\n"
                f"if os.geteuid() == 0: os.seteuid({NOBODY})\n"
                "try:\n    Engine.connect()\nexcept EngineForbidden as wrong:\n    print(wrong.exit_code, wrong)")
        told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True,
                              env={**os.environ, "DOCKER_HOST": f"unix://{path}"}).stdout
    assert told.startswith("4 no right to use the container engine")
    assert str(path) in told
    assert "group docker" in told


def context(home: Path, name: str, endpoints: object) -> None:
    """A context of the docker command."""
    meta = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    meta.joinpath("meta.json").write_text(json.dumps({"Name": name, "Endpoints": endpoints}))


def test_the_engine_is_looked_for_as_the_docker_command_does(
        bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers_where, "_usual", lambda: [bare / "none.sock", bare / "rootless.sock"])
    assert containers_where.find() is None
    fails(Engine.connect, EngineAbsent)
    (bare / "rootless.sock").touch()
    assert containers_where.find() == (f"unix://{bare}/rootless.sock", None)
    with socket.socket(socket.AF_UNIX) as listener:  # one that answers goes before one that does not
        listener.bind(f"{bare}/podman.sock")
        listener.listen()
        monkeypatch.setattr(containers_where, "_usual", lambda: [bare / "rootless.sock", bare / "podman.sock"])
        assert containers_where.find() == (f"unix://{bare}/podman.sock", None)
    for name in ("desktop", "other"):
        context(bare, name, {"docker": {"Host": f"unix:///{name}.sock"}})
    (bare / ".docker" / "config.json").write_text('{"currentContext": "desktop"}')
    assert containers_where.find() == ("unix:///desktop.sock", "the docker context 'desktop'")
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert containers_where.find() == ("unix:///other.sock", "the docker context 'other'")
    monkeypatch.setenv("DOCKER_HOST", "tcp://there:2375")
    assert containers_where.find() == ("tcp://there:2375", "DOCKER_HOST")


def test_the_usual_places_are_those_of_docker_and_of_podman(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert [str(path) for path in containers_where._usual()] == [
        "/var/run/docker.sock", f"{bare}/.docker/run/docker.sock", "/run/user/7/docker.sock",
        "/run/user/7/podman/podman.sock", "/run/podman/podman.sock"]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert Path(f"/run/user/{os.getuid()}/podman/podman.sock") in containers_where._usual()


@pytest.mark.parametrize(("url", "host"), [
    ("unix:///run/docker.sock", None), ("tcp://127.0.0.1:2375", None), ("tcp://localhost:2375", None),
    ("tcp://[::1]:2375", None), ("ssh://me@127.0.0.1", None), ("tcp://192.0.2.1:2375", "192.0.2.1"),
    ("ssh://me@192.0.2.1:22", "192.0.2.1"), ("ssh://a-name-of.ssh-config.invalid", "a-name-of.ssh-config.invalid"),
    ("tcp://nobody.invalid:2375", None), ("nonsense", None),
])
def test_an_engine_of_another_machine_is_known_by_its_address(url: str, host: str | None) -> None:
    assert containers_where.elsewhere(url) == host


@pytest.mark.parametrize("url", ["tcp://192.0.2.1:2375", "ssh://me:secret@192.0.2.1"])
def test_a_broker_is_not_started_where_nobody_here_could_reach_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", url)
    told = fails(Engine.connect, EngineElsewhere)
    assert "127.0.0.1 of 192.0.2.1" in told.why
    assert "secret" not in str(told)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"currentContext": 7}'])
def test_a_broken_configuration_of_docker_is_no_crash(
        bare: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (bare / ".docker").mkdir()
    (bare / ".docker" / "config.json").write_text(content)
    monkeypatch.setattr(containers_where, "_usual", list)
    assert containers_where.find() is None


@pytest.mark.parametrize("endpoints", [None, [], {"docker": None}, {"docker": {}}, {"docker": {"Host": 7}}])
def test_a_context_that_names_no_engine_is_no_crash(
        bare: Path, monkeypatch: pytest.MonkeyPatch, endpoints: object) -> None:
    context(bare, "odd", endpoints)
    monkeypatch.setenv("DOCKER_CONTEXT", "odd")
    monkeypatch.setattr(containers_where, "_usual", list)
    assert containers_where.find() is None


def test_an_address_that_is_none_is_told_as_such_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://me:sec@ret@[::::]:2375")
    told = fails(Engine.connect, EngineAbsent)
    assert "tcp://me:***@[::::]:2375 (DOCKER_HOST)" in told.why


@pytest.mark.parametrize(("text", "expected"), [
    ("Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io: no such host", RegistryUnreachable),
    ("Get https://x/v2/: net/http: request canceled while waiting for connection", RegistryUnreachable),
    ("Get https://x/v2/: x509: certificate signed by unknown authority", RegistryUnreachable),
    ("manifest for apache/kafka:0 not found: manifest unknown", ImageMissing),
    ("pull access denied for nobody/nothing, repository does not exist", ImageMissing),
])
def test_a_failed_pull_tells_which_of_two_it_was(text: str, expected: type[Unreachable]) -> None:
    told = not_pulled("apache/kafka:0", text)
    assert type(told) is expected
    assert "apache/kafka:0" in told.what


@pytest.mark.parametrize(("status", "text", "expected"), [
    (500, "driver failed programming external connectivity: Bind for 127.0.0.1:9092 failed: port is already allocated",
     PortTaken),
    (500, "listen tcp4 127.0.0.1:9092: bind: address already in use", PortTaken),
    (500, 'container create: creating container storage: the container name "eda-shop-1" is already in use by 2ddae. You'
     ' have to remove that container', NameTaken),
    (409, 'Conflict. The container name "/eda-shop-1" is already in use by container "abc"', NameTaken),
    (400, "Minimum memory limit allowed is 6MB", EngineRefused),
    (500, "no space left on device", EngineRefused),
])
def test_what_the_engine_refuses_is_told_by_its_reason(status: int, text: str, expected: type[Unreachable]) -> None:
    assert type(refused("start the container", status, text)) is expected


# --- with an engine ------------------------------------------------------------------------------------


@pytest.fixture
def spec(engine: Engine) -> Iterator[Spec]:
    """A container of a run that is made up; nothing of it is left."""
    run_id = secrets.token_hex(8)
    yield kafka_broker.spec("test", run_id, need_image(engine, "kafka"), None)
    engine.sweep(run_id, volumes=True)


@pytest.fixture
def busy() -> Iterator[int]:
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def volumes_of(container: str) -> set[str]:
    """By id of the container, anonymous ones among them."""
    told = subprocess.run(["docker", "inspect", container], check=True, capture_output=True).stdout
    return {mount["Name"] for mount in json.loads(told)[0]["Mounts"] if mount["Type"] == "volume"}


def volumes(*options: str) -> set[str]:
    """All of the engine."""
    listed = subprocess.run(["docker", "volume", "ls", "-q", *options], check=True, capture_output=True, text=True)
    return set(listed.stdout.split())


def ownerless() -> set[str]:
    """Anonymous volumes that no container uses; one that somebody else's test makes or removes is so for a moment only."""
    return {name for name in volumes("-f", "dangling=true") if re.fullmatch("[0-9a-f]{64}", name)}


def none_is_left(before: set[str]) -> None:
    """No volume lost its container since then, and stays."""
    def gone() -> bool:
        left = ownerless() - before
        assert not left, f"no container uses them any more: {left}"
        return True

    eventually(gone, GONE_S, every=0.1)


def nothing_left(engine: Engine, spec: Spec) -> None:
    assert engine.list_labelled(spec.run_id) == {"containers": [], "volumes": [], "networks": []}


def ended(engine: Engine, container: Container) -> Container:
    def has_ended() -> Container | None:
        seen = engine.look(container.id)
        return seen if seen and not seen.running else None

    seen = eventually(has_ended, GONE_S)
    assert seen is not None
    return seen


@pytest.mark.broker
def test_a_broker_comes_up_and_goes_without_a_trace(engine: Engine, spec: Spec) -> None:
    container = engine.create(spec)
    assert container.port is not None
    eventually(lambda: kafka_broker.answers(container.port or 0), 120)
    assert engine.find(spec.run_id, "broker") == replace(container, state="running")
    made = volumes_of(container.id)
    assert len(made) > 1, "the image declares volumes, which this test is about"
    labelled = engine.list_labelled(spec.run_id)
    assert {what: [each["name"] for each in found] for what, found in labelled.items()} == {
        "containers": [spec.name], "volumes": [spec.name], "networks": [spec.name]}
    assert labelled["containers"][0]["ports"] == [container.port]
    assert {(each["run"], each["run_id"], each["role"]) for found in labelled.values() for each in found} == {
        ("test", spec.run_id, "broker")}
    assert engine.sweep(spec.run_id, volumes=False) == {"containers": [spec.name], "networks": [spec.name]}
    assert made & volumes() == {spec.name}
    assert engine.sweep(spec.run_id, volumes=True) == {"containers": [], "volumes": [spec.name], "networks": []}
    assert not made & volumes()


@pytest.mark.broker
def test_it_is_bounded_local_and_to_be_found_by_other_containers(engine: Engine, spec: Spec) -> None:
    container = engine.create(spec)
    told = json.loads(subprocess.run(["docker", "inspect", container.id], check=True, capture_output=True).stdout)[0]
    assert told["HostConfig"]["Memory"] == 1 << 30
    bindings = [each for given in told["NetworkSettings"]["Ports"].values() for each in given or ()]
    assert [(each["HostIp"], each["HostPort"]) for each in bindings] == [("127.0.0.1", str(container.port))]
    eventually(lambda: kafka_broker.answers(container.port or 0), 120)
    host, port = kafka_broker.address(container.name, 1)["internal"].split(":")
    reach = f"exec 3<>/dev/tcp/{host}/{port}"
    subprocess.run(["docker", "run", "--rm", "--network", spec.name, spec.image, "bash", "-c", reach], check=True, timeout=60)


@pytest.mark.broker
def test_a_container_of_somebody_else_in_the_network_does_not_hold_up_the_end(engine: Engine, spec: Spec) -> None:
    engine.create(spec)
    guest = subprocess.run(["docker", "run", "-d", "--network", spec.name, spec.image, "sleep", "300"],
                           check=True, capture_output=True, text=True).stdout.strip()
    try:
        engine.sweep(spec.run_id, volumes=True)
        nothing_left(engine, spec)
        seen = engine.look(guest)
        assert seen is not None and seen.running
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", guest], check=True, capture_output=True)


@pytest.mark.broker
def test_a_new_container_goes_on_with_the_data_of_the_old_one(engine: Engine, spec: Spec) -> None:
    first = engine.create(spec)
    eventually(lambda: kafka_broker.answers(first.port or 0), 120)
    engine.stop(first, 10)
    engine.remove(first)
    engine.leave_network(first.name)
    second = engine.create(spec)
    eventually(lambda: kafka_broker.answers(second.port or 0), 120)


def test_the_cluster_id_is_the_runs_and_one_that_kafka_takes() -> None:
    ids = {kafka_broker.cluster_id(secrets.token_hex(8)) for _ in range(500)}
    assert len(ids) == 500
    assert all(len(each) == 22 and each[0] not in "-_" for each in ids)
    assert kafka_broker.cluster_id("one") == kafka_broker.cluster_id("one")


@pytest.mark.broker
def test_a_missing_image_whose_registry_is_away(engine: Engine, spec: Spec) -> None:
    assert not engine.image_present(UNREACHABLE_IMAGE)
    told = fails(lambda: engine.pull(UNREACHABLE_IMAGE, lambda *_: None), RegistryUnreachable)
    assert UNREACHABLE_IMAGE in told.what
    assert "embedded" in told.hint
    told = fails(lambda: engine.create(replace(spec, image=UNREACHABLE_IMAGE)), ImageMissing)
    assert "eda pull" in told.hint
    nothing_left(engine, spec)


@pytest.mark.broker
def test_a_port_that_was_asked_for_and_is_taken(engine: Engine, spec: Spec, busy: int) -> None:
    before = ownerless()
    told = fails(lambda: engine.create(replace(spec, port=busy)), PortTaken)
    assert str(busy) in told.what
    nothing_left(engine, spec)
    none_is_left(before)


@pytest.mark.broker
def test_a_preferred_port_that_is_taken_is_passed_over(engine: Engine, spec: Spec, busy: int) -> None:
    assert engine.create(replace(spec, prefers=busy)).port not in (busy, None)


@pytest.mark.broker
def test_the_port_of_a_run_whose_broker_is_down_is_passed_over(engine: Engine, spec: Spec) -> None:
    """Its parts are about to connect there again, and would publish to whoever answers."""
    free = containers.free_port(0)
    first, second = (replace(spec, run_id=secrets.token_hex(8), prefers=free) for _ in range(2))
    try:
        down = engine.create(first)
        engine.stop(down, 0)
        assert (down.port, containers.free_port(free)) == (free, free)
        assert engine.create(second).port != free
        engine.remove(down)
        assert engine.create(replace(second, run_id=first.run_id)).port == free
    finally:
        for each in (first, second):
            engine.sweep(each.run_id, volumes=True)


@pytest.mark.broker
def test_a_port_that_is_taken_in_the_last_moment_is_passed_over(
        engine: Engine, spec: Spec, busy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    free = containers.free_port
    offers = iter([busy, busy])
    monkeypatch.setattr(containers, "free_port", lambda prefers: next(offers, None) or free(0))
    assert engine.create(spec).port != busy
    assert len(engine.list_labelled(spec.run_id)["containers"]) == 1


def test_a_free_port_is_the_preferred_one_if_that_is_free(busy: int) -> None:
    assert containers.free_port(busy) != busy
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert containers.free_port(port) == port


@pytest.mark.broker
def test_a_name_that_somebody_else_has(engine: Engine, spec: Spec) -> None:
    command = ["docker", "create", "--name", spec.name, spec.image, "true"]
    theirs = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        assert spec.name in fails(lambda: engine.create(spec), NameTaken).why
        nothing_left(engine, spec)
    finally:
        subprocess.run(["docker", "rm", "-v", theirs], check=True, capture_output=True)


@pytest.mark.broker
def test_a_memory_limit_that_the_engine_refuses(engine: Engine, spec: Spec) -> None:
    assert "memory" in fails(lambda: engine.create(replace(spec, memory="1m")), EngineRefused).hint
    nothing_left(engine, spec)


@pytest.mark.broker
def test_a_container_that_dies_says_its_last_words(engine: Engine, spec: Spec) -> None:
    environment = spec.environment
    bad = replace(spec, environment=lambda name, port: {**environment(name, port), "KAFKA_PROCESS_ROLES": "nonsense"})
    told = fails(lambda: raise_(engine.died(ended(engine, engine.create(bad)))), ContainerDied)
    assert isinstance(told, ContainerDied)
    assert "exit status 1" in told.why
    assert any("nonsense" in line for line in told.log)
    assert "nonsense" in str(told)


@pytest.mark.broker
def test_a_container_that_ran_out_of_memory_says_so(engine: Engine, spec: Spec) -> None:
    environment = spec.environment
    heap = {"KAFKA_HEAP_OPTS": "-Xms400m -Xmx400m -XX:+AlwaysPreTouch"}
    small = replace(spec, memory="200m", environment=lambda name, port: {**environment(name, port), **heap})
    told = engine.died(ended(engine, engine.create(small)))
    assert "out of the memory" in told.why


@pytest.mark.broker
def test_what_is_gone_is_no_error(engine: Engine, spec: Spec) -> None:
    container = engine.create(spec)
    engine.remove(container)
    engine.remove(container)
    engine.stop(container, 1)
    engine.wait(container)
    assert engine.look(container.id) is None
    assert engine.last_log(container) == []
    assert engine.find(spec.run_id, "broker") is None


@pytest.mark.broker
def test_progress_of_a_pull_is_told_in_bytes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the engine tells it, line by line: there is no registry to pull from here."""
    lines: list[dict[str, Any]] = [
        {"status": "Pulling from apache/kafka", "id": "4.3.1"}, {"status": "Pulling fs layer", "id": "a"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}},
        {"status": "Download complete", "id": "a"},
        {"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "total": 100}},
        {"status": "Pull complete", "id": "b"}, {"status": "Digest: sha256:1"}]
    monkeypatch.setattr(engine._api, "pull", lambda *_, **__: iter(lines))
    seen: list[tuple[int, int, str]] = []
    engine.pull("apache/kafka:4.3.1", lambda *told: seen.append(told))
    assert [(current, total) for current, total, _ in seen] == [
        (0, 0), (0, 0), (10, 100), (15, 150), (105, 150), (105, 150), (150, 150), (150, 150)]
    assert seen[0][2] == "Pulling from apache/kafka"
    monkeypatch.setattr(engine._api, "pull", lambda *_, **__: iter([{"error": "manifest unknown"}]))
    fails(lambda: engine.pull("apache/kafka:0", lambda *_: None), ImageMissing)


# --- the command ---------------------------------------------------------------------------------------


def command(*args: str, code: int = 0, **environ: str) -> str:
    done = subprocess.run([sys.executable, "-m", "eda_cli.channels", *args], capture_output=True, text=True,
                          env={**os.environ, **environ})
    assert done.returncode == code, done.stderr
    return done.stdout if not code else done.stderr


@pytest.mark.broker
def test_an_image_is_pulled_and_its_progress_told(engine: Engine) -> None:
    told: list[tuple[int, int, str]] = []
    with registry() as image:
        assert not engine.image_present(image)
        try:
            engine.pull(image, lambda *progress: told.append(progress))
            assert engine.image_present(image)
            with pytest.raises(ImageMissing):
                engine.pull(image.replace("tiny", "none"), lambda *_: None)
        finally:
            subprocess.run(["docker", "rmi", "-f", image], check=True, capture_output=True)
    assert max(total for _, total, _ in told) >= LAYER_BYTES
    assert told[-1][0] == told[-1][1]


@pytest.mark.broker
def test_eda_pull_says_what_it_does_and_names_the_way_round(engine: Engine, tmp_path: Path) -> None:
    def pull(image: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "eda_cli", "pull", "--image", image], check=True, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, env={**os.environ, "EDA_HOME": str(tmp_path)})

    with registry() as image:
        try:
            assert f"pulling {image} (once; without waiting: --broker embedded)" in pull(image).stderr
            assert f"{image} is here already" in pull(image).stderr
        finally:
            subprocess.run(["docker", "rmi", "-f", image], check=True, capture_output=True)



def test_without_an_engine_nothing_is_listed_and_a_sweep_fails() -> None:
    absent = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    assert json.loads(command("list", **absent)) == {"engine": None, "containers": [], "volumes": [], "networks": []}
    assert "no container engine answers" in command("sweep", "some-id", code=4, **absent)
    assert "list [--id ID]" in command("nonsense", code=2)


@pytest.mark.broker
def test_list_and_sweep_see_the_runs_own(engine: Engine, spec: Spec) -> None:
    engine.create(spec)
    other = replace(spec, run_id=secrets.token_hex(8))
    engine.create(other)
    try:
        mine = json.loads(command("list", "--id", spec.run_id))
        assert mine["engine"] == engine.url
        assert [each["run_id"] for what in ("containers", "volumes", "networks") for each in mine[what]] == [
            spec.run_id] * 3
        everything = json.loads(command("list"))
        assert {spec.run_id, other.run_id} <= {each["run_id"] for each in everything["containers"]}
        assert json.loads(command("sweep", spec.run_id, "--keep-volumes")) == {
            "containers": [spec.name], "networks": [spec.name]}
        assert json.loads(command("sweep", spec.run_id)) == {
            "containers": [], "volumes": [spec.name], "networks": []}
        nothing_left(engine, spec)
        assert len(engine.list_labelled(other.run_id)["containers"]) == 1
    finally:
        engine.sweep(other.run_id, volumes=True)


def raise_(error: Exception) -> None:
    raise error


def test_the_engine_tells_its_version(engine: Engine) -> None:
    began = time.monotonic()
    name, version = engine.version().split()
    assert name in ("Docker", "Podman")
    assert version[0].isdigit()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("image", "version"), [
    ("apache/kafka:4.3.1", "Apache Kafka 4.3.1"), ("apache/kafka-native:4.3.0-rc1", "Apache Kafka 4.3.0"),
    ("registry:5000/mine/kafka:3.9", "Apache Kafka 3.9"), ("apache/kafka", None), ("apache/kafka:latest", None),
    ("confluentinc/cp-kafka:7.6.0", None), ("apache/kafka@sha256:4.3.1", None),
])
def test_the_version_is_read_from_the_tag_of_a_kafka_image(image: str, version: str | None) -> None:
    assert kafka_broker.version(image) == version
