"""LanceDB: a table in a folder, with an index of lists, refined by the stored rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import HnswSq, IvfPq

from peers import selections
from peers.peer import FilteringPeer, Footprint, Ids, Matrix, Peer, Setting

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
        columns = {"id": pa.array(np.arange(count)), "vector": vectors}
        rows = pa.table(columns | self._columns(count))
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

    def _columns(self, count: int) -> dict[str, Any]:
        """Return more columns of so many rows."""
        del count
        return {}

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

    def _search(self, vectors: Any, k: int) -> Any:
        query = self._table.search(vectors, vector_column_name="vector")
        return query.select(["id", "_distance"]).limit(k)

    def _query(self, vectors: Any, k: int) -> Any:
        query = self._search(vectors, k)
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


class FilteringLance(Lance, FilteringPeer):
    """A column for each selection, with an index of bitmaps, that is asked before the vectors."""

    _FEW: Final = 50
    """Where fewer than one row in so many is selected, comparing all of them is tried."""

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Write and index the columns, too."""
        super().build(base, threads)
        for at in range(len(self._selections)):
            self._table.create_scalar_index(f"s{at}", index_type="BITMAP")
        self.method += ", a column with a bitmap index a selection"

    def _columns(self, count: int) -> dict[str, Any]:
        return {
            f"s{at}": pa.array(selections.mask(rows, count).astype(np.int8))
            for at, rows in enumerate(self._selections.values())
        }

    def select(self, name: str) -> None:
        """Take the clause with each call."""
        self._where = f"s{list(self._selections).index(name)} = 1"
        self._few = len(self._selections[name]) * self._FEW < self._count

    def settings(self) -> list[Setting]:
        """Sweep as without a filter, and the vector index's being left aside."""
        aside: list[Setting] = [{"index_left_aside": 1, "refine_factor": 1}] if self._few else []
        return aside + super().settings()

    def _search(self, vectors: Any, k: int) -> Any:
        query = super()._search(vectors, k).where(self._where, prefilter=True)
        return query.bypass_vector_index() if "index_left_aside" in self._setting else query

    def _query(self, vectors: Any, k: int) -> Any:
        if "index_left_aside" in self._setting:
            return self._search(vectors, k).distance_type("dot").to_arrow()
        return super()._query(vectors, k)
