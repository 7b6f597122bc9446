"""The fixture `case`: a store of a data set, taken through its states as the tests ask for them.

Invariant: a data set is written once for all test files; the states of its store are not kept.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from .case import STATES, Case, cases
from .data import Data

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


@pytest.fixture(scope="package")
def journeys() -> Iterator[dict[str, Generator[Case]]]:
    """The store that is on its way, by the name of its data set."""
    # The graphs and rankings are millions of objects, which the collector would go through in vain.
    gc.disable()
    found: dict[str, Generator[Case]] = {}
    yield found
    _end(found)
    gc.enable()


def _end(journeys: dict[str, Generator[Case]]) -> None:
    while journeys:
        journeys.popitem()[1].close()


@pytest.fixture(
    scope="package",
    params=[(name, state) for name in ("slice", "full") for state in STATES],
    ids="-".join,
)
def case(
    request: pytest.FixtureRequest,
    journeys: dict[str, Generator[Case]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Case:
    """A store of one of the data sets in one of the states."""
    name, state = request.param
    if name not in journeys:
        _end(journeys)
        folder = request.getfixturevalue("full_folder") if name == "full" else None
        knowledge = request.getfixturevalue("wordnet" if folder is None else "full")
        journeys[name] = cases(Data.of(knowledge, folder), tmp_path_factory.mktemp(name))
    return next(case for case in journeys[name] if case.state == state)
