"""From up to down: what a run shows, how it ends, what it leaves, and who may touch it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from eda_cli.event import epoch
from tests.eventually import eventually
from tests.scenarios.harness import READY_S, Eda

ROOT = Path(__file__).parent.parent.parent
SKETCHES = ROOT / "sketches"
SMALL = """
name: small
seed: 7
generators: {shop: {publishes: purchases, rate: 50/s}}
consumers: {billing: {subscribes: purchases}}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "small.yaml", SMALL)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.timeout(240)
def test_the_shop_comes_alive_and_its_summary_is_the_truth(eda: Eda) -> None:
    done = eda("up", str(SKETCHES / "shop.yaml"), "--broker", eda.broker, "--for", "4s", "--json",
               "--wait-timeout", str(READY_S))
    *seen, summary = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = {one["kind"] for one in seen}
    assert {"started", "ready", "published", "received", "handled", "stopped", "counted"} <= kinds
    lines = {part: [one for one in seen if one["kind"] == "published" and one["part"] == part] for part in summary["parts"]}
    assert summary["parts"]["webshop"]["published"] == len(lines["webshop"]) >= 15
    assert summary["parts"]["invoicing"]["published"] == len(lines["invoicing"]) >= 10
    assert summary["parts"]["invoicing"]["given_up"] == summary["parts"]["invoicing"]["dead_lettered"] == 0
    assert set(summary["groups"]) >= {"invoicing", "shipping"}
    assert eda.ps("shop")["state"] == "stopped"
    assert eda.processes() == []
    eda("down")
    assert not any(eda.labelled().values())


@pytest.mark.timeout(240)
def test_the_first_command_of_the_readme_runs_kafka_where_it_can_and_embedded_elsewhere(eda: Eda) -> None:
    if eda.broker == "embedded":
        eda.environ["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    command = re.search(r"\.venv/bin/eda (up \S+)", (ROOT / "README.md").read_text())
    assert command is not None
    done = eda(*command[1].split(), "--for", "3s", "--wait-timeout", str(READY_S), cwd=ROOT)
    assert ("shop on Apache Kafka 4" if eda.broker == "kafka" else "shop on embedded") in done.stderr
    assert re.search(r"webshop +→ purchases\[\d\]@\d+ purchaseCreated", done.stdout)
    assert re.search(r"bookkeeping +← invoices\[\d\]@\d+ \+\S+ms invoiceIssued", done.stdout)


@pytest.mark.timeout(240)
def test_ctrl_c_stops_and_keeps_then_up_goes_on_and_fresh_begins_anew(eda: Eda, small: Path) -> None:
    def once(*args: str) -> dict[str, int]:
        terminal = eda.start("up", str(small), "--broker", eda.broker, "--json", *args)
        eda.wait_until_running("small")
        eventually(lambda: sum(part.get("published", 0) for part in eda.ps("small")["parts"]) > 0, 20)
        terminal.send_signal(signal.SIGINT)
        out, err = terminal.communicate(timeout=60)
        assert terminal.returncode == 0, err
        assert eda.processes() == []
        counts: dict[str, int] = json.loads(out.splitlines()[-1])["parts"]["shop"]
        return counts

    first, second = once(), once()
    assert second["published"] > first["published"]
    eda.up(small)
    events = eda.events("purchases", "small")
    assert len({event["id"] for event in events}) >= second["published"]
    assert events[0]["data"]["number"] == 1
    eda("down", "--keep")
    anew = time.time()
    once("--fresh")
    eda.up(small)
    assert {event["id"] for event in eda.events("purchases", "small")} & {event["id"] for event in events}, "the same seed"
    assert all(epoch(event["time"]) > anew - 1 for event in eda.events("purchases", "small")), "what was there is gone"
    eda("down")
    assert not any(eda.labelled().values())


def test_the_same_seed_tells_the_same_story(embedded: Eda, small: Path) -> None:
    stories = []
    for _ in range(2):
        embedded.up(small, "--fresh", "--seed", "5")
        eventually(lambda: len(embedded.events("purchases", "small")) >= 20, 20)
        stories.append([(event["id"], event["data"]) for event in sorted(
            embedded.events("purchases", "small"), key=lambda event: event["data"]["number"])[:20]])
    assert stories[0] == stories[1]


@pytest.mark.timeout(240)
def test_two_runs_do_not_touch_each_other(eda: Eda, small: Path) -> None:
    eda.up(small)
    eda.up(small.parent / "small.yaml", "--name", "other")
    eventually(lambda: eda.events("purchases", "small") and eda.events("purchases", "other"), 20)
    assert eda("topics", code=2).stderr.startswith("eda: several runs are up: other, small")
    eda("publish", "purchases", '{"only": "other"}', "--run", "other")
    eda("down", "--run", "other")
    assert eda.ps("small")["state"] == "running"
    before = len(eda.events("purchases", "small"))
    eventually(lambda: len(eda.events("purchases", "small")) > before, 20)
    assert not any("only" in event["data"] for event in eda.events("purchases", "small"))


@pytest.mark.timeout(240)
def test_two_ups_at_the_same_instant_make_one_run(eda: Eda, small: Path) -> None:
    both = [eda.start("up", str(small), "--broker", eda.broker, "-d", "--wait-timeout", str(READY_S)) for _ in range(2)]
    told = [child.communicate(timeout=READY_S + 10)[1] for child in both]
    assert [child.returncode for child in both] == [0, 0], told
    supervisors = [line for line in eda.processes() if "eda_cli.runs" in line]
    assert len(supervisors) == 1
    assert len([one for one in told if "attached" in one or "is up already" in one]) == 1, told


def test_the_same_name_from_another_folder_is_refused_with_the_way_out(embedded: Eda, small: Path, tmp_path: Path) -> None:
    embedded.up(small)
    other = write(tmp_path / "elsewhere" / "small.yaml", SMALL)
    told = embedded("up", str(other), "-d", "--broker", "embedded", code=1).stderr
    assert str(small) in told
    assert "--name" in told
    assert "eda down --run small" in told
    assert embedded.ps("small")["state"] == "running"


def test_an_attached_terminal_only_detaches(embedded: Eda, small: Path) -> None:
    embedded.up(small)
    terminal = embedded.start("up", str(small), "--broker", "embedded")
    assert terminal.stdout is not None
    assert "purchases" in terminal.stdout.readline()
    terminal.send_signal(signal.SIGINT)
    _, err = terminal.communicate(timeout=20)
    assert terminal.returncode == 0
    assert "detached" in err
    assert embedded.ps("small")["state"] == "running"


@pytest.mark.timeout(240)
def test_a_changed_sketch_is_applied_part_by_part(eda: Eda, small: Path) -> None:
    eda.up(small)
    shop, billing = eda.pid("small", "shop.1"), eda.pid("small", "billing.1")
    write(small, SMALL.replace("50/s", "60/s").replace("}}\n", "}}\n", 1) + "x-note: hello\n")
    told = eda("up", str(small), "-d", "--broker", eda.broker).stderr
    assert "applied: changed shop: rate" in told
    eventually(lambda: eda.pid("small", "shop.1") != shop, 10)
    assert eda.pid("small", "billing.1") == billing
    write(small, SMALL.replace("consumers: {", "consumers: {audit: {subscribes: [purchases, audited]}, "))
    told = eda("up", str(small), "-d", "--broker", eda.broker).stderr
    assert "added audit" in told
    assert "added topic audited" in told
    eventually(lambda: eda.ps("small")["parts"][1]["state"] == "running", 20)
    assert eda.pid("small", "billing.1") == billing
    eda("up", str(small), "-d", "--broker", eda.broker, "--scale", "billing=2")
    assert eda.pid("small", "billing.1") == billing
    assert eda.pid("small", "billing.2")
    told = eda("up", str(small), "-d", "--broker", eda.broker).stderr
    assert "changed billing: replicas" in told
    eventually(lambda: "billing.2" not in str(eda.processes()) and len(eda.ps("small")["parts"]) == 3, 10)


@pytest.mark.parametrize(("change", "says"), [
    ("seed: 8", "seed: 7 runs, 8 is wished"),
    ("topics: {purchases: {partitions: 2}}", "3 partitions cannot become 2"),
    ("topics: {purchases: {compacted: true, key: $.id}}", "compacted was false, true is wished"),
])
def test_what_stored_events_forbid_is_refused_naming_fresh(embedded: Eda, small: Path, change: str, says: str) -> None:
    embedded.up(small)
    write(small, SMALL.replace("seed: 7", change) if change.startswith("seed") else SMALL + change + "\n")
    told = embedded("up", str(small), "-d", "--broker", "embedded", code=1).stderr
    assert says in told
    assert "--fresh" in told
    assert embedded.ps("small")["state"] == "running"
    embedded("down", "--keep")
    assert "--fresh" in embedded("up", str(small), "-d", "--broker", "embedded", code=1).stderr
    embedded.up(small, "--fresh")


@pytest.mark.timeout(240)
def test_a_saved_change_is_live_at_once_and_a_broken_one_changes_nothing(eda: Eda, small: Path) -> None:
    terminal = eda.start("up", str(small), "--broker", eda.broker, "--watch", "--json")
    assert terminal.stdout is not None and terminal.stderr is not None
    seen: list[dict[str, Any]] = []
    threading.Thread(target=lambda: seen.extend(map(json.loads, terminal.stdout or ())), daemon=True).start()

    def ready_again(part: str) -> bool:
        """Stopped, started and ready."""
        kinds = [one["kind"] for one in seen if one["part"] == part and one["kind"] in ("stopped", "started", "ready")]
        return kinds[-3:] == ["stopped", "started", "ready"]

    eventually(lambda: any(one["kind"] == "ready" and one["part"] == "run" for one in seen), READY_S)
    shop, billing = eda.pid("small", "shop.1"), eda.pid("small", "billing.1")
    write(small, SMALL.replace("50/s", "51/s"))
    eventually(lambda: ready_again("shop"), 2)
    assert eda.pid("small", "billing.1") == billing
    shop = eda.pid("small", "shop.1")
    write(small, SMALL.replace("50/s", "51/s").replace("{subscribes: purchases}", "{subscribes: purchases, takes: 1ms}"))
    eventually(lambda: ready_again("billing"), 2)
    billing = eda.pid("small", "billing.1")
    write(small, SMALL.replace("50/s", "fast"))
    lines = []
    while "goes on unchanged" not in (line := terminal.stderr.readline()):
        lines.append(line)
    assert "small.yaml:4:" in "".join(lines)
    assert (eda.pid("small", "shop.1"), eda.pid("small", "billing.1")) == (shop, billing)


def test_a_generator_with_a_count_ends_and_stays_ended(embedded: Eda, small: Path) -> None:
    write(small, SMALL.replace("50/s", "200/s, count: 30, replicas: 3"))
    embedded.up(small)
    eventually(lambda: {part["state"] for part in embedded.ps("small")["parts"] if part["kind"] == "generator"}
               == {"finished"}, 20)
    assert sorted(event["data"]["number"] for event in embedded.events("purchases", "small")) == list(range(1, 31))
    embedded("down", "--keep")
    embedded.up(small)
    eventually(lambda: {part["state"] for part in embedded.ps("small")["parts"] if part["kind"] == "generator"}
               == {"finished"}, 20)
    assert len(embedded.events("purchases", "small")) == 30


def test_external_parts_are_shown_and_not_started(embedded: Eda, small: Path) -> None:
    write(small, SMALL.replace("{subscribes: purchases}", "{subscribes: purchases, external: true}"))
    embedded.up(small)
    parts = {part["part"]: part for part in embedded.ps("small")["parts"]}
    assert parts["billing"]["state"] == "external"
    eventually(lambda: (embedded.lag("small").get("billing") or 0) > 5, 20)


def test_for_stops_by_itself_and_logs_show_it_again(embedded: Eda, small: Path) -> None:
    done = embedded("up", str(small), "--broker", "embedded", "--for", "1s")
    shown = [line for line in done.stdout.splitlines() if "→" in line]
    logged = [line for line in embedded("logs", "shop").stdout.splitlines() if "→" in line]
    assert [line.split("purchases")[1] for line in shown] == [line.split("purchases")[1] for line in logged]
    assert len(embedded("logs", "-n", "3").stdout.splitlines()) == 3
    assert "there is no part" in embedded("logs", "nobody", code=2).stderr


def test_counts_stay_whole_when_parts_are_scaled(embedded: Eda, small: Path) -> None:
    write(small, SMALL.replace("rate: 50/s", "rate: max, count: 3000"))

    def scaled(many: int) -> None:
        embedded("up", str(small), "-d", "--broker", "embedded", "--scale", f"billing={many}")

    scaled(1)
    eventually(lambda: embedded.lag("small") == {"billing": 0} and embedded.ps("small")["parts"][0]["state"] == "finished",
               20, every=0.2)
    scaled(2)
    eventually(lambda: embedded.home.joinpath("small", "billing.2.lock").exists(), 10)
    scaled(1)
    billing = [part for part in embedded.ps("small")["parts"] if part["kind"] == "consumer"]
    assert [(part["part"], part["handled"]) for part in billing] == [("billing", 3000)]
    assert "3,000 events" in embedded("down").stderr


@pytest.mark.timeout(240)
def test_a_group_is_played_again(eda: Eda, small: Path) -> None:
    write(small, SMALL.replace("rate: 50/s", "rate: max, count: 40"))
    eda.up(small)
    eventually(lambda: eda.lag("small") == {"billing": 0}, 30, every=0.3)
    told = eda("groups", "reset", "billing", "--to", "beginning", code=1).stderr
    assert re.search(r"stop them with: eda up \S*small\.yaml -d --scale billing=0; reset", told)  # as seen from here
    eda.up(small, "--scale", "billing=0")
    eventually(lambda: [part["state"] for part in eda.ps("small")["parts"]] == ["finished", "scaled to 0"], 20, every=0.3)
    assert eda.ps("small")["scaled_away"] == {"billing": {"handled": 40}}
    eda("groups", "reset", "billing", "--to", "beginning")
    assert eda.lag("small") == {"billing": 40}
    eda.up(small)
    eventually(lambda: eda.lag("small") == {"billing": 0}, 30, every=0.3)
    assert [part["handled"] for part in eda.ps("small")["parts"] if part["kind"] == "consumer"] == [80]
    assert not eda.ps("small")["scaled_away"]


def test_what_is_not_ready_in_time_is_exit_5_and_leaves_nothing_running(embedded: Eda, small: Path) -> None:
    told = embedded("up", str(small), "--broker", "embedded", "-d", "--wait-timeout", "0.1", code=None)
    if told.returncode != 0:  # a machine that is this fast is ready
        assert told.returncode == 5
        assert "--wait-timeout" in told.stderr
        assert embedded.processes() == []


def test_up_ends_when_its_output_is_closed(embedded: Eda, small: Path) -> None:
    terminal = embedded.start("up", str(small), "--broker", "embedded")
    assert terminal.stdout is not None
    terminal.stdout.readline()
    terminal.stdout.close()
    assert terminal.wait(20) == 0
    assert terminal.stderr is not None
    assert "Traceback" not in terminal.stderr.read()
    assert embedded.processes() == []
    assert embedded.ps("small")["state"] == "stopped"


def test_a_second_ctrl_c_kills(embedded: Eda, small: Path) -> None:
    write(small, SMALL.replace("{subscribes: purchases}", "{subscribes: purchases, takes: 30s}"))
    terminal = embedded.start("up", str(small), "--broker", "embedded", stdout=subprocess.DEVNULL)
    embedded.wait_until_running("small")
    os.kill(embedded.pid("small", "billing.1"), signal.SIGSTOP)  # it cannot stop in order
    terminal.send_signal(signal.SIGINT)
    eventually(embedded.run("small").ending, 5)
    begun = time.monotonic()
    terminal.send_signal(signal.SIGINT)
    assert terminal.wait(20) == 130
    assert time.monotonic() - begun < 4
    eventually(lambda: embedded.processes() == [], 5)


@pytest.mark.timeout(120)
@pytest.mark.broker
@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
@pytest.mark.parametrize("detach", [(), ("-d",)])
def test_a_start_that_fails_says_why_and_leaves_nothing(eda: Eda, small: Path, detach: tuple[str, ...]) -> None:
    write(small, SMALL + "topics: {purchases: {config: {no.such.setting: soon}}}\n")
    told = eda("up", str(small), "--broker", "kafka", *detach, code=1).stderr
    assert "could not create the topics" in told
    assert eda.lines("ps", "--json") == []
    assert eda.processes() == []
    assert not any(eda.labelled().values())


@pytest.mark.timeout(120)
@pytest.mark.broker
@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
def test_an_image_that_cannot_be_had_is_exit_4_and_leaves_nothing(eda: Eda, small: Path) -> None:
    eda.environ["EDA_KAFKA_IMAGE"] = "127.0.0.1:1/no/such:1"
    told = eda("up", str(small), "--broker", "kafka", code=4).stderr
    assert "--broker embedded" in told
    assert not eda.home.joinpath("small").exists()
    told = eda("up", str(small), "--for", "1s").stderr
    assert "warning: no Kafka, running embedded" in told
    assert "small on embedded" in told


def test_publish_is_exit_130_when_interrupted(embedded: Eda, small: Path) -> None:
    embedded.up(small)
    pipe = embedded.start("publish", "purchases", "-", stdin=subprocess.PIPE)
    assert pipe.stdin is not None
    pipe.stdin.write('{"id": 1}\n')
    pipe.stdin.flush()
    eventually(lambda: any(event["data"] == {"id": 1} for event in embedded.events("purchases", "small")), 20)
    pipe.send_signal(signal.SIGINT)
    assert pipe.wait(10) == 130


def test_a_stub_that_is_told_to_end_by_somebody_else_comes_back(embedded: Eda, small: Path) -> None:
    embedded.up(small)
    old = embedded.pid("small", "billing.1")
    os.kill(old, signal.SIGTERM)
    eventually(lambda: embedded.pid("small", "billing.1") != old, 10)
