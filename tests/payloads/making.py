"""One event's circumstances, and short ways to a value and to what is wrong with one."""

from __future__ import annotations

from typing import Any

import pytest

from eda_cli.payloads import (
    MISSING,
    Context,
    Dice,
    InvalidValue,
    PayloadError,
    Scope,
    Seen,
    ValueProblem,
    compile_value,
)

NOW = 1_764_000_000.5  # 2025-11-24T16:00:00.500000Z
BODY = {
    "id": "p-1", "user": "user-7", "total": 12.5, "count": 3, "express": True, "nothing": None, "zip": "00123",
    "items": [{"sku": "A", "price": 1.25}, {"sku": "B", "price": 2.5}],
    "get": "a field", "odd name": 1, "nested": {"keys": ["k"], "deep": {"0": "zero"}},
}
SEEN = Seen(body=BODY, key="user-7", id="e-1", type="purchaseCreated", source="/eda/shop/webshop",
            time="2026-01-01T00:00:00.000000Z", headers={"trace-id": "t-1", "a.b": "dotted"})


class Held(dict[str, Any]):
    """Rows in memory; counts how often it was asked."""

    asked = 0

    def get(self, key: str, /) -> Any:  # type: ignore[override]
        self.asked += 1
        return super().get(key, MISSING)


def context(number: int = 0, *, seed: int = 42, seen: Seen | None = SEEN) -> Context:
    return Context(random=Dice(seed, "webshop").roll(number), now=NOW, number=number, seen=seen)


def make(raw: Any, scope: Scope = "rule", number: int = 0, *, seed: int = 42, seen: Seen | None = SEEN) -> Any:
    return compile_value(raw, scope)(context(number, seed=seed, seen=seen))


def many(raw: Any, scope: Scope = "rule", times: int = 2_000) -> list[Any]:
    value = compile_value(raw, scope)
    return [value(context(number)) for number in range(times)]


def problems(raw: Any, scope: Scope = "rule") -> tuple[ValueProblem, ...]:
    with pytest.raises(InvalidValue) as caught:
        compile_value(raw, scope)
    return caught.value.problems


def problem(raw: Any, scope: Scope = "rule") -> str:
    """The only problem of a value, as text."""
    (only,) = problems(raw, scope)
    return only.text()


def failure(raw: Any, seen: Seen | None = SEEN) -> str:
    """Why the value cannot be made for the event."""
    value = compile_value(raw, "rule")
    with pytest.raises(PayloadError) as caught:
        value(context(seen=seen))
    return str(caught.value)
