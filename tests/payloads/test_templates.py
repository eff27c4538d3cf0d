"""Templates and conditions: what they see, what they give, and how they fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eda_cli.payloads import TOMBSTONE, InvalidValue, PayloadError, Seen, compile_condition
from tests.payloads.making import BODY, SEEN, context, failure, make, problem


@pytest.mark.parametrize(("raw", "value"), [
    ("{{ body.total }}", 12.5), ("{{body.count+1}}", 4), ("{{ body.zip }}", "00123"), ("{{ '123' }}", "123"),
    ("{{ body.express }}", True), ("{{ body.nothing }}", None), ("{{ none }}", None), ("{{ [1, 'a'] }}", [1, "a"]),
    ("{{ (1, 2) }}", [1, 2]), ("{{ {'a': body.id} }}", {"a": "p-1"}), ("{{ body }}", BODY), ("{{ '' }}", ""),
    ("{{- body.count -}}", 3), ("{{ body.count }}\n", 3), ("{{ 'a' if body.express else 'b' }}", "a"),
    ("{{ range(3) }}", [0, 1, 2]), ("{{ '}}' }}", "}}"), ("{{ body.total > 10 and body.count < 5 }}", True),
    ("{{ body.items | map(attribute='sku') }}", ["A", "B"]), ("{{ body['odd name'] }}", 1),
    ("{{ event.type }}", "purchaseCreated"), ("{{ event.id }}", "e-1"), ("{{ event.key }}", "user-7"),
    ("{{ event.time[:10] }}", "2026-01-01"), ("{{ event.source }}", "/eda/shop/webshop"),
    ("{{ headers['trace-id'] }}", "t-1"), ("{{ 7 // 2 }}", 3), ("{{ 7 / 2 }}", 3.5), ("{{ 2 ** 10 }}", 1024),
    ("{{ 1 < 2 < 3 }}", True), ("{{ 1 < 2 > 3 }}", False), ("{{ 'A' in ['A'] }}", True), ("{{ 'x' not in 'abc' }}", True),
    ("{{ body.items | sum(attribute='price') | round(2) }}", 3.75),
])
def test_one_expression_gives_its_own_value(raw, value):
    assert make(raw) == value
    assert type(make(raw)) is type(value)
    assert make({"a": [raw]}) == {"a": [value]}


@pytest.mark.parametrize(("raw", "text"), [
    ("order {{ body.id }}", "order p-1"), ("{{ body.count }} pieces", "3 pieces"), (" {{ body.count }}", " 3"),
    ("{{ body.count }}{{ body.count }}", "33"), ("{{ body.express }}!", "true!"), ("{{ body.nothing }}!", "null!"),
    ("{{ body.total }} EUR", "12.5 EUR"), ("{{ body.items }}.", '[{"sku":"A","price":1.25},{"sku":"B","price":2.5}].'),
    ("line {{ body.count }}\n", "line 3\n"), ("{# a remark #}{{ body.count }} x", "3 x"), ("{# {{ x }} #}", ""),
    ("ü {{ body.user }}", "ü user-7"),
])
def test_text_around_it_gives_a_text(raw, text):
    assert make(raw) == text


@pytest.mark.parametrize("name", ["items", "keys", "values", "get"])
def test_a_missing_field_with_the_name_of_a_method_is_missing(name):
    seen = Seen(body={"id": 1})
    assert make(f"{{{{ body.{name} is defined }}}}", seen=seen) is False
    assert make(f"{{{{ body.{name} | default([]) }}}}", seen=seen) == []
    for use in (f"'many' if body.{name} else 'none'", f"body.{name} | length", f"body.{name} == 1", f"body.{name}"):
        assert f"there is no field '{name}', the fields are id" in failure(f"{{{{ {use} }}}}", seen)


@pytest.mark.parametrize("raw", ["{{ body.qty.more | default(5) }}", "{{ body.qty.more[0].most | default(5) }}",
                                 "{{ 5 if body.qty.more is undefined else 1 }}"])
def test_what_is_looked_for_in_a_missing_field_is_missing_too(raw):
    assert make(raw) == 5


@pytest.mark.parametrize("raw", [
    "{{ body.items | length }}", "{{ body.items[0].sku }}", "{{ body.items.0.sku }}", "{{ body.get }}",
    "{{ body.nested.keys }}", "{{ body.nested.keys[0] }}"])
def test_a_field_wins_over_a_method_of_the_same_name(raw):
    assert make(raw) in (2, "A", "a field", ["k"], "k")


@pytest.mark.parametrize(("raw", "value"), [
    ("{{ body.user.upper() }}", "USER-7"), ("{{ body.user.split('-')[1] }}", "7"), ("{{ body.nested.get('x', 5) }}", 5),
    ("{{ body.user.replace('user', 'u') }}", "u-7"), ("{{ body.zip.zfill(8) }}", "00000123"),
    ("{{ '-'.join(['a', 'b']) }}", "a-b"), ("{{ body.items[0].keys() }}", ["sku", "price"]),
    ("{{ body.items[0].items() }}", [["sku", "A"], ["price", 1.25]]), ("{{ body.user.startswith('user') }}", True),
    ("{{ [1, 2, 1].count(1) }}", 2), ("{{ 'ab'.center(4, '.') }}", ".ab."), ("{{ 'a b'.split() }}", ["a", "b"]),
])
def test_methods_that_are_listed_can_be_called(raw, value):
    assert make(raw) == value


@pytest.mark.parametrize(("raw", "value"), [
    ("{{ body.user | upper }}", "USER-7"), ("{{ '%.2f' | format(body.total) }}", "12.50"), ("{{ '%05d' % 7 }}", "00007"),
    ("{{ '%s of %s' % (1, 2) }}", "1 of 2"), ("{{ '%(a)s%%' | format(a=5) }}", "5%"), ("{{ 2.567 | round(1) }}", 2.6),
    ("{{ 2.5 | round(method='floor') }}", 2.0), ("{{ body.items | map(attribute='sku') | join(', ') }}", "A, B"),
    ("{{ body.items | join('+', attribute='sku') }}", "A+B"), ("{{ [3, 1] | sort }}", [1, 3]), ("{{ [1, 2] | sum }}", 3),
    ("{{ body.missing | default('none there') }}", "none there"), ("{{ body.nothing | default(1, true) }}", 1),
    ("{{ body.items | selectattr('price', 'gt', 2) | map(attribute='sku') | list }}", ["B"]),
    ("{{ body.items | rejectattr('sku', 'in', ['A']) | list | length }}", 1), ("{{ '5' | int + 1 }}", 6),
    ("{{ body.items | groupby('sku') | map(attribute='grouper') | list }}", ["A", "B"]), ("{{ [1, 1] | unique }}", [1]),
    ("{{ body.items | tojson }}", '[{"sku":"A","price":1.25},{"sku":"B","price":2.5}]'), ("{{ 'a' ~ 1 ~ true }}", "a1true"),
    ("{{ body.nothing | string }}", "null"), ("{{ 'aXa' | replace('X', 1) }}", "a1a"), ("{{ [1, 2] | last }}", 2),
    ("{{ {'b': 1, 'a': 2} | dictsort }}", [["a", 2], ["b", 1]]), ("{{ [1, 2, 3] | select('odd') | list }}", [1, 3]),
    ("{{ [1, 2] | reverse }}", [2, 1]), ("{{ 'long text here' | truncate(8) }}", "long..."), ("{{ 'a b' | title }}", "A B"),
    ("{{ body.missing is defined }}", False), ("{{ body.nothing is none }}", True), ("{{ 3 is odd }}", True),
    ("{{ body.user is string and 2 is in [1, 2] }}", True), ("{{ 'x' is upper }}", False), ("{{ 'a b/' | urlencode }}", "a%20b/"),
])
def test_filters_and_tests_that_are_listed_work(raw, value):
    assert make(raw) == value


@pytest.mark.parametrize(("raw", "said"), [
    ("{{ body.usr }}", "there is no field 'usr', did you mean 'user'?"),
    ("{{ body.qty }}", "there is no field 'qty', the fields are id, user, total"),
    ("{{ body.qty }}", "where a field may be missing, write | default(…)"),
    ("a {{ body.qty }}", "there is no field 'qty'"),
    ("{{ body.qty + 1 }}", "there is no field 'qty'"),
    ("{{ body.qty.deep }}", "there is no field 'qty'"),
    ("{{ body['qty'] }}", "there is no field 'qty'"),
    ("{{ [1, {'a': body.qty}] }}", "there is no field 'qty'"),
    ("{{ body.items | map(attribute='qty') | list }}", "there is no field 'qty', the fields are sku, price"),
    ("{{ body.items | sum(attribute='qty') }}", "there is no field 'qty'"),
    ("{{ body.qty | upper }}", "there is no field 'qty'"),
    ("{{ body.qty == 1 }}", "there is no field 'qty'"),
    ("{{ body.qty in [1] }}", "there is no field 'qty'"),
    ("{{ 'a' ~ body.qty }}", "there is no field 'qty'"),
    ("{{ '%s' % body.qty }}", "there is no field 'qty'"),
    ("{{ body.qty[1:2] }}", "there is no field 'qty'"),
    ("{{ body.qty() }}", "there is no field 'qty'"),
    ("{{ body.items[5].sku }}", "there is no item 5 in a list of 2"),
    ("{{ body.items.sku }}", "there is no 'sku' in a list"),
    ("{{ body.nothing.x }}", "there is no 'x' in null"),
    ("{{ body.user.x }}", "there is no 'x' in a text"),
    ("{{ body.count.x }}", "there is no 'x' in a number"),
    ("{{ body.express.x }}", "there is no 'x' in true or false"),
    ("{{ headers.missing }}", "there is no field 'missing'"),
    ("{{ body.keys }}", "there is no field 'keys', the fields are id, user, total, count, express, nothing, zip, items, "
                        "and keys() can be called"),
    ("{{ body.values | length }}", "there is no field 'values'"),
    ("{{ body.user.upper }}", "there is no 'upper' in a text, and upper() can be called"),
    ("{{ body.qty | round(2) }}", "there is no field 'qty'"),
    ("{{ body.qty | abs }}", "there is no field 'qty'"),
    ("{{ 1.5 | round(body.qty) }}", "there is no field 'qty'"),
    ("{{ range(body.qty) }}", "there is no field 'qty'"),
    ("{{ body.user.startswith(body.qty) }}", "there is no field 'qty'"),
    ("{{ body.keys.items() }}", "there is no field 'keys'"),
    ("{{ body.qty.items() }}", "there is no field 'qty'"),
    ("{{ 'a' if body.nothing }}", "cannot be made"),
    ("{{ body.user.format(1) }}", "there is no 'format' in a text, write '%.2f' | format(body.total)"),
    ("{{ body.user + 1 }}", "can only concatenate str"),
    ("{{ 1 / (body.count - 3) }}", "division by zero"),
    ("{{ 1e308 * body.total }}", "inf is no JSON number"),
    ("{{ 2 ** (body.count + 61) }}", "a number is too large: JSON numbers have 64 bits here"),
    ("{{ {1: body.id} }}", "the name 1 is no text"),
    ("{{ [body.id, range] }}", "the expression gives no JSON value"),
    ("{{ (-8) ** (body.total - 12) }}", "no JSON value: it gives a complex"),
    ("{{ [body.id, '\\ud800'] }}", "not valid Unicode"),
    ("{{ body.count[0:1] }}", "a number cannot be sliced"),
    ("{{ body.user() }}", "a text cannot be called"),
    ("{{ [body.id] | map('nope') | list }}", "No filter named 'nope'"),
    ("{{ '%q' % body.count }}", "'%q' is no format"),
    ("{{ body.count | format(1) }}", "format is for a text"),
    ("{{ [body.count] | sum(start='') }}", "sum starts at a number"),
    ("{{ ','.join(body.count) }}", "join() takes a list of texts"),
])
def test_a_failure_of_the_event_says_why(raw, said):
    text = failure({"field": raw})
    assert said in text
    assert "for 'field'" in text


def test_a_body_that_is_no_map_has_no_fields_in_templates_either():
    assert "there is no 'a' in null" in failure("{{ body.a }}", Seen(body=TOMBSTONE))
    assert "there is no 'a' in bytes" in failure("{{ body.a }}", Seen(body=b"\xff"))
    assert make("{{ body | upper }}", seen=Seen(body="text")) == "TEXT"


def test_nothing_in_an_expression_changes_the_event():
    for raw in ("{{ body.items.append(1) }}", "{{ body.pop('id') }}", "{{ body.update({'a': 1}) }}", "{{ body.clear() }}"):
        failure(raw)
    assert SEEN.body["items"] == [{"sku": "A", "price": 1.25}, {"sku": "B", "price": 2.5}]


@pytest.mark.parametrize("raw", [
    "{{ body.a }}", "x {{ event.id }}", {"a": "{{ headers.x }}"}, "{{ copy.a[1] }}", "{{ item }}", "{{ payload.a }}",
    "{{ joined.a }}", "{{ window.start }}", "{{ topic }}"])
def test_templates_of_a_generator_see_no_event(raw):
    assert "a generator makes its events out of nothing" in problem(raw, "generator")


def test_a_generator_may_compute():
    assert make({"a": "{{ 1 + 1 }}", "b": "x {{ 'y' }}"}, "generator", seen=Seen()) == {"a": 2, "b": "x y"}


@pytest.mark.parametrize(("raw", "said"), [
    ("{{ bdy.x }}", "there is no 'bdy': in '{{ bdy.x }}': an expression sees body, event, headers, "
     "key, copy, was, item, index, joined, window, vars; did you mean body?"),
    ("{{ payload.x }}", "did you mean body?"),
    ("{{ type }}", "did you mean event.type?"),
    ("{{ null }}", "did you mean none?"),
    ("{{ xyz }}", "did you mean body.xyz, or 'xyz' in quotes?"),
    ("{{ uuid() }}", "uuid(…) does not work inside {{ }}"),
    ("{{ body.x | summ }}", "there is no filter 'summ': in '{{ body.x | summ }}'; did you mean sum?"),
    ("{{ body.x | qqq }}", "known are count,"),
    ("{{ body.x is defned }}", "there is no test 'defned': in '{{ body.x is defned }}'; did you mean defined?"),
    ("{% if body.x %}{{ body.x }}{% endif %}", "there are only expressions, no {% %}"),
    ("{% for x in body %}{{ x }}", "there are only expressions"),
    ("{{ body.x }}{% raw %}", "there are only expressions"),
    ("{% raw %}{{ x }}{% endraw %}{{ body.x }}", "there are only expressions"),
    ("{{ body.x", "is no expression"),
    ("{{ }}", "is no expression"),
    ("{{ body.a && body.b }}", "write and"),
    ("{{ body.a || body.b }}", "write or"),
    ("{{ !body.a }}", "write not"),
    ("{{ body.a = 1 }}", "write == to compare"),
    ("{{ $.a }}", "write body.user for $.user"),
    ("{{ body.a b }}", "as a text, write {$literal: …}"),
    ("{{ (((" + "(" * 500 + "1" + ")" * 503 + " }}", "is no expression: it is nested too deeply"),
    ("{{ " + "x" * 20_001 + " }}", "a template is too long"),
    ("{{ event.timestamp }}", "an event has no field 'timestamp': in '{{ event.timestamp }}': it has id, type, time, source, "
                              "key, topic; did you mean event.time?"),
    ("{{ event.body.total }}", "did you mean body?"),
    ("{{ event.tpye }}", "did you mean event.type?"),
    ("{{ event.foo | default(1) }}", "did you mean body.foo?"),
    ("{{ event.keys }}", "an event has no field 'keys'"),
    ("{{ body.user | replace('a') }}", "the filter replace has wrong arguments: in '{{ body.user | replace('a') }}': "
                                       "missing a required argument: 'new'; it takes old, new, count"),
    ("{{ body.user | upper(1) }}", "too many positional arguments; it takes none"),
    ("{{ body.items | join(sep=',') }}", "got an unexpected keyword argument 'sep'; it takes d, attribute"),
    ("{{ 1e400 }}", "holds a number that is too large"),
    ("{{ body.total < 1e400 }}", "holds a number that is too large"),
    ("{{ 2**64 }}", "'{{ 2**64 }}' can never be made: a number is too large: JSON numbers have 64 bits here"),
    ("{{ {1: 2} }}", "can never be made: the name 1 is no text; write it in quotes"),
    ("{{ 1 / 0 }} EUR", "can never be made: division by zero"),
])
def test_what_is_wrong_with_a_template_is_said(raw, said):
    assert said in problem(raw)


@pytest.mark.parametrize(("when", "holds"), [
    ("body.total > 10", True), ("body.total > 100", False), ("{{ body.total > 10 }}", True), (" {{ body.express }} ", True),
    ("body.items", True), ("body.nothing", False), ("not body.express", False), ("event.type == 'purchaseCreated'", True),
    ("body.missing is defined and body.missing > 1", False), ("body.missing | default(true)", True),
    ("headers['trace-id'] == 't-1'", True), ("body.zip == '00123'", True), ("'}}' == '}}'", True),
    ("body.items | map(attribute='sku') | select('equalto', 'A') | list", True), ("'false'", True), ("0", False),
])
def test_a_condition_holds_or_not(when, holds):
    assert compile_condition(when, "rule")(context()) is holds


def test_a_condition_on_a_missing_field_is_a_failure_of_the_event():
    with pytest.raises(PayloadError, match="there is no field 'missing'"):
        compile_condition("body.missing > 1", "rule")(context())


@pytest.mark.parametrize(("when", "scope", "said"), [
    ("body.total > 10", "generator", "a generator makes its events out of nothing"),
    ("body.total > 10 EUR", "rule", "'EUR' is one too many"),
    ("$.total > 10", "rule", "write body.user for $.user"),
    ("total > 10", "rule", "did you mean body.total"),
    ("total is {{ body.total }}", "rule", "it is one expression without text around it"),
    ("{{ body.a }}{{ body.b }}", "rule", "it is one expression without text around it"),
    ("{# {{ body.a }} #}", "rule", "it is one expression"),
    ("", "rule", "is no expression"),
    ("body.a = 1", "rule", "write == to compare"),
    ("body.a >", "rule", "write body.total > 100"),
])
def test_what_is_wrong_with_a_condition_is_said(when, scope, said):
    with pytest.raises(InvalidValue) as caught:
        compile_condition(when, scope)
    assert said in str(caught.value)


@pytest.mark.parametrize("raw", ["{{ event.items() | length - 1 }}", "{{ 4 + (range(9000) | list | length > 1) }}",
                                 "{{ (body.items | map('round', 1, method='floor') | list or 5) if false else 5 }}"])
def test_what_may_be_right_is_not_refused(raw):
    assert make(raw) == 5


def test_without_templates_jinja_is_not_imported():
    code = ("import sys, eda_cli.payloads as p; p.compile_value({'a': 'uuid()', 'b': '$.x', 'c': '1..5'}, 'rule'); "
            "assert 'jinja2' not in sys.modules; p.compile_value('{{ body.x }}', 'rule'); assert 'jinja2' in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
