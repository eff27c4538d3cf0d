"""Whatever stands in a sketch: it becomes JSON, or an error that says so; never anything else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.payloads import (
    FUNCTIONS,
    TOMBSTONE,
    InvalidValue,
    PayloadError,
    Window,
    aggregates,
    compile_condition,
    compile_value,
    names_used,
)
from tests.payloads.making import SEEN, Held, context

WORDS = st.sampled_from([
    *(function.signature for function in FUNCTIONS.values()), *FUNCTIONS, "1..5", "5.00..250.00", "-1..1", "2026-01-01",
    "..", "$", "$.items", "$.items.0.sku", "$key", "$headers.", ".", ",", "(", ")", "'", '"', "{{", "}}", "{%", "%}", "{#",
    "body", "body.items", "event", "headers", " | ", "sum", "length", "tojson", "list", "first", "map", "default(1)", "+",
    "*", "**", "%", "~", "==", "in", "is", "defined", "not", "if", "else", "[", "]", ":", "0", "1", "-", "9999999999", "1e9",
    "none", "true", " ", "\\", "\n", "\0", "ü", "\ud800", "range", "upper()", "%s", "$tombstone", "$list", "T00:00:00Z",
    "copy", "copy.rows", "was", "[key]", ".ann", "item", "index", "joined", "window", "$item", "$was", "$window.", "$index",
    "count()", "sum($.count)", "mean(", "min($", "max(", "was.rows[key]"])
TEXTS = st.one_of(st.text(max_size=20), st.lists(WORDS, max_size=8).map("".join),
                  st.lists(WORDS, max_size=8).map(lambda words: "{{ " + " ".join(words) + " }}"))
NAMES = st.one_of(st.sampled_from(["$list", "$pick", "$literal", "size", "weights", "$lookup", "a"]), st.text(max_size=3))
RAW = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3),
                            st.fixed_dictionaries({"$list": inner, "size": st.sampled_from([0, 2, "1..3", "x"])}),
                            st.fixed_dictionaries({"$pick": st.lists(inner, max_size=3)})),
    max_leaves=6)
SCOPES = st.sampled_from(["generator", "rule", "key", "fold"])
WITH_ALL = replace(
    SEEN, topic="purchases", item={"sku": "A"}, index=0, joined=None, copy={"rows": Held({"ann": {"n": 1}, "user-7": [1]})},
    was={"rows": Held()}, window=Window("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "k", defaultdict(int)))



@given(raw=RAW, scope=SCOPES)
@settings(derandomize=True, max_examples=800, deadline=None)
def test_any_value_is_made_or_refused(raw, scope):
    seen = replace(WITH_ALL, was={"n": 1}) if scope == "fold" else WITH_ALL
    try:
        made = compile_value(raw, scope)(context(seen=seen))
    except InvalidValue as invalid:
        assert invalid.problems
        assert all(one.what and "\n" not in one.text() for one in invalid.problems)
    except PayloadError as failed:
        assert failed.what
    else:
        assert made is TOMBSTONE or orjson.dumps(made)
        assert names_used(raw) >= ({"aggregate"} if aggregates(raw) else set())


@given(text=TEXTS)
@settings(derandomize=True, max_examples=500, deadline=None)
def test_any_condition_holds_or_is_refused(text):
    try:
        names_used(text, True)
        aggregates(text, True)
        assert compile_condition(text, "rule")(context(seen=WITH_ALL)) in (True, False)
    except (InvalidValue, PayloadError) as clean:
        assert clean.what
