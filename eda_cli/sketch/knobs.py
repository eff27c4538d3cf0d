"""Knobs: the keys of a part that can be turned while it runs. Reads a value as the sketch does; knows no run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eda_cli.errors import Problem, UsageError
from eda_cli.sketch import words
from eda_cli.sketch.resolved import Generator, Resolved

KNOBS: Mapping[str, tuple[str, ...]] = {
    "generator": ("rate", "every", "stages", "repeat", "arrivals", "count", "after", "faults", "replicas"),
    "consumer": ("takes", "fails", "retries", "dead_letter", "idempotent", "accepts", "timeout", "replicas"),
}
MOST_REPLICAS = 100
_OWN = ("run", "supervisor", "keeper", "stubs")  # eda's own processes, by the names under which they are seen
_CLOCK = ("rate", "every", "stages")
_FIELDS = {**dict.fromkeys(_CLOCK, _CLOCK), "after": ("after_s",), "timeout": ("timeout_s",)}
_HIDDEN = "what the environment gave"
_STATE = ("it is a state, and no key", "for example: eda pause PART")
_ELSEWHERE = {("consumer", "from"): ("it says where a new group begins", "to move it: eda groups reset GROUP --to beginning"),
              ("generator", "from"): ("it says when its first event happened", "to begin anew with another past: eda up --fresh"),
              ("consumer", "paused"): _STATE, ("generator", "paused"): _STATE}


def fields_of(key: str) -> tuple[str, ...]:
    """The fields of a part's full form that a knob sets: of those that exclude each other, both."""
    return _FIELDS.get(key, (key,))


@dataclass(frozen=True, slots=True)
class Turned:
    """A knob that was turned: the `fields` of the part and the `topics` that it adds, as in the JSON of `Resolved`.

    `said` is what changes, in words.
    """

    part: str
    key: str
    text: str
    said: str
    fields: Mapping[str, Any]
    topics: Mapping[str, Any]


def part_of(resolved: Resolved, name: str, run: str) -> str:
    """Whether it is a "generator" or a "consumer". Raises UsageError where there is none that eda runs."""
    part = resolved.generators.get(name) or resolved.consumers.get(name)
    if part is not None and not part.external:
        return "generator" if name in resolved.generators else "consumer"
    if part is not None:
        raise UsageError(f"'{name}' is external", "somebody else runs it: eda has no process of it", "do it where it runs")
    known = (*resolved.generators, *resolved.consumers)
    if name in _OWN:
        raise UsageError(f"'{name}' is no part", "it is a process of eda's own", f"parts of {run}: {', '.join(known)}")
    raise UsageError(f"there is no part '{name}'", f"parts of {run}: {', '.join(known)}", words.did_you_mean(name, known))


def turn(resolved: Resolved, part: str, key: str, text: str, run: str, written: str = "") -> Turned:
    """What `KEY: text` changes in a part. Raises UsageError, with the words of the sketch where the value does not fit.

    `written` is the sketch's text: a value that it takes from the environment is not told.
    """
    kind = part_of(resolved, part, run)
    _refuse(kind, part, key, text)
    if key == "replicas":
        return scale(resolved, part, text, run)
    from eda_cli.sketch.defaults import fill
    from eda_cli.sketch.render import document

    whole = document(resolved)
    own = whole[f"{kind}s"][part]
    gone = {name for name in own if fields_of(name) == fields_of(key) or (name == "repeat" and key in ("rate", "every"))}
    wished = {name: value for name, value in own.items() if name not in gone} | {key: _value(text)}
    new = fill(_read(whole, kind, part, wished), resolved.name).to_json()
    fields = {name: new[f"{kind}s"][part][name] for name in fields_of(key)}
    topics = {name: topic for name, topic in new["topics"].items() if name not in resolved.topics}
    typed = (resolved.generators.get(part) or resolved.consumers[part]).touched
    old = next((name for name in own if fields_of(name) == fields_of(key)), key)
    before = typed.get(old) or (_HIDDEN if _varies(written, kind, part, old) else _words(_short(own.get(old))))
    return Turned(part, key, text, _said(old, before, key, text), fields, topics)


def scale(resolved: Resolved, part: str, text: str, run: str) -> Turned:
    """Another number of replicas; 0 stops the part, which its key does not say. Raises UsageError."""
    part_of(resolved, part, run)
    before, after = resolved.replicas()[part], replicas(text, resolved.generators.get(part))
    said = f"replicas is {after} already" if before == after else f"replicas {before} -> {after}"
    return Turned(part, "replicas", str(after), said, {"replicas": after}, {})


def replicas(text: str, generator: Generator | None = None) -> int:
    """So many of a part, which is a `generator` or none. Raises UsageError."""
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > MOST_REPLICAS:
        raise UsageError(f"'{text}' is no number of replicas", f"it is a number from 0 to {MOST_REPLICAS}",
                         "for example: shipping=3")
    if generator and generator.entities and int(text) > generator.entities.count:
        raise UsageError(f"generator '{generator.name}' has no more than {generator.entities.count} entities",
                         "each of them belongs to one replica", f"{generator.name}={generator.entities.count} is the most")
    return int(text)


def warnings(before: Resolved, after: Resolved) -> list[str]:
    """What looks unintended now, and did not before."""
    from eda_cli.sketch.check import lint
    from eda_cli.sketch.places import NOWHERE

    known = lint(before, NOWHERE)
    return [": ".join(filter(None, (one.what, one.why))) for one in lint(after, NOWHERE) if one not in known]


def _refuse(kind: str, part: str, key: str, text: str) -> None:
    """Raises UsageError for a key that cannot be turned."""
    from eda_cli.sketch.model import MODELS
    from eda_cli.sketch.strict import keys_of

    if key not in KNOBS[kind]:
        turns = f"knobs of a {kind}: {', '.join(KNOBS[kind])}"
        if (kind, key) in _ELSEWHERE:
            why, hint = _ELSEWHERE[kind, key]
        elif key in keys_of(MODELS[kind]):
            why, hint = "it says what the part is", f"change it in the sketch, and say: eda up; {turns}"
        else:
            guess = words.meant(key, KNOBS[kind])
            raise UsageError(f"{kind} '{part}' has no knob '{key}'", "", f"did you mean '{guess}'?" if guess else turns)
        raise UsageError(f"'{key}' of {kind} '{part}' cannot be turned while it runs", why, hint)
    if not text:
        raise UsageError(f"{part}.{key}= has no value", "a knob is turned to one", "what the file says comes back with: eda up")


def _value(text: str) -> Any:
    """The text as it would be read in a sketch; what is no YAML is text."""
    import yaml

    from eda_cli.sketch import data, nodes

    try:
        root = nodes.compose(text).root
    except (yaml.YAMLError, nodes.Unreadable):
        return text
    read = data.construct(root, text, {})
    return text if read.problems else read.value


def _read(before: Mapping[str, Any], kind: str, part: str, wished: Mapping[str, Any]) -> Any:
    """The sketch with this part in it, as its model. Raises UsageError with the first problem."""
    from pydantic import ValidationError

    from eda_cli.sketch.explain import explain
    from eda_cli.sketch.fitting import Effort
    from eda_cli.sketch.model import Sketch
    from eda_cli.sketch.places import NOWHERE
    from eda_cli.sketch.references import references

    rooms = {room: {name: {key: value for key, value in one.items() if key != "replicas"}  # it may be scaled to 0
                    for name, one in before[room].items()} for room in ("generators", "consumers")}
    rooms[f"{kind}s"][part] = dict(wished, replicas=1)
    effort = Effort()
    problems: list[Problem]
    try:
        sketch = Sketch.model_validate({**before, "broker": None, **rooms}, context=effort)
        problems = references(sketch, NOWHERE, effort)
    except ValidationError as error:
        problems = explain(error, NOWHERE)
    if problems:
        raise UsageError(problems[0].what, problems[0].why, problems[0].hint)
    return sketch


def _said(old: str, before: str, key: str, text: str) -> str:
    if old != key:
        return f"{old} {before} -> {key} {text}"
    return f"{key} is {text} already" if before == text else f"{key} {before} -> {text}"


def _varies(written: str, kind: str, part: str, key: str) -> bool:
    """Whether the key's value, or something in it, holds a variable of the environment."""
    from eda_cli.sketch import data, nodes

    if "${" not in written:
        return False
    places = data.construct(nodes.compose(written).root, written, _Anything()).places
    waiting = [spot for spot in (places.exact((f"{kind}s", part, key)),) if spot is not None]
    while waiting:
        spot = waiting.pop()
        if spot.written is not None:
            return True
        waiting += spot.inside.values()
    return False


class _Anything(Mapping[str, str]):
    """An environment in which every variable is set: what they were when the sketch was read is not known any more."""

    def __getitem__(self, name: str) -> str:
        return "given"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _short(value: Any) -> Any:
    """`20%` for `{share: 20%}`."""
    return value["share"] if isinstance(value, Mapping) and value.keys() == {"share"} else value


def _words(value: Any) -> str:
    """As one would write it in a sketch, on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_words(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_words, value))}]"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
