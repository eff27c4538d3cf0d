"""Own copies as a template sees them: tables by name, rows by key, and nothing to list. Knows no template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from eda_cli.payloads.budget import Budget
from eda_cli.payloads.context import Rows
from eda_cli.payloads.problems import PayloadError, did_you_mean, shown

_PER_ROW = 50  # units of the budget: what looking a row up costs besides its size


class Copies:
    """`copy` or `was`. All that can be done with it is to name one of its tables."""

    __slots__ = ("budget", "called", "tables")

    def __init__(self, called: str, tables: Mapping[str, Rows], budget: Budget) -> None:
        self.called = called
        self.tables = tables
        self.budget = budget

    def refuse(self, *_: object) -> NoReturn:
        raise PayloadError(f"{self.called} is no value by itself", "it holds the own copies by name",
                           f"write {self.called}.NAME[key]")

    __str__ = __repr__ = __format__ = __iter__ = __len__ = __bool__ = __contains__ = __hash__ = refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = refuse

    def table(self, name: str) -> Table | None:
        """The copy of that name, or None."""
        rows = self.tables.get(name)
        return None if rows is None else Table(f"{self.called}.{name}", rows, self.budget)

    def without(self, name: str) -> str:
        """What there is in place of a table that there is not."""
        near = did_you_mean(name, self.tables, "'{}'")
        there = ", ".join(map(shown, list(self.tables)[:8]))
        instead = near or (f"the copies are {there}" if there else "the consumer keeps none")
        return f"there is no own copy '{shown(name)}', {instead}"


class Table:
    """`copy.purchases`. All that can be done with it is to look up a row."""

    __slots__ = ("_rows", "budget", "called")

    def __init__(self, called: str, rows: Rows, budget: Budget) -> None:
        self.called = called
        self.budget = budget
        self._rows = rows

    def refuse(self, *_: object) -> NoReturn:
        raise PayloadError(f"{self.called} is no value by itself", "its rows are looked up by their key",
                           f"write {self.called}[key], or {self.called}[key] is defined")

    __str__ = __repr__ = __format__ = __iter__ = __len__ = __bool__ = __contains__ = __hash__ = refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = refuse

    def row(self, key: str) -> Any:
        """The row of that key, paid for by its size, or MISSING."""
        self.budget.take(_PER_ROW)
        row = self._rows.get(key)
        self.budget.spend(row)
        return row
