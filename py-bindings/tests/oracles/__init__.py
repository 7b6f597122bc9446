"""The store against implementations that are not ours: bm25s, numpy and networkx.

Each comparison runs on the slice of WordNet that the repository carries, and on the full data set
where one is found; as written, reopened, right after a tenth of the concepts was deleted, replaced
or updated, and once that was compacted. Invariant: an oracle reads the model of what was written
(`Content`), never the store.
"""
# A package, other than the folders of tests beside it: its test files share modules, and a store.

import pytest

# Its checks fail as legibly as those in a test file.
pytest.register_assert_rewrite(f"{__name__}.ranking")
