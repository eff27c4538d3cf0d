"""Sketches from texts, for the tests of this room."""

from __future__ import annotations

from textwrap import dedent

import pytest

from eda_cli.errors import SketchError
from eda_cli.sketch.load import Loaded, load_text


def loaded(text: str, file: str = "sketch.yaml", **environ: str) -> Loaded:
    return load_text(dedent(text), file, environ)


def errors(text: str, **environ: str) -> list[str]:
    """Every problem of a broken sketch, as text with its place."""
    with pytest.raises(SketchError) as raised:
        loaded(text, **environ)
    return [problem.text("sketch.yaml") for problem in raised.value.problems]


def warnings(text: str, **environ: str) -> list[str]:
    return [problem.text("sketch.yaml") for problem in loaded(text, **environ).warnings]
