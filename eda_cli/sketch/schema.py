"""The JSON Schema of a sketch, for editors: completion, descriptions, a first check. Knows only the model."""

from __future__ import annotations

from typing import Any

from eda_cli.sketch.behaviour import Rule
from eda_cli.sketch.fitting import NULL
from eda_cli.sketch.model import Broker, Sketch, Topic
from eda_cli.sketch.strict import keys_of


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. What it refuses `eda check` refuses too; `eda check` sees more."""
    made = Sketch.model_json_schema(by_alias=True)
    _tidy(made)
    forms = made["$defs"]
    for model, short in (
        (Topic, {**NULL, "description": "Nothing need be said about a topic."}),
        (Rule, {"type": "string", "description": "The topic; the body is republished."}),
        (Broker, {"enum": keys_of(Broker)}),
        (Broker, {"type": "string", "pattern": r"\$\{"}),
    ):
        known = forms[model.__name__]
        if "anyOf" not in known:
            forms[model.__name__] = {"anyOf": [known]}
        forms[model.__name__]["anyOf"].append(short)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "eda sketch"}


def _tidy(part: Any) -> None:
    """Takes out what pydantic adds: titles that repeat the key, defaults that no sketch would write so."""
    if isinstance(part, list):
        for one in part:
            _tidy(one)
    if not isinstance(part, dict):
        return
    for form in part.get("properties", {}).values():
        form.pop("title", None)
        default = form.get("default")
        if isinstance(default, (dict, list, float)) or default in (None, ""):
            form.pop("default", None)
    for one in part.values():
        _tidy(one)
