"""Flow lines: one for each event published or handled, and for what happens to the parts. Knows no terminal but rich."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from eda_cli.journal import Observation
from eda_cli.view.escape import escaped
from eda_cli.view.picture import RUN, Picture

LINES_PER_S = 200  # above it lines are left out, and how many is said
BURST = 50  # lines that may come at once after a quiet moment
SAY_EVERY_S = 1.0
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red", "bright_cyan", "bright_green",
           "bright_magenta", "bright_yellow", "bright_blue")
ARROWS = {"published": "→", "handled": "←", "failed": "✗", "skipped": "○"}
PART_WIDTH = (8, 20)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)  # as a key it is as short as an id
BODY_LIMIT = 2_000  # characters of a body on a line that no terminal cuts


class Flow:
    """Shows observations as lines, at most LINES_PER_S of them, and says openly how many it left out.

    `parts` are the parts of the sketch and their replicas, which may change. `width` None cuts
    nothing: the output is no terminal.
    """

    def __init__(self, console: Console, parts: Mapping[str, int], width: int | None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.picture = Picture()
        self._console = console
        self._clock = clock
        self._colours = {part: COLOURS[index % len(COLOURS)] for index, part in enumerate(parts)}
        self.parts = parts
        longest = max((len(part) + 2 * (replicas > 1) for part, replicas in parts.items()), default=0)
        self._part_width = min(max(longest, PART_WIDTH[0]), PART_WIDTH[1])
        self._fixed_width = width
        self._tokens = float(BURST)
        self._refilled = self._said = clock()
        self._shown = 0  # event lines, of all the events that are counted
        self._left_out = 0  # of them said already
        self._unsaid = 0  # lines of logs that were left out since

    def past(self, observations: Sequence[Observation]) -> None:
        """Take in what happened before, without a line."""
        self.picture.see_all(observations)
        self._shown = self.picture.events()

    def show(self, observations: Sequence[Observation], every: bool = False) -> None:
        """A line each, or counted as left out; with `every` none is left out of those that were told."""
        for observation in observations:
            self.picture.see(observation)
            if is_event(observation):
                if not (every or self._allowed()):
                    continue
                self._shown += 1
            elif observation.kind == "log" and not (every or self._allowed()):
                self._unsaid += 1
                continue
            self.line(observation)
        if self._clock() - self._said >= SAY_EVERY_S:
            self.say_left_out()

    def say_left_out(self) -> None:
        """How many events have no line since this was said last."""
        self._said = self._clock()
        left_out = self.picture.events() - self._shown
        if more := left_out - self._left_out:
            self._left_out = left_out
            self._print(Text(f"… {more:,} more events, not shown one by one", "dim"))
        if self._unsaid:
            self._print(Text(f"… {self._unsaid:,} more lines of logs; all: eda logs", "dim"))
            self._unsaid = 0

    def line(self, observation: Observation) -> None:
        """Its line alone, where it has one."""
        name = f"{self._name(observation):<{self._part_width}}"
        line = line_of(observation, self._colour(observation.part), name)
        if line is not None:
            self._print(line)

    def _print(self, line: Text) -> None:
        width = self._fixed_width
        if width is not None and cell_len(line.plain) > width:
            line.truncate(width, overflow="ellipsis")
        self._console.print(line, soft_wrap=True, highlight=False)

    def resize(self, width: int | None) -> None:
        self._fixed_width = width

    def _name(self, seen: Observation) -> str:
        """With the number of the replica where the part has several."""
        replica = seen.fields.get("replica", 0)
        return f"{seen.part}.{replica}" if replica and max(self.parts.get(seen.part, 1), replica) > 1 else seen.part

    def _colour(self, part: str) -> str:
        return self._colours.setdefault(part, COLOURS[len(self._colours) % len(COLOURS)])

    def _allowed(self) -> bool:
        moment = self._clock()
        self._tokens = min(BURST, self._tokens + (moment - self._refilled) * LINES_PER_S)
        self._refilled = moment
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def is_event(seen: Observation) -> bool:
    """Whether it tells of one event that was published, handled, failed or skipped."""
    return seen.kind in ARROWS and "topic" in seen.fields


def line_of(seen: Observation, colour: str, name: str = "") -> Text | None:
    """The line of an observation under a name (else the part's); None for what is no news."""
    return event_line(seen, colour, name) if is_event(seen) else life_line(seen, colour, name)


def event_line(seen: Observation, colour: str, name: str = "") -> Text:
    """`09:30:00.123 webshop → purchases[1]@42 purchaseCreated 3f2a91c0 ann {…}`.

    Behind its place stands how long after it was published it was handled, which faults it has, that it was redriven, or
    why it failed: a narrow terminal cuts the body, not that.
    """
    fields = seen.fields
    place = fields["topic"]
    if fields["partition"] is not None:
        place += f"[{fields['partition']}]"
    if fields["offset"] is not None:
        place += f"@{fields['offset']}"
    line = _begin(seen, colour, name)
    line.append(f"{ARROWS[seen.kind]} ", "bold red" if seen.kind == "failed" else "bold")
    line.append(escaped(place), colour)
    if "after_ms" in fields:
        line.append(f" +{_duration(fields['after_ms'])}", "dim")
    if faults := fields.get("faults"):
        line.append(f" ({', '.join(map(_words, faults))})", "yellow")
    if fields.get("redriven"):
        line.append(" (redriven)", "yellow")
    if seen.kind in ("failed", "skipped"):
        line.append(f" {escaped(str(fields.get('reason', '')), 300)}{_fate(fields)} ·", "red" if seen.kind == "failed" else "dim")
    line.append(f" {escaped(fields.get('type') or '-')}", "bold")
    line.append(f" {escaped((fields.get('id') or '-')[:8])}", "dim")
    if fields.get("key") is not None:
        line.append(f" {escaped(fields['key'][:8] if _UUID.match(fields['key']) else fields['key'], 60)}", "italic")
    if fields.get("made", True):
        line.append(f" {_body(seen)}")
    return line


def faults_told(faults: Mapping[str, int]) -> str:
    """`22 duplicate, 5 out of order`."""
    return ", ".join(f"{many:,} {_words(fault)}" for fault, many in sorted(faults.items()))


def _words(fault: str) -> str:
    return fault.replace("_", " ")


def _fate(fields: Mapping[str, Any]) -> str:
    """What becomes of an event that failed."""
    tries = f"after {fields['attempt']} attempts" if fields.get("attempt", 1) > 1 else ""
    if "again_in_s" in fields:
        return f"; attempt {fields['attempt']}, again in {_duration(fields['again_in_s'] * 1000)}"
    if "dead_letter" in fields:
        return f"; {tries} to {escaped(fields['dead_letter'])}".replace(";  ", "; ")
    if fields.get("given_up"):
        return f"; given up {tries}".rstrip()
    return f"; {tries}" if tries else ""  # of a dead letter


def life_line(seen: Observation, colour: str, name: str = "") -> Text | None:
    """What happened to a part or the run; None for what is no news."""
    text, style = _news(seen)
    if not text:
        return None
    line = _begin(seen, colour if seen.part != RUN else "bold", name)
    line.append(f"● {escaped(text, 500)}", style)
    return line


def _news(seen: Observation) -> tuple[str, str]:
    fields = seen.fields
    match seen.kind:
        case "crashed":
            again = f"; again in {fields['again_in_s']:g} s" if "again_in_s" in fields else ""
            log = f" — {fields['log'][-1]}" if fields.get("log") else ""
            return f"crashed: {fields.get('reason') or fields.get('text', '')}{again}{log}", "bold red"
        case "log":
            return str(fields["text"]), "dim"
        case "waiting" | "warning":
            return f"{seen.kind}: {fields.get('text', '')}", "yellow"
        case "live":
            return f"made up for the past with {fields['events']:,} events, and is live from now on", "green"
        case "behind" | "in_time":
            return _behind(fields), "yellow" if seen.kind == "behind" else "green"
        case "starting":
            log = f" — {fields['log']}" if fields.get("log") else ""
            return f"{fields.get('text', 'starting')}{log}", "dim"
        case "finished":
            return "finished: all its events are published", "dim"
        case "stopped" if seen.part != RUN:
            return "stopped" + (f", to start again: {fields['again']}" if "again" in fields else ""), "dim"
        case "touched" | "loaded":
            return str(fields["text"]), "green"
        case "applied" if not fields.get("by_touch"):  # else it is told by part
            return "the changed sketch is live", "green"
        case "failed" if seen.part not in (RUN, "keeper"):  # those end the run, and its end tells why
            return f"failed: {fields.get('what', '')}: {fields.get('why', '')}", "bold red"
    return "", ""


def _behind(fields: Mapping[str, Any]) -> str:
    """How a generator does that gave events up, or does not any more."""
    if "lost" not in fields:
        return "keeps up again"
    if fields.get("refused"):
        return f"made {fields['lost']:,} events fewer while it waited"
    return f"cannot keep up: {_per_s(fields['reached'])} of {_per_s(fields['wished'])}"


def _per_s(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.3g}/s"


def _begin(seen: Observation, colour: str, name: str) -> Text:
    line = Text(no_wrap=True)
    line.append(f"{seen.time[11:23]} ", "dim")
    line.append(f"{escaped(name or seen.part)} ", colour)
    return line


def _body(seen: Observation) -> str:
    body = seen.fields.get("body")
    if body is None:
        return "(tombstone)"
    size = seen.fields.get("size", 0)
    shown = escaped(body, BODY_LIMIT)
    return f"{shown}… ({size:,} bytes)" if size > len(body.encode(errors="replace")) else shown


def _duration(ms: float) -> str:
    if ms < 1000:
        return f"{ms:.0f}ms" if ms >= 10 else f"{max(ms, 0):.1f}ms"
    seconds = ms / 1000
    return f"{seconds:.1f}s" if seconds < 120 else f"{seconds / 60:.0f}m"
