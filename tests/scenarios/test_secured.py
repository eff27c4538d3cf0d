"""A run on a Kafka that wants a password and TLS: it works, nobody sees the password, and a wrong one is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.broker_secured import PASSWORD, Secured, secured  # noqa: F401  # a fixture
from tests.channels.brokers import engine  # noqa: F401  # a fixture
from tests.eventually import eventually
from tests.scenarios.harness import Eda

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]
SKETCH = """
name: secured
broker:
  kafka:
    bootstrap_servers: {at}
    {door}
generators: {{webshop: {{publishes: {topic}, rate: 50/s}}}}
consumers:
  invoicing: {{subscribes: {topic}, handler: "shop_code:handle"}}
"""
SCRAM = "mechanism: SCRAM-SHA-512\nusername: shop\npassword: ${BUS_PASSWORD}\ntls: {ca: ca.pem}"
PLAIN = "username: shop\npassword: ${BUS_PASSWORD}"
SEALED = "tls: {ca: ca.pem, certificate: sealed.pem, key: sealed.key, key_password: '${BUS_PASSWORD}'}"
OLD = "tls: {ca: ca.pem, certificate: old.pem, key: old.key}"


@pytest.fixture
def eda(tmp_path: Path) -> Iterator[Eda]:
    one = Eda(tmp_path / "home", "kafka", {"BUS_PASSWORD": PASSWORD})
    yield one
    one.end()


def sketched(broker: Secured, listener: str, door: str, topic: str, more: str = "") -> Path:
    """A sketch beside the broker's certificates."""
    path = broker.folder / "sketch.yaml"
    door = door.replace("\n", "\n    ")
    path.write_text(SKETCH.format(at=broker.at(listener), door=door, topic=topic) + more)
    (broker.folder / "shop_code.py").write_text("def handle(event):\n    print(event['type'])\n")
    return path


def secrets_in(eda: Eda) -> list[str]:
    """Where the password stands: files of runs, and command lines of all processes."""
    found = [str(path) for path in eda.home.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and PASSWORD.encode() in (entry / "cmdline").read_bytes():
                found.append(f"{entry.name}: a command line")
        except OSError:
            continue
    return found


@pytest.mark.parametrize(("listener", "door"), [("BOTH", SCRAM), ("MUTUAL", SEALED)], ids=["SCRAM over TLS", "mutual TLS"])
def test_nobody_sees_the_password_of_a_run_that_works(eda: Eda, secured: Secured, listener: str, door: str) -> None:  # noqa: F811
    topic = f"purchases-{listener.lower()}"
    sketch = sketched(secured, listener, door, topic)
    eda("up", str(sketch), "-d")
    eventually(lambda: eda.ps("secured")["parts"][1].get("handled", 0) > 20, 30, every=0.3)

    assert eda.events(topic, "secured")
    assert eda.lag("secured")["secured.invoicing"] is not None
    told = [eda(*command.split()) for command in (
        "ps", "ps --json", "logs", "env", "env --json", "topics", "groups",
        f"--debug config {sketch}", f"--debug doctor {sketch}",
        f"--debug tail {topic} -n 1", f"--debug publish {topic} {{}}", "check " + str(sketch), "graph " + str(sketch))]
    assert "lets us in" in told[8].stdout and (listener != "BOTH" or "as 'shop'" in told[8].stdout)
    assert "${BUS_PASSWORD}" in told[7].stdout
    assert not any(PASSWORD in one.stdout + one.stderr for one in told)
    assert secrets_in(eda) == []

    del eda.environ["BUS_PASSWORD"]  # as in another shell
    elsewhere = eda("--debug", "tail", topic, "-n", "1", code=None)
    assert elsewhere.returncode and "BUS_PASSWORD is not set here" in elsewhere.stderr
    assert "BUS_PASSWORD is not set here" in eda("tail", topic, "-n", "1", code=4).stderr
    assert "its events and groups stay" in eda("down").stderr


def test_a_password_file_works_in_every_shell(eda: Eda, secured: Secured) -> None:  # noqa: F811
    del eda.environ["BUS_PASSWORD"]
    (secured.folder / "password").write_text(PASSWORD + "\n")
    sketch = sketched(secured, "LOGIN", "username: shop\npassword_file: password", "orders")

    eda("up", str(sketch), "-d")

    eventually(lambda: eda.ps("secured")["parts"][1].get("handled", 0) > 5, 30, every=0.3)
    assert eda("tail", "orders", "-n", "1", cwd=Path("/")).stdout
    assert secrets_in(eda) == []


@pytest.mark.parametrize(("listener", "door", "password", "what"), [
    ("BOTH", SCRAM, "not-the-one", "refused the user 'shop'"),
    ("BOTH", SCRAM.replace("ca.pem", "other-ca.pem"), PASSWORD, "is not signed by an authority that is trusted"),
    ("EXPIRED", SEALED, PASSWORD, "has expired"),
    ("ELSEWHERE", SEALED, PASSWORD, "is not for 'localhost'"),
    ("MUTUAL", OLD, PASSWORD, "refused our certificate"),
], ids=["wrong password", "wrong CA", "expired", "wrong host name", "own certificate expired"])
def test_up_ends_with_the_reason_and_so_says_doctor(
        eda: Eda, secured: Secured, listener: str, door: str, password: str, what: str) -> None:  # noqa: F811
    eda.environ["BUS_PASSWORD"] = password
    sketch = sketched(secured, listener, door, "never")

    for command in (("up", str(sketch)), ("up", str(sketch), "-d"), ("--debug", "up", str(sketch), "--json")):
        told = eda(*command, code=4 if "--debug" not in command else None)
        assert told.returncode and what in told.stderr
        assert password not in told.stdout + told.stderr
    told = eda("doctor", str(sketch), code=1)
    assert what in told.stdout and password not in told.stdout + told.stderr
    assert secrets_in(eda) == [] and not eda.processes()


def test_another_way_in_needs_no_new_beginning(eda: Eda, secured: Secured) -> None:  # noqa: F811
    """What is wrong with a password or a certificate is mended, and the run goes on; while it is up it cannot be."""
    sketch = sketched(secured, "BOTH", SCRAM.replace("ca.pem", "other-ca.pem"), "mended")
    eda("up", str(sketch), "-d", code=4)
    sketched(secured, "BOTH", SCRAM, "mended")
    eda("up", str(sketch), "-d")

    sketched(secured, "BOTH", SCRAM.replace("512", "256"), "mended")
    assert "cannot change while it is up" in eda("up", str(sketch), "-d", code=1).stderr
    assert "cannot change while it is up" in eda("up", str(sketch), "-d", "--no-create", code=1).stderr
    eda("down", "--keep")
    eda("up", str(sketch), "-d")
    assert '"SCRAM-SHA-256"' in eda("ps", "--json").stdout


def test_a_password_that_changes_is_told_once_and_taken_when_it_is_right(eda: Eda, secured: Secured) -> None:  # noqa: F811
    password = secured.folder / "changing"
    password.write_text(PASSWORD)
    eda("up", str(sketched(secured, "LOGIN", "username: shop\npassword_file: changing", "changing")), "-d")
    password.write_text("not-the-one")

    eda("kill", "webshop", "invoicing")

    def refused() -> list[str]:
        return [line for line in eda("logs").stdout.splitlines() if "waiting" in line and "refused the user 'shop'" in line]

    eventually(lambda: len(refused()) == 2, 30, every=0.5)
    published = eda.ps("secured")["parts"][0]["published"]
    password.write_text(PASSWORD)
    eventually(lambda: eda.ps("secured")["parts"][0]["published"] > published + 20, 30, every=0.5)
    assert len(refused()) == 2  # one of each part, however often it tried
    assert PASSWORD not in eda("logs").stdout


def test_nothing_is_created_where_that_is_not_wished(eda: Eda, secured: Secured, tmp_path: Path) -> None:  # noqa: F811
    sketch = sketched(secured, "LOGIN", PLAIN, "absent",
                      more="  audit: {subscribes: also-absent}\n")

    refused = eda("up", str(sketch), "-d", "--no-create", code=1).stderr
    assert "2 topics are not there: absent, also-absent" in refused and "--no-create" in refused
    eda("up", str(sketch), "-d")
    eda("down")
    eda("up", str(sketch), "-d", "--no-create")
    eventually(lambda: eda.ps("secured")["parts"][1].get("handled", 0) > 5, 30, every=0.3)

    for command in (("topics", "create", "mine"), ("publish", "mine", "{}", "--create")):
        assert "there is no topic 'mine'" in eda(*command, code=1).stderr

    own = tmp_path / "own.yaml"
    own.write_text("broker: embedded\ngenerators: {shop: {publishes: it}}\nconsumers: {billing: {subscribes: it}}\n")
    assert "for a bus that already runs" in eda("up", str(own), "--no-create", code=2).stderr

