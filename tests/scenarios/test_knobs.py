"""Knobs: a run that is up is touched, each touch acts at once, and the file's values come back with `up`."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eda_cli.journal import Listener, Observation
from eda_cli.sketch.knobs import KNOBS
from tests.eventually import eventually
from tests.scenarios.harness import READY_S, Eda

ACTS_S = 5.0  # on a busy machine; alone it is less than one
SKETCH = """
name: knobs
seed: 7
generators: {shop: {publishes: purchases, rate: 20/s}}
consumers:
  billing: {subscribes: purchases}
  audit: {subscribes: purchases, external: true}
"""


@pytest.fixture
def sketch(tmp_path: Path) -> Path:
    path = tmp_path / "knobs.yaml"
    path.write_text(SKETCH)
    return path


class Watched:
    """What a run tells from now on, as it comes."""

    def __init__(self, eda: Eda) -> None:
        from eda_cli.journal import marks

        self._listener = Listener(eda.run("knobs").path, since=marks(eda.run("knobs").path))
        self.seen: list[Observation] = []

    def kinds(self, part: str) -> list[str]:
        self.seen += self._listener.poll()
        return [one.kind for one in self.seen if one.part == part]

    def published(self) -> int:
        return self.kinds("shop").count("published")


def part(eda: Eda, name: str) -> dict[str, Any]:
    return next(row for row in eda.ps("knobs")["parts"] if row["part"] == name)


def acts(eda: Eda, command: str, check: Callable[[], Any]) -> str:
    """What the command said; `pytest -rP` shows how long it took until it acted, the start of Python included."""
    began = time.monotonic()
    told = eda(*command.split()).stderr
    eventually(check, ACTS_S)
    print(f"{eda.broker}: {command}: {time.monotonic() - began:.2f} s")
    return told


@pytest.mark.timeout(240)
def test_each_touch_acts_at_once(eda: Eda, sketch: Path) -> None:
    eda.up(sketch)
    billing = eda.pid("knobs", "billing.1")
    seen = Watched(eda)
    told = acts(eda, "set shop.rate=200/s", lambda: seen.kinds("shop").count("ready") == 1 and seen.published() >= 20)
    assert "shop: rate 20/s -> 200/s" in told
    assert eda.pid("knobs", "billing.1") == billing, "only the part that was touched is restarted"

    def replicas() -> list[str]:
        return sorted(process for process in eda.run("knobs").alive() if process.startswith("billing."))

    told = acts(eda, "scale billing=3", lambda: "ready" in seen.kinds("billing") and len(replicas()) == 3)
    assert "billing: replicas 1 -> 3" in told
    acts(eda, "scale billing=1", lambda: replicas() == ["billing.1"])
    assert eda.pid("knobs", "billing.1") == billing

    acts(eda, "pause shop", lambda: seen.kinds("shop")[-2:] == ["started", "ready"])
    assert part(eda, "shop")["state"] == "paused"
    before = len(eda.events("purchases", "knobs"))
    assert len(eda.events("purchases", "knobs")) == before  # a command takes long enough for many at 200/s
    seen = Watched(eda)
    acts(eda, "resume shop", lambda: seen.published() >= 1)

    shop, seen = eda.pid("knobs", "shop.1"), Watched(eda)
    acts(eda, "restart shop", lambda: "started" in seen.kinds("shop") and seen.kinds("shop")[-1] == "counted")
    assert eda.pid("knobs", "shop.1") != shop
    assert "crashed" not in seen.kinds("shop")

    shop, seen = eda.pid("knobs", "shop.1"), Watched(eda)
    told = acts(eda, "kill shop", lambda: "crashed" in seen.kinds("shop") and "ready" in seen.kinds("shop"))
    assert f"shop: killed (process {shop})" in told
    assert eda.pid("knobs", "shop.1") != shop
    assert part(eda, "shop")["touched"] == {"rate": "200/s"}


@pytest.mark.timeout(240)
@pytest.mark.broker
@pytest.mark.parametrize("eda", ["kafka"], indirect=True)
def test_knobs_are_turned_while_the_broker_is_away(eda: Eda, sketch: Path) -> None:
    eda.up(sketch)
    eda.run_ids()
    container = eda.labelled()["containers"][0]["id"]
    subprocess.run(["docker", "pause", container], check=True, capture_output=True)
    try:
        acts(eda, "pause shop", lambda: eda.run("knobs").sketch().generators["shop"].paused)
        acts(eda, "set billing.takes=1ms", lambda: eda.run("knobs").sketch().consumers["billing"].touched)
    finally:
        subprocess.run(["docker", "unpause", container], check=True, capture_output=True)
    eventually(lambda: [row["state"] for row in eda.ps("knobs")["parts"]] == ["paused", "running", "external"], 40, every=0.3)


def test_nothing_is_caught_up_after_a_pause(embedded: Eda, sketch: Path) -> None:
    embedded.up(sketch)
    seen = Watched(embedded)
    embedded("pause", "shop")
    eventually(lambda: seen.kinds("shop")[-1:] == ["ready"], ACTS_S)
    paused = time.monotonic()
    eventually(lambda: time.monotonic() - paused > 1.5, 5)
    resumed = Watched(embedded)
    embedded("resume", "shop")
    eventually(lambda: resumed.published() >= 25, ACTS_S)
    moments = [datetime.fromisoformat(one.time) for one in resumed.seen if (one.part, one.kind) == ("shop", "published")]
    at_once = [moment for moment in moments if moment - moments[0] < timedelta(seconds=0.5)]
    assert len(at_once) <= 20, "at 20/s it is 11; what is caught up would be as many again"


def test_several_touches_at_the_same_instant_are_all_live(embedded: Eda, sketch: Path) -> None:
    embedded.up(sketch)
    commands = [("set", "shop.rate=30/s"), ("set", "shop.count=100000"), ("scale", "billing=2"), ("set", "billing.takes=1ms"),
                ("pause", "billing")]
    children = [embedded.start(*command) for command in commands]
    assert [child.wait(30) for child in children] == [0] * len(commands)
    assert part(embedded, "shop")["touched"] == {"rate": "30/s", "count": "100000"}
    assert part(embedded, "billing.2")["touched"] == {"replicas": "2", "takes": "1ms"}
    assert part(embedded, "billing.2")["paused"]
    assert not list(embedded.run("knobs").path.glob("touch-*"))


def test_a_crashed_part_keeps_its_knobs_and_up_brings_back_what_the_file_says(embedded: Eda, sketch: Path) -> None:
    embedded.up(sketch)
    embedded("set", "shop.every=1h", "billing.takes=1ms")
    with (embedded.home / "knobs" / "shop.1.log").open("a") as log:
        log.write("WARNING some.library: something took 0.148s\n")
    dying = Watched(embedded)
    embedded("kill", "shop", "billing.1")
    eventually(lambda: "crashed" in dying.kinds("shop"), ACTS_S)
    assert all(not one.fields["log"] for one in dying.seen if one.kind == "crashed"), "what it said before is not why"
    eventually(lambda: [part(embedded, "shop")[key] for key in ("restarts", "state")] == [1, "running"], ACTS_S, every=0.2)
    seen = Watched(embedded)
    live = embedded.run("knobs").sketch()
    assert (live.generators["shop"].rate, live.generators["shop"].every) == (None, (3600.0, 3600.0))
    shown = embedded("ps").stdout
    assert "every=1h" in shown and "takes=1ms" in shown
    told = embedded("up", str(sketch), "-d", "--broker", "embedded").stderr
    assert "changed shop: every (what the file says is back)" in told
    assert "changed billing: takes (what the file says is back)" in told
    eventually(lambda: seen.published() >= 5, ACTS_S)
    assert part(embedded, "shop")["touched"] == {}
    embedded("pause", "shop")
    assert "changed shop: paused (it goes on)" in embedded("up", str(sketch), "-d", "--broker", "embedded").stderr
    assert "it is up already" in embedded("up", str(sketch), "-d", "--broker", "embedded").stderr


def test_a_run_that_stopped_goes_on_without_knobs(embedded: Eda, sketch: Path) -> None:
    embedded.up(sketch)
    embedded("set", "shop.rate=1/h")
    embedded("down", "--keep")
    embedded.up(sketch)
    assert part(embedded, "shop")["touched"] == {}
    eventually(lambda: part(embedded, "shop").get("published", 0) > 5, ACTS_S, every=0.2)


def test_who_watches_the_sketch_undoes_knobs_only_when_it_is_saved(embedded: Eda, sketch: Path) -> None:
    terminal = embedded.start("up", str(sketch), "--broker", "embedded", "--watch", "--json")
    assert terminal.stdout is not None
    seen: list[dict[str, Any]] = []
    threading.Thread(target=lambda: seen.extend(map(json.loads, terminal.stdout or ())), daemon=True).start()
    eventually(lambda: any(one["kind"] == "ready" and one["part"] == "run" for one in seen), READY_S)
    embedded("set", "shop.rate=30/s")
    touched = [one for one in seen if one["kind"] == "touched"]
    assert [(one["part"], one["text"]) for one in touched] == [("shop", "set rate=30/s")]
    embedded("set", "shop.count=100000")
    assert part(embedded, "shop")["touched"] == {"rate": "30/s", "count": "100000"}
    sketch.write_text(SKETCH + "# saved\n")
    eventually(lambda: part(embedded, "shop")["touched"] == {}, ACTS_S, every=0.2)


@pytest.mark.xdist_group("running")
@pytest.mark.parametrize(("command", "code", "says"), [
    ("set shop.rate=5", 2, "'rate' of generator 'shop' must be a rate\n  '5' has no unit\n  write 5/s, 5/min or 5/h"),
    ("set shop.rte=5/s", 2, "did you mean 'rate'?"),
    ("set shop.rate=", 2, "comes back with: eda up"),
    ("set shop.publishes=refunds", 2, "cannot be turned while it runs"),
    ("set billing.from=earliest", 2, "eda groups reset"),
    ("set shop", 2, "PART.KEY=VALUE"),
    ("set shop.rate=5/s billing.takes=1s shop.every=3s", 2, "shop.rate=5/s and shop.every=3s exclude each other"),
    ("set shop.count=5 shop.count=6", 2, "exclude each other"),
    ("set shopp.rate=5/s", 2, "did you mean 'shop'?"),
    ("scale billing=many", 2, "a number from 0 to 100"),
    ("scale billing", 2, "PART=N"),
    ("scale audit=2", 2, "'audit' is external"),
    ("pause nobody", 2, "parts of knobs: shop, billing, audit"),
    ("kill audit", 2, "somebody else runs it"),
    ("kill stubs", 2, "a process of eda's own"),
    ("kill billing.2", 2, "there is no replica '2' of 'billing'"),
    ("resume shop --run other", 4, "there is no run 'other'"),
])
def test_what_cannot_be_touched_says_why(running: Eda, command: str, code: int, says: str) -> None:
    assert says in running(*command.split(), code=code).stderr


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that is up, for what changes nothing."""
    folder = tmp_path_factory.mktemp("running")
    (folder / "knobs.yaml").write_text(SKETCH)
    one = Eda(folder / "home", "embedded", {})
    one.up(folder / "knobs.yaml")
    yield one
    assert {row["part"]: row["touched"] for row in one.ps("knobs")["parts"]} == {"shop": {}, "billing": {}, "audit": {}}
    one.end()


@pytest.mark.xdist_group("running")
@pytest.mark.parametrize(("words", "wanted"), [
    ("eda set sh", {f"shop.{key}=" for key in KNOBS["generator"]}),
    ("eda set shop.ra", {"shop.rate="}), ("eda scale b", {"billing="}), ("eda pause ", {"shop", "billing", "audit"}),
    ("eda kill bi", {"billing"}),
])
def test_the_shell_completes_parts_and_their_knobs(running: Eda, words: str, wanted: set[str]) -> None:
    before = dict(running.environ)
    running.environ |= {"_EDA_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
    try:
        assert set(running(code=0).stdout.split()) == wanted
    finally:
        running.environ = before


def test_a_part_without_a_process_cannot_be_killed_or_restarted(embedded: Eda, sketch: Path) -> None:
    assert "no run is up" in embedded("pause", "shop", code=4).stderr
    embedded.up(sketch)
    embedded("scale", "billing=0")
    eventually(lambda: part(embedded, "billing")["state"] == "scaled to 0", ACTS_S, every=0.2)
    eventually(lambda: "billing.1" not in embedded.run("knobs").alive(), ACTS_S)
    assert "eda scale billing=1" in embedded("restart", "billing", code=1).stderr
    assert "it is not running" in embedded("kill", "billing", code=1).stderr
    embedded("scale", "billing=1")
    eventually(lambda: part(embedded, "billing")["state"] == "running", ACTS_S, every=0.2)


def test_what_a_sketch_says_is_shown_and_not_obeyed(embedded: Eda, sketch: Path) -> None:
    sketch.write_text(SKETCH.replace("billing: {", r'''billing: {fails: {when: "'\e]0;pwned\a' == body.id"}, '''))
    embedded.up(sketch)
    told = embedded("set", "billing.fails=2%").stderr
    assert r"billing: fails {share: 100%, when: '\x1b]0;pwned\x07' == body.id} -> 2%" in told
    assert "\x1b" not in told
