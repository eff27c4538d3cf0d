"""What all clients of one Kafka cluster share: its address and their settings. Knows no topic."""

from __future__ import annotations

import logging
import selectors
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kafka.net.compat import KafkaNetClient

from eda_cli.channels import kafka_door
from eda_cli.channels.kafka_errors import unreachable
from eda_cli.errors import BrokerRefused

REACH_S = 4.0  # for a broker to answer at all
MOST_LOOKED_AT = 3  # brokers of a cluster, whether they can be reached where they say they are
BOOTSTRAP_MS = 5_000  # for the client's own first words with it
REQUEST_MS = 10_000
METADATA_RETRY_MS = 20
FETCH_WAIT_MS = 200  # how long the broker holds a fetch that finds nothing
HURRY_MS = 5  # the same while there is a backlog
CLOSE_S = 3.0  # for the last words with a broker that may be gone

# The library warns of every broken connection; whoever wants to hear it adds a handler.
logging.getLogger("kafka").addHandler(logging.NullHandler())
logging.getLogger("kafka.net.sasl").setLevel(logging.ERROR)  # a password in the clear is a warning of `check`, told once
logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)  # a busy machine is a warning: some task took 0.1 s
logging.getLogger("kafka.net.transport").setLevel(logging.CRITICAL)  # names no cause; the connection that is lost does


@dataclass(frozen=True, slots=True)
class Settings:
    """A cluster: `bootstrap` is `host:port[,host:port…]`, `door` the keys of its address that say how one gets in."""

    bootstrap: str
    door: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, address: Mapping[str, Any]) -> Settings:
        return cls(address["at"], {key: address[key] for key in ("credentials", "tls") if key in address})

    def reach(self) -> None:
        """One of the brokers lets us in. Raises BrokerUnreachable, at once where nobody listens, or BrokerRefused.

        Without this the library tries for its whole bootstrap time, and a client that never came to be leaves
        its sockets behind.
        """
        deadline = time.monotonic() + REACH_S
        why, refused = "no host is named", None
        servers = [server.strip().rpartition("://")[2] for server in self.bootstrap.split(",")]
        for server in servers:
            host, _, port = server.rpartition(":")
            if not port.isdigit():
                why = f"'{server}' is not host:port"
                continue
            try:
                places = kafka_door.enter(host.strip("[]"), int(port), max(0.1, deadline - time.monotonic()), self.door)
                if not {f"{name}:{number}" for name, number in places} & set(servers):
                    kafka_door.follow(places[:MOST_LOOKED_AT], server, max(0.5, deadline - time.monotonic()), self.door)
                return
            except BrokerRefused as wrong:
                refused = refused or wrong
            except OSError as wrong:
                why = f"{server}: {wrong.strerror or wrong}"
        raise refused or unreachable(self.bootstrap, why)

    def client(self, topics: Iterable[str] = ()) -> dict[str, Any]:
        """What every client is made with; the broker was reached just before. Raises BrokerUnreachable.

        `topics` are those that it is for: known from its first word with the broker on.
        """
        self.reach()
        return {
            "bootstrap_servers": [server.strip() for server in self.bootstrap.split(",")],
            "bootstrap_timeout_ms": BOOTSTRAP_MS, "request_timeout_ms": REQUEST_MS, "client_id": "eda",
            "reconnect_backoff_max_ms": 500,  # a broker that comes back is found at once
            **kafka_door.client_settings(self.door), "kafka_client": partial(_net_client, tuple(topics)), "selector": _Selector,
        }


def hurry(client: Any, wished: bool) -> None:
    """Whether a consumer is to be quick about partitions that have nothing.

    kafka-python 3.0 has one fetch on its way to a broker, and leaves out of it the partitions of which it still holds
    something. So a fetch of those that are at their end keeps all others waiting: a backlog was read at 28,000 events
    a second instead of 105,000.
    """
    client._fetcher.config["fetch_max_wait_ms"] = HURRY_MS if wished else FETCH_WAIT_MS


class _Selector(selectors.DefaultSelector):
    """Closes with itself every socket it watched: kafka-python 3.0 forgets one that has something to send then."""

    def __init__(self) -> None:
        super().__init__()
        self._watched: set[Any] = set()  # held, as a connection that is given up on its way would else close unseen

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._watched = {fileobj, *(each for each in self._watched if each.fileno() >= 0)}
        return super().register(fileobj, events, data)

    def close(self) -> None:
        super().close()
        for each in list(self._watched):
            each.close()


def _net_client(topics: tuple[str, ...], **configs: Any) -> Any:
    """The client's own network client, with what kafka-python 3.0 takes no setting for.

    It would create topics by asking for them, on a cluster that allows it; and a client new to its topics would
    wait 0.1 s before it asks for the first time, joining its group twice meanwhile.
    """
    client = KafkaNetClient(**configs)
    client.cluster.config.update(allow_auto_create_topics=False, retry_backoff_ms=METADATA_RETRY_MS)
    if topics:
        client.cluster.set_topics(topics)
    return client
