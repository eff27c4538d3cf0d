"""The one table: from raw numbers to Markdown. Knows no measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from statistics import median
from typing import Any, NamedTuple

from bench.rates import RATES

Raw = Mapping[str, Any]


class Row(NamedTuple):
    """A line of the table. `cell` makes the text of one channel from the raw numbers of `needs`."""

    what: str
    needs: str
    cell: Callable[[Raw], str]
    asked: str


def table(results: Mapping[str, Mapping[str, Raw]]) -> str:
    """Markdown: a column for each channel that was measured, a row for each thing that was."""
    channels = list(results)
    lines = [_line(["", *(_TITLES[channel] for channel in channels), "asked for"]),
             _line(["---"] * (len(channels) + 2))]
    for row in ROWS:
        raws = [results[channel].get(row.needs) for channel in channels]
        if found := [raw for raw in raws if raw is not None]:
            cells = [row.cell(raw) if raw is not None else "" for raw in raws]
            lines.append(_line([row.what.format_map(found[0]), *cells, row.asked]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rate(raw: Raw) -> str:
    eda, by_hand = median(raw["eda"]), median(raw["by_hand"])
    return f"{_short(eda)}/s, {eda / by_hand:.0%} of {_short(by_hand)}/s"


def _times(name: str) -> Callable[[Raw], str]:
    def cell(raw: Raw) -> str:
        eda, by_hand = median(raw[name]["eda"]), median(raw[name]["by_hand"])
        return f"{by_hand / eda:.2f} times ({_short(eda)}/s, by hand {_short(by_hand)}/s)"

    return cell


def _latency(raw: Raw) -> str:
    eda, by_hand = raw["eda"], raw["by_hand"]
    return (f"{median(eda['p50']):.1f} / {median(eda['p99']):.1f} ms"
            f" (by hand {median(by_hand['p50']):.1f} / {median(by_hand['p99']):.1f})")


def _start(raw: Raw) -> str:
    eda, bare = median(raw["eda"]), median(raw["bare"])
    return f"{eda - bare:.2f} s more than {bare:.2f} s"


def _memory(raw: Raw) -> str:
    eda = raw["eda"]
    return " / ".join(f"{median(eda[f'{part}_pss']):.0f} MB ({median(eda[f'{part}_rss']):.0f})"
                      for part in ("generator", "consumer"))


def _large(what: str) -> Callable[[Raw], str]:
    return lambda raw: f"{median(raw[what]['large']) / median(raw[what]['empty']):.0%}"


def _large_latency(raw: Raw) -> str:
    empty, large = raw["latency"]["empty"], raw["latency"]["large"]
    return " / ".join(f"{median(large[name]) / median(empty[name]):.0%}" for name in ("p50", "p99"))


def _large_memory(raw: Raw) -> str:
    empty, large = raw["latency"]["empty"], raw["latency"]["large"]
    shares = [median(large[name]) / median(empty[name]) for name in ("generator_pss", "consumer_pss")]
    shares.append(median(raw["read_mb"]["large"]) / median(raw["read_mb"]["empty"]))
    return " / ".join(f"{share:.0%}" for share in shares)


def _held(rate: int) -> Callable[[Raw], str]:
    def cell(raw: Raw) -> str:
        held = [one for one in raw["held"] if one["wished"] == rate]
        return ", ".join(f"{one['reached']:,.2f}/s ({one['reached'] / rate - 1:+.2%})" for one in held)

    return cell


def _curve(raw: Raw) -> str:
    """How far the sum of what was reached is from the wished one, at most."""
    wished, reached = (list(accumulate(raw["curve"][name])) for name in ("wished", "reached"))
    return f"{max(abs(ours - theirs) for ours, theirs in zip(wished, reached, strict=True)):.1f} of {wished[-1]:,.0f} events"


def _short(rate: float) -> str:
    return f"{rate / 1000:,.0f} k" if rate >= 10_000 else f"{rate:,.0f}"


_TITLES = {"embedded": "embedded", "kafka": "Kafka"}
ROWS = (
    Row("publishing flat out, share of the loop by hand", "publish", _rate, "60 %, Kafka 70 %"),
    Row("counting consumer, share of the loop by hand", "consume", _rate, "60 %"),
    Row("a rule with a template, time beside the loop by hand", "duties", _times("invoice"), "1.5 times or less"),
    Row("… an own copy by key", "duties", _times("keep"), "1.5 times or less"),
    Row("… a fold into an own copy", "duties", _times("fold"), "1.5 times or less"),
    Row("… a window with a count and a sum", "duties", _times("window"), "1.5 times or less"),
    Row("from published to handled at 100 events/s, p50 / p99", "latency", _latency, "p50 8 ms"),
    Row("from `eda up` to the first handled event, beyond `import typer`, Kafka: the bare container", "start",
        _start, "1.0 s, Kafka 3 s"),
    Row("memory of a generator / a consumer, PSS (RSS)", "latency", _memory, ""),
    Row("on a log of {events:,}, against an empty one: publishing", "large", _large("publish"),
        "80 % or more"),
    Row("… consuming", "large", _large("consume"), "80 % or more"),
    Row("… p50 / p99 from published to handled", "large", _large_latency, "120 % or less"),
    Row("… memory of a generator / a consumer / a consumer that read it all", "large", _large_memory,
        "120 % or less"),
    *(Row(f"{rate:,}/s over {{seconds}} s, by 1, 2 and 4 replicas", "rates", _held(rate), "within 1 %") for rate in RATES),
    Row("stages: the sums of wished and reached events are apart by at most", "rates", _curve, "1 %"),
)
