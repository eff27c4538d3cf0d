"""How a Kafka broker is run from its official image. Knows no engine, and imports no library."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from eda_cli.channels import kafka_wire
from eda_cli.channels.containers_model import LOCALHOST, Spec

PORT = 9092
INTERNAL_PORT = 19092
DATA = "/var/lib/kafka/data"
MEMORY = "1g"

_TAG = re.compile(r"(?:^|/)kafka(?:-native)?:(\d+\.\d+(?:\.\d+)?)")


def spec(run: str, run_id: str, image: str, port: int | None) -> Spec:
    """The container of a run's broker. `port` None prefers 9092."""
    return Spec(run=run, run_id=run_id, role="broker", image=image, inside=PORT, prefers=PORT, port=port, data=DATA,
                memory=MEMORY, environment=lambda name, host_port: environment(name, host_port, run_id))


def address(name: str, port: int) -> dict[str, str]:
    """Where clients find it: programs on this machine, and containers on the run's network."""
    return {"channel": "kafka", "at": f"{LOCALHOST}:{port}", "internal": f"{name}:{INTERNAL_PORT}"}


def environment(name: str, port: int, run_id: str) -> Mapping[str, str]:
    """The image's variables. One convertible KAFKA_ variable drops every default of the image, so all are set."""
    return {
        "CLUSTER_ID": cluster_id(run_id),
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"HOST://:{PORT},INTERNAL://:{INTERNAL_PORT},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"HOST://{LOCALHOST}:{port},INTERNAL://{name}:{INTERNAL_PORT}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "HOST:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LOG_DIRS": DATA,
        "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",  # topics come from the sketch; a typing error makes none
        # One node: internal topics have one replica, and one partition each is less to open at start.
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_OFFSETS_RETENTION_MINUTES": "2147483647",  # a group keeps its place as long as the run keeps its events
        # A broker that was killed may register again only when its old session is over: 9 s by default, measured
        # 11.8 s until it answered; so 3.5 s.
        "KAFKA_BROKER_SESSION_TIMEOUT_MS": "2000",
        "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
    }


def cluster_id(run_id: str) -> str:
    """The same for every container of a run: Kafka refuses data of another cluster.

    A UUID in base64 as Kafka writes it; one that begins with `-` its tools would take for an option.
    """
    digest = hashlib.sha256(run_id.encode()).digest()[:16]
    return base64.urlsafe_b64encode(bytes([digest[0] & 0x7F, *digest[1:]])).rstrip(b"=").decode()


def version(image: str) -> str | None:
    """As the tag of a Kafka image tells it; None where it tells nothing."""
    tag = _TAG.search(image)
    return f"Apache Kafka {tag[1]}" if tag else None


def answers(port: int) -> bool:
    """Whether the broker published on this port takes clients."""
    try:
        kafka_wire.greet(LOCALHOST, port)
    except OSError:
        return False
    return True
