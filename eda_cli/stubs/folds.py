"""How own copies change by an event, as a sketch says it, compiled. Knows no row and no store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eda_cli.payloads import Context, Quick, Seen, Value, asks, compile_condition, compile_value, quick_of
from eda_cli.sketch.resolved import Fold
from eda_cli.stubs.forms import look_beyond

QuickFold = tuple[str, Quick, Sequence[tuple[str, Quick]] | None, bool]  # copy, key, fields, whether they look beyond the body


@dataclass(slots=True)
class CompiledFold:
    """How one copy changes by an event, with the functions that make it."""

    copy: str
    key: Value | None  # None: the record key
    set: Sequence[tuple[str, Value]] | None
    accepts: frozenset[str]
    when: Callable[[Context], bool] | None
    asks: bool  # for the time, or for chance


def compiled_fold(copy: str, fold: Fold) -> CompiledFold:
    """The fold of a sketch into a copy."""
    key = compile_value(fold.key, "fold") if fold.key != "$key" else None
    set = [(field, compile_value(value, "fold")) for field, value in fold.set.items()] if fold.set is not None else None
    return CompiledFold(
        copy, key=key, set=set, accepts=frozenset(fold.accepts),
        when=compile_condition(fold.when, "fold") if fold.when else None,
        asks=bool(asks(key)) or any(asks(value) for _, value in set or ()))


def quick_fold(folds: Sequence[CompiledFold]) -> QuickFold | None:
    """The one fold of a topic where it takes all that come, and its values are quick; else None."""
    if len(folds) > 1 or folds[0].accepts or folds[0].when is not None:
        return None
    fold = folds[0]
    key = quick_of(fold.key) if fold.key is not None else _record_key
    fields = [(field, quick) for field, value in fold.set or () if (quick := quick_of(value)) is not None]
    if key is None or len(fields) < len(fold.set or ()):
        return None
    return fold.copy, key, fields if fold.set is not None else None, look_beyond((key, *(quick for _, quick in fields)))


def _record_key(seen: Seen) -> Any:
    return seen.key
