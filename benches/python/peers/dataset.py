"""The rows and the queries: real embeddings, and perturbed copies of them where more are wanted.

Invariant: a size gives the same bytes on every machine. What is drawn comes from seeded generators,
and every sum is folded in a fixed order, so that no instruction set rounds it differently.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from peers.peer import Ids, Matrix

SEED: Final = 7
QUERIES: Final = 2_000
SMALLEST, MIDDLE, MILLION = SIZES = (10_000, 100_000, 1_000_000)
COSINES: Final = (0.6, 0.95)
"""Between which a copy's cosine with its original is uniform."""

GENERATOR: Final = (
    "copy i of row x = base[i mod n]: x' = normalise(x + sigma g), g standard gaussian in the "
    "original space, sigma such that cos(x, x') = c, c uniform in [0.6, 0.95]; all c from "
    "default_rng([7, stream, 0]), g row by row as float32 from default_rng([7, stream, 1]); "
    "stream 1 for the base, 2 for the queries; float64 sums folded by halves, rounded to float32"
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows to index and queries by the name of their set.

    Attributes:
        base: Rows of length one.
        queries: Rows of length one that the base does not hold.
        notes: Where both come from, for the record.
    """

    base: Matrix
    queries: dict[str, Matrix]
    notes: dict[str, Any]


def folded(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each row, its second half added to its first until one number is left."""
    while products.shape[1] > 1:
        half = products.shape[1] // 2
        rest = products[:, 2 * half :]
        products = np.hstack([products[:, :half] + products[:, half : 2 * half], rest])
    return products[:, 0]


def normalised(rows: NDArray[np.floating[Any]]) -> Matrix:
    """Return the rows with length one."""
    wide = rows.astype(np.float64)
    return (wide / np.sqrt(folded(wide * wide))[:, None]).astype(np.float32)


def perturbed(rows: Matrix, count: int, stream: int, block: int = 20_000) -> Matrix:
    """Return `count` perturbed copies of rows of length one, as `GENERATOR` says."""
    cosines = np.random.default_rng([SEED, stream, 0]).uniform(*COSINES, size=count)
    noise = np.random.default_rng([SEED, stream, 1])
    copies = np.empty((count, rows.shape[1]), dtype=np.float32)
    for start in range(0, count, block):
        end = min(start + block, count)
        x = rows[np.arange(start, end) % len(rows)].astype(np.float64)
        g = noise.standard_normal((end - start, rows.shape[1]), dtype=np.float32)
        wide = g.astype(np.float64)
        along = folded(wide * x)
        across = np.sqrt(folded(wide * wide) - along * along)
        cosine = cosines[start:end]
        # sigma across / (1 + sigma along) is the tangent of the angle between copy and original.
        tangent = np.sqrt(1 - cosine * cosine) / cosine
        sigma = tangent / (across - tangent * along)
        copies[start:end] = normalised(x + sigma[:, None] * wide)
    return copies


def digest(rows: Matrix | Ids) -> str:
    """Return the SHA-256 of the rows' bytes."""
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()


def read(folder: Path, size: int) -> Dataset:
    """Read a folder of `vectors_f16.npy`, hold queries out and bring the base to a size.

    10,000 are the first rows of the base, 100,000 are all of its rows, a million are these and
    perturbed copies. The queries are the rows held out; for a million perturbed ones, too.
    """
    rows = normalised(np.load(folder / "vectors_f16.npy"))
    held_out = np.random.default_rng(SEED).permutation(len(rows))[:QUERIES]
    queries = {"held out": rows[held_out]}
    base = np.delete(rows, held_out, axis=0)
    notes: dict[str, Any] = {
        "rows": "vectors_f16.npy widened and normalised, in the order of the file",
        "queries": f"the rows default_rng({SEED}).permutation({len(rows)})[:{QUERIES}], held out",
    }
    if size == MILLION:
        base = np.vstack([base, perturbed(base, MILLION - len(base), stream=1)])
        queries["perturbed"] = perturbed(queries["held out"], len(held_out), stream=2)
        notes["generator"] = GENERATOR
        notes["queries"] += "; as they are, and perturbed as the copies are"
    elif size == SMALLEST:
        base = base[:size]
    base = np.ascontiguousarray(base)
    notes["base_rows"], notes["dimension"] = base.shape
    notes["base_sha256"] = digest(base)
    notes["queries_sha256"] = {name: digest(each) for name, each in queries.items()}
    return Dataset(base, queries, notes)
