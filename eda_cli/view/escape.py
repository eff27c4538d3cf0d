"""What events contain is untrusted: shown, never obeyed. Knows no terminal."""

from __future__ import annotations

import unicodedata

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Cc control, Cf format (bidi overrides, zero width), Zl/Zp line breaks, Cs lone surrogates, Co private use
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})


def escaped(text: str, limit: int | None = None) -> str:
    """The text on one line, with whatever a terminal could obey as a visible escape; cut behind `limit` characters."""
    cut = limit is not None and len(text) > limit
    if cut:
        text = text[:limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(_one(char) for char in text)
    return text + "…" if cut else text


def escaped_json(line: str) -> str:
    """JSON that says the same, with whatever a terminal could obey as JSON's own escapes."""
    if line.isascii() and line.isprintable():
        return line
    return "".join(char if _harmless(char) else _utf16(char) for char in line)


def _one(char: str) -> str:
    if _harmless(char):
        return char
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _utf16(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at:at + 4]}" for at in range(0, len(units), 4))


def _harmless(char: str) -> bool:
    return char.isprintable() and unicodedata.category(char) not in _UNSEEN
