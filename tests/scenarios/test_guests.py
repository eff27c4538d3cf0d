"""A run on a Kafka that already runs: eda is a guest there, and leaves what it found as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda

pytestmark = pytest.mark.broker
HOST = """
name: host
generators: {idle: {publishes: idle, after: 1h}}
consumers: {theirs: {subscribes: idle}}
"""
GUEST = """
name: guest
broker: {kafka: {bootstrap_servers: "${BUS}"}}
topics: {purchases: {partitions: 6}}
generators: {webshop: {publishes: purchases, rate: 50/s}}
consumers:
  invoicing: {subscribes: purchases}
  audit: {subscribes: purchases, group: auditors}
  crm: {subscribes: purchases, external: true}
"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
def test_a_guest_works_and_leaves_what_it_found(eda: Eda, tmp_path: Path) -> None:
    host, guest = tmp_path / "host.yaml", tmp_path / "guest.yaml"
    host.write_text(HOST)
    guest.write_text(GUEST)
    eda.up(host)
    eda("topics", "create", "purchases", "--partitions", "2", "--run", "host")
    eda("topics", "create", "other", "--run", "host")
    eda.environ["BUS"] = eda.lines("env", "--json", "--run", "host")[0]["KAFKA_BOOTSTRAP_SERVERS"]
    eda("up", str(guest), "-d")

    eventually(lambda: eda.lag("guest").keys() >= {"guest.invoicing", "auditors", "crm"}, 20, every=0.5)
    eventually(lambda: sum(part.get("handled", 0) for part in eda.ps("guest")["parts"]) > 20, 20, every=0.3)
    partitions = {row["topic"]: len(row["partitions"]) for row in eda.lines("topics", "--json", "--run", "guest")}
    assert partitions["purchases"] == 2
    assert "'purchases' has 2 partitions, not 6" in eda("logs", "--run", "guest").stdout
    assert {event["topic"] for event in eda.lines("tail", "-o", "beginning", "-e", "--json", "--run", "guest")} == {"purchases"}

    refused = eda("topics", "delete", "other", "--run", "guest", code=1).stderr
    assert "eda deletes nothing on a Kafka that it did not start" in refused
    refused = eda("groups", "reset", "theirs", "--to", "beginning", "--run", "guest", code=1).stderr
    assert "not one of this run" in refused and "guest.invoicing" in refused

    eda("publish", "letters", "{}", "--create", "-H", "dead-letter-topic=other", "--type", "x", "--run", "guest")
    assert "not of this run: other" in eda("redrive", "letters", "--run", "guest", code=1).stderr

    guest.write_text(GUEST.replace('{kafka: {bootstrap_servers: "${BUS}"}}', "kafka"))
    refused = eda("up", str(guest), "-d", code=1).stderr
    assert f"kafka at {eda.environ['BUS']} runs, kafka is wished" in refused and "--fresh" in refused

    gone = eda("down", "--run", "guest").stderr
    assert f"its events and groups stay on {eda.environ['BUS']}" in gone and "container" not in gone
    stored = eda.events("purchases", "host")
    assert len(stored) > 20
    assert {"guest.invoicing", "auditors"} <= eda.lag("host").keys()
    assert eda.ps("host")["state"] == "running"


@pytest.mark.parametrize("everywhere", ["activemq"], indirect=True)
def test_a_comparison_on_a_bus_of_others_says_what_it_leaves_there(everywhere: Eda, tmp_path: Path) -> None:
    eda, host, guest = everywhere, tmp_path / "host.yaml", tmp_path / "guest.yaml"
    host.write_text("name: host\ngenerators: {idle: {publishes: idle, after: 1h}}\n")
    eda("up", str(host), "-d", "--broker", eda.broker)
    bus = eda.lines("env", "--json", "--run", "host")[0]["ACTIVEMQ_URL"]
    guest.write_text(f"broker: {{activemq: {{url: '{bus}'}}}}\ngenerators: {{shop: {{publishes: purchases, rate: 50/s}}}}\n"
                     "consumers: {billing: {subscribes: purchases}}\n")
    done = eda("compare", str(guest), "--brokers", eda.broker, "--for", "1s", "--json")
    assert f"its events and groups stay on {bus}" in done.stderr
    told = json.loads(done.stdout)
    assert (told["lost"], told["error"]) == (0, None)
    assert re.fullmatch(r"ActiveMQ [0-9.]+", told["version"])
    assert "guest-compare.billing" in eda.lag("host")
