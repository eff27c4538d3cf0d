"""What every map of keys has in common: how it is read, and the names that may stand in it. Knows no key."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eda_cli.sketch.fitting import MapOf, OneOrMany, misfit, value, without_notes
from eda_cli.sketch.kinds import EVENT_TYPE, FLAG, HEADER, LINE, PART, TOPIC

Line = Annotated[str, LINE]
TopicName = Annotated[str, TOPIC]
PartName = Annotated[str, PART]
EventType = Annotated[str, EVENT_TYPE]
HeaderName = Annotated[str, HEADER]
Flag = Annotated[bool, FLAG]
KeyValue = Annotated[Any, value("key")]
GeneratorBody = Annotated[Any, value("generator", body=True)]
GeneratorValue = Annotated[Any, value("generator")]
RuleBody = Annotated[Any, value("rule", body=True)]
RuleValue = Annotated[Any, value("rule")]
FoldValue = Annotated[Any, value("fold")]

TOPICS = OneOrMany("a topic or a list of topics", "write it as purchases")
TYPES = OneOrMany("one event type or a list of them", "write it as purchaseCreated")
HEADERS = MapOf("a map of header names and values", "write it as {tenant: acme}", notes=False)


def says(description: str, *examples: Any, **more: Any) -> Any:
    """What an editor shows about a key."""
    return Field(description=description, examples=list(examples) or None, **more)


class Strict(BaseModel):
    """A map of keys. None is unknown but `x-…`, which is skipped; nothing at all is a map without keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True,
                              json_schema_extra={"patternProperties": {"^x-": {}}})

    @model_validator(mode="before")
    @classmethod
    def keys_only(cls, raw: Any) -> Any:
        if raw is None:
            return {}
        if isinstance(raw, dict):
            return without_notes(raw)
        hint = f"its keys are {', '.join(keys_of(cls))}"
        key, colon, rest = raw.partition(":") if isinstance(raw, str) else ("", "", "")
        if colon and key in keys_of(cls) and rest.isprintable() and " " not in rest:
            hint = f"write a space after the colon, {key}: {rest}"
        raise misfit("a map of keys", "", hint)


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys as they are written, those of its own first."""
    fields = sorted(model.model_fields.items(), key=lambda field: field[0] not in model.__annotations__)
    return [field.alias or name for name, field in fields]
