"""Imports point down, never round; and who may know which library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "eda_cli"
LAYERS = [  # lowest first; rooms of one line do not know each other
    {"errors", "leash", "lock", "sqlite", "technologies"},
    {"event"},
    {"dead_letter"},
    {"journal", "log", "programs"},
    {"payloads"},
    {"sketch"},
    {"channels"},
    {"stubs"},
    {"runs"},
    {"view"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FORBIDDEN = {
    "runs": {"stubs", "channels"},  # it starts them by command line
    "view": {"payloads", "sketch", "channels", "stubs", "runs"},
    "stubs": set(),
}
LIBRARIES = {  # library -> the files that may import it
    "kafka": "channels/kafka",
    "pika": "channels/rabbitmq",
    "stomp": "channels/activemq",
    "nats": "channels/nats",
    "docker": "channels/containers",
    "typer": "cli/",
    "click": "nowhere",
    "rich": ("cli/", "view/"),
    "pydantic": "sketch/",
    "pydantic_core": "sketch/",
    "yaml": "sketch/",
    "jinja2": "payloads/",
    "faker": "payloads/faker",
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each imported module, and whether it is imported for real (not only for typing)."""
    tree = ast.parse(path.read_text())
    typing_only = {node for block in ast.walk(tree) if isinstance(block, ast.If)
                   and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING" for node in ast.walk(block)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node not in typing_only
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            for name in node.names:
                yield f"{node.module}.{name.name}", node not in typing_only


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = room_of(path)
    if here in ("__init__", "__main__"):
        return
    assert here in LEVEL, f"{here} is a room that the house does not have"
    for module, _ in imports(path):
        parts = module.split(".")
        if parts[0] != "eda_cli" or len(parts) < 2 or parts[1] in (here, "__version__"):
            continue
        assert LEVEL[parts[1]] < LEVEL[here], f"{here} imports {module}, which is not below it"
        assert parts[1] not in FORBIDDEN.get(here, ()), f"{here} must not know {parts[1]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    where = str(path.relative_to(PACKAGE))
    for module, real in imports(path):
        allowed = LIBRARIES.get(module.split(".")[0])
        if allowed is not None and real and not path.name.startswith("__init__"):
            assert where.startswith(allowed), f"{where} imports {module}"


def test_the_house_has_no_other_room() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert rooms - {"__init__", "__main__", "py.typed", "sketches"} == set(LEVEL)


@pytest.mark.parametrize(("module", "never"), [
    ("eda_cli.cli.app", {"kafka", "docker", "pydantic", "yaml", "jinja2", "faker", "sqlite3"}),
    ("eda_cli.stubs.warm", {"kafka", "docker", "pydantic", "yaml", "jinja2", "faker", "typer", "rich"}),
    ("eda_cli.runs.supervisor", {"kafka", "docker", "pydantic", "yaml", "jinja2", "faker", "typer", "rich", "sqlite3"}),
])
def test_nothing_heavy_is_imported_unasked(module: str, never: set[str]) -> None:
    import subprocess
    import sys

    seen = subprocess.run([sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"], check=True,
                          capture_output=True, text=True).stdout.split()
    assert not never & set(seen)
