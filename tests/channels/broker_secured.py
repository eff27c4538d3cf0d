"""A Kafka that wants to be entered properly: one container with a listener for each way in, by the docker command.

Not by eda's own engine, which publishes one port: this is a bus that somebody else runs.
"""

from __future__ import annotations

import io
import secrets
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels import kafka_broker
from eda_cli.channels.containers import Engine
from tests.channels.brokers import READY_S, image_of
from tests.channels.certificates import Authority
from tests.eventually import eventually

USER, PASSWORD = "shop", "correct-horse-battery-staple"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
LISTENERS = {  # name -> protocol
    "OPEN": "PLAINTEXT", "LOGIN": "SASL_PLAINTEXT", "TLS": "SSL", "MUTUAL": "SSL", "BOTH": "SASL_SSL", "EXPIRED": "SSL",
    "ELSEWHERE": "SSL", "LOST": "PLAINTEXT"}
INSIDE = {name: 9101 + number for number, name in enumerate(LISTENERS)}
FOLDER = "/etc/kafka/secrets"


class Secured:
    """The broker; `ports` on this machine by the name of the listener, `folder` has what its clients need.

    `ca.pem`, `other-ca.pem`; `me.pem`/`me.key`, `old.pem`/`old.key` (expired), `stranger.pem`/`stranger.key` (of the other
    authority), `sealed.pem`/`sealed.key` (encrypted with the password).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"eda-test-secured-{secrets.token_hex(4)}"
        self.ports = {name: free_port() for name in LISTENERS}
        ours, other = Authority("Bus Authority"), Authority("Somebody Else")
        (folder / "ca.pem").write_bytes(ours.pem)
        (folder / "other-ca.pem").write_bytes(other.pem)
        ours.sign("me").write(folder, "me")
        ours.sign("me").write(folder, "sealed", PASSWORD.encode())
        ours.sign("me", until=timedelta(days=-1)).write(folder, "old")
        other.sign("me").write(folder, "stranger")
        here = ["localhost", "127.0.0.1"]
        stores = {"good": ours.sign("bus", here), "expired": ours.sign("bus", here, until=timedelta(days=-1)),
                  "elsewhere": ours.sign("bus", ["kafka.example.com"])}
        files = {f"{FOLDER}/{name}.pem": pair.key + pair.certificate + ours.pem for name, pair in stores.items()}
        files[f"{FOLDER}/trusted.pem"] = ours.pem
        published = [word for name, port in self.ports.items() for word in ("-p", f"127.0.0.1:{port}:{INSIDE[name]}")]
        variables = [word for pair in self._environment().items() for word in ("-e", "=".join(pair))]
        _docker("create", "--name", self.name, "--memory", "1g", *published, *variables, image_of("kafka"))
        try:
            subprocess.run(["docker", "cp", "-", f"{self.name}:/"], input=packed(files), check=True, capture_output=True)
            _docker("start", self.name)
            eventually(lambda: kafka_broker.answers(self.ports["OPEN"]), READY_S)
            self._add_user()
        except BaseException:
            self.remove()
            raise

    def at(self, listener: str, host: str = "localhost") -> str:
        return f"{host}:{self.ports[listener]}"

    def remove(self) -> None:
        _docker("rm", "-f", "-v", self.name)

    def _environment(self) -> dict[str, str]:
        jaas = "org.apache.kafka.common.security"
        plain = f'{jaas}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        made = {
            **kafka_broker.environment(self.name, 0, self.name),
            "KAFKA_LISTENERS": ",".join([*(f"{name}://:{port}" for name, port in INSIDE.items()), "CONTROLLER://:9093"]),
            "KAFKA_ADVERTISED_LISTENERS": ",".join(
                f"{name}://{'kafka.invalid' if name == 'LOST' else 'localhost'}:{port}" for name, port in self.ports.items()),
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": ",".join(
                [*(f"{name}:{protocol}" for name, protocol in LISTENERS.items()), "CONTROLLER:PLAINTEXT", "INSIDE:PLAINTEXT"]),
            "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
            "KAFKA_SSL_TRUSTSTORE_TYPE": "PEM", "KAFKA_SSL_TRUSTSTORE_LOCATION": f"{FOLDER}/trusted.pem",
            "KAFKA_SSL_KEYSTORE_TYPE": "PEM", "KAFKA_SSL_KEYSTORE_LOCATION": f"{FOLDER}/good.pem",
            "KAFKA_LISTENER_NAME_EXPIRED_SSL_KEYSTORE_LOCATION": f"{FOLDER}/expired.pem",
            "KAFKA_LISTENER_NAME_ELSEWHERE_SSL_KEYSTORE_LOCATION": f"{FOLDER}/elsewhere.pem",
            "KAFKA_LISTENER_NAME_MUTUAL_SSL_CLIENT_AUTH": "required",
        }
        made["KAFKA_LISTENERS"] += ",INSIDE://localhost:19092"
        made["KAFKA_ADVERTISED_LISTENERS"] += ",INSIDE://localhost:19092"
        for listener in ("LOGIN", "BOTH"):
            prefix = f"KAFKA_LISTENER_NAME_{listener}"
            made[f"{prefix}_SASL_ENABLED_MECHANISMS"] = ",".join(("PLAIN", *SCRAM))
            made[f"{prefix}_PLAIN_SASL_JAAS_CONFIG"] = plain
            for mechanism in SCRAM:
                made[f"{prefix}_{mechanism.replace('-', '___')}_SASL_JAAS_CONFIG"] = f"{jaas}.scram.ScramLoginModule required;"
        return made

    def _add_user(self) -> None:
        from kafka import KafkaAdminClient
        from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

        client = KafkaAdminClient(bootstrap_servers=self.at("OPEN"))
        try:
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):  # one at a time: Kafka wants it so
                wrong = client.alter_user_scram_credentials([
                    UserScramCredentialUpsertion(USER, mechanism, PASSWORD.encode())])
                assert not any(wrong.values()), wrong
        finally:
            client.close()


def _docker(*args: str) -> str:
    done = subprocess.run(["docker", *args], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def packed(files: dict[str, bytes]) -> bytes:
    """As a tar, for `docker cp`."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def free_port() -> int:
    """One of this machine that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def secured(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The secured broker of this session; `engine` says why there may be none."""
    broker = Secured(tmp_path_factory.mktemp("certificates"))
    yield broker
    broker.remove()


def address(at: str, **keys: Any) -> dict[str, Any]:
    """Of a bus that eda did not start."""
    return {"channel": "kafka", "at": at, "ours": False, "run": "test", **keys}
