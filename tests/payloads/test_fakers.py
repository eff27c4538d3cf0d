"""What Faker makes: seeded, from pools, each once, and nothing that hangs a stub or fills its memory."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections import Counter
from typing import Any

import orjson
import pytest

from eda_cli.payloads import Context, Dice, InvalidValue, PayloadError, compile_value, fakery
from tests.payloads.making import context, make, many, problem


@pytest.mark.parametrize(("raw", "looks"), [
    ("faker.name()", r".+ .+"), ("faker.email()", r"[^@ ]+@[^@ ]+"), ("faker.date_of_birth()", r"\d{4}-\d\d-\d\d"),
    ("faker.date_this_decade()", r"\d{4}-\d\d-\d\d"), ("faker.uuid4()", r"[0-9a-f-]{36}"), ("faker.bothify('??-##')", r"..-\d\d"),
    ("faker.text(max_nb_chars=40)", r"(?s).{1,40}"), ("faker.text(40)", r"(?s).{1,40}"),
    ("faker.md5(raw_output=true)", r"[A-Za-z0-9+/]{22}=="), ("faker.pytimezone()", r"\w+/[\w/]+"),
    ("faker.date(pattern='%d.%m.%Y, %A')", r"\d\d\.\d\d\.\d{4}, \w+"), ("faker.name(pool=1)", ".+"),
])
def test_values_are_json(raw, looks):
    made = many(raw, times=30)
    assert all(re.fullmatch(looks, one) for one in made)


@pytest.mark.parametrize(("raw", "kind"), [
    ("faker.latitude()", float), ("faker.random_int(1, 1000000)", int), ("faker.boolean()", bool), ("faker.words(3)", list),
    ("faker.currency()", list), ("faker.pydecimal(left_digits=3)", float), ("faker.time_delta('+5d')", float),
    ("faker.simple_profile()", dict), ("faker.null_boolean()", bool | None),
])
def test_values_keep_their_kind(raw, kind):
    assert all(isinstance(one, kind) for one in many(raw, times=30))


def test_a_locale_is_kept():
    for raw in ("faker.city(locale=de_DE)", "faker.city(locale=de-DE)", "faker.city(locale='de_DE')"):
        cities = set(many(raw, times=300))
        assert any("ü" in one for one in cities) and not any("Port" in one for one in cities)
    assert not make("faker.name(locale=ja_JP)").isascii()


@pytest.mark.parametrize(("size", "times"), [(1, 50), (7, 300), (300, 6_000)])
def test_a_pool_is_as_large_as_said(size, times):
    value = compile_value(f"faker.pystr(min_chars=20, max_chars=20, pool={size})", "generator")
    counts = Counter(value(context(number)) for number in range(times))
    assert len(counts) == size
    assert max(counts.values()) < 4 * times / size + 1


def test_a_pool_has_a_thousand_values_unless_said_otherwise():
    assert 900 < len(set(many("faker.pystr(min_chars=20, max_chars=20)", times=5_000))) <= 1_000


def test_a_value_is_made_once(monkeypatch):
    made = []
    value = compile_value("faker.name(pool=5)", "generator")
    real = fakery.Fakery.make
    monkeypatch.setattr(fakery.Fakery, "make", lambda self, seed: made.append(seed) or real(self, seed))
    for number in range(200):
        value(context(number))
    assert len(made) == 5


def test_a_value_of_a_pool_is_not_shared():
    value = compile_value("faker.simple_profile(pool=1)", "generator")
    value(context(1))["name"] = "somebody else"
    assert value(context(2))["name"] != "somebody else"


def test_seed_part_and_place_all_matter_and_the_event_draws():
    def pool(seed: int, part: str, raw: Any = "faker.pystr(pool=20)") -> set[str]:
        value = compile_value(raw, "generator")
        return {str(value(Context(Dice(seed, part).roll(number), 0.0, number=number))) for number in range(300)}

    assert pool(1, "a") == pool(1, "a")
    assert len({frozenset(one) for one in (pool(1, "a"), pool(2, "a"), pool(1, "b"))}) == 3
    both = make(["faker.pystr(pool=1)", "faker.pystr(pool=1)"])
    assert both[0] != both[1]


def test_the_same_seed_gives_the_same_values_in_another_process():
    raw = {name: f"faker.{name}()" for name in sorted(fakery.provider_names("en_US")[0])}
    code = ("import orjson, sys; from tests.payloads.test_fakers import *;"
            "sys.stdout.buffer.write(orjson.dumps(everything()))")
    there = [subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, check=True,
                            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}).stdout for seed in ("1", "2")]
    assert there[0] == there[1]
    assert len(orjson.loads(there[0])) > 200 < len(raw)


def everything() -> dict[str, Any]:
    """One value of everything that Faker makes without an argument."""
    made = {}
    for name in fakery.provider_names("en_US")[0]:
        made[name] = compile_value(f"faker.{name}()", "generator")(context(1))
    return made


def test_all_that_is_offered_is_made():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert orjson.dumps(everything())


def test_values_never_change_with_the_same_version_of_faker():
    """The pool, its place and its draw are ours; the names are Faker's."""
    assert make("faker.pystr(min_chars=8, max_chars=8)", number=3) == "gsRcbhLi"


def test_unique_never_repeats():
    raw = "faker.unique.random_int(1, 500)"
    value = compile_value(raw, "generator")
    made = [value(context(number)) for number in range(350)]
    assert len(set(made)) == 350
    assert made == [compile_value(raw, "generator")(context(number)) for number in range(350)]


def test_unique_needs_no_events_before():
    value = compile_value("faker.unique.email()", "generator")
    made = [value(context(number)) for number in range(120)]
    assert compile_value("faker.unique.email()", "generator")(context(119)) == made[119]
    assert [value(context(number)) for number in (5, 3, 119)] == [made[5], made[3], made[119]]
    assert value(context(5, seed=43)) != made[5]


def test_unique_says_when_there_are_no_more():
    value = compile_value("faker.unique.random_int(1, 5)", "generator")
    assert sorted(value(context(number)) for number in range(5)) == [1, 2, 3, 4, 5]
    for _ in range(2):
        with pytest.raises(PayloadError) as caught:
            value(context(5))
        assert caught.value.line == "there are only 5 different faker.unique.random_int(1, 5): event 6 finds none left"
    assert value(context(2)) in (1, 2, 3, 4, 5)
    with pytest.raises(PayloadError, match="has come to its end\nit makes 100,000 values at most"):
        value(context(100_000))


def test_there_is_room_for_as_many_unique_values_as_are_promised(monkeypatch):
    value = compile_value(["faker.unique.email()", "faker.unique.user_name()"], "generator")
    monkeypatch.setattr(fakery.Fakery, "make", lambda self, seed: f"{seed:020}@example.com")
    assert len(value(context(99_999))) == 2


@pytest.mark.parametrize("scope", ["rule", "key", "fold"])
def test_only_a_generator_has_unique_values(scope):
    assert problem("faker.unique.email()", scope).startswith("faker.unique counts the events of a generator")


@pytest.mark.parametrize(("raw", "said"), [
    ("faker.nme()", "Faker has no 'nme'; did you mean faker.name()?"), ("faker.firstname()", "did you mean faker.first_name()?"),
    ("faker.phone()", "did you mean faker.phone_number()?"), ("faker.zzzz()", "see https://faker.readthedocs.io"),
    ("faker.Name()", "did you mean faker.name()?"), ("Faker.name()", "did you mean faker.name()?"),
    ("faker(name)", "did you mean faker.name()?"), ("faker.()", "Faker has no ''"), ("faker.unique.()", "Faker has no ''"),
    ("faker.unique()", "Faker has no 'unique'"), ("faker.name.first()", "Faker has no 'name.first'"),
    ("faker._Generator__config()", "Faker has no '_Generator__config'"),
    ("faker.seed_instance(1)", "Faker has no 'seed_instance'"),
    ("faker.add_provider(x)", "Faker has no 'add_provider'"), ("faker.__init__()", "Faker has no '__init__'"),
    ("faker.random()", "Faker has no 'random'"), ("faker.format(name)", "Faker has no 'format'"),
    ("faker.parse(x)", "Faker has no 'parse'"),
    ("faker.name(locale=xx)", "Faker has no locale 'xx'"),
    ("faker.name(locale=de_DD)", "it has de, de_AT, de_CH, de_DE, de_LI, de_LU"),
    ("faker.name(locale=../etc)", "Faker has no locale '../etc'"),
    ("faker.state(locale=fr_FR)", "Faker has no 'state' for fr_FR"),
    ("faker.name(pool=0)", "'0' is no size of a pool: it is a whole number from 1 to 100,000"),
    ("faker.name(pool=x)", "is no size"),
    ("faker.name(pool=100001)", "is no size of a pool"), ("faker.name(pool=1, pool=2)", "faker.name(…) has 'pool' twice"),
    ("faker.text(max_nb_chars=9, 5)", "faker.text(…) has '5' behind an argument with a name"),
    ("faker.name(5)", "faker.name(…) has wrong arguments"), ("faker.text(chars=5)", "it takes max_nb_chars, ext_word_list"),
    ("faker.random_int(5, 1)", "faker.random_int(…) could not be made"), ("faker.text(abc)", "could not be made"),
    ("faker.text(max_nb_chars=1)", "could not be made"), ("faker.date_between(start_date=x)", "could not be made"),
    ("faker.name(pool=)", "has an empty argument"), ("faker.name({{ body.x }})", "has a template among its arguments"),
    ("faker.random_number(digits=30)", "could not be made: a int is no JSON value"),
    ("pick(faker.city(), x)", "pick(…) cannot hold 'faker.city()'"), ("{{ faker.name() }}", "there is no 'faker'"),
    ("faker.binary()", "faker.binary() is not offered: it makes files or whole tables"), ("faker.json()", "whole tables"),
    ("faker.zip(10)", "it makes files"), ("faker.image()", "it makes files"), ("faker.pylist()", "values of any kind"),
    ("faker.pyobject()", "values of any kind"), ("faker.date_time()", "it looks at the clock, so that no seed repeats it"),
    ("faker.iso8601()", "write a range such as 2020-01-01T00:00:00Z..2026-01-01T00:00:00Z"),
    ("faker.text(max_nb_chars=1000000000)", "faker.text(…) makes too much: at most 10,000 are made of anything"),
    ("faker.texts(nb_texts=1000, max_nb_chars=1000)", "makes too much"), ("faker.pystr(max_chars=-99999)", "makes too much"),
    ("faker.pystr(1, 10001)", "makes too much"), ("faker.password(length=10001)", "makes too much"),
    ("faker.domain_name(levels=10000)", "could not be made"), ("faker.paragraphs(nb=10000)", "faker.paragraphs(…) is too large"),
    ("faker.random_choices(abc, 1000000)", "makes too much"), ("faker.bothify('" + "#" * 1_001 + "')", "a text that is too long"),
])
def test_what_is_wrong_is_said(raw, said):
    assert said in problem(raw)


@pytest.mark.parametrize(("raw", "said"), [
    ("faker.unique.name(pool=5)", "faker.unique has no pool: each of its values comes once"),
    ({"$list": "faker.unique.email()", "size": 3}, "faker.unique stands in a $list: it has one value for each event"),
    (["faker.name()"] * 201, "the value has too many faker.…(): at most 200 are made in one"),
])
def test_what_is_wrong_in_a_generator_is_said(raw, said):
    assert said in problem(raw, "generator")


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch):
    value = compile_value(["faker.text(max_nb_chars=200)", {"$list": "faker.name()", "size": 2}], "generator")
    made = [value(context(number)) for number in range(50)]
    monkeypatch.setattr("eda_cli.payloads.budget.LARGEST_MEMORY", 3_000)
    value = compile_value(["faker.text(max_nb_chars=200)", {"$list": "faker.name()", "size": 2}], "generator")
    assert made == [value(context(number)) for number in range(50)]
    unique = compile_value("faker.unique.email()", "generator")
    with pytest.raises(PayloadError, match="cannot remember more values\nit has "):
        unique(context(50))


def test_elsewhere_an_argument_has_no_name():
    assert make("pick(a=1)") == "a=1"
    with pytest.raises(InvalidValue):
        compile_value("zipf(200, prefix=x, y)", "rule")


def test_faker_is_imported_by_those_alone_who_use_it():
    code = ("import sys; from eda_cli.payloads import compile_value; compile_value('normal(1, 2)', 'rule');"
            "assert 'faker' not in sys.modules; compile_value('faker.name()', 'rule'); assert 'faker' in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
