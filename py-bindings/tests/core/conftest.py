"""Fixtures of the application layer's tests: engines over stores on disk, fresh and reopened."""
# tests are no package

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sutra_core.reasoning.engine import ReasoningEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ReasoningEngine]:
    """Return an engine over an empty store on disk."""
    with ReasoningEngine(tmp_path / "store") as engine:
        yield engine


@pytest.fixture(params=["fresh", "reopened"])
def learned(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., ReasoningEngine]]:
    """Return a function that learns texts and returns the engine: the same, or a new one."""
    opened: list[ReasoningEngine] = []

    def learn(*texts: str | tuple[str, str]) -> ReasoningEngine:
        engine = ReasoningEngine(tmp_path / "store")
        opened.append(engine)
        engine.learn_batch(texts)
        if request.param == "reopened":
            engine.close()
            engine = ReasoningEngine(tmp_path / "store")
            opened.append(engine)
        return engine

    yield learn
    for engine in opened:
        engine.close()
