"""`eda compare`: real runs one after another, what they made of each event, and nothing that is left of them."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.scenarios.harness import Eda
from tests.scenarios.test_life import ROOT, SKETCHES, SMALL, write

RUN = "shop-compare"


LIAR = """
from eda_cli.channels.embedded_member import Member

fetch = Member._fetch

def lying(member, at_most):
    heard = []
    for delivery in fetch(member, at_most):
        kind = int(delivery.event.id[:2], 16) % 8
        if kind < 2:
            with open(TOLD, "a") as told:
                told.write("lost " if kind else "duplicated ")
        if kind == 1:
            member.done([delivery])
        else:
            heard += [delivery] * (2 if kind == 0 else 1)
    return heard

Member._fetch = lying
"""


def nothing_is_left(eda: Eda) -> bool:
    left = [path.name for path in eda.home.iterdir()] if eda.home.exists() else []
    return (left, eda.processes(), any(eda.labelled().values())) == ([], [], False)


@pytest.mark.timeout(240)
def test_the_shop_loses_nothing_and_leaves_nothing(eda: Eda) -> None:
    done = eda("compare", str(SKETCHES / "shop.yaml"), "--brokers", eda.broker, "--for", "3s", "--json")
    (told,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told["broker"], told["seed"], told["error"]) == (eda.broker, 42, None)
    assert {name: told[name] for name in ("lost", "unfinished", "duplicated", "out_of_order", "restarts")} == dict.fromkeys(
        ("lost", "unfinished", "duplicated", "out_of_order", "restarts"), 0)
    purchases = told["topics"]["purchases"]
    assert purchases >= 12
    assert told["published"] == sum(told["topics"].values())
    assert told["groups"]["shipping"]["handled"] == purchases
    assert told["handled_ms"]["p99"] >= told["handled_ms"]["p50"] > 0
    assert told["ready_s"] > 0
    assert nothing_is_left(eda)


def test_every_event_is_counted_though_there_are_too_many_to_show(embedded: Eda, tmp_path: Path) -> None:
    fast = write(tmp_path / "fast.yaml", SMALL.replace("50/s", "5000/s"))
    (told,) = embedded.lines("compare", str(fast), "--brokers", "embedded", "--for", "1s", "--json")
    assert told["published"] > 2000
    assert told["groups"]["billing"] == {"handled": told["published"], "lost": 0, "unfinished": 0, "duplicated": 0,
                                         "out_of_order": 0, "skipped": 0, "dead_lettered": 0, "given_up": 0}


def test_what_a_channel_loses_and_repeats_is_found_to_the_last_event(embedded: Eda, tmp_path: Path) -> None:
    lies = tmp_path / "lies"
    write(tmp_path / "liar" / "sitecustomize.py", f"TOLD = {str(lies)!r}\n{LIAR}")
    embedded.environ["PYTHONPATH"] = f"{tmp_path / 'liar'}:{ROOT}"
    small = write(tmp_path / "small.yaml", SMALL)
    (told,) = embedded.lines("compare", str(small), "--brokers", "embedded", "--for", "2s", "--json")
    said = lies.read_text().split()
    assert (told["lost"], told["duplicated"], told["unfinished"]) == (said.count("lost"), said.count("duplicated"), 0)
    assert told["lost"] > 2
    assert told["duplicated"] > 2


def test_a_generator_that_has_published_all_is_not_begun_again(embedded: Eda, tmp_path: Path) -> None:
    counted = write(tmp_path / "small.yaml", SMALL.replace("rate: 50/s", "rate: 50/s, count: 20"))
    done = embedded("compare", str(counted), "--for", "1s", "--brokers", "embedded")
    head, published, *_ = done.stdout.splitlines()
    assert head.split() == ["embedded"]
    assert published.split() == ["events", "published", "20"]


def test_ctrl_c_leaves_nothing(eda: Eda) -> None:
    child = eda.start("compare", str(SKETCHES / "shop.yaml"), "--brokers", eda.broker, "--for", "10m")
    eda.wait_until_running(RUN)
    assert eda.run_ids()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, ""), err
    assert nothing_is_left(eda)


def test_ctrl_c_during_the_start_leaves_nothing(eda: Eda) -> None:
    child = eda.start("compare", str(SKETCHES / "shop.yaml"), "--brokers", eda.broker)
    eventually(lambda: eda.home.joinpath(RUN).exists() and eda.run_ids(), 20)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert nothing_is_left(eda)


def test_a_broker_that_fails_is_told_and_the_others_go_on(embedded: Eda) -> None:
    embedded.environ["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    shop = str(SKETCHES / "shop.yaml")
    named = embedded("compare", shop, "--brokers", "kafka,embedded", "--for", "1s", code=1)
    assert named.stdout.splitlines()[1].split()[:3] == ["events", "published", "–"]
    assert "kafka failed: " in named.stdout
    unnamed = embedded("compare", shop, "--for", "1s")
    assert unnamed.stdout.splitlines()[0].split() == ["embedded"]
    assert "left out: kafka: " in unnamed.stderr
    assert nothing_is_left(embedded)


def test_what_a_killed_comparison_left_is_swept_by_the_next_and_a_live_one_is_not(embedded: Eda) -> None:
    shop = str(SKETCHES / "shop.yaml")
    first = embedded.start("compare", shop, "--brokers", "embedded", "--for", "10m")
    embedded.wait_until_running(RUN)
    second = embedded("compare", shop, "--brokers", "embedded", "--for", "1s", code=1)
    assert f"the run '{RUN}' is up" in second.stdout
    first.kill()
    first.wait()
    eventually(lambda: embedded.processes() == [], 20)
    embedded("compare", shop, "--brokers", "embedded", "--for", "1s")
    assert nothing_is_left(embedded)


@pytest.mark.parametrize(("args", "why"), [
    (("--brokers", "rabbit"), "there is no broker 'rabbit'"), (("--brokers", ","), "names none"),
    (("--for", "soon"), "--for soon is no time"),
])
def test_what_cannot_be_meant_is_said(embedded: Eda, args: tuple[str, ...], why: str) -> None:
    assert why in embedded("compare", str(SKETCHES / "shop.yaml"), *args, code=2).stderr
