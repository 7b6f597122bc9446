"""LanceDB: a table in a folder, with an index of lists, refined by the stored rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import HnswSq, IvfPq

from peers.peer import Footprint, Ids, Matrix, Peer, Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Lance(Peer):
    """A table of ids and vectors; its threads are from the environment."""

    distribution = "lancedb"

    def __init__(self, kind: str) -> None:
        """Choose the kind of index, `pq` or `hnsw`."""
        self._kind = kind

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Write the table and index it."""
        del threads
        count, self._dim = base.shape
        # Beside the results, on the disk that a user would use.
        self._folder = tempfile.TemporaryDirectory(prefix="lancedb-", dir=Path.cwd())
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(base.reshape(-1)), self._dim)
        rows = pa.table({"id": pa.array(np.arange(count)), "vector": vectors})
        self._table = lancedb.connect(self._folder.name).create_table("rows", rows)
        # Lists of 512 rows; the library's advice for HNSW is lists of about a million.
        if self._kind == "pq":
            self._parts = count // 512
            made = f"IVF {self._parts}, PQ {self._dim // 4} of 8 bits"
            config: Any = IvfPq(
                distance_type="dot", num_partitions=self._parts, num_sub_vectors=self._dim // 4
            )
        else:
            self._parts = max(1, count // 1_048_576)
            made = f"IVF {self._parts}, HNSW SQ, m 16, ef_construction 200"
            config = HnswSq(
                distance_type="dot", num_partitions=self._parts, m=16, ef_construction=200
            )
        self._table.create_index("vector", config=config)
        self.method = f"{made}, refined by the stored rows"
        self._count = count

    def footprint(self) -> Footprint:
        """Return what lies on disk, less the rows."""
        folder = Path(self._folder.name)
        bytes_ = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        return Footprint(bytes_ / self._count - self._dim * 4, self._dim * 4)

    def settings(self) -> list[Setting]:
        """Sweep the lists probed, or ef, and how many times k is refined."""
        if self._kind == "hnsw":
            return [
                {"ef": ef, "refine_factor": factor}
                for ef, factor in ((20, 1), (40, 1), (80, 2), (160, 2), (320, 2))
            ]
        return [
            {"nprobes": probes, "refine_factor": factor}
            for probes, factor in ((5, 4), (10, 4), (20, 8), (40, 8), (80, 16), (self._parts, 16))
            if probes <= self._parts
        ]

    def use(self, setting: Setting) -> None:
        """Take the parameters with each call."""
        self._setting = setting

    def _query(self, vectors: Any, k: int) -> Any:
        query = (
            self._table.search(vectors, vector_column_name="vector")
            .select(["id", "_distance"])
            .limit(k)
        )
        query = query.distance_type("dot").refine_factor(int(self._setting["refine_factor"]))
        if "ef" in self._setting:
            return query.nprobes(self._parts).ef(int(self._setting["ef"])).to_arrow()
        return query.nprobes(int(self._setting["nprobes"])).to_arrow()

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        return np.asarray(self._query(query, k)["id"].to_numpy())

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query, a hundred to a call."""
        found = np.full((len(queries), k), -1, dtype=np.int64)
        for start in range(0, len(queries), 100):
            table = self._query(list(queries[start : start + 100]), k)
            at = table["query_index"].to_numpy() + start
            ids = table["id"].to_numpy()
            order = np.argsort(at, kind="stable")
            at, ids = at[order], ids[order]
            place = np.arange(len(at)) - np.searchsorted(at, at)
            found[at, place] = ids
        return found
