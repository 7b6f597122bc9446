"""The examples of the documentation give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import sutra_core

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(sutra_core.__path__, "sutra_core.")
    if not name.endswith("__main__")
]
WITH_EXAMPLES = {
    "sutra_core.hybrid",
    "sutra_core.learning.extraction",
    "sutra_core.nlp.embedder",
    "sutra_core.nlp.names",
    "sutra_core.reasoning.engine",
    "sutra_core.reasoning.query",
    "sutra_core.storage.rust_adapter",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    found = doctest.testmod(module)
    assert found.failed == 0
    assert (found.attempted > 0) == (name in WITH_EXAMPLES)
