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


def _one(char: str) -> str:
    if char.isprintable() and unicodedata.category(char) not in _UNSEEN:
        return char
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
