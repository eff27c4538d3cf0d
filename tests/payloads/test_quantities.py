"""One grammar of quantities, and what each refusal says to write instead."""

from __future__ import annotations

from functools import partial
from math import inf

import pytest

from eda_cli.payloads import parse_duration, parse_range, parse_rate, parse_share


@pytest.mark.parametrize(("text", "seconds"), [
    ("200ms", 0.2), ("5s", 5), ("2m", 120), ("1h", 3600), ("7d", 604_800), ("1.5s", 1.5), ("0.5ms", 0.0005), ("0s", 0),
    (".5s", 0.5), (" 5s ", 5), ("3652d", 3652 * 86_400)])
def test_durations_are_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "rate"), [
    ("5/s", 5), ("120/min", 2), ("100/min", 100 / 60), ("10/h", 10 / 3600), ("0.5/s", 0.5), ("max", inf), ("1/h", 1 / 3600)])
def test_rates_are_events_per_second(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0%", 0), ("100%", 1), ("0.1%", 0.001), ("12.5%", 0.125)])
def test_shares_are_fractions(text, share):
    assert parse_share(text) == share


@pytest.mark.parametrize(("text", "parse_one", "bounds"), [
    ("20ms..80ms", parse_duration, (0.02, 0.08)), ("20ms", parse_duration, (0.02, 0.02)), ("0s..1m", parse_duration, (0, 60)),
    ("5/s..60/s", parse_rate, (5, 60)), ("1%..2%", parse_share, (0.01, 0.02)), ("500ms..1s", parse_duration, (0.5, 1)),
    ("max", parse_rate, (inf, inf)), ("0/s..5/s", partial(parse_rate, zero=True), (0, 5)),
    ("1.5s..2.5s", parse_duration, (1.5, 2.5))])
def test_ranges_are_two_of_a_kind(text, parse_one, bounds):
    assert parse_range(text, parse_one) == bounds


@pytest.mark.parametrize(("parse", "text", "said"), [
    (parse_duration, "200", "'200' has no unit: write 200ms, 200s or 200m"),
    (parse_duration, 200, "'200' has no unit: write 200ms"),
    (parse_duration, 0.5, "'0.5' has no unit: write 0.5ms"),
    (parse_duration, "-5", "'-5' has no unit: write 5ms"),
    (parse_duration, "5 s", "'5 s' is no duration: write 5s"),
    (parse_duration, "5sec", "write 5s"),
    (parse_duration, "2 minutes", "write 2m"),
    (parse_duration, "3 Hours", "write 3h"),
    (parse_duration, "1day", "write 1d"),
    (parse_duration, "5S", "write 5s"),
    (parse_duration, "1h30m", "'1h30m' is no duration: write one such as 200ms, 5s, 2m, 1h or 7d"),
    (parse_duration, "soon", "'soon' is no duration"),
    (parse_duration, "", "'' is no duration"),
    (parse_duration, None, "'None' is no duration"),
    (parse_duration, True, "'True' is no duration"),
    (parse_duration, "٥s", "is no duration"),
    (parse_duration, "-5s", "'-5s' is negative: a duration is not"),
    (parse_duration, "3653d", "'3653d' is longer than ten years"),
    (parse_duration, "9" * 400 + "s", "longer than ten years"),
    (partial(parse_duration, zero=False), "0s", "'0s' is no time at all: write one such as 200ms"),
    (parse_rate, "5", "'5' has no unit: write 5/s, 5/min or 5/h"),
    (parse_rate, 5, "write 5/s"),
    (parse_rate, "5/sec", "'5/sec' is no rate: write 5/s"),
    (parse_rate, "5/m", "write 5/min"),
    (parse_rate, "5 per second", "write 5/s"),
    (parse_rate, "5 / hour", "write 5/h"),
    (parse_rate, "fast", "'fast' is no rate: write one such as 5/s, 120/min, 10/h, or max"),
    (parse_rate, "5s", "'5s' is no rate"),
    (parse_rate, "0/s", "'0/s' is never: write a rate such as 1/h"),
    (parse_rate, "0.000001/h", "'0.000001/h' is less than once in ten years: write a rate such as 1/h"),
    (parse_rate, "-1/s", "'-1/s' is negative: a rate is not"),
    (parse_rate, "99999999/s", "faster than any channel: write max"),
    (parse_share, "2", "'2' has no unit: write 2%"),
    (parse_share, 0.02, "'0.02' has no unit: write 2%"),
    (parse_share, "half", "'half' is no share: write one such as 2%"),
    (parse_share, "101%", "'101%' is too much: a share is 0% to 100%"),
    (parse_share, "-1%", "'-1%' is negative: a share is 0% to 100%"),
    (partial(parse_range, parse_one=parse_duration), "80ms..20ms", "'80ms..20ms' runs backwards: write 20ms..80ms"),
    (partial(parse_range, parse_one=parse_duration), "20..80ms", "'20' has no unit: write 20ms"),
    (partial(parse_range, parse_one=parse_duration), "20ms..", "'' is no duration"),
    (partial(parse_range, parse_one=parse_duration), "1s..2s..3s", "'2s..3s' is no duration"),
    (partial(parse_range, parse_one=parse_rate), "5/s..max", "'5/s..max' has no end"),
    (partial(parse_range, parse_one=parse_rate), "0/s..5/s", "'0/s' is never"),
])
def test_a_refusal_says_what_to_write(parse, text, said):
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200
