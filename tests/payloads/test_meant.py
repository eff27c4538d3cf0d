"""Texts that were meant as calls or ranges, and texts that are texts."""

from __future__ import annotations

import pytest

from eda_cli.payloads import meant_value


@pytest.mark.parametrize(("text", "value"), [
    ("uuid", "uuid()"), ("faker.name", "faker.name()"), ("faker.unique.email", "faker.unique.email()"),
    (" now()", "now()"), ("pick(A, B) ", "pick(A, B)"), ("uuid ()", "uuid()"), ("zipf (200, user-)", "zipf(200, user-)"),
    ("faker.city (locale=de_DE)", "faker.city(locale=de_DE)"),
    ("1...5", "1..5"), ("1 .. 5", "1..5"), (" 1..5", "1..5"), (".5..1.5", "0.5..1.5"),
    ("-5 .. 5", "-5..5"), ("2026-01-01 .. 2026-12-31", "2026-01-01..2026-12-31"),
])
def test_what_is_nearly_a_value_was_meant_as_one(text: str, value: str) -> None:
    assert meant_value(text) == value


@pytest.mark.parametrize("text", [
    "uuid()", "1..5", "", " ", "now", "normal", "pick", "normal (as ever)", "walk (by the sea)", "1..2..3", "1...", "a...b",
    "faker", "faker.", "Faker.name", "faker.name: x", "$.a", "{{ 1 .. 5 }}", "x" * 500, "1.5", "192.168.0.1", "v1..v5",
])
def test_what_may_be_a_text_is_one(text: str) -> None:
    assert meant_value(text) is None
