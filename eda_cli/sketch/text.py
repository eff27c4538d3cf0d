"""From bytes to text that is safe to parse. Knows nothing of YAML but which characters it may hold."""

from __future__ import annotations

import re
from pathlib import Path

from eda_cli.errors import Problem, SketchError, UsageError

MAX_BYTES = 1_000_000
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # of UTF-16 and UTF-32; UTF-8's is skipped
_INIT = "`eda init` writes one to begin with"


def read(path: Path) -> str:
    """The text of the sketch at `path`. Raises UsageError where none is, SketchError where it is no text."""
    if path.is_dir():
        inside = path / "sketch.yaml"
        hint = f"did you mean {inside}?" if inside.is_file() else _INIT
        raise UsageError(f"{path} is a folder, no sketch", hint=hint)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no sketch at {path}", hint=_INIT) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {path}", why, "give a file you may read") from None
    return decode(data, str(path))


def decode(data: bytes, file: str) -> str:
    """The bytes as text. Raises SketchError; `file` names them in messages."""
    if len(data) > MAX_BYTES:
        raise SketchError(file, [too_large()])
    if data.startswith(_BYTE_ORDER_MARKS):
        what = "the file is UTF-16 or UTF-32, not UTF-8"
        raise SketchError(file, [Problem(0, 0, what, hint="save it as UTF-8")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = place(before, len(before))
        what = f"the file is not UTF-8: the byte 0x{data[error.start]:02x} stands here"
        raise SketchError(file, [Problem(line, column, what, hint="save it as UTF-8")]) from None
    refuse_unprintable(text, file)
    return text


def refuse_unprintable(text: str, file: str) -> None:
    """Raises SketchError where the text is too large or holds a character that YAML does not allow."""
    if len(text) > MAX_BYTES:
        raise SketchError(file, [too_large()])
    found = _UNPRINTABLE.search(text)
    if found is None:
        return
    code = ord(found.group())
    what = "the file holds a NUL byte" if code == 0 else f"the file holds the control character U+{code:04X}"
    why = "it is binary, or not UTF-8" if code == 0 else "YAML allows none"
    hint = "is this the right file?" if code == 0 else 'write it as an escape in double quotes, such as "\\x07"'
    raise SketchError(file, [Problem(*place(text, found.start()), what, why, hint)])


def too_large() -> Problem:
    return Problem(0, 0, f"the file is larger than {MAX_BYTES // 1_000_000} MB",
                   "a sketch is a few lines of YAML", "is this the right file?")


def place(text: str, index: int) -> tuple[int, int]:
    """Line and column, both from 1, of the character at `index`."""
    line_start = max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1
    before = text[:index]
    breaks = before.count("\n") + before.count("\r") - before.count("\r\n")
    return breaks + 1, index - line_start + 1


def shorten(text: str, most: int = 60) -> str:
    """One line of text for a message: no control character, not long."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
