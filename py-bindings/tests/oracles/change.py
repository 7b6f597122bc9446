"""The change between the states of a store, of concepts, vectors and associations alike.

Invariant: what is returned is made from what was written before, never read from the store.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .content import Content, associate, confidences
from .data import SEED

if TYPE_CHECKING:
    import sutra_storage


def change(store: sutra_storage.GraphStore, before: Content) -> Content:
    """Delete, replace or update a tenth of the concepts, and a tenth of the associations.

    Of the tenth, a third is deleted, a third deleted and put again, a third updated. Texts and
    vectors come from other concepts, so that ties come up; some are taken away.
    """
    rng = np.random.default_rng(SEED + 1)
    total = len(before.ids)
    chosen = rng.permutation(total)[: total // 10]
    deleted, again, updated = (part.tolist() for part in np.array_split(chosen, 3))
    gone = {before.ids[at] for at in deleted + again}

    texts, vectors = list(before.texts), before.vectors.copy()
    has_vector, categories = before.has_vector.copy(), list(before.categories)
    donors = rng.integers(total, size=total)
    for turn, at in enumerate(again + updated):
        texts[at] = before.texts[donors[at]] if turn % 10 else ""
        vectors[at], has_vector[at] = before.vectors[donors[at]], before.has_vector[donors[at]]
        categories[at] = "changed"
    # What was deleted and put again is the newest.
    kept = sorted(set(range(total)) - set(deleted) - set(again)) + again
    after = Content(
        [before.ids[at] for at in kept],
        [texts[at] for at in kept],
        vectors[kept],
        has_vector[kept],
        [categories[at] for at in kept],
        {key: sure for key, sure in before.edges.items() if gone.isdisjoint(key[:2])},
    )
    store.delete_many(gone)
    after.put(store, range(len(kept) - len(again), len(kept)))
    with store.transaction() as tx:
        for at in updated:
            tx.update_concept(
                before.ids[at],
                content=texts[at],
                vector=vectors[at] if has_vector[at] else None,
                category="changed",
            )

    keys = list(after.edges)
    picked = [keys[at] for at in rng.permutation(len(keys))[: len(keys) // 10]]
    cut, put = picked[::2], picked[1::2]
    ends = [before.ids[at] for at in again]
    put += [(source, target, "again") for source, target in pairwise(ends)]
    drawn = confidences(rng, put)
    with store.transaction() as tx:
        for source, target, kind in cut:
            tx.delete_association(source, target, kind)
            del after.edges[source, target, kind]
    associate(store, put, drawn)
    after.edges.update(zip(put, drawn, strict=True))
    return after
