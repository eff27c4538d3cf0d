"""`check`, `config`, `schema`, `graph` and `init`: the sketch itself, nothing is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from eda_cli.cli import console
from eda_cli.cli.options import Json, Sketch, complete_broker, with_examples
from eda_cli.cli.up import DEFAULT_SKETCH
from eda_cli.cli.wished import Knobs
from eda_cli.errors import EdaError, Problem, SketchError, UsageError


def register(app: typer.Typer) -> None:
    app.command(epilog=with_examples(
                "eda check",
                "eda check shop.yaml --broker kafka",
                "eda check shop.yaml --json"))(check)
    app.command(epilog=with_examples(
                "eda config",
                "eda config shop.yaml"))(config)
    app.command(epilog=with_examples(
                "eda schema > sketch.schema.json"))(schema)
    app.command(epilog=with_examples(
                "eda graph",
                "eda graph shop.yaml > shop.mmd"))(graph)
    app.command(epilog=with_examples(
                "eda init",
                "eda init --example shop",
                "eda init orders.yaml --example orders"))(init)


def check(
    sketches: Annotated[list[Path] | None, typer.Argument(metavar="SKETCH", help="Default: sketch.yaml here.")] = None,
    broker: Annotated[str | None, typer.Option("--broker", metavar="NAME", help="Check for this broker.",
                                               autocompletion=complete_broker)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors.")] = False,
    json: Json = False,
) -> None:
    """Say everything that is wrong with a sketch. Each problem has its line and what to do; nothing is started."""
    failed = False
    for path in sketches or [DEFAULT_SKETCH]:
        errors, warnings, code = _problems(path, broker)
        told = [("error", one) for one in errors] + [("warning", one) for one in warnings]
        for level, problem in sorted(told, key=lambda one: (one[1].line, one[1].column)):
            if json:
                console.write_json({"file": str(path), "level": level, "line": problem.line, "column": problem.column,
                                    "what": problem.what, "why": problem.why, "hint": problem.hint})
            else:
                console.write_problem(problem, str(path), warns=level == "warning")
        many = f"{len(warnings)} warning{'s' * (len(warnings) > 1)}"
        refused = bool(errors) or (strict and bool(warnings))
        failed = failed or refused
        if not errors and not json:
            console.say(f"{path}: {many}, which --strict makes errors" if refused else
                        f"{path}: fine" + (f", {many}" if warnings else ""))
            if code:
                from eda_cli.view.escape import escaped

                console.say(escaped(f"runs own code: {', '.join(code)}"))
    if failed:
        raise typer.Exit(2)


def _problems(path: Path, broker: str | None) -> tuple[Sequence[Problem], Sequence[Problem], Sequence[str]]:
    """What is wrong with a sketch on this broker: errors, warnings; and the own code that it runs."""
    from eda_cli.sketch.check import demands, hints
    from eda_cli.sketch.load import load
    from eda_cli.sketch.own_code import own_code

    try:
        loaded = load(path)
        resolved = Knobs(broker, None, (), None).turn(loaded.resolved)
        kind = resolved.broker["kind"]
        errors = demands(resolved, kind, loaded.places)
        return errors, [*loaded.warnings, *hints(resolved, kind, loaded.places)], own_code(resolved, loaded.places)
    except SketchError as wrong:
        return wrong.problems, wrong.warnings, ()


def config(sketch: Sketch = DEFAULT_SKETCH) -> None:
    """Print the sketch in its full form. Every default is filled in; it loads back as it is."""
    from eda_cli.sketch.load import load
    from eda_cli.sketch.render import config as render

    typer.echo(render(load(sketch)), nl=False)


def schema() -> None:
    """Print the JSON Schema of sketches. Editors complete and check with it."""
    import orjson

    from eda_cli.sketch.schema import schema as make

    typer.echo(orjson.dumps(make(), option=orjson.OPT_INDENT_2))


def graph(sketch: Sketch = DEFAULT_SKETCH) -> None:
    """Print the sketch as a Mermaid flowchart. It shows generators, topics, consumers and services."""
    from eda_cli.sketch.graph import mermaid
    from eda_cli.sketch.load import load

    typer.echo(mermaid(load(sketch).resolved))


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")] = DEFAULT_SKETCH,
    example: Annotated[str | None, typer.Option("--example", metavar="NAME",
                                                help="Instead, an example: smallest, shop, orders, iot, cdc, payments, funnel, "
                                                     "rides, own-code.",
                                                autocompletion=lambda: _examples())] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented starter sketch, or one of the examples."""
    from eda_cli.sketch.starter import Example, examples, starter
    from eda_cli.sketch.words import did_you_mean

    if example is not None and example not in examples():
        raise UsageError(f"there is no example '{example}'", f"known: {', '.join(sorted(examples()))}",
                         did_you_mean(example, examples(), "for example: eda init --example shop"))
    wanted = Example(starter(), {}) if example is None else examples()[example]
    if path.is_dir():
        path = path / DEFAULT_SKETCH
    texts = {path: wanted.sketch, **{path.parent / name: text for name, text in wanted.files.items()}}
    for there in () if force else [each for each in texts if each.exists()]:
        raise EdaError(f"{there} is there already", "it is left as it is",
                       "overwrite it with --force, or name another " + ("file" if there == path else "folder"))
    for each, text in texts.items():
        try:
            with each.open("w" if force else "x") as file:
                file.write(text)
        except OSError as wrong:
            raise EdaError(f"{each} cannot be written", wrong.strerror or str(wrong),
                           "" if each.parent.exists() else f"make the folder first: mkdir -p {each.parent}") from None
    console.say(f"wrote {', '.join(map(str, texts))}; start it with: eda up" + ("" if path == DEFAULT_SKETCH else f" {path}"))


def _examples() -> list[str]:
    from eda_cli.sketch.starter import examples

    return sorted(examples())

