"""What pydantic found, in the words of the sketch and with its place. Knows no key and no kind by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from eda_cli.errors import Problem
from eda_cli.payloads import NOT_YET
from eda_cli.sketch import model, words
from eda_cli.sketch.places import Path, Places
from eda_cli.sketch.secured import Tls
from eda_cli.sketch.strict import keys_of
from eda_cli.sketch.text import shorten


def explain(error: ValidationError, places: Places) -> list[Problem]:
    """A problem for each error, but for those with a value of which a problem is told already."""
    problems: list[Problem] = []
    details = error.errors(include_url=False)
    unknown = [_path(one)[0] for one in details if one["type"] == "extra_forbidden"]
    meant = {(*path[:-1], key_meant(path)) for path in unknown}
    for detail in details:
        path, on_key = _path(detail)
        if detail["type"] == "missing" and path in meant:
            continue  # the key is there, under another name: told once
        about_key = on_key or detail["type"] in ("missing", "extra_forbidden")
        if not places.wrong(path[:-1] if about_key else path):
            problems += _problems(detail, path, on_key, places)
    return problems


def _path(detail: ErrorDetails) -> tuple[Path, bool]:
    """Where it is wrong; whether the key is, and not its value."""
    steps = detail["loc"]
    return (tuple(steps[:-1]), True) if steps and steps[-1] == "[key]" else (tuple(steps), False)


def _problems(detail: ErrorDetails, path: Path, on_key: bool, places: Places) -> list[Problem]:
    told: dict[str, Any] = detail.get("ctx") or {}
    if detail["type"] == "missing":
        return [_missing(path, places)]
    if detail["type"] == "extra_forbidden":
        return [_unknown(path, places)]
    if detail["type"] == "value":
        return value_problems(path, told["problems"], places)
    line, column = places.key(path) if on_key else places.value(path)
    if detail["type"] != "misfit":  # none is known to get here
        return [Problem(line, column, f"{words.subject(path)} is not valid here")]
    if on_key:
        name = shorten(str(path[-1]))
        what = f"'{name}' cannot be used" if told["why"] else f"'{name}' is not {told['expected']}"
        return [Problem(line, column, what, told["why"], told["hint"])]
    secret = places.spot(path).secret
    why = (not secret and told["why"]) or f"it is {words.given(detail['input'], secret)}"
    hint = told["example"] if secret else told["hint"]
    what = f"{words.subject(places.told(path))} must be {told['expected']}"
    return [Problem(line, column, what, why, hint)]


def _missing(path: Path, places: Places) -> Problem:
    key = str(path[-1])
    owner = path[:-1]
    field = next(f for n, f in _model(owner).model_fields.items() if (f.alias or n) == key)
    example = f", as in {key}: {field.examples[0]}" if field.examples else ""
    what = f"{words.subject(places.told(owner))} has no '{key}'"
    return Problem(*places.key(owner), what, hint=f"add it{example}")


def key_meant(path: Path) -> str:
    """The key that an unknown one was probably meant to be."""
    return words.meant(str(path[-1]), keys_of(_model(path[:-1]))) or ""


def _unknown(path: Path, places: Places) -> Problem:
    key, owner = str(path[-1]), path[:-1]
    kind = words.kind(owner)
    line, column = places.key(path)
    known = keys_of(_model(owner))
    guess = key_meant(path)
    later = words.later(key, kind)
    what = f"{words.subject(places.told(owner))} has no key '{shorten(key)}'"
    if later:
        name = "it" if later == key else f"'{later}'"
        return Problem(line, column, what, f"{name} {NOT_YET}", "leave it out")
    elsewhere = [name for name, other in model.MODELS.items() if name not in (kind, *words.SPREAD) and key in keys_of(other)]
    if guess and not (elsewhere and words.otherwise(key, known) is None):  # spelled alike, and a word of its own
        return Problem(line, column, what, hint=f"did you mean '{guess}'?")
    if elsewhere:
        why = f"it is a key of {' and '.join(map(words.owner, elsewhere))}"
        return Problem(line, column, what, why, "move it there, or leave it out")
    hint = f"its keys are {', '.join(known)}" if known else "leave it out"
    return Problem(line, column, what, hint=hint)


def value_problems(path: Path, found: Sequence[Any], places: Places) -> list[Problem]:
    """What `payloads` says about the value at `path`, each where it stands."""
    problems = []
    for one in found:
        at = (*path, *one.path)
        if places.wrong(at):
            continue
        spot = places.spot(at)
        if spot.secret:
            what = f"what '{shorten(spot.secret)}' stands for cannot be used here"
            problems.append(Problem(*spot.place, what, "the environment gives it", "see what it holds"))
        else:
            problems.append(Problem(*spot.place, one.what, one.why, one.hint))
    return problems


def _model(path: Path) -> type[BaseModel]:
    kind = words.kind(path)
    if kind == "broker" and len(path) == 3:
        return Tls
    if kind == "broker" and len(path) == 2:
        return model.SETTINGS.get(str(path[1]), model.Nothing)
    return model.MODELS[kind]
