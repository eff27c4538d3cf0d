"""`copy`: what a consumer keeps of the events it heard. Knows no event and no SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from heapq import nsmallest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Json, Run, complete_keeper, complete_kept, with_examples
from eda_cli.errors import EdaError, UsageError

if TYPE_CHECKING:
    from eda_cli.runs.folder import RunFolder
    from eda_cli.sketch.resolved import Consumer
    from eda_cli.stubs.copies import StoredCopies

SHOWN = 1_000  # rows on a terminal
CELL = 60  # characters of a value there
DIGITS = 12  # of a float: a sum of cents is 145.14, and not 145.14000000000001
FIELDS = 50  # columns; rows of more different fields have nothing in common, and each is one cell
NEAR = 50  # keys on each side that one which is not there is compared with


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda copy invoicing",
                "eda copy invoicing purchases",
                "eda copy invoicing purchases 3f2a91c0",
                "eda copy invoicing purchases --json | jq .row.total"))(copy)


def copy(
    consumer: Annotated[str, typer.Argument(metavar="CONSUMER", autocompletion=complete_keeper)],
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", help="The copy's name. Without it: list them.",
                                                autocompletion=complete_kept)] = None,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="Only this row, as JSON.")] = None,
    run: Run = None,
    json: Json = False,
) -> None:
    """Show what a consumer keeps of the events it heard.

    All its own copies, the rows of one, or one row. The run need not be up.
    """
    from eda_cli.runs.finding import find_any
    from eda_cli.stubs.copies import StoredCopies
    from eda_cli.stubs.store import store_path

    found = find_any(run)
    part = _keeper(found, consumer)
    copies = StoredCopies(store_path(found.path, part.name))
    try:
        if topic is None:
            _list(part, copies, json)
            return
        _check_kept(part, topic)
        if key is not None:
            _show_row(copies, topic, key, json)
        elif json:
            _write_rows(copies, topic)
        else:
            _show_rows(copies, topic)
    finally:
        copies.close()


def _keeper(run: RunFolder, name: str) -> Consumer:
    """The consumer of this name. Raises UsageError where there is none, or it keeps nothing."""
    from eda_cli.sketch.words import did_you_mean

    sketch = run.sketch()
    part = sketch.consumers.get(name)
    if part is None:
        raise UsageError(f"there is no consumer '{name}'", f"consumers: {', '.join(sketch.consumers) or 'none'}",
                         did_you_mean(name, sketch.consumers, "see the parts with: eda ps"))
    if part.external:
        raise UsageError(f"the copies of '{name}' are not here", "it is external: somebody else runs it")
    if not part.keeps:
        topic = part.subscribes[0]
        raise UsageError(f"the consumer '{name}' keeps no copy", "its sketch does not say keeps",
                         f"say it there, for example keeps: {topic}, and then: {run.info().again('-d')}")
    return part


def _check_kept(part: Consumer, name: str) -> None:
    from eda_cli.sketch.words import did_you_mean

    names = [kept.name for kept in part.keeps]
    if name not in names:
        raise UsageError(f"the consumer '{part.name}' keeps no copy '{name}'", f"it keeps {', '.join(names)}",
                         did_you_mean(name, names, f"for example: eda copy {part.name} {names[0]}"))


def _list(part: Consumer, copies: StoredCopies, json: bool) -> None:
    counts = copies.counts()
    many = {kept.name: counts.get(kept.name, 0) for kept in part.keeps}
    if json:
        for name, rows in many.items():
            console.write_json({"copy": name, "rows": rows})
        return
    console.print_table(("COPY", "ROWS"), [(name, f"{rows:,}") for name, rows in many.items()], right=("ROWS",))


def _show_row(copies: StoredCopies, name: str, key: str, json: bool) -> None:
    import orjson

    row = copies.row(name, key)
    if row is None:
        near = get_close_matches(key, copies.around(name, key, NEAR), 3)
        raise EdaError(f"there is no '{key}' in the copy '{name}'", "",
                       f"near it: {', '.join(near)}" if near else "without KEY it shows all rows")
    if json:
        console.write_json({"key": key, "row": orjson.Fragment(row)})
    elif console.on_terminal():
        for line in orjson.dumps(orjson.loads(row), option=orjson.OPT_INDENT_2).splitlines():
            console.write_line(line)
    else:
        console.write_line(row)


def _write_rows(copies: StoredCopies, name: str) -> None:
    import orjson

    for key, row in copies.rows(name):
        console.write_json({"key": key, "row": orjson.Fragment(row)})


def _show_rows(copies: StoredCopies, name: str) -> None:
    """A table whose columns are the fields of the rows, where these have few enough. Keys that count stand in that order."""
    import orjson

    stored = copies.rows(name)
    chosen = nsmallest(SHOWN, stored, key=_counted) if console.on_terminal() else sorted(stored, key=_counted)
    rows = [(key, orjson.loads(row)) for key, row in chosen]
    if not rows:
        console.say(f"the copy '{name}' has no rows", "dim")
        return
    fields = list(dict.fromkeys(field for _, row in rows if isinstance(row, dict) for field in row))
    if len(fields) > FIELDS:
        fields = []
    values = [[key, *(row.get(field, "") for field in fields), ""] if isinstance(row, dict) and (fields or not row)
              else [key, *("" for _ in fields), row] for key, row in rows]
    heads = ["KEY", *(_cell(field) for field in fields), "ROW"]  # the last is for what has no columns
    numbers = {head for index, head in enumerate(heads) if _are_numbers([each[index] for each in values])}
    console.print_table(heads, [[_cell(value) for value in each] for each in values], right=numbers)
    if (more := copies.counts().get(name, 0) - len(rows)) > 0:
        console.say(f"… {more:,} more rows; all of them: --json", "dim")


def _counted(row: tuple[str, bytes]) -> tuple[int, int, str]:
    """The place of a row: whole numbers as numbers, and behind them all other keys as texts."""
    key = row[0]
    return (0, int(key), key) if re.fullmatch(r"-?[0-9]{1,18}", key, re.ASCII) else (1, 0, key)


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) or value == "" for value in values)


def _cell(value: Any) -> str:
    """Text as it is, anything else as JSON; on one line, and on a terminal not too much of it."""
    from eda_cli.event import encode_json
    from eda_cli.view.escape import escaped

    text = value if isinstance(value, str) else encode_json(_rounded(value)).decode()
    return escaped(text, CELL if console.on_terminal() else None)


def _rounded(value: Any) -> Any:
    """Its floats without the digits that only arithmetic made."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
