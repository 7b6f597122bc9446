"""Qdrant Edge: a shard in a folder, HNSW over 8-bit or TurboQuant codes, rescored by its rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import qdrant_edge as qd

from peers.peer import FilteringPeer, Footprint, Ids, Matrix, Peer, Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray


IN: Final = "in"
"""What the field of a selected row holds; a bool would become 1 in a condition, and match none."""


class Qdrant(Peer):
    """One segment, all of it pinned in memory."""

    distribution = "qdrant-edge-py"
    _full_scan_kb = 10

    def __init__(self, codes: str, m: int = 16, ef_construct: int = 200) -> None:
        """Choose the codes, `i8` or `turbo4`, the degree and the effort of building."""
        self._codes, self._m, self._ef_construct = codes, m, ef_construct
        self.method = f"HNSW m {m}, ef_construct {ef_construct}, {codes} codes, rescored"

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Write the points and let the shard optimise itself into one segment with a graph."""
        count, self._dim = base.shape
        self._folder = tempfile.TemporaryDirectory(prefix="qdrant-", dir=Path.cwd())
        pinned = qd.Memory.Pinned
        codes: Any
        if self._codes == "i8":
            codes = qd.ScalarQuantizationConfig(qd.ScalarType.Int8, quantile=0.99, memory=pinned)
        else:
            codes = qd.TurboQuantQuantizationConfig(bits=qd.TurboQuantBitSize.Bits4, memory=pinned)
        config = qd.EdgeConfig(
            vectors=qd.EdgeVectorParams(self._dim, qd.Distance.Dot, memory=pinned),
            hnsw_config=qd.HnswIndexConfig(
                self._m,
                self._ef_construct,
                full_scan_threshold=self._full_scan_kb,
                max_indexing_threads=threads,
                memory=pinned,
            ),
            quantization_config=codes,
            optimizers=qd.EdgeOptimizersConfig(
                default_segment_number=1, indexing_threshold=1_000, max_segment_size=1 << 32
            ),
            max_search_threads=threads,
            wal_enabled=False,
        )
        self._shard = qd.EdgeShard.create(self._folder.name, config)
        for field in self._fields():
            schema = qd.PayloadSchemaType.Keyword
            self._shard.update(qd.UpdateOperation.create_field_index(field, schema))
        for start in range(0, count, 1_000):
            points = [
                qd.Point(start + at, row.tolist(), self._payload(start + at))
                for at, row in enumerate(base[start : start + 1_000])
            ]
            self._shard.update(qd.UpdateOperation.upsert_points(points))
        self._shard.flush()
        while self._shard.optimize():
            pass
        self._count = count

    def _fields(self) -> list[str]:
        """Return the fields of the payloads, to be indexed before the graph is built."""
        return []

    def _payload(self, row: int) -> dict[str, str] | None:
        del row
        return None

    def footprint(self) -> Footprint:
        """Return what lies on disk, less the rows; files are larger than what fills them."""
        folder = Path(self._folder.name)
        bytes_ = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
        return Footprint(bytes_ / self._count - self._dim * 4, self._dim * 4)

    def settings(self) -> list[Setting]:
        """Sweep ef and how many times k is rescored."""
        return [
            {"hnsw_ef": ef, "oversampling": over}
            for ef, over in (
                (10, 1.0),
                (14, 1.0),
                (20, 1.0),
                (28, 2.0),
                (40, 2.0),
                (56, 2.0),
                (80, 2.0),
                (112, 2.0),
                (160, 2.0),
                (224, 2.0),
                (320, 2.0),
                (448, 2.0),
                (640, 2.0),
            )
        ]

    def use(self, setting: Setting) -> None:
        """Take the parameters with each call."""
        self._parameters = qd.SearchParams(
            hnsw_ef=int(setting["hnsw_ef"]),
            quantization=qd.QuantizationSearchParams(
                rescore=True, oversampling=float(setting["oversampling"])
            ),
        )

    def _request(self, query: NDArray[np.float32], k: int) -> Any:
        nearest = qd.Query.Nearest(query.tolist())
        return qd.QueryRequest(limit=k, query=nearest, params=self._parameters)

    def search_one(self, query: NDArray[np.float32], k: int) -> Ids:
        """Return the rows most similar to one query."""
        found = self._shard.query(self._request(query, k))
        return np.array([point.id for point in found], dtype=np.int64)

    def search_batch(self, queries: Matrix, k: int) -> Ids:
        """Return the rows most similar to each query, a hundred to a call."""
        found = np.full((len(queries), k), -1, dtype=np.int64)
        for start in range(0, len(queries), 100):
            asked = [self._request(query, k) for query in queries[start : start + 100]]
            for at, points in enumerate(self._shard.query_batch(qd.QueryBatchRequest(asked))):
                found[start + at, : len(points)] = [point.id for point in points]
        return found


class FilteringQdrant(Qdrant, FilteringPeer):
    """A field with an index for each selection, so that the graph has links for it, too."""

    # The library's default: where the rows that pass take less, all of them are compared.
    _full_scan_kb = 10_000

    def build(self, base: Matrix, threads: int = 1) -> None:
        """Note which selections a row is in, and build."""
        self._of_row: list[dict[str, str]] = [{} for _ in range(len(base))]
        for at, rows in enumerate(self._selections.values()):
            for row in rows.tolist():
                self._of_row[row][f"s{at}"] = IN
        super().build(base, threads)
        self.method += ", a field with an index a selection"

    def _fields(self) -> list[str]:
        return [f"s{at}" for at in range(len(self._selections))]

    def _payload(self, row: int) -> dict[str, str] | None:
        return self._of_row[row]

    def select(self, name: str) -> None:
        """Take the condition with each call."""
        field = f"s{list(self._selections).index(name)}"
        self._filter = qd.Filter(must=[qd.FieldCondition(field, match=qd.MatchValue(value=IN))])

    def settings(self) -> list[Setting]:
        """Sweep ef, with ACORN's second hops over rows that the filter leaves out and without."""
        return [
            {"hnsw_ef": ef, "oversampling": 2.0, "acorn": acorn}
            for ef in (10, 20, 40, 80, 160, 320, 640)
            for acorn in (0, 1)
        ]

    def use(self, setting: Setting) -> None:
        """Take the parameters with each call."""
        self._parameters = qd.SearchParams(
            hnsw_ef=int(setting["hnsw_ef"]),
            quantization=qd.QuantizationSearchParams(
                rescore=True, oversampling=float(setting["oversampling"])
            ),
            acorn=qd.AcornSearchParams(enable=bool(setting["acorn"])),
        )

    def _request(self, query: NDArray[np.float32], k: int) -> Any:
        nearest = qd.Query.Nearest(query.tolist())
        return qd.QueryRequest(limit=k, query=nearest, params=self._parameters, filter=self._filter)
