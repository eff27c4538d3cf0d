"""Calls of functions: how arguments are read, what each gives, what each refuses."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from statistics import fmean, pstdev

import pytest

from eda_cli.payloads import FUNCTIONS
from tests.payloads.making import make, many, problem

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_signature_of_a_function_is_an_example_that_works(name):
    signature, _, help = FUNCTIONS[name]
    assert signature.startswith(f"{name}(")
    assert make(signature, "generator") is not None
    assert help


def test_uuid():
    made = many("uuid()")
    assert all(UUID4.match(one) for one in made)
    assert len(set(made)) == len(made)


def test_uuids_of_one_event_differ():
    made = make([f"{name}()" for name in ["uuid"] * 9])
    assert len(set(made)) == 9


def test_seq_counts_the_events_of_a_generator():
    assert [make("seq(1000)", "generator", number) for number in (0, 1, 7)] == [1000, 1001, 1007]
    assert make("seq()", "generator", 0) == 1
    assert make("seq(-5)", "generator", 2) == -3


@pytest.mark.parametrize("scope", ["rule", "key"])
def test_seq_is_refused_where_no_generator_counts(scope):
    assert problem("seq(1)", scope).startswith("seq(…) counts the events of a generator")


@pytest.mark.parametrize(("raw", "time"), [
    ("now()", "2025-11-24T16:00:00.500000Z"),
    ("now(-1h)", "2025-11-24T15:00:00.500000Z"),
    ("now(5m)", "2025-11-24T16:05:00.500000Z"),
    ("now(+500ms)", "2025-11-24T16:00:01.000000Z"),
    ("now(-7d)", "2025-11-17T16:00:00.500000Z"),
])
def test_now_is_the_time_of_the_context(raw, time):
    assert make(raw) == time


def test_now_may_lie_anywhere_in_a_range_around_it():
    around = [datetime.fromisoformat(make("now(-1d..12h)", "generator", number)).timestamp() for number in range(400)]
    begin, end = (datetime.fromisoformat(make(raw)).timestamp() for raw in ("now(-1d)", "now(12h)"))
    assert begin <= min(around) < begin + (end - begin) / 20
    assert end - (end - begin) / 20 < max(around) < end
    assert make("now(5m..5m)") == make("now(5m)")


@pytest.mark.parametrize(("raw", "options"), [
    ("pick(A, B)", ["A", "B"]),
    ("pick(A)", ["A"]),
    ("pick(A,B)", ["A", "B"]),
    ("pick( A ,  B b )", ["A", "B b"]),
    ("pick('A, B', \"C\")", ["A, B", "C"]),
    ("pick(1, 2.50, -3, 1e3)", [1, 2.5, -3, "1e3"]),
    ("pick(true, false, null)", [True, False, None]),
    ("pick('1', \"true\", 007, 1.)", ["1", "true", "007", "1."]),
    ("pick(O'Brien, it's)", ["O'Brien", "it's"]),
    (r"pick('it\'s', 'a\\b')", ["it's", "a\\b"]),
    ("pick(\"\", x)", ["", "x"]),
    ("pick(10%, 12:30, a(b), $5, 20ms..80ms)", ["10%", "12:30", "a(b)", "$5", "20ms..80ms"]),
    ("pick('1..5', 'uuid()', '$.user')", ["1..5", "uuid()", "$.user"]),
    ("pick(a\nb, c)", ["a\nb", "c"]),
    ("pick(99999999999999999999, x)", ["99999999999999999999", "x"]),
])
def test_arguments_are_separated_by_commas_protected_by_quotes_and_typed(raw, options):
    made = many(raw, times=300)
    assert all(type(one) in {type(option) for option in options} for one in made)
    assert {repr(one) for one in made} == {repr(option) for option in options}


def test_pick_takes_each_as_likely():
    counts = Counter(many("pick(A, B, C)", times=6_000))
    assert all(1_850 < counts[one] < 2_150 for one in "ABC")


@pytest.mark.parametrize(("raw", "low", "high"), [
    ("chance(10%)", 500, 700), ("chance(0%)", 0, 0), ("chance(100%)", 6_000, 6_000), ("chance(0.5%)", 12, 55)])
def test_chance_is_true_as_often_as_said(raw, low, high):
    made = many(raw, times=6_000)
    assert {type(one) for one in made} == {bool}
    assert low <= sum(made) <= high


def test_zipf_gives_the_first_ranks_most_often():
    counts = Counter(many("zipf(200)", times=20_000))
    harmonic = sum(1 / rank for rank in range(1, 201))
    assert set(counts) <= set(range(1, 201))
    for rank in (1, 2, 5, 10):
        assert counts[rank] == pytest.approx(20_000 / harmonic / rank, rel=0.15)
    assert len(counts) == 200


def test_zipf_writes_the_text_before_the_rank():
    assert re.fullmatch(r"user-([1-9]|[1-9][0-9]|1[0-9]{2}|200)", make("zipf(200, user-)"))
    assert make("zipf(1, '{x} ')") == "{x} 1"
    assert make("zipf(1, 5)") == "51"
    assert make("zipf(1)") == 1


def test_normal_has_its_mean_and_deviation_and_two_decimals_more():
    made = many("normal(50, 10)", times=20_000)
    assert fmean(made) == pytest.approx(50, abs=0.3)
    assert pstdev(made) == pytest.approx(10, abs=0.3)
    assert all(one == round(one, 2) for one in made)
    assert make("normal(5, 0)") == 5.0
    assert any(one != round(one, 3) for one in many("normal(1.00, 0.5)", times=20))
    assert str(make("normal(0, 0)")) == "0.0"


@pytest.mark.parametrize(("raw", "said"), [
    ("uuuid()", "there is no function 'uuuid'"),
    ("uuuid()", "did you mean uuid(…)?"),
    ("UUID()", "did you mean uuid()?"),
    ("Pick(A, B)", "did you mean pick(A, B)?"),
    ("randint(1, 5)", "did you mean a range such as 1..5 or 5.00..250.00?"),
    ("timestamp()", "did you mean now()?"),
    ("choice(A, B)", "did you mean pick(A, B)?"),
    ("gauss(1, 2)", "did you mean normal(50, 10)?"),
    ("counter()", "did you mean seq(1000)?"),
    ("main()", 'as a text write {$literal: "main()"}'),
    ("random.choice(1)", "known are uuid, seq, now, pick"),
    ("pick(A, B", "'pick(A, B' has no closing bracket"),
    ("pick(A, {{ body.id }})", "has a template among its arguments"),
    ("uuid(4)", "uuid(…) has wrong arguments: it takes none; write uuid(): a uuid"),
    ("pick()", "pick(…) has wrong arguments: it takes one option at least; write pick(A, B)"),
    ("pick(A,)", "pick(…) has an empty argument"),
    ("pick(A, , B)", 'take a comma out, or write "" for an empty text'),
    ("pick('A', B' C, 'D)", "a quote that does not end: at 'D"),
    ("pick('A' B)", "text behind a quoted argument: after 'A'"),
    ("pick(1..5, 7)", "pick(…) cannot hold '1..5'"),
    ("pick($.a, b)", 'write {$pick: ["$.a", …]}, or quote it'),
    ("pick($key, b)", "pick(…) cannot hold '$key'"),
    ("pick(uuid(), b)", "pick(…) cannot hold 'uuid()'"),
    ("pick(" + "a," * 2000 + "a)", "pick(…) has too many arguments"),
    ("chance()", "it takes one share"),
    ("chance(1%, 2%)", "it takes one share"),
    ("chance(10)", "'10' has no unit: write 10%"),
    ("chance(0.1)", "'0.1' has no unit: write 10%"),
    ("chance(110%)", "'110%' is too much: a share is 0% to 100%"),
    ("chance(-1%)", "'-1%' is negative: a share is 0% to 100%"),
    ("now(1)", "'1' has no unit: write 1ms, 1s or 1m"),
    ("now(yesterday)", "'yesterday' is no duration"),
    ("now(--1h)", "'-1h' is negative"),
    ("now('')", "is no duration"),
    ("now(1h, 2h)", "it takes one duration at most"),
    ("now(-20000d)", "longer than ten years"),
    ("now(1h..)", "'' is no duration"),
    ("now(15m..5m)", "15m..5m begins behind its end"),
    ("now(1m..2m..3m)", "it takes one duration at most, or a range of them"),
    ("zipf()", "it takes how many there are"),
    ("zipf(0)", "1 to 1,000,000"),
    ("zipf(-1)", "1 to 1,000,000"),
    ("zipf(1000001)", "1 to 1,000,000"),
    ("zipf(user-, 200)", "write zipf(200, user-)"),
    ("zipf(true)", "it takes how many"),
    ("zipf(1, a, b)", "it takes how many"),
    ("normal(50)", "it takes two numbers"),
    ("normal(a, b)", "it takes two numbers"),
    ("normal(true, 1)", "it takes two numbers"),
    ("normal(1, -1)", "the standard deviation is not negative"),
    ("normal(99999999999999999, 1)", "no number is over 1e15"),
])
def test_what_is_wrong_with_a_call_is_said(raw, said):
    assert said in problem(raw)


@pytest.mark.parametrize("raw", ["seq(a)", "seq(1.5)", "seq(1, 2)", "seq(9223372036854775807)", "seq(true)"])
def test_what_is_wrong_with_seq_is_said(raw):
    assert "it takes the whole number to begin with" in problem(raw, "generator")
