"""What a pattern makes, the regular expression matches; and what it could not make is refused."""

from __future__ import annotations

import re
import warnings
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.payloads import InvalidValue, compile_value
from tests.payloads.making import context, make, many, problem


@pytest.mark.parametrize("regex", [
    r"[A-Z]{3}-\d{4}", "abc", "a", "[abc]", "[^abc]", ".", r"\d\D\w\W\s\S", r"[\d\w]", r"[^\d\s]", r"[^\W]", "a|b|cd", "(a|bc)d",
    "a?b*c+", "a*?b+?", "a{3}", "a{2,5}", "a{,3}", "a{3,}", "(ab){2}c", "(?:ab|c){1,3}", r"(a|b)x\1", r"(?P<n>\d{2})-(?P=n)",
    r"((a|b)\2)\1", r"(a|b){3}\1", "^abc$", r"\Aabc\Z", "^a|b$", "^(a|b)$", r"\.\*\(\)\[\]", "[-+]?[0-9]+", r"[\x41-\x43]",
    r"ü[à-ü]{2}", "(visa|amex|mastercard)", r"\w{5,15}@(gmail|web)\.(com|de)", "(((a)))", "()", "(|a)", "a{0}", "x{0,0}y",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"[+]49 1[567]\d \d{7,8}", r"(?#a comment)a", r"[)(]\)", r"\t\n",
    "[\u4e00-\u9fff]{2}", r"(?:(a)|b){2}c", r"(a)?b", "[^ -}]", r"\141", "x" * 999,
])
def test_what_is_made_is_matched(regex):
    made = many(f"pattern({regex})", times=200)
    assert all(re.fullmatch(regex, one) for one in made)
    assert {type(one) for one in made} == {str}


CLASSES = st.sampled_from(["a", "b", "[a-c]", "[^a]", r"\d", r"\w", r"\S", ".", "[0-9x]", "é", r"\.", "-", "[^\\d]"])
REPEATS = st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{0,2}", "*?", "{2,}"])
REGEXES = st.recursive(CLASSES, lambda inner: st.one_of(
    st.lists(inner, min_size=1, max_size=3).map("".join),
    st.lists(inner, min_size=1, max_size=3).map(lambda some: f"(?:{'|'.join(some)})"),
    st.tuples(inner, REPEATS).map(lambda two: f"(?:{two[0]}){two[1]}"),
    inner.map(lambda one: f"({one})\\1"), inner.map("({})".format)), max_leaves=6)


@given(regex=REGEXES, number=st.integers(0, 1_000))
@settings(derandomize=True, max_examples=400, deadline=None)
def test_what_is_made_of_anything_is_matched(regex, number):
    try:
        read = re.compile(regex)
        value = compile_value(f"pattern({regex})", "rule")
    except (re.error, InvalidValue) as refused:  # a group that is referred to from elsewhere, or too long
        assert isinstance(refused, re.error) or "pattern(…)" in str(refused) or "no regular" in str(refused)
    else:
        assert read.fullmatch(value(context(number)))


@given(regex=st.text(max_size=30))
@settings(derandomize=True, max_examples=400, deadline=None)
def test_any_text_is_made_or_refused(regex):
    try:
        made = make(f"pattern({regex})")
    except InvalidValue as refused:
        assert refused.problems
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert re.fullmatch(regex, made)


def test_all_that_is_possible_comes_and_equally_often():
    counts = Counter(many("pattern([A-D]{2}-[0-4])", times=16_000))
    assert len(counts) == 80
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 79 + 4 * (2 * 79) ** 0.5  # chi squared
    counts = Counter(many("pattern(a{1,4})", times=8_000))
    assert all(1_850 < counts["a" * size] < 2_150 for size in range(1, 5))
    counts = Counter(len(one) for one in many("pattern([ab]{0,99})", times=20_000))
    assert len(counts) == 100 and all(120 < count < 280 for count in counts.values())
    counts = Counter(many("pattern((visa|amex|[0-9]{9}))", times=6_000))
    assert all(1_850 < counts[one] < 2_150 for one in ("visa", "amex"))


def test_every_place_of_a_long_text_is_drawn_by_itself():
    made = many("pattern([A-Z]{40})", times=3_000)
    for one, other in ((0, 1), (0, 2), (8, 9), (7, 8), (15, 16), (0, 39)):
        alike = sum(text[one] == text[other] for text in made)
        assert 60 < alike < 180  # 3,000 / 26 is 115
    assert all({text[place] for text in made} == set(map(chr, range(65, 91))) for place in range(40))


def test_without_an_end_of_their_own_repeats_end():
    assert {len(one) for one in many("pattern(a*)")} == set(range(11))
    assert {len(one) for one in many("pattern(a+)")} == set(range(1, 12))
    assert {len(one) for one in many("pattern(a{20,})")} == set(range(20, 31))


def test_a_dot_and_negated_classes_give_printable_ascii():
    made = "".join(many("pattern(.{50}[^a]{50})", times=300))
    assert made.isascii() and made.isprintable()
    assert set("".join(many("pattern(.{50})", times=300))) == set(map(chr, range(0x20, 0x7F)))


def test_all_up_to_the_last_bracket_is_the_pattern():
    assert re.fullmatch(r"[a-c], (x|y)", make("pattern([a-c], (x|y))"))
    assert re.fullmatch("'q'\"", make("pattern('q'\")"))
    assert make("pattern( a )") == " a "


def test_patterns_never_change():
    """A change here changes the data of every sketch that has a seed."""
    assert [make(raw, number=3) for raw in (r"pattern([A-Z]{3}-\d{4})", "pattern((a|bc){2,9}x?)", "pattern([^a-z]{30})")] == MADE


@pytest.mark.parametrize(("raw", "said"), [
    ("pattern()", "pattern(…) has wrong arguments: it takes a regular expression; write pattern([A-Z]{3}-"),
    ("pattern([)", "'[' is no regular expression: unterminated character set"), ("pattern(a) b()", "is no regular expression"),
    ("pattern(*)", "nothing to repeat"), ("pattern((?=a)b)", "pattern(…) looks ahead or back with (?=…)"),
    ("pattern(a(?!b))", "looks ahead or back with (?!…)"), ("pattern((?<=a)b)", "looks ahead or back"),
    (r"pattern(a\bc)", "has \\b or an anchor in its middle"), ("pattern(a^b)", "an anchor in its middle"),
    ("pattern((a$)b)", "an anchor in its middle"), ("pattern((?i)abc)", "has flags"), ("pattern((?i:abc))", "has flags"),
    ("pattern((?-i:abc))", "has flags"), ("pattern((a)?(?(1)b|c))", "asks with (?(…)…)"), ("pattern(a++)", "never goes back"),
    ("pattern((?>ab))", "never goes back"), (r"pattern((a)?\1)", r"repeats group 1 by \1, which may have made nothing"),
    (r"pattern((?:(a)|b)\1)", "may have made nothing"), (r"pattern(\1(a))", "no regular expression"),
    ("pattern(a{1001})", "makes too long texts: at most 1,000 characters are made"), ("pattern((a{100}){11})", "too long texts"),
    ("pattern((((a{9}){9}){9}){9})", "too long texts"), ("pattern(((){999}){999})", "too long texts"),
    ("pattern((a*){101})", "too long texts"), ("pattern(a{99999999999999999999})", "repeats too often"),
    (r"pattern([\ud800-\udfff])", "half of a surrogate pair"), (r"pattern([^ -~])", "has a class without a sign"),
    (r"pattern([\u0100-\U0010ffff])", "too large classes"), ("pattern(" + "a" * 1_001 + ")", "pattern(…) is too long"),
    ("pattern(" + "(" * 490 + ")" * 490 + ")", "nested too deeply"), ("pattern(a", "'pattern(a' has no closing bracket"),
    ("regex(a)", "did you mean pattern([A-Z]{3}-"),
])
def test_what_is_wrong_is_said(raw, said):
    assert said in problem(raw)


def test_negated_large_classes_are_only_printable():
    assert make(r"pattern([^\u0100-\U0010ffff])").isascii()


def test_the_tables_of_one_value_are_bounded():
    """Each pattern would take a megabyte to be faster; all that do not find room are made sign by sign."""
    raw = [rf"pattern([a-z]{{{size}}}[{chr(at)}-z]{{9}}x)" for at in range(ord("a"), ord("y")) for size in range(2, 30)]
    value = compile_value(raw, "rule")
    assert all(re.fullmatch(regex[8:-1], made) for regex, made in zip(raw, value(context()), strict=True))


MADE = ["EVL-5707", "aabcbcaaa", "`E;)XP!LY03-4UF..40UO:F9;X5@|R"]
