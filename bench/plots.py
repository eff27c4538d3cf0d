"""`python -m bench.plots [SECONDS] [payments|funnel|rides|stages…]`: run these and draw what they gave, as docs/plots/*.png.

Needs matplotlib: `pip install -e '.[plots]'`. What is drawn is what lies in the topics afterwards. Knows no channel.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench import rates
from bench.beds import Embedded
from bench.rig import Rig

ROOT = Path(__file__).parent.parent
PLOTS = ROOT / "docs" / "plots"
SECONDS = 60
INK, MUTED, GRID = "#1f2933", "#9aa5b1", "#dde2e7"
BLUE, ORANGE, GREEN, RED, PALE = "#2f6db5", "#e07b39", "#3f9c6b", "#c93c3c", "#e8a3a3"
STEPS = ["siteVisited", "productViewed", "cartFilled", "checkoutStarted", "purchaseMade"]
STATES = {"rideRequested": MUTED, "rideAccepted": BLUE, "rideBegun": ORANGE}

Events = list[dict[str, Any]]


class Played:
    """A sketch that runs since so many seconds; `events` is all that one of its topics holds, in seconds since the first."""

    def __init__(self, rig: Rig, name: str, seconds: int) -> None:
        self._rig, self._name = rig, name
        rig("up", str(ROOT / "sketches" / f"{name}.yaml"), "--broker", "embedded", "-d")
        time.sleep(seconds)
        self._begin: float | None = None

    def events(self, topic: str) -> Events:
        told = self._rig("tail", topic, "-o", "beginning", "-e", "--json", "--run", self._name)
        events = sorted((orjson.loads(line) for line in told.splitlines()), key=lambda event: event["time"])
        self._begin = self._begin if self._begin is not None else _epoch(events[0])
        return [event["data"] | {"id": event["id"], "type": event["type"], "cause": event.get("causationid"),
                                 "second": _epoch(event) - self._begin} for event in events]


def _epoch(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def payments(played: Played) -> None:
    """Amounts over time, and what the watchers found."""
    made, alarms = played.events("payments"), played.events("alarms")
    causes = {kind: {alarm["cause"] for alarm in alarms if alarm["type"] == kind}
              for kind in ("travelledTooFast", "limitAvoided")}
    tests = {(alarm["device"], alarm["from"]) for alarm in alarms if alarm["type"] == "cardsTested"}
    tested = {one["id"] for one in made if (one["device"], _window(one["at"])) in tests}
    figure, axes = plt.subplots(figsize=(10, 4.6), layout="constrained")
    flagged = tested.union(*causes.values())
    near = [one for one in made if 950 <= one["amount"] < 1000]
    _dots(axes, [one for one in made if one["id"] not in flagged and one not in near], MUTED, 10, "a payment that nobody flagged")
    _dots(axes, [one for one in made if one["id"] in tested], ORANGE, 22, "cardsTested: five of one device in five seconds")
    _dots(axes, [one for one in made if one["id"] in causes["travelledTooFast"]], BLUE, 22,
          "travelledTooFast: another country than a moment ago")
    _dots(axes, near, PALE, 14, "just below the limit")
    _dots(axes, [one for one in made if one["id"] in causes["limitAvoided"]], RED, 60,
          "limitAvoided: every third of a card there")
    axes.axhline(1000, color=RED, linewidth=0.8, linestyle=(0, (6, 4)))
    axes.text(axes.get_xlim()[1], 1040, "limit", color=RED, ha="right", va="bottom", fontsize=9)
    axes.set(yscale="log", ylim=(0.3, 3000), ylabel="amount", xlabel="seconds")
    axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    _finish(axes, f"{len(made):,} payments, {len(alarms)} alarms (a burst is one)")
    _save("payments")


def _window(at: str) -> str:
    moment = datetime.fromisoformat(at)
    begin = datetime.fromtimestamp(moment.timestamp() // 5 * 5, moment.tzinfo)
    return begin.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _dots(axes: Axes, events: Sequence[dict[str, Any]], colour: str, size: float, label: str) -> None:
    axes.scatter([one["second"] for one in events], [one["amount"] for one in events], s=size, color=colour,
                 linewidths=0, alpha=0.5 if colour == MUTED else 0.9, label=f"{label} ({len(events):,})")


def funnel(played: Played) -> None:
    """How many visits reach each step, and how long they stay at one."""
    visits: dict[str, Events] = defaultdict(list)
    for step in played.events("activity"):
        visits[step["visit"]].append(step)
    reached = Counter(kind for steps in visits.values() for kind in {step["type"] for step in steps})
    dwelt: dict[str, list[float]] = defaultdict(list)
    for steps in visits.values():
        for here, following in pairwise(steps):
            dwelt[here["type"]].append(following["second"] - here["second"])
    _, (bars, histogram) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    bars.barh(STEPS, [reached[step] for step in STEPS], color=BLUE, height=0.62)
    bars.invert_yaxis()
    for at, step in enumerate(STEPS):
        bars.text(reached[step], at, f" {reached[step]:,}   {reached[step] / len(visits):.0%}", va="center", fontsize=9)
    bars.set_xlim(0, len(visits) * 1.25)
    bars.set_xlabel("visits")
    _finish(bars, "how far visits come")
    bins = [at / 5 for at in range(22)]
    for step, colour in zip(STEPS[:4], (MUTED, BLUE, ORANGE, GREEN), strict=True):
        histogram.hist(dwelt[step], bins=bins, histtype="step", linewidth=1.6, color=colour, label=step)
    histogram.set(xlabel="seconds until the next step", ylabel="steps")
    histogram.legend(frameon=False, fontsize=9)
    _finish(histogram, "how long they stay")
    _save("funnel")


def rides(played: Played) -> None:
    """The ways of some drivers, and how many rides are in which state."""
    ways: dict[int, Events] = defaultdict(list)
    for position in played.events("positions"):
        ways[position["driver"]].append(position)
    figure, (city, states) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", width_ratios=(1.15, 1))
    palette = plt.get_cmap("tab10").colors
    for at, way in enumerate(ways.values()):
        colour, layer = (palette[at], 2) if at < len(palette) else (GRID, 1)
        city.plot([one["lon"] for one in way], [one["lat"] for one in way], color=colour, linewidth=1.1, zorder=layer)
        city.plot(way[-1]["lon"], way[-1]["lat"], "o", color=colour, markersize=4, zorder=layer)
    city.set(xlim=(13.22, 13.56), ylim=(52.42, 52.60), aspect=1 / 0.61, xlabel="longitude", ylabel="latitude")
    _finish(city, f"{len(ways)} drivers on their ways")
    _stacked(states, played.events("rides"))
    figure.legend(loc="outside lower right", ncols=3, frameon=False, fontsize=9)
    _save("rides")


def _stacked(axes: Axes, told: Events) -> None:
    """Rides in each state at each second; those that ended are in none."""
    end = int(max(event["second"] for event in told))
    counts = {state: [0] * (end + 1) for state in STATES}
    now: dict[str, str] = {}
    left = iter(told)
    event = next(left, None)
    for second in range(end + 1):
        while event is not None and event["second"] <= second:
            now[event["ride"]] = event["type"]
            event = next(left, None)
        for state, count in Counter(now.values()).items():
            if state in counts:
                counts[state][second] = count
    axes.stackplot(range(end + 1), list(counts.values()), colors=list(STATES.values()), labels=list(counts), step="post")
    axes.set(xlabel="seconds", ylabel="rides", xlim=(0, end))
    ended = Counter(event["type"] for event in told)
    _finish(axes, f"{ended['rideEnded']} rides ended, {ended['rideCancelled']} were called off")


def stages(rig: Rig, seconds: int) -> None:
    """What a generator with stages wished and reached, counted in the log."""
    curve = rates.staged(Embedded(rig), seconds)
    _, axes = plt.subplots(figsize=(10, 3.4), layout="constrained")
    axes.bar(curve["second"], [many / rates.BIN_S for many in curve["reached"]], width=rates.BIN_S, align="edge", color=BLUE,
             alpha=0.55, label="reached, in each half second of the log")
    axes.plot([second + rates.BIN_S / 2 for second in curve["second"]], [many / rates.BIN_S for many in curve["wished"]],
              color=RED, linewidth=1.4, label="wished by the stages")
    axes.set(xlabel="seconds", ylabel="events a second", xlim=(0, seconds), ylim=(0, None))
    axes.legend(frameon=False, fontsize=9, loc="lower center")
    _finish(axes, f"{sum(curve['reached']):,} events, {sum(curve['wished']):,.0f} wished")
    _save("stages")


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(MUTED)


def _save(name: str) -> None:
    PLOTS.mkdir(exist_ok=True)
    plt.savefig(PLOTS / f"{name}.png", dpi=110, metadata={"Software": None})
    plt.close()
    print(PLOTS / f"{name}.png")


DRAWN: dict[str, Callable[[Played], None]] = {"payments": payments, "funnel": funnel, "rides": rides}


def main(words: Sequence[str]) -> None:
    seconds = next((int(word) for word in words if word.isdigit()), SECONDS)
    names = [*DRAWN, stages.__name__]
    for name in [word for word in words if word in names] or names:
        folder = Path(tempfile.mkdtemp(prefix="eda-plots-"))
        rig = Rig(folder / "home")
        try:
            DRAWN[name](Played(rig, name, seconds)) if name in DRAWN else stages(rig, seconds)
        finally:
            rig.close()
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
