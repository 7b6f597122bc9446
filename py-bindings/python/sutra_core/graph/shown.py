"""How records show themselves: short, and numbers as people write them.

Invariant: only what is shown is rounded or cut; the values stay as they are.
"""

from __future__ import annotations

from typing import Final

_MAX_CHARS: Final = 60
_LARGE: Final = 1000.0


def digits(value: float) -> str:
    """Return a number to four digits; what is less than 1 is never shown as 1.

    The store's numbers have 32 bits, of which Python would show 17 digits: 0.8999999761581421.
    """
    rounded = float(f"{value:.4g}" if abs(value) < _LARGE else f"{value:.1f}")
    return repr(value if abs(rounded) >= 1.0 > abs(value) else rounded)


def shortened(text: str, limit: int = _MAX_CHARS) -> str:
    """Return a text of one line, cut where it is longer than `limit`."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."
