"""What events say: the value language of bodies, keys and headers. Pure and seeded.

Knows no sketch and no channel.
"""

from eda_cli.payloads.aggregates import aggregate_path
from eda_cli.payloads.code import Quick, Scope, Value, asks, lookups_of, quick_of
from eda_cli.payloads.compile import compile_condition, compile_value
from eda_cli.payloads.context import (
    MISSING,
    TOMBSTONE,
    Context,
    Found,
    NoJson,
    Rows,
    Seen,
    Unreadable,
    Window,
    body_unread,
    seen_beside,
)
from eda_cli.payloads.dice import Dice, derive_seed, derived_id, event_id
from eda_cli.payloads.functions import FUNCTIONS, Function
from eda_cli.payloads.looked import Looked
from eda_cli.payloads.lookups import Lookup, last_of, lookups_in, once_of
from eda_cli.payloads.meant import meant_value
from eda_cli.payloads.problems import NOT_YET, Exhausted, InvalidValue, PayloadError, ValueProblem
from eda_cli.payloads.quantities import parse_duration, parse_range, parse_rate, parse_share
from eda_cli.payloads.states import Lives, States, compile_body, compile_states, is_states, read_states
from eda_cli.payloads.used import Field, aggregates, fields_used, names_used

__all__ = [
    "FUNCTIONS",
    "MISSING",
    "NOT_YET",
    "TOMBSTONE",
    "Context",
    "Dice",
    "Exhausted",
    "Field",
    "Found",
    "Function",
    "InvalidValue",
    "Lives",
    "Looked",
    "Lookup",
    "NoJson",
    "PayloadError",
    "Quick",
    "Rows",
    "Scope",
    "Seen",
    "States",
    "Unreadable",
    "Value",
    "ValueProblem",
    "Window",
    "aggregate_path",
    "aggregates",
    "asks",
    "body_unread",
    "compile_body",
    "compile_condition",
    "compile_states",
    "compile_value",
    "derive_seed",
    "derived_id",
    "event_id",
    "fields_used",
    "is_states",
    "last_of",
    "lookups_in",
    "lookups_of",
    "meant_value",
    "names_used",
    "once_of",
    "parse_duration",
    "parse_range",
    "parse_rate",
    "parse_share",
    "quick_of",
    "read_states",
    "seen_beside",
]
