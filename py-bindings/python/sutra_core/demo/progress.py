"""Progress on the terminal: a bar where one watches, plain lines elsewhere.

Invariant: at most a line for each tenth of the work goes to what is no terminal.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

_WIDTH: Final = 40
_REDRAW_S: Final = 0.1
_STEPS: Final = 10


class Progress:
    """Shows how much of `total` is done; call it with the number done so far."""

    def __init__(self, label: str, total: int, stream: TextIO) -> None:
        """Show the progress of `label` on `stream`."""
        self._label, self._total, self._stream = label, total, stream
        self._bar = stream.isatty()
        self._started = time.perf_counter()
        self._drawn = 0.0
        self._step = 0

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.perf_counter() - self._started

    def __call__(self, done: int) -> None:
        """Show that `done` of the total are done."""
        rate = done / max(self.seconds, 1e-9)
        share = min(1.0, done / max(1, self._total))
        text = f"{done:,} of {self._total:,} ({rate:,.0f}/s)"
        if self._bar:
            if self.seconds - self._drawn < _REDRAW_S and share < 1.0:
                return
            self._drawn = self.seconds
            filled = "#" * round(share * _WIDTH)
            self._stream.write(f"\r  {self._label} [{filled:.<{_WIDTH}}] {text}\x1b[K")
        else:
            step = int(share * _STEPS)
            if step == self._step:
                return
            self._step = step
            self._stream.write(f"  {self._label}: {text}\n")
        self._stream.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the bar's line."""
        if self._bar:
            self._stream.write("\n")
            self._stream.flush()
