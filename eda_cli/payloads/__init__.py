"""What events say: the value language of bodies, keys and headers. Pure and seeded.

Knows no sketch and no channel.
"""

from eda_cli.payloads.code import Scope, Value
from eda_cli.payloads.compile import compile_condition, compile_value
from eda_cli.payloads.context import TOMBSTONE, Context, Seen
from eda_cli.payloads.dice import Dice, derive_seed, derived_id, event_id
from eda_cli.payloads.functions import FUNCTIONS, Function
from eda_cli.payloads.problems import NOT_YET, InvalidValue, PayloadError, ValueProblem
from eda_cli.payloads.quantities import parse_duration, parse_range, parse_rate, parse_share

__all__ = [
    "FUNCTIONS",
    "NOT_YET",
    "TOMBSTONE",
    "Context",
    "Dice",
    "Function",
    "InvalidValue",
    "PayloadError",
    "Scope",
    "Seen",
    "Value",
    "ValueProblem",
    "compile_condition",
    "compile_value",
    "derive_seed",
    "derived_id",
    "event_id",
    "parse_duration",
    "parse_range",
    "parse_rate",
    "parse_share",
]
